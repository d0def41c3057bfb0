"""What a simulated network consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfmobile.graph.model import Array, Graph, TensorRef

INPUT = "INPUT"
"""The op of the layer that rounds an input of the model."""


@dataclass(frozen=True)
class SimulatedLayer:
    """One operator that rounds its output. ``name``: what users call it. ``op``: the .tflite's name, or INPUT.

    ``node``: the graph's node of weights, or the one that gives the output; "" when not found. ``scale`` and
    ``zero_point`` of the output; ``weight_scales`` [1 or channels]. ``inputs``: the layers it reads. ``switchable``:
    whether it can be computed in float.
    """

    name: str
    op: str
    node: str
    scale: float
    zero_point: int
    weight_scales: tuple[float, ...]
    inputs: tuple[str, ...]
    switchable: bool


@dataclass(frozen=True)
class Wires:
    """Where a layer's tensors are in the simulated graph; None for those that are not there.

    ``real``: its output in real values. ``floating``: the same on the float path. ``sums``: before activation, where 1
    stands for ``step``; ``floating_sums``: the same on the float path, in real values. ``data`` and ``floating_data``:
    what it reads.
    """

    real: TensorRef
    floating: TensorRef | None
    sums: TensorRef | None = None
    step: Array | None = None
    floating_sums: TensorRef | None = None
    data: TensorRef | None = None
    floating_data: TensorRef | None = None


@dataclass(frozen=True)
class Network:
    """``graph``: both paths. Its inputs are those of the float graph, and ``settings``, by key with usual values.

    ``switches``: the setting that has a layer computed in float, by the layer's name. ``outputs``: those of the
    quantized path, by output key; those of the float path are the graph's.
    """

    graph: Graph
    layers: tuple[SimulatedLayer, ...]
    wires: Mapping[str, Wires]
    switches: Mapping[str, str]
    settings: Mapping[str, Array]
    outputs: Mapping[str, TensorRef]
    notes: tuple[str, ...] = field(default=())
