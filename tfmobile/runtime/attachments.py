"""Files attached to a .tflite: a zip archive after the flatbuffer, which the runtime does not look at.

https://ai.google.dev/edge/litert/models/metadata (associated files)
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

# The earliest time a zip can hold; a real one would make the same model two different files.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LIMIT_BYTES = 64 << 20


def attach(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """``content`` with exactly these files attached, the ones it had removed. Deterministic."""
    bare = content[: start(content)]
    if not files:
        return bare
    stream = io.BytesIO(bare)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name])
    return stream.getvalue()


def attached(content: bytes) -> dict[str, bytes]:
    """Name → content of the attached files; those above 64 MiB and those in folders are left out."""
    archive = _open(content)
    if archive is None:
        return {}
    with archive:
        try:
            return {
                entry.filename: archive.read(entry)
                for entry in archive.infolist()
                if entry.file_size <= _LIMIT_BYTES and "/" not in entry.filename and not entry.flag_bits & 1
            }
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError):
            return {}


def start(content: bytes) -> int:
    """Where the attached archive begins; the length of ``content`` when there is none."""
    archive = _open(content)
    if archive is None:
        return len(content)
    with archive:
        return min((entry.header_offset for entry in archive.infolist()), default=len(content))


def _open(content: bytes) -> zipfile.ZipFile | None:
    if content.rfind(b"PK\x05\x06", max(0, len(content) - 65557)) < 0:
        return None
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        if all(0 < entry.header_offset < len(content) for entry in archive.infolist()):
            return archive
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, OverflowError):
        return None
    return None
