"""Candidates and the original on the same samples, on all cores, in looks that grow until the decision is certain."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tfmobile.artifacts import Allowance, Interval, Loss
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import VerificationError
from tfmobile.evaluation.statistics import fraction_interval
from tfmobile.search import judge_task
from tfmobile.search.answers import REMEMBERED, Answer, Judging, agreement, losses
from tfmobile.search.decision import conclude, decide, looks
from tfmobile.search.engine import Engine, Job

FEWEST = 8
"""Samples of a job: fewer cost more to hand out than they save."""
Memo = Callable[[str, Mapping[str, Any], Callable[[], Any]], Any]
"""(name, what it depends on, compute) → the JSON value, stored from an earlier time or computed now."""


@dataclass(frozen=True)
class Judged:
    """What the decision is made of. ``excess``: the largest loss relative to its allowance, minus 1."""

    verdict: Literal["within", "beyond"]
    samples: int
    losses: tuple[Loss, ...]
    agreement: Interval | None
    excess: float


class Models(Protocol):
    """Where the workers find a model: the path of a file with this content."""

    def __call__(self, content: bytes) -> Path: ...


class Judge:
    """``total`` samples at ``data``; ``original`` is the model that all are compared with. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        data: DataSpec,
        total: int,
        how: Judging,
        allowances: Sequence[Allowance],
        original: bytes,
        *,
        workers: int,
        place: Models,
        memo: Memo,
        key: Any,
    ) -> None:
        """``key`` identifies the samples, for what is stored."""
        self._engine, self._data, self._how = engine, dataclasses.asdict(data), how
        self._allowances, self._original, self._workers = tuple(allowances), original, workers
        self._place, self._memo = place, memo
        self._key = {"samples": key, "how": dataclasses.asdict(how), "total": total}
        self._order = order(total)
        self._known: list[Answer] = []
        self._lock = threading.Lock()

    def judge(self, name: str, content: bytes, output: str) -> Judged:
        """Run a candidate, whose judged output has the key ``output``. Raises what the runs raise, and
        VerificationError for answers that are not finite."""
        found: list[Answer] = []
        options = {**self._key, "model": _sha(content), "original": _sha(self._original)}
        for stop in looks(len(self._order)):
            found += self._part(f"trial-{name}", options, content, output, len(found), stop, 1)
            if not all(answer.finite for answer in found):
                raise VerificationError(
                    "It answers NaN or infinity.", fixes=["Check the calibration data for extreme values."]
                )
            verdict = self._verdict(found)
            if verdict != "open":
                break
        return self._conclude(found, "within" if verdict == "within" else "beyond")

    def original(self, count: int) -> list[Answer]:
        """What the original answers on the first ``count`` samples."""
        with self._lock:
            for stop in looks(len(self._order)):
                if len(self._known) < min(count, stop):
                    options = {**self._key, "model": _sha(self._original)}
                    name, output = "search-original", self._how.output
                    self._known += self._part(name, options, self._original, output, len(self._known), stop, REMEMBERED)
            return self._known[:count]

    def _part(
        self, name: str, options: Mapping[str, Any], content: bytes, output: str, start: int, stop: int, top: int
    ) -> list[Answer]:
        """Answers on the samples from ``start`` to ``stop`` of the order, stored."""

        def compute() -> Any:
            return self._run(content, output, self._order[start:stop], top)

        rows = self._memo(name, {**options, "start": start, "stop": stop, "output": output}, compute)
        return [Answer(*row) for row in rows]

    def _run(self, content: bytes, output: str, positions: Sequence[int], top: int) -> list[Answer]:
        path = self._place(content)
        how = dataclasses.asdict(self._how.for_output(output))
        shares = shards(sorted(positions), self._workers)
        jobs = [Job(judge_task.TASK, judge_task.request(path, self._data, how, list(share), top)) for share in shares]
        found: dict[int, Answer] = {}
        for result in self._engine.map(jobs):
            if result.error is not None:
                raise result.error
            rows = (Answer(*row) for row in result.values)
            found.update(zip(result.job.request["positions"], rows, strict=True))
        return [found[position] for position in positions]

    def _verdict(self, found: Sequence[Answer]) -> Literal["within", "beyond", "open"]:
        original = self.original(len(found))
        verdicts = set()
        for allowance in self._allowances:
            if not allowance.if_unproven:
                kind, values, before = losses(allowance, self._how, original, found)
                verdicts.add(decide(values, before, kind, allowance.most, len(self._order)))
        if "beyond" in verdicts:
            return "beyond"
        return "open" if "open" in verdicts else "within"

    def _conclude(self, found: Sequence[Answer], verdict: Literal["within", "beyond"]) -> Judged:
        original = self.original(len(found))
        concluded = []
        for allowance in self._allowances:
            kind, values, before = losses(allowance, self._how, original, found)
            loss = conclude(allowance.measure, values, before, kind, allowance.most, len(self._order))
            concluded.append(dataclasses.replace(loss, needed=None) if allowance.if_unproven else loss)
        same = agreement(original, found)
        pairs = list(zip(concluded, self._allowances, strict=True))
        if proven(concluded, self._allowances):
            pairs = [(loss, allowance) for loss, allowance in pairs if not allowance.if_unproven]
        elif any(loss.value.value > allowance.most for loss, allowance in pairs):
            verdict = "beyond"
        return Judged(
            verdict=verdict,
            samples=len(found),
            losses=tuple(concluded),
            agreement=fraction_interval(int(np.count_nonzero(same)), len(same)) if len(same) else None,
            excess=max(_excess(loss, allowance) for loss, allowance in pairs),
        )


def proven(found: Sequence[Loss], allowances: Sequence[Allowance]) -> bool:
    """Whether the samples show that all allowances are kept, those apart that only hold where they do not."""
    pairs = zip(found, allowances, strict=True)
    return all(loss.bound <= allowance.most for loss, allowance in pairs if not allowance.if_unproven)


def order(total: int) -> list[int]:
    """All positions in an order that has nothing to do with classes or files: the first looks are a fair sample."""
    return sorted(range(total), key=lambda position: hashlib.sha256(f"look {position}".encode()).digest())


def shards(positions: Sequence[int], most: int) -> list[Sequence[int]]:
    """At most ``most`` parts of nearly equal length, in order."""
    count = max(1, min(most, len(positions) // FEWEST))
    return [positions[part * len(positions) // count : (part + 1) * len(positions) // count] for part in range(count)]


def _excess(loss: Loss, allowance: Allowance) -> float:
    return (loss.value.value - allowance.most) / max(allowance.most, 1e-6)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
