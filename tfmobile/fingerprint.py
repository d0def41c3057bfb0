"""A short text that changes when an input changes, so that a stored step is reused only for the same input."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import types
import uuid
from collections.abc import Mapping
from pathlib import Path

_VERSIONED = (
    "tfmobile",
    "tensorflow",
    "tf_keras",
    "keras",
    "ai-edge-litert",
    "tflite-runtime",
    "litert-quantizer",
    "numpy",
)


def of_model(path: str) -> str:
    """SHA-256 over the contents of a file, or of all files of a folder with their relative names; '' when missing.

    A checkpoint prefix (``model.ckpt``) stands for all files that begin with it.
    """
    root = Path(path)
    hasher = hashlib.sha256()
    if root.is_dir():
        files = [file for file in sorted(root.rglob("*")) if file.is_file()]
    else:
        files = [root] if root.is_file() else sorted(root.parent.glob(root.name + ".*"))
        root = root.parent
    for file in files:
        hasher.update(f"{file.relative_to(root)}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                hasher.update(chunk)
    return hasher.hexdigest() if files else ""


def of_data(path: str) -> str:
    """Names, sizes and times of change of the files of a data set; a callable has none, so it never compares equal."""
    root = Path(path)
    if not root.exists():
        return uuid.uuid4().hex
    files = sorted(root.rglob("*")) if root.is_dir() else [root]
    hasher = hashlib.sha256()
    for file in files:
        facts = file.stat()
        if file.is_file():
            hasher.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return hasher.hexdigest()


@functools.cache
def of_code() -> str:
    """SHA-256 over this package's code and tables: between two releases, what computes changes without its version."""
    root = Path(__file__).parent
    hasher = hashlib.sha256()
    for file in sorted(file for file in root.rglob("*") if file.suffix in (".py", ".toml")):
        hasher.update(f"{file.relative_to(root)}\0".encode())
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of what computes, of the packages that are installed; imports none of them, and looks them up once."""
    found: dict[str, str] = {}
    for name in _VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return types.MappingProxyType(found)
