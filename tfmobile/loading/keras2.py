"""Keras 2: ``.h5`` and ``.keras`` files saved before Keras 3, opened through tf_keras."""

from __future__ import annotations

from pathlib import Path

from tfmobile.errors import ModelError, TfmobileError
from tfmobile.loading import keras_model
from tfmobile.loading.files import head
from tfmobile.loading.keras_files import KerasFile, read_archive, read_h5
from tfmobile.loading.options import Loaded, Options
from tfmobile.loading.quiet import tf_keras


def read(path: Path) -> KerasFile:
    """The facts of a Keras file, HDF5 or archive."""
    return read_h5(path) if head(path, 4) == b"\x89HDF" else read_archive(path)


def open_model(root: Path, options: Options) -> Loaded:
    """Load a Keras 2 model; its configuration is judged before tf_keras sees it."""
    return keras_model.open_keras(tf_keras, root, read(root), options, _explained)


def _explained(root: Path, file: KerasFile, cause: Exception) -> TfmobileError:
    if file.version.startswith(("0.", "1.")):
        return ModelError(
            f"'{root}' was saved by Keras {file.version}.",
            why="tf_keras opens what Keras 2 saved; Keras 1 named layers and weights differently.",
            fixes=["Open and save it with Keras 2.2 once, then give the new file."],
        )
    return keras_model.not_built(root, file, cause)
