"""The child of calibration: reads samples from stdin, answers a question with what was seen so far, as one JSON line.

Arrays are written to a file in the folder, which the answer names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Array
from tfmobile.quantization.observers import ExtremesObserver, HistogramObserver, Observer, open_observer
from tfmobile.quantization.sample_stream import read_samples


def serve(folder: Path, request: Mapping[str, Any], source: IO[bytes], answers: IO[str]) -> None:
    """Until ``source`` ends. An error is the last answer. ``request``: see ``calibration_child.Wanted``."""
    try:
        observer = _open(folder, request)
        for item in read_samples(source):
            if item is not None:
                observer.see(*item)
            elif isinstance(observer, (ExtremesObserver, HistogramObserver)):
                arrays: dict[str, Any] = dict(observer.arrays())
                np.savez(folder / "answer.npz", **arrays)
                _say(answers, {"file": "answer.npz"})
            else:
                _say(answers, {"ranges": observer.ranges()})
    except TfmobileError as error:
        kind = type(error).__name__
        _say(
            answers,
            {"error": {"kind": kind, "what": error.what, "why": error.why, "fixes": list(error.fixes)}},
        )


def _open(folder: Path, request: Mapping[str, Any]) -> Observer | ExtremesObserver | HistogramObserver:
    content, threads = (folder / "model.tflite").read_bytes(), int(request["threads"])
    if request["keep"] == "extremes":
        return ExtremesObserver(content, threads)
    if request["keep"] == "histograms":
        edges: Array = np.array(request["edges"], np.float64).reshape(-1, 2)
        return HistogramObserver(content, threads, edges, int(request["samples"]))
    return open_observer(content, threads, request["keep"] == "inner-ranges")


def _say(answers: IO[str], values: dict[str, Any]) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def main() -> None:
    """``python -m … FOLDER``: the folder holds the model and the request."""
    folder = Path(sys.argv[-1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the runtime's own messages must not get between the answers
    serve(folder, request, sys.stdin.buffer, answers)
    # Threads may still be inside the runtime after an error; nothing is left to clean up.
    os._exit(0)


if __name__ == "__main__":
    main()
