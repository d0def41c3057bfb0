"""Work in a child process: a bad .tflite can crash or hang the runtime, and that becomes an error with a reason.

A worker module ends with ``if __name__ == "__main__": child.serve(handler)``; the parent says
``child.call("tfmobile.x.worker", request)``. Both sides meet in a temporary folder: a JSON request and answer,
raw files, and arrays as .npy inside one uncompressed zip, which both sides stream.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile import errors
from tfmobile.errors import TfmobileError, ToolError, VerificationError
from tfmobile.graph.model import Array

Sets = Iterable[Mapping[str, Array]]

# The child gets the parent's import path as it is; ``python -m`` would put the working folder first.
_BOOT = (
    "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); "
    "import runpy; runpy.run_module(sys.argv[1], run_name='__main__')"
)


@dataclass(frozen=True)
class Job:
    """What a worker gets: the request, and the folder with the files and arrays that came with it."""

    request: Mapping[str, Any]
    folder: Path

    def file(self, name: str) -> Path:
        """Path of a file given by name in ``call(files=…)``."""
        return self.folder / f"file-{name}"

    def arrays(self) -> Iterator[dict[str, Array]]:
        """The sets of arrays given in ``call(arrays=…)``, one after another."""
        return read_arrays(self.folder / "in.zip")


@dataclass(frozen=True)
class Answer:
    """What a worker returns: ``values`` must fit into JSON; ``arrays`` may be a generator."""

    values: Mapping[str, Any]
    arrays: Sets = ()


def call(
    module: str,
    request: Mapping[str, Any],
    *,
    files: Mapping[str, bytes] | None = None,
    arrays: Sets = (),
    timeout_s: float = 120.0,
    what: str = "The model",
) -> Answer:
    """Run ``module`` in a child and return its answer. ``what`` starts the sentence when it crashes.

    Raises the TfmobileError the worker raised, VerificationError when it crashes or does not end within
    ``timeout_s`` seconds, and ToolError when it cannot be started or fails in another way.
    """
    with temporary_folder() as folder:
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        for name, content in (files or {}).items():
            (folder / f"file-{name}").write_bytes(content)
        write_arrays(folder / "in.zip", arrays)
        code = _wait(module, folder, timeout_s, what)
        return _answer(folder, code, what)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Where parent and child meet; raises ToolError when it cannot be used."""
    with folder_errors(), tempfile.TemporaryDirectory(prefix="tfmobile-") as name:
        yield Path(name)


@contextlib.contextmanager
def folder_errors() -> Iterator[None]:
    """Turn the ways in which a temporary folder fails into ToolError."""
    try:
        yield
    except OSError as cause:
        raise ToolError(
            "The temporary folder cannot be used.",
            why=str(cause),
            fixes=["Free space there, or point TMPDIR at a folder with room."],
        ) from cause


def command(module: str, folder: Path) -> list[str]:
    """The command line of a worker."""
    return [sys.executable, "-c", _BOOT, "\n".join(sys.path), module, str(folder)]


def _wait(module: str, folder: Path, timeout_s: float, what: str) -> int:
    with (folder / "stderr").open("wb") as log:
        process = subprocess.Popen(command(module, folder), stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise VerificationError(
                f"{what} did not finish within {timeout_s:g} seconds and was stopped.",
                why=tail(folder / "stderr") or "The runtime gave no message.",
                fixes=["Try again with more time (--timeout), or with a smaller model to see whether it hangs."],
            ) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()


def _answer(folder: Path, code: int, what: str) -> Answer:
    answer = folder / "answer.json"
    if code != 0 or not answer.is_file():
        raise failure(what, code, tail(folder / "stderr"))
    values = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in values:
        raise rebuild(values["error"])
    return Answer(values["values"], list(read_arrays(folder / "out.zip")))


def failure(what: str, code: int, stderr: str) -> TfmobileError:
    """The error for a child that ended with exit status ``code`` (negative: killed by that signal)."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        fixes = ["Do not ship this file: convert the model again, and check its calibration data for NaN."]
        if name == "SIGKILL":
            fixes = ["The system probably ran out of memory: close programs, or use a machine with more."]
        why = f"The child process that ran it was ended by signal {name}. {stderr}".strip()
        return VerificationError(f"{what} crashed the runtime with signal {name}.", why=why, fixes=fixes)
    return ToolError(
        f"{what} could not be run: the child process failed (exit code {code}).",
        why=stderr or "It printed nothing.",
        fixes=["Check the installation: python -c 'import tfmobile.runtime'"],
    )


def rebuild(error: Mapping[str, Any]) -> TfmobileError:
    """The error a child described."""
    kind = getattr(errors, str(error["kind"]), ToolError)
    made: TfmobileError = kind(error["what"], why=error["why"], fixes=error["fixes"])
    return made


def tail(path: Path, lines: int = 6) -> str:
    """The last lines of a log, as one line of text."""
    text = path.read_text(encoding="utf-8", errors="replace")
    kept = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("INFO:")]
    return " | ".join(kept[-lines:])[-800:]


def serve(handler: Callable[[Job], Answer]) -> None:
    """In the child: answer the request in the folder named on the command line, and end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path(sys.argv[-1])
    job = Job(json.loads((folder / "request.json").read_text(encoding="utf-8")), folder)
    try:
        answer = handler(job)
        write_arrays(folder / "out.zip", answer.arrays)
        values: dict[str, Any] = {"values": dict(answer.values)}
    except TfmobileError as error:
        kind = type(error).__name__
        values = {"error": {"kind": kind, "what": error.what, "why": error.why, "fixes": list(error.fixes)}}
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    (folder / "answer.json").write_text(json.dumps(values), encoding="utf-8")


def _end_with_parent() -> None:
    # The parent holds the other end of this pipe and never writes: it ends when the parent does, even by SIGKILL.
    os.read(0, 1)
    os._exit(1)


def write_arrays(path: Path, sets: Sets) -> None:
    """Write sets of arrays to ``path``, taking them one at a time. Object arrays are refused."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, arrays in enumerate(sets):
            archive.writestr(f"{number}/keys.json", json.dumps(list(arrays)))
            for position, array in enumerate(arrays.values()):
                with archive.open(f"{number}/{position}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)


def read_arrays(path: Path) -> Iterator[dict[str, Array]]:
    """The sets that ``write_arrays`` wrote, one at a time."""
    if not path.is_file():
        return
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        number = 0
        while f"{number}/keys.json" in names:
            keys = json.loads(archive.read(f"{number}/keys.json"))
            yield {key: _read_array(archive, f"{number}/{position}.npy") for position, key in enumerate(keys)}
            number += 1


def _read_array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as stream:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array
