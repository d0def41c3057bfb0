"""Say which format a file or folder has by what is in it: bytes only, no TensorFlow, nothing is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tfmobile.errors import ModelError
from tfmobile.loading import checkpoint_files, keras_files, magic
from tfmobile.loading.files import checked, head, read_bytes
from tfmobile.loading.protobufs import Message, sniff, sniff_text


@dataclass(frozen=True)
class Identified:
    """``format`` is one of the names of ``FORMATS``; ``summary`` one line for the user.

    ``root`` is the file, folder or checkpoint prefix that the loader of that format opens.
    """

    format: str
    summary: str
    root: Path


_GIVE = "Give a SavedModel folder, a .keras or .h5 file, a frozen .pb or .pbtxt, a TF1 checkpoint, or a .tflite."
_AGAIN = "Copy or download it again, and compare its size with the original."


def identify(path: str | Path) -> Identified:
    """What the model at ``path`` is; raises ModelError when it is none, or is visibly damaged."""
    place = Path(path)
    prefix = checkpoint_files.prefix_of(place)
    if prefix is not None:
        return Identified("checkpoint", checkpoint_files.summary(prefix), prefix)
    checked(place)
    return _folder(place) if place.is_dir() else _file(place)


def _folder(place: Path) -> Identified:
    for name in ("saved_model.pb", "saved_model.pbtxt"):
        if (place / name).is_file():
            return _file(place / name)
    raise ModelError(
        f"The folder '{place}' is no SavedModel.",
        why="It holds no saved_model.pb, and no checkpoint." + _contents(place),
        fixes=[_hint(place)],
    )


def _contents(place: Path) -> str:
    try:
        names = sorted(item.name + "/" * item.is_dir() for item in place.iterdir())
    except OSError as cause:
        return f" It cannot be listed: {cause}."
    shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return f" It holds: {shown}." if names else " It is empty."


def _hint(place: Path) -> str:
    found = []
    try:
        candidates = sorted(place.iterdir())[:50]
    except OSError:
        return _GIVE
    if (place / "config.json").is_file() and (place / "metadata.json").is_file():
        return "This is an unpacked .keras file: zip its content into one file called model.keras, and give that."
    for item in candidates:
        if item.is_dir() and not (item / "saved_model.pb").is_file():
            continue
        try:
            found.append(identify(item))
        except ModelError:
            continue
    if len(found) == 1:
        return f"Did you mean '{found[0].root}' ({found[0].summary})?"
    return "Give one of: " + ", ".join(f"'{one.root}'" for one in found[:4]) if found else _GIVE


def _file(place: Path) -> Identified:
    start = head(place)
    if not start:
        raise ModelError(f"'{place}' is empty.", why="The file has 0 bytes.", fixes=[_AGAIN])
    for look in _LOOKS:
        found = look(place, start)
        if found is not None:
            return found
    seen = magic.likeness(place, start)
    if seen is not None:
        raise ModelError(f"'{place}' is no TensorFlow model.", why=f"It looks like {seen.what}.", fixes=[seen.fix])
    raise ModelError(
        f"'{place}' is no TensorFlow model.",
        why=f"Its content is of no known format (it begins with bytes {start[:8].hex(' ')}); it may be damaged.",
        fixes=[_GIVE, _AGAIN],
    )


def _tflite(place: Path, start: bytes) -> Identified | None:
    if start[4:8] != b"TFL3":
        return None
    return Identified("tflite", "TensorFlow Lite model (.tflite, schema 3)", place)


def _keras(place: Path, start: bytes) -> Identified | None:
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        kind = keras_files.read_h5(place)
    elif start.startswith(b"PK") and keras_files.is_archive(place):
        kind = keras_files.read_archive(place)
    else:
        return None
    return Identified(kind.format, kind.summary, place)


def _text(place: Path, start: bytes) -> Identified | None:
    kind = sniff_text(start)
    if kind == "graph":
        return Identified("frozen-graph", "Frozen TensorFlow graph (text)", place)
    if kind == "meta-graph":
        raise _bare_meta(place, "It is a MetaGraph as text")
    if kind == "saved-model":
        return Identified("saved-model", "SavedModel (text)", place.parent)
    return None


def _binary(place: Path, start: bytes) -> Identified | None:
    if any(start.startswith(prefix) for prefix, _ in magic.PREFIXES):
        return None
    message = sniff(read_bytes(place))
    if message is None:
        return None
    if message.kind == "onnx":
        raise ModelError(
            f"'{place}' is no TensorFlow model.",
            why="It looks like an ONNX model.",
            fixes=["Convert it to TensorFlow first (for example with onnx2tf), or export it again from TensorFlow."],
        )
    if message.damage:
        name = {"graph": "frozen TensorFlow graph", "saved-model": "SavedModel"}.get(message.kind, "MetaGraph")
        raise ModelError(f"'{place}' is a damaged {name}.", why=f"Its content: {message.damage}.", fixes=[_AGAIN])
    return _protobuf(place, message)


def _protobuf(place: Path, message: Message) -> Identified:
    if message.kind == "saved-model":
        return Identified("saved-model", saved_model_summary(message), place.parent)
    written = f", written by TensorFlow {message.version}" if message.version else ""
    if message.kind == "meta-graph":
        raise _bare_meta(place, f"It is a MetaGraph{written}")
    return Identified("frozen-graph", f"Frozen TensorFlow graph with {message.nodes} nodes", place)


def _bare_meta(place: Path, what: str) -> ModelError:
    return ModelError(
        f"'{place}' holds a graph without its variables.",
        why=f"{what}: what a checkpoint keeps in its .meta file.",
        fixes=[f"Give the checkpoint, and this file as its graph: MODEL.ckpt --graph {place}"],
    )


def saved_model_summary(message: Message) -> str:
    """The line for a SavedModel, from its first MetaGraph."""
    era = "TF2" if message.has_objects else "TF1"
    written = f", written by TensorFlow {message.version}" if message.version else ""
    tags = f", tags {', '.join(message.tags)}" if message.tags else ""
    return f"{era} SavedModel{written}{tags}"


_LOOKS: tuple[Callable[[Path, bytes], Identified | None], ...] = (_tflite, _keras, _text, _binary)
