"""A .tflite is kept as it is: its bytes, after a look that its flatbuffer at least begins where it says."""

from __future__ import annotations

import struct
from pathlib import Path

from tfmobile.errors import ModelError, UsageError
from tfmobile.loading.files import read_bytes
from tfmobile.loading.options import Loaded, Options


def open_model(root: Path, options: Options) -> Loaded:
    """Read the .tflite at ``root``; raises ModelError when it is damaged, UsageError for options it cannot have."""
    given = {"--input": options.inputs, "--output": options.outputs, "--input-shape": options.input_shape}
    for name, value in given.items():
        if value:
            raise UsageError(
                f"{name} does not go with a .tflite.",
                why="It is compiled already: it cannot be cut or given another shape.",
                fixes=[f"Leave out {name}, or give the model it was made from."],
            )
    content = read_bytes(root)
    version, subgraphs = _look(content, root)
    what = f"TensorFlow Lite model, schema {version}" + (f", {subgraphs} subgraphs" if subgraphs > 1 else "")
    return Loaded(what, (root,), tflite=content)


def _look(content: bytes, root: Path) -> tuple[int, int]:
    """Schema version and number of subgraphs, read by the flatbuffer rules with every offset checked."""
    try:
        if content[4:8] != b"TFL3":
            raise ValueError("the mark TFL3 is not at byte 4")
        table = _u32(content, 0)
        distance = _u32(content, table)
        vtable = table - (distance - (1 << 32) if distance >> 31 else distance)
        version = _u32(content, table + _field(content, vtable, 0))
        at = table + _field(content, vtable, 2)
        vector = at + _u32(content, at)
        count = _u32(content, vector)
        if not 1 <= count <= 10_000:
            raise ValueError(f"it claims {count} subgraphs")
        for number in range(count):
            entry = vector + 4 + 4 * number
            _u32(content, entry + _u32(content, entry))
    except (struct.error, ValueError) as cause:
        raise ModelError(
            f"'{root}' is a damaged .tflite.",
            why=f"It has {len(content):,} bytes, and {cause}.",
            fixes=["Copy or download it again, and compare its size with the original."],
        ) from cause
    return version, count


def _u32(content: bytes, at: int) -> int:
    if not 0 <= at <= len(content) - 4:
        raise ValueError(f"an offset leads to byte {at}, outside the file")
    value: int = struct.unpack_from("<I", content, at)[0]
    return value


def _field(content: bytes, vtable: int, number: int) -> int:
    if not 0 <= vtable <= len(content) - 2:
        raise ValueError("its table lies outside the file")
    size = struct.unpack_from("<H", content, vtable)[0]
    offset: int = struct.unpack_from("<H", content, vtable + 4 + 2 * number)[0] if 4 + 2 * number < size else 0
    if offset == 0:
        raise ValueError(f"field {number} of the model is missing")
    return offset
