"""What a file looks like that is no TensorFlow model: by its first bytes, with the advice that goes with it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Likeness(NamedTuple):
    """What a file looks like, in words, and what to do about it."""

    what: str
    fix: str


_EXPORT = "Give the TensorFlow model itself: a SavedModel folder, a .keras or .h5 file, a frozen .pb or a .tflite."
_TORCH = "Convert the PyTorch model to TensorFlow first, or export it again from TensorFlow."
_UNPACK = "Unpack it, and give the path of the model inside."

# First bytes → what it is. Read from the formats' own specifications.
PREFIXES: tuple[tuple[bytes, Likeness], ...] = (
    (b"\x89PNG\r\n\x1a\n", Likeness("a PNG picture", _EXPORT)),
    (b"\xff\xd8\xff", Likeness("a JPEG picture", _EXPORT)),
    (b"GIF8", Likeness("a GIF picture", _EXPORT)),
    (b"%PDF", Likeness("a PDF document", _EXPORT)),
    (b"\x1f\x8b", Likeness("a gzip archive", _UNPACK)),
    (b"BZh", Likeness("a bzip2 archive", _UNPACK)),
    (b"\xfd7zXZ\x00", Likeness("an xz archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", Likeness("a Zstandard archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Likeness("a 7-Zip archive", _UNPACK)),
    (b"Rar!", Likeness("a RAR archive", _UNPACK)),
    (b"\x7fELF", Likeness("a compiled program or library", _EXPORT)),
    (b"\x93NUMPY", Likeness("a NumPy array (.npy)", "Give this file with --data, and the model as MODEL.")),
    (b"GGUF", Likeness("a GGUF language model", _EXPORT)),
    (
        b"version https://git-lfs",
        Likeness("a Git LFS pointer, not the file itself", "Run `git lfs pull` in that repository."),
    ),
)


def likeness(path: Path, start: bytes) -> Likeness | None:
    """What the file that begins with ``start`` looks like, if it is something well known; no library opens it."""
    for prefix, found in PREFIXES:
        if start.startswith(prefix):
            return found
    for look in _LOOKS:
        seen = look(path, start)
        if seen is not None:
            return seen
    return None


def _zip(path: Path, start: bytes) -> Likeness | None:
    if not start.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Likeness(
            "a damaged or truncated zip archive (a .keras file is one)",
            "Copy or download the file again and compare its size with the original.",
        )
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        return Likeness("a PyTorch file (a zip of pickles)", _TORCH)
    if any(name.endswith("saved_model.pb") for name in names):
        return Likeness("a zipped SavedModel", "Unzip it, and give the folder that holds saved_model.pb.")
    if names and all(name.endswith(".npy") for name in names):
        return Likeness("a NumPy archive (.npz)", "Give this file with --data, and the model as MODEL.")
    return Likeness("a zip archive that holds no Keras model", _UNPACK)


def _pickle(path: Path, start: bytes) -> Likeness | None:
    if re.match(rb"\x80[\x02-\x05]", start):
        return Likeness(
            "a Python pickle (PyTorch, joblib or scikit-learn)",
            f"{_TORCH} A pickle is never opened here: opening one runs the code in it.",
        )
    return None


def _numpy_safetensors(path: Path, start: bytes) -> Likeness | None:
    if len(start) > 9 and start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 1 << 32:
        return Likeness("a safetensors weights file", "It holds weights without a network: " + _EXPORT.lower())
    return None


def _web(path: Path, start: bytes) -> Likeness | None:
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        return Likeness(
            "a web page (HTML), often what a failed download leaves",
            "Download the file again; open the link in a browser to see what it answers.",
        )
    return None


def _text(path: Path, start: bytes) -> Likeness | None:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as cause:
        if cause.start < len(start) - 3:  # the last character may be cut in two
            return None
        text = start[: cause.start].decode("utf-8")
    if not text or any(ord(char) < 9 for char in text):
        return None
    if text.lstrip().startswith("{"):
        return Likeness(
            "JSON text (perhaps a network without weights)",
            "Give the file that also holds the weights: a .keras or .h5 file, or a SavedModel folder.",
        )
    return Likeness("plain text", _EXPORT)


_LOOKS: tuple[Callable[[Path, bytes], Likeness | None], ...] = (_zip, _pickle, _numpy_safetensors, _web, _text)
