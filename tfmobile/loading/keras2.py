"""Keras 2: ``.h5`` and ``.keras`` files saved before Keras 3, opened through tf_keras."""

from __future__ import annotations

from pathlib import Path

from tfmobile.errors import ModelError
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
    file = read(root)
    keras_model.check_trusted(file, root, trust=options.trust)
    keras = tf_keras()
    suffix = ".h5" if "HDF5" in file.container else ".keras"
    try:
        with keras_model.named(root, suffix) as path:
            model = keras.models.load_model(str(path), compile=False, safe_mode=not options.trust)
    except Exception as cause:
        raise _explained(root, file, cause) from cause
    graph, notes = keras_model.freeze_keras(model, root, options)
    del model
    return Loaded(file.summary, (root,), graph=graph, notes=notes)


def _explained(root: Path, file: KerasFile, cause: Exception) -> Exception:
    if file.version.startswith(("0.", "1.")):
        return ModelError(
            f"'{root}' was saved by Keras {file.version}.",
            why="tf_keras opens what Keras 2 saved; Keras 1 named layers and weights differently.",
            fixes=["Open and save it with Keras 2.2 once, then give the new file."],
        )
    return keras_model.not_built(root, file, cause)
