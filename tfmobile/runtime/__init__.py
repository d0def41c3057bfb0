"""Everything about a .tflite: open, run, read and describe it. Needs no TensorFlow."""

from tfmobile.runtime.dequantize import restore_float
from tfmobile.runtime.describe import describe
from tfmobile.runtime.interpreter import Interpreter, open_interpreter, runtime_name_version
from tfmobile.runtime.load_test import load_test, run
from tfmobile.runtime.metadata import associated_files, read_metadata

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
