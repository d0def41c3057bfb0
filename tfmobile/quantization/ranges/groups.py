"""Which tensors of a float .tflite must have one range when it is quantized, and where they are in its graph."""

from __future__ import annotations

from dataclasses import dataclass

from tfmobile.graph.model import Graph, TensorRef
from tfmobile.quantization.simulation.matching import match
from tfmobile.quantization.simulation.reading import Operator, QuantizedModel, read
from tfmobile.quantization.tensor_keys import range_keys
from tfmobile.runtime import flatbuffer

MOVES = frozenset(
    {
        *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "GATHER", "GATHER_ND"),
        *("SPLIT", "SPLIT_V", "UNPACK", "REVERSE_V2", "TILE", "BROADCAST_TO", "PAD", "PADV2", "MIRROR_PAD"),
        *("REDUCE_MAX", "REDUCE_MIN", "MAX_POOL_2D", "TOPK_V2", "RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_DEPTH"),
        *("DEPTH_TO_SPACE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "CONCATENATION", "PACK", "MAXIMUM", "MINIMUM"),
        *("SELECT", "SELECT_V2", "DYNAMIC_UPDATE_SLICE"),
    }
)
"""What comes out went in: rounded values stay what they are."""
AVERAGES = frozenset({"AVERAGE_POOL_2D", "RESIZE_BILINEAR"})
"""They have the range of what they read as well, and round again."""
FIXED = frozenset({"SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX", "L2_NORMALIZATION"})
"""The range of their output cannot be chosen: https://ai.google.dev/edge/litert/models/quantization_spec"""


@dataclass(frozen=True)
class Group:
    """Tensors of one range, by calibration key and, where they are in the graph, by tensor, in execution order.

    ``sources`` are given by operators that decide about their range; ``again`` are rounded once more on the way. The
    range of ``source_keys`` covers all.
    """

    keys: tuple[str, ...]
    source_keys: tuple[str, ...]
    sources: tuple[TensorRef, ...]
    again: tuple[TensorRef, ...]

    @property
    def name(self) -> str:
        """What users see: the first part of the first key."""
        return self.keys[0].split(";")[0]


def find_groups(floating: bytes, graph: Graph) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """The groups whose range can be chosen, in execution order; and a sentence for each that ``graph`` does not have.

    Only the main subgraph is looked at; ``graph`` is the one ``floating`` was converted from.
    """
    found = _Groups(floating, graph)
    for operator in found.model.operators:
        found.visit(operator)
    return found.groups()


class _Groups:
    def __init__(self, floating: bytes, graph: Graph) -> None:
        self.model: QuantizedModel = read(floating)
        places = range_keys(flatbuffer.read(floating))
        self._keys = {place[1]: key for place, key in places.items() if place[0] == 0}
        self._refs = match(graph, self.model)
        self._order: dict[int, None] = {tensor.index: None for tensor in self.model.inputs.values()}
        self._above: dict[int, int] = {}
        self._moved: set[int] = set()
        self._again: set[int] = set()
        self._fixed: set[int] = set()

    def visit(self, operator: Operator) -> None:
        outputs = [tensor.index for tensor in operator.outputs]
        self._order.update(dict.fromkeys(outputs))
        if operator.op in FIXED:
            self._fixed.update(outputs)
        if operator.op not in MOVES | AVERAGES:
            return
        data = [tensor.index for tensor in operator.data if tensor.index in self._keys]
        for index in (*data, *outputs):
            self._above[self._top(index)] = self._top(data[0] if data else index)
        self._moved.update(outputs)
        if operator.op in AVERAGES:
            self._again.update(outputs)

    def groups(self) -> tuple[tuple[Group, ...], tuple[str, ...]]:
        members: dict[int, list[int]] = {}
        for index in self._order:
            if index in self._keys:
                members.setdefault(self._top(index), []).append(index)
        free = [some for some in members.values() if self._fixed.isdisjoint(some)]
        known = [some for some in free if all(one in self._refs for one in some if one not in self._moved)]
        lost = [some for some in free if some not in known]
        return tuple(map(self._group, known)), tuple(map(self._reason, lost))

    def _group(self, indices: list[int]) -> Group:
        sources = [index for index in indices if index not in self._moved]
        again = [index for index in indices if index in self._again and index in self._refs]
        return Group(
            keys=tuple(self._keys[index] for index in indices),
            source_keys=tuple(self._keys[index] for index in sources),
            sources=tuple(self._refs[index] for index in sources),
            again=tuple(self._refs[index] for index in again),
        )

    def _reason(self, indices: list[int]) -> str:
        name = self._keys[indices[0]].split(";")[0]
        return f"Left the range of '{name}' as it is: it is no tensor of the graph, so its effect cannot be tried."

    def _top(self, index: int) -> int:
        while self._above.get(index, index) != index:
            index = self._above[index]
        return index
