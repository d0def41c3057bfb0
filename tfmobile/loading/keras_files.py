"""Keras files read without Keras: which Keras saved them, and their configuration as plain JSON.

HDF5 is opened through h5py, attributes and links only; a ``.keras`` file is a zip of config.json, metadata.json and
model.weights.h5. Nothing of the configuration is turned into objects here.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfmobile.errors import ModelError, UntrustedModelError
from tfmobile.loading.files import unreadable
from tfmobile.loading.quiet import h5py

_CONFIG_LIMIT = 256 << 20
_RATIO_LIMIT = 200
_SMALL = 64 << 20
_AGAIN = "Copy or download it again, and compare its size with the original."
_WHOLE = "Save the whole model: `model.save('model.keras')`, or export a SavedModel: `model.export('folder')`."


@dataclass(frozen=True)
class KerasFile:
    """``format`` is keras2 or keras3; ``config`` the parsed configuration of the model."""

    format: str
    version: str
    container: str
    config: dict[str, Any] = field(repr=False)

    @property
    def summary(self) -> str:
        """One line for the user."""
        era = "Keras 3" if self.format == "keras3" else "Keras 2"
        saved = f"saved by Keras {self.version}" if self.version else "of an unknown Keras version"
        return f"{era} {self.container}, {saved}"


def read_h5(path: Path) -> KerasFile:
    """The facts of a Keras ``.h5`` file; raises ModelError for a damaged one, or one without a model in it."""
    library = h5py()
    try:
        with library.File(path, "r") as file:
            version = _text(file.attrs.get("keras_version", ""))
            config = file.attrs.get("model_config")
            weights = "layer_names" in file.attrs or any(
                key in file for key in ("layers", "_layer_checkpoint_dependencies")
            )
            check_h5(file, path, path.stat().st_size)
    except (OSError, RuntimeError, KeyError, ValueError, UnicodeDecodeError) as cause:
        raise _damaged(path, "HDF5 file", cause) from cause
    if config is None:
        what = "Keras weights without a network" if weights else "an HDF5 file that no Keras model is in"
        raise ModelError(f"'{path}' holds no whole Keras model.", why=f"It looks like {what}.", fixes=[_WHOLE])
    return KerasFile(_era(version), version, "HDF5 model", parse_config(_text(config), path))


def is_archive(path: Path) -> bool:
    """Whether the zip file holds a Keras configuration."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"config.json", "metadata.json"} & set(archive.namelist()) != set()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_archive(path: Path) -> KerasFile:
    """The facts of a ``.keras`` file; raises ModelError for a damaged one, UntrustedModelError for a hostile zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            names = archive.namelist()
            for name in ("config.json", "metadata.json"):
                if name not in names:
                    raise _lacks(path, name)
            metadata = parse_config(_member(archive, "metadata.json"), path)
            config = parse_config(_member(archive, "config.json"), path)
            if "model.weights.h5" not in names:
                raise _lacks(path, "model.weights.h5")
            _check_weights(archive, path)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError, NotImplementedError) as cause:
        raise _damaged(path, ".keras file", cause) from cause
    version = str(metadata.get("keras_version", ""))
    return KerasFile(_era(version), version, "archive (.keras)", config)


def _era(version: str) -> str:
    major = version.split(".", 1)[0]
    return "keras3" if major.isdigit() and int(major) >= 3 else "keras2"


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def parse_config(text: str | bytes, path: Path) -> dict[str, Any]:
    """The JSON object in ``text``; raises ModelError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise _damaged(path, "Keras configuration", cause) from cause
    if not isinstance(found, dict):
        raise _damaged(path, "Keras configuration", ValueError("it is no JSON object"))
    return found


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as stream:
        content = stream.read(_CONFIG_LIMIT + 1)
    if len(content) > _CONFIG_LIMIT:
        raise ValueError(f"{name} is larger than {_CONFIG_LIMIT >> 20} MB")
    return content


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse names that lead out of the archive, links, and content that swells beyond reason."""
    total = packed = 0
    for item in archive.infolist():
        parts = item.filename.replace("\\", "/").split("/")
        if item.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise _hostile(path, f"the archive holds a path that leads out of it: '{item.filename}'")
        if (item.external_attr >> 16) & 0o170000 == 0o120000:
            raise _hostile(path, f"the archive holds a symbolic link: '{item.filename}'")
        total += item.file_size
        packed += item.compress_size
    if total > _SMALL and total > _RATIO_LIMIT * max(packed, 1):
        raise _hostile(path, f"{packed:,} bytes of archive unpack to {total:,} bytes (a zip bomb)")


def _check_weights(archive: zipfile.ZipFile, path: Path) -> None:
    size = archive.getinfo("model.weights.h5").file_size
    with archive.open("model.weights.h5") as stream, h5py().File(io.BytesIO(stream.read()), "r") as file:
        check_h5(file, path, size)


def check_h5(file: Any, path: Path, size: int) -> None:
    """Refuse HDF5 links to other files, data kept in other files, and data sets far larger than the file."""
    library = h5py()
    total = 0
    for name, item in _walk(file, library):
        if isinstance(item, library.ExternalLink):
            raise _hostile(path, f"'{name}' is a link into another file, '{item.filename}'")
        if not isinstance(item, library.Dataset):
            continue
        if item.external or item.is_virtual:
            raise _hostile(path, f"the data of '{name}' lies in another file")
        total += item.size * item.dtype.itemsize
    if total > _SMALL and total > _RATIO_LIMIT * size:
        raise _hostile(path, f"{size:,} bytes of file claim to hold {total:,} bytes of data")


def _walk(group: Any, library: Any) -> Iterator[tuple[str, Any]]:
    """Every hard-linked member below ``group`` once, and every external link, without following links."""
    waiting, seen = [group], set()
    while waiting:
        here = waiting.pop()
        for key in here:
            link = here.get(key, getlink=True)
            if isinstance(link, library.ExternalLink):
                yield f"{here.name}/{key}", link
            if not isinstance(link, library.HardLink):
                continue
            item = here[key]
            if item.id.__hash__() in seen:
                continue
            seen.add(item.id.__hash__())
            yield item.name, item
            if isinstance(item, library.Group):
                waiting.append(item)


def _hostile(path: Path, why: str) -> UntrustedModelError:
    return UntrustedModelError(
        f"'{path}' is refused.",
        why=f"It is built to reach beyond itself: {why}.",
        fixes=["Do not open it. Ask whoever made it for a clean export (`model.export('folder')`)."],
    )


def _lacks(path: Path, name: str) -> ModelError:
    return ModelError(f"'{path}' is no whole Keras model.", why=f"The archive holds no {name}.", fixes=[_WHOLE])


def _damaged(path: Path, what: str, cause: Exception) -> ModelError:
    if isinstance(cause, PermissionError):
        return unreadable(path, cause)
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return ModelError(f"'{path}' is damaged.", why=f"It looks like a {what}, but: {text}", fixes=[_AGAIN])
