"""Which calibration key stands for a tensor of the graph."""

from __future__ import annotations

from tfmobile.graph.model import Graph, TensorRef
from tfmobile.quantization.simulation.matching import match
from tfmobile.quantization.simulation.reading import read
from tfmobile.quantization.tensor_keys import range_keys
from tfmobile.runtime import flatbuffer


def keys_of_tensors(graph: Graph, floating: bytes) -> dict[TensorRef, str]:
    """Tensor of ``graph`` → its key in ``floating``, the float .tflite that was made from it; unknown ones left out."""
    keys = range_keys(flatbuffer.read(floating))
    refs = match(graph, read(floating))
    return {ref: keys[0, index] for index, ref in refs.items() if (0, index) in keys}
