"""What the data checks look at, and what one of them says."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfmobile.artifacts import Statistics
from tfmobile.datasets.spec import Preprocessing
from tfmobile.diagnosis.survey import Survey

NAMED = 5


@dataclass(frozen=True)
class DataEvidence:
    """All that is known about the samples; whatever is None is not checked.

    ``calibration``: the samples that ranges are measured on; ``evaluation``: those that the model is judged on, None
    where they are the same. ``statistics`` and ``evaluation_statistics``: of the float model's tensors over each.
    ``classes``: how many the model has, None when its outputs are none. ``class_names``: in the order of its outputs.
    ``label_offset``: what ``--label-offset`` is now. ``preprocessing`` and ``stored`` (the smallest and the largest
    value of the samples before it): how the samples are fed.
    """

    calibration: Survey
    evaluation: Survey | None = None
    statistics: Statistics | None = None
    evaluation_statistics: Statistics | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    label_offset: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    stored: tuple[float, float] | None = None

    @property
    def sets(self) -> tuple[Survey, ...]:
        """The sets of samples there are."""
        return (self.calibration,) if self.evaluation is None else (self.calibration, self.evaluation)

    def class_name(self, number: int) -> str:
        """``7`` or ``7 (cat)``."""
        known = 0 <= number < len(self.class_names)
        return f"{number} ({self.class_names[number]})" if known else str(number)


@dataclass(frozen=True)
class Remark:
    """What a check found. ``severity`` 0 to 1; ``what``: one sentence with the numbers; ``where``: samples by name."""

    severity: float
    what: str
    fix: str
    where: str = ""


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """``1 sample``, ``2 samples``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
