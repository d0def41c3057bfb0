"""Labels: the class-name file, and from what is stored to a class number (int) or a regression target (float array)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.errors import DataError
from tfmobile.graph.model import Array


def read_class_names(path: str | None) -> tuple[str, ...]:
    """The lines of a labels file, in the order of the model's outputs; () for None. Raises DataError."""
    if path is None:
        return ()
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"There is no labels file '{path}'.", fixes=["Check the path given with --labels."]) from None
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(
            f"The labels file '{path}' cannot be read.",
            why=str(cause),
            fixes=["Give a UTF-8 text file with one class name a line."],
        ) from cause
    names = tuple(line.strip() for line in text.rstrip().splitlines())
    if not names:
        raise DataError(f"The labels file '{path}' is empty.", fixes=["Write one class name a line into it."])
    return names


def number_classes(found: Sequence[str], names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The class names in label order: those of the labels file, else the distinct found ones, sorted.

    Raises DataError when the labels file lacks a found name.
    """
    distinct = sorted(set(found))
    if not names:
        return tuple(distinct)
    unknown = [name for name in distinct if name not in set(names)]
    if unknown:
        raise DataError(
            f"{where} has the class '{unknown[0]}', which is not in the labels file.",
            why=f"{len(unknown)} of {len(distinct)} class names are not in it; it starts with: {', '.join(names[:3])}.",
            fixes=["Correct the labels file, or leave --labels out to number the classes in alphabetical order."],
        )
    return names


def label_of(value: Any, names: tuple[str, ...], where: str) -> int | Array | None:
    """One stored label: integers and one-hot vectors → class number, class names → their number, others → float array.

    ``names`` are the class names that a text label is looked up in. Raises DataError naming ``where``.
    """
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind in "USO":
        return _from_name(array, names, where)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"The label of {where} is of type {array.dtype}.",
            fixes=["Give an integer class number, a class name, or float targets."],
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(
            f"The label of {where} is not a finite number.", fixes=["Remove the sample or correct its label."]
        )
    if array.size == 1 and array.dtype.kind != "f":
        return int(array.reshape(()))
    if array.ndim == 1 and is_one_hot(array[np.newaxis]):
        return int(array.argmax())
    return array.astype(np.float64)


def is_one_hot(rows: Array) -> bool:
    """Whether every row of a [N, K ≥ 2] array is all 0 but a single 1."""
    if rows.ndim != 2 or rows.shape[1] < 2:
        return False
    ones = rows == 1
    return bool(((rows == 0) | ones).all() and (ones.sum(axis=1) == 1).all())


def _from_name(array: Array, names: tuple[str, ...], where: str) -> int:
    item = array.reshape(-1)[0] if array.size == 1 else None
    name = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
    if not isinstance(name, str):
        raise DataError(
            f"The label of {where} is neither a number nor one class name.",
            fixes=["Give an integer class number, a class name, or float targets."],
        )
    if name in names:
        return names.index(name)
    known = f"The known classes start with: {', '.join(names[:3])}." if names else "No class names are known."
    raise DataError(
        f"The label of {where} is the class name '{name}', which has no number.",
        why=known,
        fixes=["Give --labels FILE with one class name a line, in the order of the model's outputs."],
    )
