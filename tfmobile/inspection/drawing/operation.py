"""The operations of a drawing: what a graph and a .tflite have in common, constants and copies left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfmobile.graph.model import Shape
from tfmobile.inspection.drawing.roles import role, short
from tfmobile.inspection.facts import LayerFact


@dataclass(frozen=True)
class Operation:
    """One node to draw. ``inputs`` are keys of other operations; ``constants`` says how many constants it reads.

    ``window`` is the kernel of a convolution or a pooling, ``follows`` the activation inside an operator of a .tflite,
    ``facts`` what a page shows of it, ``warning`` what speaks against it, and ``end`` the model input or output it is.
    """

    key: str
    name: str
    op: str
    inputs: tuple[str, ...] = ()
    constants: int = 0
    window: str = ""
    follows: str = ""
    shape: Shape = None
    dtype: str = ""
    quantization: str = ""
    parameters: int = 0
    parameter_bytes: int = 0
    macs: int | None = 0
    facts: tuple[tuple[str, str], ...] = ()
    warning: str = ""
    end: str = ""

    @property
    def role(self) -> str:
        """Its role; one of two inputs joins them, also when constants would make it a step."""
        found = self.end or role(self.op)
        return "join" if found == "affine" and len(self.inputs) != 1 else found

    @property
    def label(self) -> str:
        """``Conv2D 3×3 /2``."""
        return " ".join(filter(None, (short(self.op), self.window)))


@dataclass(frozen=True)
class Operations:
    """All that is drawn of a model, each after what it reads where there is no loop; ``hidden`` says what is not."""

    items: tuple[Operation, ...]
    hidden: tuple[str, ...] = ()


def window_text(kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int] = ()) -> str:
    """``3×3 /2``, with ``dilated 2`` where it is."""
    parts = ["×".join(map(str, kernel))] if kernel else []
    if any(one > 1 for one in strides):
        parts.append("/" + _one("×", strides))
    if any(one > 1 for one in dilations):
        parts.append("dilated " + _one("×", dilations))
    return " ".join(parts)


def _one(sign: str, numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else sign.join(map(str, numbers))


def by_name(layers: Iterable[LayerFact]) -> Mapping[str, LayerFact]:
    """The layers by the node they are."""
    return {layer.name: layer for layer in layers}


def shape_words(shape: Shape) -> str:
    """``112×112×8``: without a batch of one."""
    if shape is None:
        return "unknown shape"
    inner = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    return "×".join("?" if size is None or size < 0 else str(size) for size in inner) or "one number"
