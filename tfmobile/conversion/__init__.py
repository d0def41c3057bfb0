"""A graph to a float .tflite, and what describes the .tflite to the program that will use it."""

from tfmobile.conversion.convert import convert
from tfmobile.conversion.metadata import write_metadata
from tfmobile.runtime.dequantize import restore_float

__all__ = ["convert", "restore_float", "write_metadata"]
