"""What every kind of data set offers, and the part of it that is used: offset labels, evenly spread limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Protocol

from tfmobile.artifacts import Sample
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError, UsageError


class Source(Protocol):
    """One kind of data set, opened. ``read`` raises DataError naming the sample; ascending indices are cheap."""

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def concurrent(self) -> bool: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Sample: ...


@dataclasses.dataclass(frozen=True)
class Selection:
    """The used samples of ``source``: a Dataset. ``indices`` are theirs in the source, ascending."""

    source: Source
    indices: range | tuple[int, ...]
    label_offset: int
    class_names: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about how the data was read."""
        return self.source.notes

    @property
    def concurrent(self) -> bool:
        """Whether several processes may each read a part."""
        return self.source.concurrent

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, position: int) -> Sample:
        """The sample at ``position`` among the used ones, its label offset; raises DataError naming the sample."""
        sample = self.source.read(self.indices[position])
        if not isinstance(sample.label, int):
            return sample
        label = sample.label + self.label_offset
        if label < 0:
            raise _negative(sample, self.label_offset)
        return dataclasses.replace(sample, label=label)

    def iterate(self, shard: int = 0, shards: int = 1) -> Iterator[tuple[int, Sample]]:
        """(position, sample) for the positions ≡ shard (mod shards)."""
        for position in range(shard, len(self), shards):
            yield position, self.read(position)


def select(source: Source, spec: DataSpec) -> Selection:
    """The samples of ``source`` that ``spec`` asks for; raises DataError when there are none."""
    total = len(source)
    if total == 0:
        raise DataError(f"'{spec.path}' holds no samples.", fixes=["Give a data set with at least one sample."])
    if spec.limit is not None and spec.limit < 1:
        raise UsageError(
            f"A limit of {spec.limit} samples is not possible.", fixes=["Give --limit 1 or more, or leave it out."]
        )
    wanted = min(spec.limit or total, total)
    indices = range(total) if wanted == total else tuple(i * total // wanted for i in range(wanted))
    names = source.class_names if spec.labels else _shifted(source.class_names, spec.label_offset)
    return Selection(source, indices, spec.label_offset, names)


def _shifted(names: tuple[str, ...], offset: int) -> tuple[str, ...]:
    """Names that the data brings are numbered like its labels, so they move with them."""
    if not names or offset == 0:
        return names
    return ("(not in the data)",) * offset + names if offset > 0 else names[-offset:]


def _negative(sample: Sample, offset: int) -> DataError:
    return DataError(
        f"The label of '{sample.name}' is below zero: {sample.label} with offset {offset}.",
        why="Class numbers start at 0.",
        fixes=["Change --label-offset so that the smallest label becomes 0.", "Correct the label in the data set."],
    )
