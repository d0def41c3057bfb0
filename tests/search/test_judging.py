"""Candidates against the original, sample by sample, with runs that are only pretended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tfmobile.artifacts import Allowance
from tfmobile.datasets.spec import DataSpec
from tfmobile.search.answers import EXPECTED, TOP1, Answer, Judging
from tfmobile.search.engine import Job, Result
from tfmobile.search.judge import Judge, Judged

DROP = Allowance(TOP1, 0.01, "--max-drop 1")
UNPROVEN = Allowance(EXPECTED, 0.01, "--max-drop 1", if_unproven=True)
Says = Callable[[int], Answer]


class Pretended:
    """Answers by the name of the model's file and the position of the sample."""

    def __init__(self, models: Mapping[str, Says]) -> None:
        self._models = models

    def map(self, jobs: Iterable[Job]) -> Iterator[Result]:
        for job in jobs:
            says = self._models[Path(job.request["model"]).name]
            yield Result(job, [list(says(position)) for position in job.request["positions"]])


def sure(answer: int, confidence: float, label: int) -> Answer:
    """Class 0 or 1, the other one with what remains."""
    return Answer(True, (answer, 1 - answer), (confidence, 1 - confidence), answer == label, 0.0, True)


def judged(original: Says, candidate: Says, total: int, *allowances: Allowance) -> Judged:
    judge = Judge(
        Pretended({"original": original, "candidate": candidate}),
        DataSpec("pictures"),
        total,
        Judging("classes", "scores", labelled=True),
        allowances,
        b"original",
        workers=2,
        place=lambda content: Path(content.decode()),
        memo=lambda name, options, compute: compute(),
        key="pictures",
    )
    return judge.judge("int8", b"candidate", "scores")


def lucky(position: int) -> Answer:
    """Every 10th answer is another one, which by chance is as often won as lost."""
    other = position % 10 == 0
    return sure(int(other), 0.9, label=int(position % 20 == 0))


def original(position: int) -> Answer:
    return sure(0, 0.9, label=int(position % 20 == 0))


def test_what_is_lost_and_won_alike_is_within_when_only_labels_are_asked() -> None:
    found = judged(original, lucky, 200, DROP)
    assert found.verdict == "within"
    assert found.losses[0].value.value == 0


def test_few_labels_are_not_believed_against_what_the_original_is_sure_of() -> None:
    found = judged(original, lucky, 200, DROP, UNPROVEN)
    assert found.verdict == "beyond"
    assert [round(loss.value.value, 3) for loss in found.losses] == [0.0, 0.08]
    assert found.excess > 6
    assert found.losses[1].needed is None


def test_many_labels_are() -> None:
    found = judged(original, lucky, 40_000, DROP, UNPROVEN)
    assert found.losses[0].bound <= DROP.most
    assert found.verdict == "within"
    assert found.excess < 0


def test_answers_that_change_where_the_original_was_in_doubt_are_within() -> None:
    def in_doubt(position: int) -> Answer:
        return sure(0, 0.51, label=int(position % 20 == 0))

    found = judged(in_doubt, lucky, 200, DROP, UNPROVEN)
    assert found.verdict == "within"
    assert round(found.losses[1].value.value, 3) == 0.002


def test_a_loss_beyond_stays_beyond_however_sure() -> None:
    def worse(position: int) -> Answer:
        return sure(int(position % 20 == 1), 0.9, label=int(position % 20 == 0))

    assert judged(original, worse, 200, DROP, UNPROVEN).verdict == "beyond"
    assert judged(original, worse, 40_000, DROP, UNPROVEN).samples < 40_000


def test_a_candidate_that_is_the_original_loses_nothing() -> None:
    found = judged(original, original, 200, DROP, UNPROVEN)
    assert found.verdict == "within"
    assert found.agreement is not None
    assert found.agreement.value == 1
