"""A .tflite is read back as it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tfmobile.errors import ModelError, UsageError
from tfmobile.loading import identify, load


def test_content_is_kept_byte_for_byte(tflite: Path) -> None:
    source = load(tflite)
    assert source.format == identify(tflite).format == "tflite"
    assert source.graph is None
    assert source.tflite == tflite.read_bytes()
    assert source.sha256 == hashlib.sha256(tflite.read_bytes()).hexdigest()
    assert source.size_bytes == tflite.stat().st_size


def test_it_cannot_be_cut(tflite: Path) -> None:
    with pytest.raises(UsageError, match="--input does not go with"):
        load(tflite, input=["x"])


@pytest.mark.parametrize("size", [8, 12, 40, 100])
def test_truncated_file_is_a_model_error(tflite: Path, size: int) -> None:
    tflite.write_bytes(tflite.read_bytes()[:size])
    with pytest.raises(ModelError, match="damaged") as caught:
        load(tflite)
    assert f"It has {size:,} bytes" in caught.value.why
