"""A child process that times one model in one setting, kept alive between its blocks."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

from tfmobile.benchmarking.setting import TENSORFLOW, Setting
from tfmobile.errors import TfmobileError, ToolError, VerificationError
from tfmobile.runtime import child

_FOLDER = Path(__file__).parent
_END = None


class RunnerProcess:
    """Speaks the protocol of ``device_runner``. A context manager: the child ends with it.

    Every request raises VerificationError when the child crashes, refuses the model or does not answer in time, and
    ToolError when it cannot work at all; both name model and setting.
    """

    def __init__(self, setting: Setting, folder: Path, timeout_s: float) -> None:
        """``folder`` takes the child's log; an answer may take ``timeout_s`` seconds unless a request says more."""
        self.setting = setting
        self.timeout_s = timeout_s
        self._log = folder / "log.txt"
        script = _FOLDER / ("tensorflow_runner.py" if setting.runtime == TENSORFLOW else "device_runner.py")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                encoding="utf-8",
            )
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(_END)

    def request(self, do: str, more_s: float = 0.0, **fields: Any) -> dict[str, Any]:
        """Send one request and wait for its answer, ``more_s`` seconds longer than usual."""
        timeout_s = self.timeout_s + more_s
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a child that is gone is noticed when it does not answer
            self._process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            self.close(0)
            raise VerificationError(
                f"Timing {self.setting}: no answer within {timeout_s:.0f} seconds, so it was stopped.",
                why=child.tail(self._log) or "The runtime gave no message.",
                fixes=["Time it with --threads 1 or the other --xnnpack to see which setting hangs."],
            ) from None
        if line is _END:
            raise child.failure(f"Timing {self.setting}: the model", self._process.wait(), child.tail(self._log))
        answer = json.loads(line)
        if "error" in answer:
            raise self._refused(answer["error"])
        return cast(dict[str, Any], answer["ok"])

    def _refused(self, error: dict[str, str]) -> TfmobileError:
        if error["kind"] == "runtime":
            return ToolError(f"Timing {self.setting} is not possible.", why=error["text"], fixes=_INSTALL)
        verb = {"load": "does not load", "feed": "does not take its inputs"}.get(error["kind"], "does not run")
        return VerificationError(
            f"Timing {self.setting}: the model {verb}.",
            why=" ".join(error["text"].split()) or child.tail(self._log),
            fixes=["Try the other --xnnpack setting or another number of --threads.", "Convert the model again."],
        )

    def close(self, patience_s: float = 5.0) -> None:
        """End the child: politely, then by force."""
        process = self._process
        if process.poll() is None and patience_s > 0 and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> RunnerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_INSTALL = ("pip install ai-edge-litert", "For timing under TensorFlow: pip install tfmobile[convert]")


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
