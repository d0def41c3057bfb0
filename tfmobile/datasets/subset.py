"""Some of the samples of another data set: a JSON file that names it and their positions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets.source import Source, select
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError, UsageError
from tfmobile.progress import Progress, silent

KEY = "tfmobile-samples"
START = b'{"tfmobile-'
VERSION = 1


@dataclass(frozen=True)
class Subset:
    """A Source: the samples of ``source`` at ``positions``."""

    source: Source
    positions: Sequence[int]

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    @property
    def notes(self) -> tuple[str, ...]:
        return self.source.notes

    @property
    def concurrent(self) -> bool:
        return self.source.concurrent

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, index: int) -> Sample:
        return self.source.read(self.positions[index])


def open_subset(spec: DataSpec) -> Subset:
    """Open the file at ``spec.path``; raises DataError when it, or the data set it names, is not what it was."""
    from tfmobile.datasets.recognition import recognise

    path, positions, total = _read(Path(spec.path))
    source = recognise(path).open(dataclasses.replace(spec, path=path))
    if len(source) != total:
        raise DataError(
            f"'{path}' has {len(source)} samples, but '{spec.path}' was written when it had {total}.",
            why="Positions no longer name the same samples.",
            fixes=["Make the file anew by running the search again, or give the whole data set."],
        )
    return Subset(source, positions)


def _read(file: Path) -> tuple[str, tuple[int, ...], int]:
    try:
        values: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        positions = tuple(int(position) for position in values["positions"])
        path, total = str(values["data"]), int(values["of"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise DataError(
            f"'{file}' is no list of samples.", why=str(cause), fixes=["Run the search again, which writes it."]
        ) from cause
    if not all(0 <= position < total for position in positions):
        raise DataError(f"'{file}' names samples that do not exist.", fixes=["Run the search again, which writes it."])
    return (path if _callable(path) else os.path.normpath(file.parent / path)), positions, total


def subset_text(file: Path, data: str, positions: Sequence[int], total: int, content: str) -> str:
    """What to write to ``file``: these of the ``total`` samples at ``data``; ``content`` is the set's fingerprint."""
    path = data if _callable(data) else os.path.relpath(data, file.parent)
    values = {KEY: VERSION, "data": path, "of": total, "content": content, "positions": list(positions)}
    return json.dumps(values) + "\n"


def divide(spec: DataSpec, most: int, progress: Progress = silent) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Positions of the samples to fit on (half of those used, at most ``most``) and of the others; and how many exist.

    Which is which depends on the samples' contents alone; equal samples are on the same side. Raises UsageError for
    data that cannot be read twice, and DataError for fewer than two different samples.
    """
    from tfmobile.datasets.recognition import recognise

    selection = select(recognise(spec.path).open(spec), spec)
    if not selection.concurrent:
        raise not_repeatable(spec.path)
    groups: dict[str, list[int]] = {}
    for place, index in enumerate(selection.indices):
        groups.setdefault(_digest(selection.source.read(index)), []).append(index)
        progress("divide", place + 1, len(selection))
    if len(groups) < 2:
        raise DataError(
            f"'{spec.path}' has {len(groups)} different sample{'' if len(groups) == 1 else 's'}.",
            why="Some are needed to calibrate on, and others to judge on.",
            fixes=["Give more samples, or two sets: --data and --calibrate-with."],
        )
    fit, judge = _fill(groups, min(max(len(selection) // 2, 1), most))
    return fit, judge, len(selection.source)


def _fill(groups: Mapping[str, list[int]], wanted: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    fit: list[int] = []
    judge: list[int] = []
    for number in sorted(groups):
        # Something must be left to judge on.
        (fit if len(fit) < wanted and number != max(groups) else judge).extend(groups[number])
    return tuple(sorted(fit)), tuple(sorted(judge))


def _digest(sample: Sample) -> str:
    values = (
        sample.values
        if isinstance(sample.values, Mapping)
        else {str(place): one for place, one in enumerate(sample.values)}
    )
    hasher = hashlib.sha256(b"divide")
    for key in sorted(values):
        array = np.ascontiguousarray(values[key])
        hasher.update(f"{key} {array.dtype.str} {array.shape}".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()


def not_repeatable(path: str) -> UsageError:
    """The refusal of samples that come once, in an order of their own."""
    return UsageError(
        f"The samples of '{path}' can be read only once.",
        why="A search runs every candidate on the same samples.",
        fixes=["Let the function return a list, or a pair of arrays (x, y), instead of an iterator."],
    )


def _callable(path: str) -> bool:
    from tfmobile.datasets.python_source import is_reference

    return is_reference(path) and not Path(path).exists()
