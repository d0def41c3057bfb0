"""TensorFlow without its noise, on stderr and in its loggers."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

from tfmobile.errors import ToolError


def tensorflow() -> Any:
    """The tensorflow module; raises ToolError when it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with silenced():
            import tensorflow
    except ImportError as cause:
        raise ToolError(
            "Converting a model needs TensorFlow.", why=str(cause), fixes=["pip install 'tfmobile[convert]'"]
        ) from cause
    return tensorflow


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Send descriptor 2, Python warnings and TensorFlow's loggers nowhere.

    The descriptor, not only ``sys.stderr``: the converter prints from C++. Other threads lose their stderr meanwhile.
    """
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(tempfile.TemporaryFile())
        saved = os.dup(2)
        stack.callback(os.close, saved)
        os.dup2(sink.fileno(), 2)
        stack.callback(os.dup2, saved, 2)
        for logger, level in zip(loggers, levels, strict=True):
            stack.callback(logger.setLevel, level)
            logger.setLevel(logging.CRITICAL)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield
