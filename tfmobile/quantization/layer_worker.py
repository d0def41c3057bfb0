"""The child of ``layer_errors``: runs both models on each feed and adds up signal and noise of every tensor."""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.runtime import child
from tfmobile.runtime.interpreter import open_interpreter


def answer(job: child.Job) -> child.Answer:
    """Tensor name → [Σ float², Σ (quantized − float)²] for the tensors asked for that both models have."""
    ours, theirs = (
        open_interpreter(job.file(name).read_bytes(), xnnpack=False, preserve_all=True)
        for name in ("float", "quantized")
    )
    sums: dict[str, list[float]] = {}
    for feed in job.arrays():
        ours.run(feed)
        theirs.run(feed)
        wanted, found = ours.tensors(), theirs.tensors()
        for name in job.request["tensors"]:
            if name in wanted and name in found and _comparable(wanted[name], found[name]):
                real = wanted[name].astype(np.float64)
                total = sums.setdefault(name, [0.0, 0.0])
                total[0] += float(np.square(real).sum())
                total[1] += float(np.square(found[name] - real).sum())
    return child.Answer(sums)


def _comparable(ours: Array, theirs: Array) -> bool:
    return ours.shape == theirs.shape and ours.dtype.kind == "f" and theirs.dtype.kind == "f" and ours.size > 0


if __name__ == "__main__":
    child.serve(answer)
