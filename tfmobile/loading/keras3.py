"""Keras 3: ``.keras`` archives, and ``.h5`` files that Keras 3 saved."""

from __future__ import annotations

from pathlib import Path

from tfmobile.loading import keras_model
from tfmobile.loading.keras2 import read
from tfmobile.loading.options import Loaded, Options
from tfmobile.loading.quiet import keras3


def open_model(root: Path, options: Options) -> Loaded:
    """Load a Keras 3 model; its configuration is judged before Keras sees it."""
    return keras_model.open_keras(keras3, root, read(root), options, keras_model.not_built)
