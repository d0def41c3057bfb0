"""Paths from SpaceToBatchND over a convolution to BatchToSpaceND, on which all positions are treated alike."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, Node, TensorRef
from tfmobile.passes.affine import is_nchw
from tfmobile.passes.convolutions.integers import number_list, pairs
from tfmobile.passes.convolutions.moves import COPIES
from tfmobile.passes.convolutions.windows import CONVOLUTIONS

_ACTIVATIONS = frozenset(
    {"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Abs", "Neg"}
)
_BY_CHANNEL = frozenset({"Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum"})
_BEFORE = COPIES | {"ExpandDims"}
_AFTER = COPIES | _ACTIVATIONS | _BY_CHANNEL | BATCH_NORMS.keys() | {"Squeeze", "BiasAdd"}


@dataclass
class Path:
    """``nodes`` stand between ``first`` and ``last``; ``blocks``, ``pads`` and ``crops`` go by axis of the layer."""

    first: Node
    layer: Node
    last: Node
    nodes: list[Node]
    blocks: dict[int, int] = field(default_factory=dict)
    pads: dict[int, tuple[int, int]] = field(default_factory=dict)
    crops: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def channel(self) -> int:
        """The layer's channel axis."""
        return 1 if is_nchw(self.layer) else 3

    def controls(self, editor: GraphEditor) -> list[str]:
        """What the outer two nodes and their constants wait for."""
        outer = (self.first, self.last)
        constants = [source(editor, ref) for node in outer for ref in node.inputs[1:]]
        return [name for node in (*outer, *constants) for name in node.controls]


def find_path(editor: GraphEditor, first: Node) -> Path | str | None:
    """The path that starts at ``first``; why it cannot be one convolution; None when no convolution is on it."""
    nodes: list[Node] = []
    data = TensorRef(first.name)
    layer: Node | None = None
    while True:
        reader = editor.only_reader(data)
        if reader is None:
            found = layer or next((node for node in editor.readers(data) if node.op in CONVOLUTIONS), None)
            return f"'{data}' is read by other nodes too, or is a model output" if found else None
        if reader.op == "BatchToSpaceND" and reader.inputs[0] == data:
            return None if layer is None else _measured(editor, Path(first, layer, reader, nodes))
        if layer is None and reader.op in CONVOLUTIONS and reader.inputs[0] == data:
            layer = reader
        elif reader.op not in (_AFTER if layer else _BEFORE):
            return f"'{reader.name}' ({reader.op}) comes before any BatchToSpaceND" if layer else None
        nodes.append(reader)
        data = TensorRef(reader.name)


def _measured(editor: GraphEditor, path: Path) -> Path | str:
    """The path with its blocks, paddings and crops; or why it is not one convolution."""
    place = path.nodes.index(path.layer)
    entered = _entered(editor, path.nodes[:place])
    if entered is None:
        return "its dimensions are expanded by an axis that is not constant"
    problem = _outer(editor, path.first, entered, path.blocks, path.pads)
    if problem:
        return problem
    kept = [0, 1, 2, 3]
    data = TensorRef(path.layer.name)
    for node in path.nodes[place + 1 :]:
        if not _treats_all_alike(editor, node, data, kept, path.channel):
            return f"'{node.name}' ({node.op}) does not treat all positions alike"
        data = TensorRef(node.name)
    blocks: dict[int, int] = {}
    problem = _outer(editor, path.last, kept, blocks, path.crops)
    if problem:
        return problem
    if any(path.blocks.get(axis, 1) != blocks.get(axis, 1) for axis in range(4)):
        return f"the blocks of '{path.last.name}' (BatchToSpaceND) are not the same"
    if any(amounts.get(axis, (0, 0)) != (0, 0) for amounts in (path.pads, path.crops) for axis in (0, path.channel)):
        return "channels are added or cut off"
    return "it deals out channels" if path.blocks.get(path.channel, 1) != 1 else path


def _outer(
    editor: GraphEditor, node: Node, axes: list[int], blocks: dict[int, int], amounts: dict[int, tuple[int, int]]
) -> str:
    """Read blocks, and paddings or crops, of one of the outer nodes, whose output has the layer's ``axes``."""
    numbers, changes = number_list(editor, node.inputs[1]), pairs(editor, node.inputs[2])
    if numbers is None or changes is None or len(numbers) != len(changes) or len(numbers) >= len(axes):
        return f"the blocks, paddings or crops of '{node.name}' ({node.op}) are not constant"
    for place, (block, change) in enumerate(zip(numbers, changes, strict=True), start=1):
        blocks[axes[place]], amounts[axes[place]] = block, change
    return ""


def _entered(editor: GraphEditor, nodes: list[Node]) -> list[int] | None:
    """The layer's axes that the axes before ``nodes`` become."""
    axes = list(range(4 - sum(node.op == "ExpandDims" for node in nodes)))
    rank = len(axes)
    for node in nodes:
        if node.op == "ExpandDims":
            added = number_list(editor, node.inputs[1])
            if added is None or len(added) != 1:
                return None
            rank += 1
            axes = [axis + (axis >= added[0] % rank) for axis in axes]
    return axes


def _treats_all_alike(editor: GraphEditor, node: Node, data: TensorRef, kept: list[int], channel: int) -> bool:
    """Whether each value comes from the one at its place, by channel. A Squeeze takes its axes off ``kept``."""
    if node.op in COPIES | _ACTIVATIONS:
        return True
    if node.op == "Squeeze":
        gone = {axis % len(kept) for axis in node.attrs.get("squeeze_dims", ())}
        kept[:] = [axis for place, axis in enumerate(kept) if place not in gone]
        return bool(gone) and channel in kept
    place = kept.index(channel)
    if node.op in _BY_CHANNEL:
        other = source(editor, node.inputs[1 - node.inputs.index(data)]).value
        return node.inputs.count(data) == 1 and other is not None and _by_channel(other, len(kept), place)
    if node.inputs[0] != data or node.inputs.count(data) != 1 or place != (1 if is_nchw(node) else len(kept) - 1):
        return False
    fixed = node.op in ("BiasAdd", "BatchNormWithGlobalNormalization") or not node.attrs.get("is_training", True)
    return fixed and not any(
        ref.index for item in editor.consumers(node.name) for ref in item.inputs if ref.node == node.name
    )


def _by_channel(value: Array, rank: int, channel: int) -> bool:
    """Whether ``value``, broadcast against ``rank`` axes, is the same at all places of a channel."""
    offset = rank - value.ndim
    return offset >= 0 and all(size == 1 for axis, size in enumerate(value.shape) if axis + offset != channel)
