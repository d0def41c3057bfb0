"""The child of ``calibrate``: reads samples from stdin, answers a question with the ranges so far, as one JSON line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, Any

from tfmobile.errors import TfmobileError
from tfmobile.quantization.observers import open_observer
from tfmobile.quantization.sample_stream import read_samples


def serve(model: Path, threads: int, inner: bool, source: IO[bytes], answers: IO[str]) -> None:
    """Until ``source`` ends. An error is the last answer."""
    try:
        observer = open_observer(model.read_bytes(), threads, inner)
        for item in read_samples(source):
            if item is None:
                _say(answers, {"ranges": observer.ranges()})
            else:
                observer.see(*item)
    except TfmobileError as error:
        kind = type(error).__name__
        _say(
            answers,
            {"error": {"kind": kind, "what": error.what, "why": error.why, "fixes": list(error.fixes)}},
        )


def _say(answers: IO[str], values: dict[str, Any]) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def main() -> None:
    """``python -m … FOLDER``: the folder holds the model and the request."""
    folder = Path(sys.argv[-1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the runtime's own messages must not get between the answers
    serve(folder / "model.tflite", request["threads"], request["inner"], sys.stdin.buffer, answers)
    # Threads may still be inside the runtime after an error; nothing is left to clean up.
    os._exit(0)


if __name__ == "__main__":
    main()
