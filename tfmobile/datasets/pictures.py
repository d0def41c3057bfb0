"""Encoded pictures to pixels, with Pillow."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

from tfmobile.errors import DataError
from tfmobile.graph.model import Array

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def is_picture(path: Path) -> bool:
    """Whether the file name is that of a picture; hidden files are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures that lie directly in ``folder``, sorted by name."""
    return sorted(path for path in folder.iterdir() if is_picture(path) and path.is_file())


def read_picture(path: Path) -> Array:
    """The pixels of a picture file: uint8 [H, W, 3], RGB. Raises DataError naming the file."""
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise DataError(
            f"The picture '{path}' cannot be read.", why=str(cause), fixes=["Check the file and its permissions."]
        ) from cause
    return decode_picture(data, str(path))


def decode_picture(data: bytes, name: str) -> Array:
    """The pixels of an encoded picture: uint8 [H, W, 3], RGB.

    Gray pictures repeat their value in all channels; transparency and EXIF rotation are ignored and the first frame of
    an animation is taken, as TensorFlow's and Keras's own readers do. Raises DataError naming the picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                if picture.mode in _DEEP_MODES:
                    raise _too_deep(name, picture.mode)
                whole = picture.convert("RGBA") if "transparency" in picture.info else picture
                return np.asarray(whole if whole.mode == "RGB" else whole.convert("RGB"))
    except DataError:
        raise
    except Exception as cause:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, …
        raise DataError(
            f"The picture '{name}' cannot be decoded.",
            why=_reason(data, cause),
            fixes=["Replace or remove the file.", "Check that it was copied completely."],
        ) from cause


def _reason(data: bytes, cause: Exception) -> str:
    if not data:
        return "The file is empty."
    if type(cause).__name__ == "UnidentifiedImageError":
        return f"It is no picture that Pillow knows; it starts with {data[:8]!r}."
    return f"{type(cause).__name__}: {cause}"


def _too_deep(name: str, mode: str) -> DataError:
    return DataError(
        f"The picture '{name}' has more than 8 bits a pixel (mode {mode}).",
        why="Reading it as 8 bit would clip its values.",
        fixes=["Save it as an 8-bit picture.", "Put the real values into an .npz file instead."],
    )
