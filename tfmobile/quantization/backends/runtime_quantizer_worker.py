"""The child of the back end runtime-quantizer: a float .tflite with ranges in, a quantized one out."""

from __future__ import annotations

import numpy as np

from tfmobile.errors import ToolError
from tfmobile.quantization.tensor_keys import calibration_wrapper
from tfmobile.runtime import child


def answer(job: child.Job) -> child.Answer:
    """The quantized file as one array of bytes."""
    request = job.request
    content = job.file("model").read_bytes()
    # The wrapper points into these bytes and does not keep them alive.
    wrapper = calibration_wrapper().CalibrationWrapper(content, [], [])
    outside, inside, bias = (np.dtype(request[key]).num for key in ("io", "activations", "bias"))
    may_stay_float = True
    per_tensor = request["per_tensor"]
    try:
        made = wrapper.QuantizeModel(outside, outside, may_stay_float, inside, bias, per_tensor, per_tensor)
    except Exception as cause:
        raise ToolError(
            "The runtime's quantizer failed on this model.",
            why=" ".join(str(cause).split())[:600] or type(cause).__name__,
            fixes=["--recipe int8 uses another back end.", "--recipe float16 keeps float arithmetic."],
        ) from cause
    return child.Answer({}, [{"content": np.frombuffer(bytes(made), np.uint8)}])


if __name__ == "__main__":
    child.serve(answer)
