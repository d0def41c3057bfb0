"""Everything about a .tflite: open, run, read and describe it. Needs no TensorFlow."""

from tfmobile.runtime.describe import describe
from tfmobile.runtime.interpreter import Interpreter, open_interpreter, runtime_name_version
from tfmobile.runtime.load_test import load_test, run

__all__ = [
    "Interpreter",
    "describe",
    "load_test",
    "open_interpreter",
    "run",
    "runtime_name_version",
]
