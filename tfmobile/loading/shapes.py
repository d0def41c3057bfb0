"""Input shapes: the option's text, and fixing unknown dimensions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tfmobile.errors import ModelError, UsageError
from tfmobile.graph.model import Shape

_DIMS = re.compile(r"\d+([x×,]\d+)*\Z")


class InputShapes:
    """The values of ``--input-shape``: by name, or one without a name for a model of one input."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.by_name: dict[str, tuple[int, ...]] = {}
        self.unnamed: tuple[int, ...] | None = None
        for text in texts:
            name, equals, dims = text.rpartition("=")
            if equals and not name:
                raise _bad(text)
            if equals:
                self.by_name[name] = _dims(dims, text)
            elif self.unnamed is None:
                self.unnamed = _dims(dims, text)
            else:
                raise UsageError(
                    "--input-shape is given twice without a name.",
                    fixes=[f"Say which input: --input-shape NAME={text}"],
                )

    def take(self, keys: Sequence[Sequence[str]]) -> list[tuple[int, ...] | None]:
        """The wanted shape of every input; ``keys`` are the names that each answers to. Raises UsageError."""
        known = [name for names in keys for name in names]
        for name in self.by_name:
            if name not in known:
                raise UsageError(
                    f"--input-shape names '{name}', which is no input of this model.",
                    why=f"Its inputs are: {', '.join(names[0] for names in keys) or 'none'}.",
                    fixes=[f"--input-shape {names[0]}={_spell(self.by_name[name])}" for names in keys[:1]]
                    or ["Leave the option out."],
                )
        if self.unnamed is not None and len(keys) != 1:
            raise UsageError(
                "--input-shape must say which input it is for.",
                why=f"The model has {len(keys)} inputs: {', '.join(names[0] for names in keys)}.",
                fixes=[f"--input-shape {names[0]}={_spell(self.unnamed)}" for names in keys[:1]]
                or ["Leave the option out."],
            )
        return [next((self.by_name[name] for name in names if name in self.by_name), self.unnamed) for names in keys]


def _dims(text: str, whole: str) -> tuple[int, ...]:
    if text in ("", "[]", "scalar"):
        return ()
    if not _DIMS.match(text):
        raise _bad(whole)
    dims = tuple(int(part) for part in re.split("[x×,]", text))
    if any(dim < 1 or dim > 1 << 31 for dim in dims):
        raise _bad(whole)
    return dims


def _bad(text: str) -> UsageError:
    return UsageError(
        f"--input-shape '{text}' cannot be read.",
        why="Expected whole numbers of at least 1, joined by x, batch first.",
        fixes=["--input-shape 1x224x224x3", "--input-shape NAME=1x224x224x3"],
    )


def _spell(dims: Sequence[int | None]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in dims) or "scalar"


def fixed(key: str, shape: Shape, wanted: tuple[int, ...] | None, path: str) -> tuple[tuple[int, ...], str]:
    """A fully known shape for input ``key``, and a note when that took a decision.

    ``wanted`` wins where the model leaves a dimension open; an unknown first dimension becomes 1. Raises ModelError
    when another dimension is unknown, or ``wanted`` contradicts the model.
    """
    if wanted is not None:
        _check_fits(key, shape, wanted, path)
        if shape is None or None in shape:
            return wanted, f"Input '{key}' has its shape fixed to {_spell(wanted)}, as asked."
        return wanted, ""
    if shape is None or None in shape[1:]:
        raise ModelError(
            f"Input '{key}' of '{path}' has no fixed shape.",
            why="The model says " + ("nothing about its shape." if shape is None else f"{_spell(shape)}."),
            fixes=[f"--input-shape {key}={_example(shape)}"]
            + ([f"--input-shape {key}=scalar, when it is a single number"] if shape is None else []),
        )
    if shape and shape[0] is None:
        done = (1, *(dim for dim in shape[1:] if dim is not None))
        return done, f"The batch size of input '{key}' was open; it is fixed to 1 ({_spell(done)})."
    return tuple(dim for dim in shape if dim is not None), ""


def _example(shape: Shape) -> str:
    if shape is None:
        return "1x224x224x3"
    guess = [1] + [224 if len(shape) == 4 else 128] * (len(shape) - 1)
    return _spell([own if own is not None else other for own, other in zip(shape, guess, strict=True)])


def _check_fits(key: str, shape: Shape, wanted: tuple[int, ...], path: str) -> None:
    if shape is None:
        return
    fits = len(shape) == len(wanted) and all(own in (None, other) for own, other in zip(shape, wanted, strict=True))
    if not fits:
        raise ModelError(
            f"Input '{key}' of '{path}' cannot have the shape {_spell(wanted)}.",
            why=f"The model has it fixed at {_spell(shape)}.",
            fixes=[f"--input-shape {key}={_example(shape)}", "Leave out --input-shape."],
        )
