"""The folder a run writes: finished steps to reuse, results published at once. The only module that writes results.

A step is stored under ``.work/<name>-<key>/``, where the key is a hash of its options, its inputs and the versions. It
is written under a temporary name and renamed when whole: a killed run leaves a finished step or nothing that counts.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmobile.artifacts import StepFact
from tfmobile.errors import OutputError

_KEPT_PER_STEP = 6
_SCRATCH = "scratch-"


@dataclass(frozen=True)
class Step:
    """What a step left: named blobs, JSON facts, and the key by which later steps refer to it."""

    key: str
    blobs: Mapping[str, bytes]
    facts: Mapping[str, Any]
    seconds: float
    reused: bool


Product = tuple[Mapping[str, bytes], Mapping[str, Any]]


class Workspace:
    """One output folder, locked for the length of a run."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.work = out / ".work"
        self.steps: list[StepFact] = []
        self._lock: Any = None

    def __enter__(self) -> Workspace:
        with self._writing(self.out):
            self.work.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._remove_leftovers()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def step(
        self, name: str, options: Mapping[str, Any], compute: Callable[[], Product], *, cache: bool = True
    ) -> Step:
        """Return the stored result of the same step, or compute and store it."""
        key = digest({"step": name, **options})
        folder = self.work / f"{name}-{key[:16]}"
        found = self._read_step(folder, key) if cache else None
        if found is None:
            start = time.perf_counter()
            blobs, facts = compute()
            found = Step(key, blobs, facts, time.perf_counter() - start, reused=False)
            self._store(folder, found)
        self.steps.append(StepFact(name, found.seconds, found.reused, dict(options), dict(found.facts)))
        return found

    def forget(self) -> None:
        """Drop all stored steps, so that everything is computed anew."""
        for entry in self.work.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()

    def read_partial(self, name: str, key: str) -> Any:
        """What an interrupted step saved with ``write_partial``, else None."""
        try:
            return json.loads(self._partial(name, key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_partial(self, name: str, key: str, value: Any) -> None:
        """Save the progress of a long step, so that the next run goes on from there."""
        self._write(self._partial(name, key), json.dumps(value).encode())

    def drop_partial(self, name: str, key: str) -> None:
        self._partial(name, key).unlink(missing_ok=True)

    def scratch(self, name: str, key: str) -> Path:
        """A folder for what is large and can be made again: kept when a run is interrupted, gone when one is done."""
        return self.work / f"{_SCRATCH}{name}-{key[:16]}"

    def publish(self, files: Mapping[str, bytes]) -> None:
        """Replace the results: all are written under temporary names first, then renamed."""
        staged = self.work / "publish.tmp"
        with self._writing(self.out), _removed_on_failure(staged):
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
            for name, content in files.items():
                _write_durably(staged / name, content)
            for name in files:
                (staged / name).replace(self.out / name)
            staged.rmdir()
        self._prune()

    def _partial(self, name: str, key: str) -> Path:
        return self.work / f"{name}-{key[:16]}.partial.json"

    def _take_lock(self) -> None:
        self._lock = (self.work / "lock").open("w")
        try:
            import fcntl
        except ImportError:  # Windows has no flock; two runs in one folder are then the user's care
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            self._lock.close()
            raise OutputError(
                f"Another run is writing to '{self.out}'.",
                why="Its lock is held by a living process.",
                fixes=["Wait for it to end.", "Choose another folder with -o."],
            ) from cause

    def _remove_leftovers(self) -> None:
        for leftover in [*self.work.glob("*.tmp"), *self.work.glob(f".{_SCRATCH}*")]:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def _read_step(self, folder: Path, key: str) -> Step | None:
        """A finished, undamaged step, else None (then it is computed again)."""
        try:
            record = json.loads((folder / "step.json").read_text(encoding="utf-8"))
            blobs = {name: (folder / name).read_bytes() for name in record["blobs"]}
        except (OSError, ValueError, KeyError):
            return None
        if record["key"] != key or any(sha256(blobs[name]) != value for name, value in record["blobs"].items()):
            return None
        os.utime(folder)
        return Step(key, blobs, record["facts"], record["seconds"], reused=True)

    def _store(self, folder: Path, step: Step) -> None:
        record = {
            "key": step.key,
            "blobs": {name: sha256(blob) for name, blob in step.blobs.items()},
            "facts": step.facts,
            "seconds": step.seconds,
        }
        staged = folder.with_name(folder.name + ".tmp")
        with self._writing(folder), _removed_on_failure(staged):
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir()
            for name, blob in step.blobs.items():
                _write_durably(staged / name, blob)
            _write_durably(staged / "step.json", json.dumps(record, indent=1).encode())
            shutil.rmtree(folder, ignore_errors=True)
            staged.rename(folder)

    def _write(self, path: Path, content: bytes) -> None:
        with self._writing(path):
            staged = path.with_name(path.name + ".tmp")
            _write_durably(staged, content)
            staged.replace(path)

    def _prune(self) -> None:
        """Keep the newest few of every step, so that trying recipes does not fill the disk."""
        by_name: dict[str, list[Path]] = {}
        for folder in self.work.iterdir():
            if folder.name.startswith(_SCRATCH):
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.is_dir():
                by_name.setdefault(folder.name.rpartition("-")[0], []).append(folder)
        for folders in by_name.values():
            folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
            for old in folders[_KEPT_PER_STEP:]:
                shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        with writing(path):
            yield


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the ways a write can fail into OutputError."""
    try:
        yield
    except OSError as cause:
        raise _output_error(path, cause) from cause


@contextmanager
def _removed_on_failure(staged: Path) -> Iterator[None]:
    """Leave no temporary folder behind on a full disk."""
    try:
        yield
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def write_file(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write one file, at once or in parts, whole or not at all; raises OutputError."""
    staged = path.with_name(f".{path.name}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_durably(staged, content)
            staged.replace(path)
        except OSError:
            staged.unlink(missing_ok=True)
            raise


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def digest(options: Mapping[str, Any]) -> str:
    """A stable hash of JSON-like values."""
    return sha256(json.dumps(options, sort_keys=True, default=str).encode())


def _write_durably(path: Path, content: bytes | Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines([content] if isinstance(content, bytes) else content)
        file.flush()
        os.fsync(file.fileno())


_FIXES = {
    errno.ENOSPC: "Free some space, or choose a folder on another disk with -o.",
    errno.EDQUOT: "Free some of your quota, or choose another folder with -o.",
    errno.ENOTDIR: "Choose a folder, not a file, with -o.",
    errno.EEXIST: "Choose a folder, not a file, with -o.",
}


def _output_error(path: Path, cause: OSError) -> OutputError:
    fix = _FIXES.get(cause.errno or 0, "Choose a folder you may write to with -o.")
    return OutputError(f"'{path}' cannot be written.", why=cause.strerror or str(cause), fixes=[fix])
