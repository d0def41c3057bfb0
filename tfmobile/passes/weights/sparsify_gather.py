"""sparsify-gather: a table of mostly zero rows keeps only the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.attributes import compact
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import PASS_THROUGH, source
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef

_GATHERS = frozenset({"Gather", "GatherV2"})


@dataclass(frozen=True)
class SparsifyGather:
    """Turn ``Gather(table, ids)``, where many rows of the constant table are zero, into
    ``Gather(rows, Gather(row_of, ids))``: ``rows`` holds one row of zeros and the rows that are not zero, ``row_of``
    the number of its row for each id, in int16 where that is enough. The answer is exactly the same, and it runs
    everywhere, TFLite included. Gather and GatherV2 on axis 0, any dtype of numbers, tables of any rank, also behind
    Identity. The last Gather keeps its name; gathers of one table share what is made of it.

    Left alone, and said: where the two constants would not be smaller than the table, where something else reads the
    table, on another axis or with batch dimensions.

    The original tool made a hash table, which has to be filled by an initializer each time the model is loaded, of
    tables of one column, and took values below 1e-5 for zero; TFLite has no such tables. So ``group_init_node`` (the
    node that fills the tables) and ``input_checkpoint`` (weights of a graph that was not frozen) are accepted, and
    mean nothing here, which is said.
    """

    name: ClassVar[str] = "sparsify-gather"
    keeps_answer: ClassVar[bool] = True
    group_init_node: str = ""
    input_checkpoint: str = ""

    def apply(self, graph: Graph) -> PassResult:
        """One sentence for each table, with its bytes before and after."""
        editor = GraphEditor(graph)
        changed: list[str] = []
        skipped = list(self._without_meaning())
        for node in editor:
            if not any(reader.op in _GATHERS | PASS_THROUGH for reader in editor.consumers(node.name)):
                continue
            said = _sparsify(editor, node)
            if said is not None:
                (changed if said.startswith("Made") else skipped).append(said)
        return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))

    def _without_meaning(self) -> list[str]:
        said = []
        if self.group_init_node:
            said.append("Left group_init_node aside: the tables are constants, and nothing has to fill them.")
        if self.input_checkpoint:
            said.append("Left input_checkpoint aside: the graph is frozen, and holds its weights.")
        return said


def _sparsify(editor: GraphEditor, table: Node) -> str | None:
    """What was done, or why not; None where the node is no table with rows of zeros that is gathered from."""
    value = table.value
    if value is None or value.ndim == 0 or not _is_numbers(value):
        return None
    gathers, others = _readers(editor, table.name)
    if not gathers:
        return None
    used = np.asarray(value.reshape(len(value), -1).any(axis=1))
    if used.all():
        return None
    rows, row_of = _split(value, used)
    reason = _why_not(editor, table, gathers, others)
    if not reason and rows.nbytes + row_of.nbytes >= value.nbytes:
        reason = f"it is {value.nbytes:,} bytes, and would be {rows.nbytes + row_of.nbytes:,}"
    if reason:
        return f"Left '{table.name}' (Const): {reason}."
    _replace(editor, table, gathers, rows, row_of)
    return (
        f"Made '{table.name}' (Const) sparse: {int(used.sum()):,} of {len(value):,} rows are not zero, "
        f"{rows.nbytes + row_of.nbytes:,} bytes instead of {value.nbytes:,}."
    )


def _is_numbers(value: Array) -> bool:
    """Numbers, and not one that is repeated: the file holds that once."""
    return any(value.strides) and (value.dtype.kind in "fiuc" or value.dtype.name == "bfloat16")


def _readers(editor: GraphEditor, table: str) -> tuple[list[Node], list[Node]]:
    """The gathers that take their rows from the node, also through copies, and what else reads those."""
    gathers: list[Node] = []
    others: list[Node] = []
    waiting = [table]
    while waiting:
        name = waiting.pop()
        for reader in editor.consumers(name):
            takes = [place for place, ref in enumerate(reader.inputs) if ref.node == name]
            if reader.op in PASS_THROUGH and takes == [0] and not editor.is_boundary(reader.name):
                waiting.append(reader.name)
            elif reader.op in _GATHERS and takes == [0]:
                gathers.append(reader)
            else:
                others.append(reader)
    return gathers, others


def _why_not(editor: GraphEditor, table: Node, gathers: list[Node], others: list[Node]) -> str:
    if editor.is_boundary(table.name):
        return "it is a model input or output"
    if others:
        return f"'{others[0].name}' ({others[0].op}) reads the whole table"
    for gather in gathers:
        if gather.attrs.get("batch_dims", 0):
            return f"'{gather.name}' ({gather.op}) has batch dimensions"
        axis = source(editor, gather.inputs[2]).value if len(gather.inputs) > 2 else np.zeros(())
        if axis is None or axis.size != 1 or int(axis.reshape(())) != 0:
            return f"'{gather.name}' ({gather.op}) is not known to gather on axis 0"
    return ""


def _split(value: Array, used: Array) -> tuple[Array, Array]:
    """The rows, the first one zero, and for each id the number of its row."""
    count = int(used.sum())
    row_of = np.where(used, np.cumsum(used), 0).astype(np.int16 if count < 2**15 else np.int32)
    return np.concatenate([np.zeros_like(value[:1]), value[used]]), row_of


def _replace(editor: GraphEditor, table: Node, gathers: list[Node], rows: Array, row_of: Array) -> None:
    refs = [_constant(editor, table, what, part) for what, part in (("rows", rows), ("row_of", row_of))]
    for gather in gathers:
        ids = gather.inputs[1]
        kinds = {"Tparams": DType(row_of.dtype.name)}
        inputs = (refs[1], ids, *gather.inputs[2:])
        name = editor.fresh(f"{gather.name}/row")
        row = Node(name, gather.op, inputs, gather.controls, {**gather.attrs, **kinds}, gather.device)
        number = TensorRef(editor.add(row, beside=gather.name).name)
        if row_of.dtype != np.int32:
            attrs = {"SrcT": DType(row_of.dtype.name), "DstT": DType("int32")}
            cast = Node(editor.fresh(f"{gather.name}/row_number"), "Cast", (number,), (), attrs, gather.device)
            number = TensorRef(editor.add(cast, beside=gather.name).name)
        editor.update(
            gather.name,
            inputs=(refs[0], number, *gather.inputs[2:]),
            attrs={**gather.attrs, "Tindices": DType("int32")},
        )


def _constant(editor: GraphEditor, table: Node, what: str, value: Array) -> TensorRef:
    name = f"{table.name}/{what}"
    return editor.add_constant(name, compact(value), beside=table.name, controls=table.controls, device=table.device)
