"""strip-unused: remove every node that no output needs, and what lies before an input."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.errors import ModelError
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.functions import unused_library
from tfmobile.graph.model import DType, Graph, Node, Shape, ShapeAttr, TensorRef, TensorSpec
from tfmobile.graph.text import shape_text
from tfmobile.passes.known_types import Types

_KINDS = frozenset(
    {"float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"}
    | {"uint64", "bool", "string", "complex64", "complex128", "qint8", "qint16", "qint32", "quint8", "quint16"}
)
_OTHER_NAMES = {"half": "float16", "float": "float32", "double": "float64"}


@dataclass(frozen=True)
class StripUnused:
    """Cut at the inputs (each becomes a Placeholder), then keep what the outputs depend on. Inputs always stay.

    A Placeholder made here has the dtype and shape that the graph gives the tensor. As in the Graph Transform Tool,
    ``type`` and ``shape`` say otherwise for all that are made; ``type_for_name`` and ``shape_for_name``, in the order
    of ``name``, for single ones, also for those that are Placeholders already. A node called ``name`` that is no
    input becomes one, after the others, under its own name; inputs that nothing reads afterwards stay.

    A type is written ``float``, ``float32`` or ``DT_FLOAT``; a shape ``1,299,299,3``, with ``?`` or ``-1`` for what is
    open, or ``[]`` for a scalar. Where nobody says, the original took float32 and a scalar; here the graph is asked. A
    type that the readers of the tensor do not take is an error; the original wrote a graph that could not be loaded.
    An input that is read at another output than its first is not cut.
    """

    name: ClassVar[str] = "strip-unused"
    keeps_answer: ClassVar[bool] = True
    type: str = ""
    shape: str = ""
    name_: tuple[str, ...] = ()
    type_for_name: tuple[str, ...] = ()
    shape_for_name: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, given in (("type", self.type_for_name), ("shape", self.shape_for_name)):
            if given and len(given) != len(self.name_):
                raise ValueError(f"give one {what}_for_name for each name: {len(self.name_)}, not {len(given)}.")
        twice = next((name for name in self.name_ if self.name_.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"'{twice}' is named twice.")
        for text in filter(None, (self.type, *self.type_for_name)):
            _kind(text)
        for text in (self.shape, *self.shape_for_name):
            _dims(text)

    def apply(self, graph: Graph) -> PassResult:
        """The smaller graph; a multi-output node that is an input is not cut, and said. Raises ModelError."""
        types = Types(graph, [name for name in self.name_ if name in graph.nodes])
        specs = [self._asked(graph, spec) for spec in graph.inputs]
        specs.extend(self._added(graph, types))
        editor = GraphEditor(dataclasses.replace(graph, inputs=tuple(specs)))
        changed: list[str] = []
        skipped: list[str] = []
        before = {spec.key: spec for spec in graph.inputs}
        for spec in specs:
            _cut(editor, spec, before.get(spec.key), changed, skipped)
        result = editor.finish()
        gone = len(graph) - len(result)
        if gone:
            changed.append(f"Removed {gone} {'node' if gone == 1 else 'nodes'} that no output needs.")
        if result.library and unused_library(result):
            result = dataclasses.replace(result, library=b"")
            changed.append("Removed the function library, which nothing calls.")
        return PassResult(result if changed else graph, tuple(changed), tuple(skipped))

    def _asked(self, graph: Graph, spec: TensorSpec) -> TensorSpec:
        """An input as it should be. Only names speak of a Placeholder that is there already."""
        place = next((at for at, name in enumerate(self.name_) if name in (spec.key, str(spec.ref))), None)
        made = graph.nodes[spec.ref.node].op != "Placeholder"
        kind, shape = (self.type, self.shape) if made else ("", "")
        dims = _dims(shape) if shape else spec.shape
        if place is not None and self.type_for_name:
            kind = self.type_for_name[place] or kind
        if place is not None and self.shape_for_name:
            dims = _dims(self.shape_for_name[place])
        asked = dataclasses.replace(spec, dtype=_kind(kind) if kind else spec.dtype, shape=dims)
        if asked.dtype != spec.dtype:
            _check(asked, Types(graph, [spec.ref.node]))
        return asked

    def _added(self, graph: Graph, types: Types) -> Iterator[TensorSpec]:
        """The nodes named that are no inputs yet."""
        there = {name for spec in graph.inputs for name in (spec.key, str(spec.ref))}
        for place, name in enumerate(self.name_):
            if name in there:
                continue
            ref = TensorRef(name)
            if name not in graph.nodes:
                raise ModelError(
                    f"The model has no node '{name}'.",
                    why="It was named as an input.",
                    fixes=["Run `tfmobile inspect MODEL` for the node names."],
                )
            kind = (self.type_for_name[place] if self.type_for_name else "") or self.type
            dims = _dims(self.shape) if self.shape else types.shape(ref)
            dims = _dims(self.shape_for_name[place]) if self.shape_for_name else dims
            found = TensorSpec(name, ref, _kind(kind) if kind else types.dtype(ref) or "float32", dims)
            _check(found, types)
            yield found


def _cut(
    editor: GraphEditor, spec: TensorSpec, before: TensorSpec | None, changed: list[str], skipped: list[str]
) -> None:
    """Make the input a Placeholder of the dtype and shape of ``spec``; ``before`` is what it was."""
    node = editor[spec.ref.node]
    others = [ref for reader in editor.consumers(node.name) for ref in reader.inputs if ref.node == node.name]
    if node.op == "Placeholder" and spec == before:
        return
    if spec.ref.index or any(ref.index for ref in others):
        skipped.append(f"'{node.name}' is an input with several outputs ({node.op}) and was not cut.")
        return
    attrs = {"dtype": DType(spec.dtype), "shape": ShapeAttr(spec.shape)}
    editor.replace(Node(node.name, "Placeholder", attrs=attrs, device=node.device))
    takes = f"{spec.dtype}{shape_text(spec.shape)}"
    if before is None:
        changed.append(f"Made '{node.name}' ({node.op}) an input that takes {takes}.")
    elif node.op == "Placeholder":
        changed.append(f"The input '{spec.key}' takes {takes}; it took {before.dtype}{shape_text(before.shape)}.")
    else:
        also = "" if spec == before else f"; it takes {takes}"
        changed.append(f"Cut the graph at the input '{node.name}' ({node.op}){also}.")


def _check(spec: TensorSpec, types: Types) -> None:
    """Raise ModelError for a dtype that is not the tensor's; believe it where TensorFlow does not know the ops."""
    real = types.dtype(spec.ref)
    if real and spec.dtype != real:
        raise ModelError(
            f"The input '{spec.key}' cannot take {spec.dtype}.",
            why=f"'{spec.ref}' is {real}, and so its readers want it.",
            fixes=[f"Leave the type out, or give {real}.", "Cut at a node that comes after a Cast, with name=…."],
        )


def _kind(text: str) -> str:
    """The name of a dtype as this package spells it."""
    plain = text.lower().removeprefix("dt_")
    plain = _OTHER_NAMES.get(plain, plain)
    if plain not in _KINDS:
        raise ValueError(f"'{text}' is no type. Types are float32, uint8, int64, bool, string, ….")
    return plain


def _dims(text: str) -> Shape:
    """A shape as it is typed: sizes and commas; a scalar has none."""
    inside = text.strip().removeprefix("[").removesuffix("]")
    sizes = [item.strip() for item in inside.split(",")] if inside.strip() else []
    if any(not item.isdigit() and item not in ("?", "-1") for item in sizes):
        raise ValueError(f"'{text}' is no shape. Write it like 1,224,224,3, with ? for a size that is open.")
    return tuple(int(item) if item.isdigit() else None for item in sizes)
