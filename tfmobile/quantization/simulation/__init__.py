"""An exact simulation of a quantized .tflite in TensorFlow, beside the float graph it was made from."""

from __future__ import annotations

from tfmobile.quantization.simulation.layers import SimulatedLayer
from tfmobile.quantization.simulation.simulation import Simulation, open_simulation

__all__ = ["SimulatedLayer", "Simulation", "open_simulation"]
