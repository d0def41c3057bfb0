"""Paths: what exists, how large it is, and the hash of exactly the files that make up a model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tfmobile.errors import ModelError


def checked(path: Path) -> Path:
    """``path`` if it exists and is an ordinary file or a folder; raises ModelError."""
    try:
        found = path.exists()
        ordinary = path.is_file() or path.is_dir()
    except (OSError, ValueError) as cause:
        raise unreadable(path, cause) from cause
    if found and not ordinary:
        raise ModelError(
            f"'{path}' is neither a file nor a folder.",
            why="It is a device, a pipe or a socket.",
            fixes=["Save the model to an ordinary file and give its path."],
        )
    if not found:
        raise ModelError(f"There is no model at '{path}'.", why="The path does not exist.", fixes=[_near(path)])
    return path


def _near(path: Path) -> str:
    import difflib

    try:
        names = [item.name for item in path.parent.iterdir()]
    except OSError:
        return f"Check the path; the folder '{path.parent}' cannot be listed either."
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean '{path.parent / near[0]}'?" if near else "Check the path."


def unreadable(path: Path, cause: Exception) -> ModelError:
    """The error for a file the operating system does not let us read."""
    return ModelError(
        f"'{path}' cannot be read.",
        why=str(cause),
        fixes=["Check the path and its permissions (`ls -l`), or copy the model to a folder you can read."],
    )


def read_bytes(path: Path) -> bytes:
    """The whole file; raises ModelError."""
    try:
        return path.read_bytes()
    except OSError as cause:
        raise unreadable(path, cause) from cause


def head(path: Path, size: int = 512) -> bytes:
    """The first ``size`` bytes; raises ModelError."""
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError as cause:
        raise unreadable(path, cause) from cause


def members(path: Path) -> tuple[Path, ...]:
    """Every file below a folder, sorted by relative path; the file itself for a file."""
    if path.is_file():
        return (path,)
    return tuple(sorted(item for item in path.rglob("*") if item.is_file()))


def fingerprint(parts: Iterable[Path], root: Path) -> tuple[str, int]:
    """SHA-256 and size in bytes of a model's files.

    One file: of its content. Several: over relative path, length and content of each, sorted by relative path,
    so that it does not depend on where the folder lies.
    """
    files = sorted(parts, key=lambda item: _relative(item, root))
    digest = hashlib.sha256()
    size = 0
    for item in files:
        if len(files) > 1:
            digest.update(f"{_relative(item, root)}\0{item.stat().st_size}\0".encode())
        size += _update(digest, item)
    return digest.hexdigest(), size


def _relative(item: Path, root: Path) -> str:
    return item.relative_to(root).as_posix() if item.is_relative_to(root) else item.name


def _update(digest: hashlib._Hash, item: Path) -> int:
    size = 0
    try:
        with item.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
    except OSError as cause:
        raise unreadable(item, cause) from cause
    return size
