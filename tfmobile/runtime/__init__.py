"""Everything about a .tflite: open, run, read and describe it. Needs no TensorFlow.

Names are loaded when used, so that a worker process imports only its own part.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmobile.runtime.describe import describe
    from tfmobile.runtime.dequantize import restore_float
    from tfmobile.runtime.interpreter import Interpreter, open_interpreter, runtime_name_version
    from tfmobile.runtime.load_test import load_test, run
    from tfmobile.runtime.metadata import associated_files, read_metadata

_WHERE = {
    "Interpreter": "interpreter",
    "associated_files": "metadata",
    "describe": "describe",
    "load_test": "load_test",
    "open_interpreter": "interpreter",
    "read_metadata": "metadata",
    "restore_float": "dequantize",
    "run": "load_test",
    "runtime_name_version": "interpreter",
}

__all__ = [
    "Interpreter",
    "associated_files",
    "describe",
    "load_test",
    "open_interpreter",
    "read_metadata",
    "restore_float",
    "run",
    "runtime_name_version",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
