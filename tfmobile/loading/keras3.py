"""Keras 3: ``.keras`` archives, and ``.h5`` files that Keras 3 saved."""

from __future__ import annotations

from pathlib import Path

from tfmobile.loading import keras_model
from tfmobile.loading.keras2 import read
from tfmobile.loading.options import Loaded, Options
from tfmobile.loading.quiet import keras3


def open_model(root: Path, options: Options) -> Loaded:
    """Load a Keras 3 model; its configuration is judged before Keras sees it."""
    file = read(root)
    keras_model.check_trusted(file, root, trust=options.trust)
    keras = keras3()
    suffix = ".h5" if "HDF5" in file.container else ".keras"
    try:
        with keras_model.named(root, suffix) as path:
            model = keras.models.load_model(str(path), compile=False, safe_mode=not options.trust)
    except Exception as cause:
        raise keras_model.not_built(root, file, cause) from cause
    graph, notes = keras_model.freeze_keras(model, root, options)
    del model
    return Loaded(file.summary, (root,), graph=graph, notes=notes)
