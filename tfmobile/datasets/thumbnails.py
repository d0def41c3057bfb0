"""Small pictures of samples, for the report."""

from __future__ import annotations

import base64
import io

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.graph.model import Array

SIZE = 64
"""Longest side in pixels."""


def thumbnail(sample: Sample) -> str | None:
    """A data: URI (JPEG; PNG for tiny and gray pictures) of at most 64 pixels a side, None if no value is a picture."""
    from PIL import Image

    arrays = list(sample.values.values()) if not isinstance(sample.values, tuple) else list(sample.values)
    pixels = next((found for found in map(_pixels, arrays) if found is not None), None)
    if pixels is None:
        return None
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((SIZE, SIZE))
    lossless = pixels.ndim == 2 or max(pixels.shape) <= SIZE
    buffer = io.BytesIO()
    picture.save(buffer, **({"format": "PNG"} if lossless else {"format": "JPEG", "quality": 80}))
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _pixels(array: Array) -> Array | None:
    """[H, W] or [H, W, 3] uint8 if the array looks like a picture: at least 8 × 8, whole bytes or 0..1 or 0..255."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)) or min(array.shape[:2]) < 8:
        return None
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
        return None
    return np.asarray(array * (255 if array.max() <= 1 else 1)).round().astype(np.uint8)
