"""The step that measures what the tensors of a float model hold over the samples to fit on."""

from __future__ import annotations

from tfmobile.artifacts import Statistics
from tfmobile.steps.context import Context
from tfmobile.steps.samples import CalibrationSamples
from tfmobile.workspace import Product, Step, sha256


def measure(context: Context, floating: bytes, samples: CalibrationSamples) -> tuple[Statistics, Step]:
    """Statistics of the float .tflite ``floating``, by its own calibration keys."""
    from tfmobile.quantization.statistics import measure_statistics
    from tfmobile.quantization.statistics_file import dump, load

    def compute() -> Product:
        found = measure_statistics(floating, samples.fit, progress=context.progress)
        return {"statistics.npz": dump(found)}, {"samples": len(found.samples), "set_aside": list(found.set_aside)}

    step = context.step("statistics", {"model": sha256(floating), "samples": samples.key}, compute)
    return load(step.blobs["statistics.npz"]), step
