"""Activation ranges of a float .tflite over all samples, streamed, in any order, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tfmobile.artifacts import Calibration
from tfmobile.graph.model import Array
from tfmobile.progress import Progress, silent
from tfmobile.quantization.calibration_child import CalibrationChild, Wanted, sees_inside
from tfmobile.quantization.random_data import RANDOM
from tfmobile.quantization.sample_checks import SampleChecks
from tfmobile.quantization.tensor_keys import hidden, merge

Feed = tuple[str, Mapping[str, Array]]
STAGE = "calibrate"
ONLY_OUTSIDE = (
    "Ranges inside loops and branches could not be measured, because the runtime's calibrator fails on this model; "
    "operators there stay float."
)


def calibrate(
    float_model: bytes,
    feeds: Iterable[Feed],
    *,
    source: str,
    start: Calibration | None = None,
    checkpoint: Callable[[Calibration], None] | None = None,
    every: int = 50,
    total: int | None = None,
    progress: Progress = silent,
    timeout_s: float = 120.0,
) -> Calibration:
    """The smallest and largest value of every float tensor over all samples.

    ``feeds``: (sample name, arrays by input key, already preprocessed), read once, one at a time. The result does not
    depend on their order. ``start`` is an earlier, partial result: ``feeds`` then goes on after its samples.
    ``checkpoint`` is given the result so far after every ``every`` samples. ``source`` says where the samples come
    from; "random" marks the result as random. The model runs in a child process, on all cores; a sample that takes
    longer than ``timeout_s`` seconds ends it.

    Raises DataError naming the sample for NaN, infinity or a wrong shape, for samples that are all constant or all the
    same, and for no samples; VerificationError when the model crashes the runtime or hangs.
    """
    before = start or Calibration({}, 0, source)
    # A checkpoint is only ever written for data that vary, so that is known of ``start``.
    checks = SampleChecks(varied=before.samples > 0)
    done = before.samples
    inner = hidden(float_model) and sees_inside(float_model, timeout_s=timeout_s)
    notes = (ONLY_OUTSIDE,) if hidden(float_model) and not inner else ()
    with CalibrationChild(float_model, Wanted("inner-ranges" if inner else "ranges"), timeout_s=timeout_s) as child:
        for name, feed in feeds:
            checks.see(name, feed)
            child.see(name, feed)
            done += 1
            progress(STAGE, done, total)
            if checkpoint and checks.varied and done % every == 0 and done != total:
                checkpoint(_result(before, child.ranges(), done, checks, notes))
        checks.finish(done)
        if done == before.samples:
            return _result(before, {}, done, checks, notes)
        return _result(before, child.ranges(), done, checks, notes)


def _result(
    before: Calibration,
    ranges: Mapping[str, tuple[float, float]],
    samples: int,
    checks: SampleChecks,
    notes: tuple[str, ...],
) -> Calibration:
    merged = dict(before.ranges)
    merge(merged, ranges)
    return Calibration(
        ranges={key: merged[key] for key in sorted(merged)},
        samples=samples,
        source=before.source,
        random=before.source == RANDOM,
        notes=(*notes, *checks.notes(samples, before.notes)),
    )
