"""The child that runs a .tflite and hands out the tensors asked for, by their index in the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tfmobile.graph.model import Array
from tfmobile.runtime import child
from tfmobile.runtime.interpreter import Interpreter, dequantize, fact, open_interpreter


def answer(job: child.Job) -> child.Answer:
    """One set of arrays a feed: real values, by the index as text."""
    interpreter = open_interpreter(job.file("model").read_bytes(), xnnpack=False, preserve_all=True)
    return child.Answer({}, _results(job, interpreter, job.request["tensors"]))


def _results(job: child.Job, interpreter: Interpreter, wanted: Sequence[int]) -> Iterator[dict[str, Array]]:
    for feed in job.arrays():
        interpreter.set_inputs(feed)
        interpreter.invoke()
        details = {int(detail["index"]): detail for detail in interpreter.raw.get_tensor_details()}
        yield {str(index): _real(interpreter, details[index]) for index in wanted}


def _real(interpreter: Interpreter, detail: dict[str, Any]) -> Array:
    found: Array = interpreter.raw.get_tensor(int(detail["index"]))
    known = fact(detail)
    if known.scale and found.dtype.kind in "iu":
        return dequantize(found, known.scale, known.zero_point)
    return found


if __name__ == "__main__":
    child.serve(answer)
