"""Import TensorFlow and Keras, and use them, without their noise on stderr."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from tfmobile.errors import ToolError

_INSTALL = "pip install 'tfmobile[convert]'"


def tensorflow() -> Any:
    """The tensorflow module; raises ToolError when it is not installed."""
    return _module("tensorflow")


def tf_keras() -> Any:
    """Keras 2, as the package tf_keras; raises ToolError. Leaves TF_USE_LEGACY_KERAS as it is."""
    tensorflow()
    return _module("tf_keras")


def keras3() -> Any:
    """Keras 3 on TensorFlow; raises ToolError when it is missing, or already in use on another backend."""
    tensorflow()
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        keras = _module("keras")
    finally:
        if before is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = before
    if int(keras.__version__.split(".")[0]) < 3:
        raise ToolError(
            "This model needs Keras 3.",
            why=f"keras {keras.__version__} is installed.",
            fixes=["pip install 'keras>=3'"],
        )
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ToolError(
            "Keras 3 is already running on another backend.",
            why=f"Its backend is {backend}; a model can be frozen only on TensorFlow.",
            fixes=["Start Python again with KERAS_BACKEND=tensorflow."],
        )
    return keras


def h5py() -> Any:
    """The h5py module; raises ToolError when it is not installed."""
    return _module("h5py")


def _module(name: str) -> Any:
    if name in sys.modules:
        return sys.modules[name]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _no_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as cause:
        raise ToolError(
            f"This model needs the package {name}, which is not installed.", why=str(cause), fixes=[_INSTALL]
        ) from cause


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    # TensorFlow's C++ writes to descriptor 2 while it is being imported, before any log level counts.
    sys.stderr.flush()
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Python warnings and the loggers of TensorFlow, Keras and absl silent; they are put back at the end."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl", "keras", "h5py")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
