"""The parent's side of calibration: a child process runs the model, because a model can take its process down."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from tfmobile.errors import DataError, TfmobileError, ToolError, VerificationError
from tfmobile.graph.model import Array
from tfmobile.quantization.random_data import random_feeds
from tfmobile.quantization.sample_stream import write_question, write_sample
from tfmobile.runtime import child, describe

WORKER = "tfmobile.quantization.calibration_worker"
WHAT = "The float model"


@dataclass(frozen=True)
class Wanted:
    """What the child keeps of each tensor.

    ``ranges``: over all samples. ``inner-ranges``: also inside loops and fused cells, with the runtime's calibrator,
    which can crash. ``extremes``: ranges sample by sample. ``histograms``: between ``edges``, by tensor, of ``samples``
    samples; see ``observers`` for the arrays of the last two.
    """

    keep: Literal["ranges", "inner-ranges", "extremes", "histograms"] = "ranges"
    edges: tuple[tuple[float, float], ...] = ()
    samples: int = 0


class CalibrationChild:
    """A context: ``see`` samples, ask for ``ranges`` or ``arrays``. Raises what the child raised, or how it ended.

    A sample that takes longer than ``timeout_s`` seconds ends the child.
    """

    def __init__(self, model: bytes, wanted: Wanted, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # The folder goes again if it cannot be filled, and stays until __exit__ if it can.
        with contextlib.ExitStack() as stack, child.folder_errors():
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfmobile-")))
            (self._folder / "model.tflite").write_bytes(model)
            request = {"threads": _threads(), **dataclasses.asdict(wanted)}
            (self._folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
            self._log = stack.enter_context((self._folder / "stderr").open("wb"))
            self._stack = stack.pop_all()
        self._alive = time.monotonic()
        self._hung = False

    def __enter__(self) -> CalibrationChild:
        self._process = subprocess.Popen(
            child.command(WORKER, self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._stdout.close()
        self._stack.close()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout

    def see(self, name: str, feed: Mapping[str, Array]) -> None:
        """Hand over one sample; returns as soon as the child has room for it."""
        self._alive = time.monotonic()
        try:
            write_sample(self._stdin, name, feed)
        except OSError:
            raise self._failure() from None

    def ranges(self) -> dict[str, tuple[float, float]]:
        """The range of every tensor over all samples so far."""
        return {key: (low, high) for key, (low, high) in self._answer()["ranges"].items()}

    def arrays(self) -> dict[str, Array]:
        """What else was kept of all samples so far, by name."""
        with np.load(self._folder / self._answer()["file"], allow_pickle=False) as stored:
            return dict(stored)

    def _answer(self) -> Mapping[str, Any]:
        self._alive = time.monotonic()
        try:
            write_question(self._stdin)
        except OSError:
            raise self._failure() from None
        line = self._stdout.readline()
        if not line:
            raise self._failure()
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise child.rebuild(answer["error"])
        return answer

    def _failure(self) -> TfmobileError:
        """Why the child does not listen any more."""
        for line in self._stdout:
            answer = json.loads(line)
            if "error" in answer:
                return child.rebuild(answer["error"])
        code = self._process.wait()
        why = child.tail(self._folder / "stderr")
        if self._hung:
            return VerificationError(
                f"{WHAT} did not finish a sample within {self._timeout_s:g} seconds and was stopped.",
                why=why or "The runtime gave no message.",
                fixes=["Try a smaller input (--input-shape) to see whether it hangs or is only slow."],
            )
        return child.failure(WHAT, code, why)

    def _watch(self) -> None:
        while self._process.poll() is None:
            if time.monotonic() - self._alive > self._timeout_s:
                self._hung = True
                self._process.kill()
            time.sleep(0.2)


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores)


def sees_inside(model: bytes, *, timeout_s: float) -> bool:
    """Whether the runtime's calibrator can run the model at all, tried on one random sample."""
    (sample,) = random_feeds(describe(model).inputs, 1, 0)
    try:
        with CalibrationChild(model, Wanted("inner-ranges"), timeout_s=timeout_s) as child_:
            child_.see(*sample)
            child_.ranges()
    except (VerificationError, ToolError):
        return False
    except DataError:
        return True  # it ran, and the random numbers did not suit the model
    return True
