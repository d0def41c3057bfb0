"""The files of a checkpoint: PREFIX.index, PREFIX.data-0000i-of-0000n, PREFIX.meta, and the folder's state file."""

from __future__ import annotations

import re
from pathlib import Path

from tfmobile.errors import ModelError
from tfmobile.loading.files import head, read_bytes
from tfmobile.loading.protobufs import sniff

_PART = re.compile(r"\.(meta|index|data-\d{5}-of-\d{5})\Z")
_STATE = re.compile(r"^model_checkpoint_path:\s*\"(.*)\"\s*$", re.MULTILINE)
# The last eight bytes of a checkpoint's index (a LevelDB table), and of a whole checkpoint before TensorFlow 0.12.
_TABLE = bytes.fromhex("57fb808b247547db")


def prefix_of(place: Path) -> Path | None:
    """The checkpoint prefix that ``place`` stands for (a prefix, one of its files, or a folder), or None.

    Raises ModelError for a folder of several checkpoints without a state file.
    """
    try:
        if place.is_dir():
            return _in_folder(place)
        match = _PART.search(place.name)
        if match and place.exists():
            return place.with_name(place.name[: match.start()])
        if not place.exists() and (_beside(place, ".index").is_file() or _beside(place, ".meta").is_file()):
            return place
        return place if place.is_file() and is_table(place) else None
    except (OSError, ValueError):
        return None


def _in_folder(place: Path) -> Path | None:
    if (place / "saved_model.pb").is_file() or (place / "saved_model.pbtxt").is_file():
        return None
    found = sorted(item.with_suffix("") for item in place.glob("*.index"))
    state = place / "checkpoint"
    if state.is_file():
        match = _STATE.search(head(state, 1 << 16).decode("utf-8", errors="replace"))
        if match:
            # The recorded path may be absolute, and of the machine that trained the model.
            return place / match.group(1).replace("\\", "/").rsplit("/", 1)[-1]
    if len(found) > 1:
        raise ModelError(
            f"The folder '{place}' holds several checkpoints.",
            why="No `checkpoint` file says which is the latest: " + ", ".join(item.name for item in found) + ".",
            fixes=[f"Give one of them: {found[-1]}"],
        )
    return found[0] if found else None


def is_table(place: Path) -> bool:
    """Whether the file ends like a checkpoint's index."""
    size = place.stat().st_size
    if size < 48:
        return False
    with place.open("rb") as stream:
        stream.seek(size - 8)
        return stream.read(8) == _TABLE


def _beside(prefix: Path, ending: str) -> Path:
    return prefix.with_name(prefix.name + ending)


def meta(prefix: Path) -> Path | None:
    """PREFIX.meta, if there is one."""
    found = _beside(prefix, ".meta")
    return found if found.is_file() else None


def parts(prefix: Path) -> tuple[Path, ...]:
    """The files that make up the checkpoint; the prefix itself for a checkpoint before TensorFlow 0.12."""
    names = [item for item in sorted(prefix.parent.glob("*")) if item.name.startswith(prefix.name + ".")]
    files = tuple(item for item in names if _PART.search(item.name) and item.is_file())
    return (prefix, *files) if prefix.is_file() else files


def summary(prefix: Path) -> str:
    """The line for a checkpoint."""
    graph = meta(prefix)
    if graph is None:
        return "Checkpoint without .meta (variables only)"
    message = sniff(read_bytes(graph))
    written = f", written by TensorFlow {message.version}" if message and message.version else ""
    return f"TF1 checkpoint with .meta{written}"


def check_complete(prefix: Path) -> None:
    """Raises ModelError when the index or one of the data files is missing."""
    if prefix.is_file():
        return
    if not _beside(prefix, ".index").is_file():
        raise _missing(prefix, f"'{prefix.name}.index' is missing")
    shards = [item for item in parts(prefix) if ".data-" in item.name]
    if not shards:
        raise _missing(prefix, f"there is no '{prefix.name}.data-00000-of-00001'")
    total = int(shards[0].name[-5:])
    names = {item.name for item in shards}
    for number in range(total):
        name = f"{prefix.name}.data-{number:05d}-of-{total:05d}"
        if name not in names:
            raise _missing(prefix, f"'{name}' is missing")


def _missing(prefix: Path, what: str) -> ModelError:
    return ModelError(
        f"The checkpoint '{prefix}' is incomplete.",
        why=f"In '{prefix.parent}', {what}.",
        fixes=["Copy all files of the checkpoint (.index, every .data-…, .meta) into one folder."],
    )
