"""Run a .tflite in a child process: prove that it loads and runs, or get its outputs, without risk to the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfmobile.artifacts import LoadTest
from tfmobile.graph.model import Array
from tfmobile.runtime import child

WORKER = "tfmobile.runtime.worker"


def load_test(
    content: bytes,
    feeds: Sequence[Mapping[str, Array]] = (),
    *,
    threads: int = 1,
    xnnpack: bool = True,
    timeout_s: float = 120.0,
) -> LoadTest:
    """Load, allocate and invoke the model on ``feeds`` (by input key, real values), or on two seeded random inputs.

    Raises VerificationError when it does not load, crashes the runtime, or does not end in ``timeout_s`` seconds.
    """
    request = _request(bool(feeds), threads, xnnpack, tensors=False, keep=False)
    answer = child.call(
        WORKER, request, files={"model": content}, arrays=feeds, timeout_s=timeout_s, what="The .tflite"
    )
    values = answer.values
    return LoadTest(
        runtime=values["runtime"],
        init_ms=values["init_ms"],
        invocations=values["invocations"],
        outputs_finite=values["outputs_finite"],
    )


def run(
    content: bytes,
    feeds: Sequence[Mapping[str, Array]],
    *,
    tensors: bool = False,
    threads: int = 1,
    xnnpack: bool = True,
    timeout_s: float = 300.0,
) -> list[dict[str, Array]]:
    """Outputs of the model for every feed, by output key, as real values.

    With ``tensors`` also every intermediate tensor by its name, in execution order; XNNPACK is off then. Raises as
    ``load_test`` does, and DataError when a feed does not fit.
    """
    request = _request(True, threads, xnnpack, tensors=tensors, keep=True)
    answer = child.call(
        WORKER, request, files={"model": content}, arrays=feeds, timeout_s=timeout_s, what="The .tflite"
    )
    return [dict(outputs) for outputs in answer.arrays]


def _request(fed: bool, threads: int, xnnpack: bool, *, tensors: bool, keep: bool) -> dict[str, Any]:
    return {"fed": fed, "random": 2, "threads": threads, "xnnpack": xnnpack, "tensors": tensors, "keep": keep}
