"""insert-logging: print tensors while the graph runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import DType, Graph, Node, TensorRef
from tfmobile.graph.ops import output_dtypes
from tfmobile.passes.editing.absent import absent_op

_SUFFIX = "__print__"
_HANDLES = frozenset({"resource", "variant"})


@dataclass(frozen=True)
class InsertLogging:
    """After each matching node, insert a ``Print`` that writes its outputs to standard error and hands on the first.

    A node matches when its op is one of ``op`` (any, when none is given) and its name begins with one of ``prefix``
    (likewise). The Print is called ``NODE__print__`` and prints every output that is read. What read the first output
    reads the Print. When the first output is an output of the model, the Print gets the node's name, so that the
    output is still called and worth the same, and the node is called ``NODE/computed``.

    A line begins with ``;OP;`` when ``show_op``, then ``;NODE__print__;`` when ``show_name``, then ``message``. Only
    the ``first_n`` runs are printed (−1: all), and at most ``summarize`` values of each output.

    Left alone, with the reason told: control flow; nodes whose first output nothing reads; handles, which have no
    values; model outputs other than a node's first. Such a graph is for TensorFlow only, as no ``.tflite`` can print;
    remove-training-nodes takes the Prints out again, but for those that are an output. Asked twice, the pass inserts a
    second Print. Verifying runs the graph, so it prints too.

    A constant behind a Print is no constant to an op that needs one to load, such as an axis that decides a shape. Then
    the pass is refused; name the ops, or a prefix, to leave such constants out.

    The original left the model's outputs without logging.
    """

    name: ClassVar[str] = "insert-logging"
    keeps_answer: ClassVar[bool] = True
    op: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    show_op: bool = False
    show_name: bool = False
    message: str = ""
    first_n: int = -1
    summarize: int = 1024

    def __post_init__(self) -> None:
        if self.first_n < -1:
            raise ValueError(f"first_n is a number of runs, or -1 for all, not {self.first_n}.")
        if self.summarize < -1:
            raise ValueError(f"summarize is a number of values, or -1 for all, not {self.summarize}.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes that are printed, and says that the graph is for TensorFlow only."""
        skipped = [absent_op(graph, op) for op in self.op if all(node.op != op for node in graph)]
        skipped.extend(
            f"No node's name begins with '{prefix}'."
            for prefix in self.prefix
            if not any(node.name.startswith(prefix) for node in graph)
        )
        editor = GraphEditor(graph)
        count = 0
        for node in graph:
            if not self._is_meant(node):
                continue
            read = _read(editor, node.name)
            kinds = output_dtypes(node) or ()
            reason = _why_not(editor, node, read, kinds)
            if reason:
                skipped.append(f"Left '{node.name}' ({node.op}): {reason}")
                continue
            self._insert(editor, node, read, kinds)
            count += 1
        if not count:
            return PassResult(graph, (), tuple(skipped))
        what = (
            f"Inserted {count} {'Print' if count == 1 else 'Prints'}, which TensorFlow runs and TensorFlow Lite cannot."
        )
        return PassResult(editor.finish(prune=False), (what,), tuple(skipped))

    def _is_meant(self, node: Node) -> bool:
        return (not self.op or node.op in self.op) and (not self.prefix or node.name.startswith(self.prefix))

    def _insert(self, editor: GraphEditor, node: Node, read: list[int], kinds: tuple[str, ...]) -> None:
        start = f";{node.op};" if self.show_op else ""
        start += f";{node.name}{_SUFFIX};" if self.show_name else ""
        attrs = {
            "T": DType(kinds[0]),
            "U": tuple(DType(kinds[index]) for index in read),
            "message": f"{start}{self.message}".encode(),
            "first_n": self.first_n,
            "summarize": self.summarize,
        }
        first = TensorRef(node.name)
        if first in editor.outputs:
            _print_output(editor, node, read, attrs)
            return
        readers = editor.readers(first)
        name = editor.fresh(f"{node.name}{_SUFFIX}")
        printed = tuple(TensorRef(node.name, index) for index in read)
        editor.add(Node(name, "Print", (first, *printed), (), attrs, node.device), beside=readers[0].name)
        for reader in readers:
            inputs = tuple(TensorRef(name) if ref == first else ref for ref in reader.inputs)
            editor.update(reader.name, inputs=inputs)


def _print_output(editor: GraphEditor, node: Node, read: list[int], attrs: dict[str, object]) -> None:
    """Let the Print have the node's name, and the node another."""
    now = editor[node.name]
    name = editor.fresh(f"{node.name}/computed")
    editor.add(dataclasses.replace(now, name=name), beside=node.name)
    for index in read:
        if index:
            editor.redirect(TensorRef(node.name, index), TensorRef(name, index))
    printed = tuple(TensorRef(name, index) for index in read)
    editor.replace(Node(node.name, "Print", (TensorRef(name), *printed), (), attrs, node.device))


def _read(editor: GraphEditor, name: str) -> list[int]:
    """The outputs of the node that something reads, or that the model gives."""
    refs = {ref for reader in editor.consumers(name) for ref in reader.inputs if ref.node == name}
    refs.update(ref for ref in editor.outputs if ref.node == name)
    return sorted(ref.index for ref in refs)


def _why_not(editor: GraphEditor, node: Node, read: list[int], kinds: tuple[str, ...]) -> str:
    """Why nothing is inserted; empty when it is."""
    if node.op in CONTROL_FLOW:
        return "control flow stays as it is."
    if 0 not in read:
        return "nothing reads its first output."
    if len(kinds) <= read[-1]:
        return "the types of its outputs are not known."
    if any(kinds[index] in _HANDLES for index in read):
        return "a handle has no values to print."
    if any(ref.node == node.name and ref.index for ref in editor.outputs):
        return "an output of the model is not its first."
    if node.name in editor.inputs and TensorRef(node.name) in editor.outputs:
        return "it is both input and output of the model."
    return ""
