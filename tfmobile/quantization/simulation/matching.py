"""Which tensor of the graph a tensor of the .tflite made from it equals, but for rounding.

The converter names what an operator gives after the nodes it was fused from, joined by ``;``, its constants included.
The one that is computed last is what the operator gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tfmobile.graph.edit import in_order
from tfmobile.graph.model import Graph, TensorRef
from tfmobile.quantization.simulation.reading import Operator, QuantizedModel, Tensor

BOUNDARY = frozenset({"QUANTIZE", "DEQUANTIZE"})


def match(graph: Graph, model: QuantizedModel) -> dict[int, TensorRef]:
    """Index of a tensor that is an input or computed → the graph's tensor; what has none is left out."""
    order = computed(graph)
    found = _ends(graph, model)
    claimed: dict[TensorRef, int] = {}
    made = [
        (place, operator.outputs)
        for operator in model.operators
        if operator.op not in BOUNDARY
        for place in range(len(operator.outputs))
    ]
    for place, outputs in made:
        tensor, first = outputs[place], _named(outputs[0].name, order)
        ref = found.get(tensor.index) or (first and TensorRef(first.node, place or first.index))
        if ref is None:
            continue
        if ref in claimed:  # the name of a step on the way: the last one is what the node gives
            found.pop(claimed[ref], None)
        found[tensor.index] = ref
        claimed[ref] = tensor.index
    _through_boundaries(model.operators, found)
    taken = set(found.values())
    for _, (tensor, *_) in made:
        # A constant had the name already: "logits" became "logits1".
        refs = (_named(name, order) for name in _without_number(tensor.name))
        ref = next((one for one in refs if one is not None and one not in taken), None)
        if tensor.index not in found and ref is not None:
            found[tensor.index] = ref
            taken.add(ref)
    return found


def computed(graph: Graph) -> Mapping[str, int]:
    """The nodes that depend on an input of the model, and their place in execution order."""
    depends = {spec.ref.node for spec in graph.inputs}
    found: dict[str, int] = {}
    for place, node in enumerate(in_order(graph)):
        if node.name in depends or any(ref.node in depends for ref in node.inputs):
            depends.add(node.name)
            found[node.name] = place
    return found


def layer_name(tensor: Tensor, ref: TensorRef | None) -> str:
    """What users call an operator: the first part of its output's name, when that is a name in the graph."""
    first = tensor.name.split(";")[0]
    if ref is None or ref.node in tensor.name.split(";"):
        return first
    return str(ref)


def _ends(graph: Graph, model: QuantizedModel) -> dict[int, TensorRef]:
    """The inputs and outputs of the model, by key or else by position."""
    found: dict[int, TensorRef] = {}
    for specs, tensors in ((graph.outputs, model.outputs), (graph.inputs, model.inputs)):
        by_place = list(tensors.values())
        for place, spec in enumerate(specs):
            tensor = tensors.get(spec.key) or (by_place[place] if place < len(by_place) else None)
            if tensor is not None:
                found[tensor.index] = spec.ref
    return found


def _named(name: str, order: Mapping[str, int]) -> TensorRef | None:
    refs = [TensorRef.parse(part) for part in name.split(";")]
    known = [ref for ref in refs if ref.node in order]
    return max(known, key=lambda ref: order[ref.node], default=None)


def _without_number(name: str) -> Iterator[str]:
    while name and name[-1].isdigit():
        name = name[:-1]
        yield name


def _through_boundaries(operators: tuple[Operator, ...], found: dict[int, TensorRef]) -> None:
    """QUANTIZE and DEQUANTIZE change no value but by rounding: both sides are the same tensor of the graph."""
    for operator in reversed(operators):
        if operator.op in BOUNDARY and operator.outputs[0].index in found and operator.data:
            found.setdefault(operator.data[0].index, found[operator.outputs[0].index])
    for operator in operators:
        if operator.op in BOUNDARY and operator.data and operator.data[0].index in found:
            found.setdefault(operator.outputs[0].index, found[operator.data[0].index])
