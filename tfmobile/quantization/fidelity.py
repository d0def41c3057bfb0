"""Whether a quantized model answers like the float one, and whether a change of it helps: by their outputs alone.

What an output means is read off the float model's answers: probabilities (not negative, sum to 1 along the last axis)
are compared by the Kullback-Leibler divergence, with improbable classes as one, everything else by signal to noise. A
row of at least two numbers also has a top-1, which gives agreement. All numbers are sums over samples, so that the
order of samples does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts.improvement import Fidelity
from tfmobile.graph.model import Array
from tfmobile.quantization.paired import sign_test, t_value, threshold

Outputs = Sequence[Mapping[str, Array]]
"""One mapping a sample: output key → real values [1, …]."""

RESOLUTION = 1 / 256
"""Classes that the float model gives less count as one: an int8 output cannot tell them from 0, and with a thousand of
them that alone would be most of the divergence."""
SMOOTHING = 2e-4
"""Added to every probability that is compared, on both sides, so that the divergence stays finite."""

SURE = 0.05
"""Below this p-value a loss of agreement or of right answers is no accident, and a change is refused."""

CLEAR = 3.0
"""From this t on the outputs as a whole are clearly closer, even where the divergence does not tell."""


@dataclass(frozen=True)
class _Output:
    """One output against the float model's, sample by sample, float64 [samples]; ``signal``: mean power [a number].

    ``kl`` in nats, None unless probabilities. ``same`` 0…1: how many rows have the same top-1; None without classes.
    """

    signal: float
    noise: Array
    kl: Array | None
    same: Array | None


@dataclass(frozen=True)
class _Answers:
    outputs: tuple[_Output, ...]
    finite: bool
    correct: Array | None
    """Bool, for the samples with a label; ``reference_correct`` is the float model's."""
    reference_correct: Array | None


def fidelity(float_outputs: Outputs, outputs: Outputs, labels: Sequence[int | None] = ()) -> Fidelity:
    """How ``outputs`` differ from ``float_outputs``, sample by sample in the same order.

    ``labels``: the class of each sample by the first output that has classes, None where it is not known.
    The signal to noise ratio takes every output alike, whatever its scale. Raises ValueError without samples, or when
    the lengths differ.
    """
    found = _answers(float_outputs, outputs, labels)
    agreement, kl = _agreement(found), _divergence(found)
    return Fidelity(
        samples=len(float_outputs),
        agreement=None if agreement is None else _mean(agreement),
        kl=None if kl is None else _mean(kl),
        sqnr_db=_sqnr(found),
        correct=None if found.correct is None else int(found.correct.sum()),
        reference_correct=None if found.reference_correct is None else int(found.reference_correct.sum()),
    )


def helps(
    before_outputs: Outputs, after_outputs: Outputs, float_outputs: Outputs, labels: Sequence[int | None] = ()
) -> tuple[bool, str]:
    """Whether ``after`` is closer to the float model than ``before``, and the sentence that says why, with numbers.

    Closer means that the mean gain over the samples, paired, is larger than its noise: gain in divergence, or for
    outputs that are no probabilities in (log) noise; or a clear gain in noise, or in agreement, where the first does
    not speak against it. Few samples must agree more. It is refused when agreement drops significantly (sign test), or
    with labels top-1 (McNemar's test). The two directions never both help. Raises as ``fidelity`` does.
    """
    before, after = (_answers(float_outputs, one, labels) for one in (before_outputs, after_outputs))
    numbers = _numbers(fidelity(float_outputs, before_outputs, labels), fidelity(float_outputs, after_outputs, labels))
    if before.finite != after.finite or not after.finite:
        kept = after.finite and not before.finite
        return kept, f"{'Before' if kept else 'After'} the change the model answers NaN or infinity."
    refused = _veto(before, after)
    if refused:
        return False, f"{refused}: {numbers}."
    closer, why = _closer(before, after)
    return closer, f"{why}: {numbers}."


def _closer(before: _Answers, after: _Answers) -> tuple[bool, str]:
    """Whether the gains are more than noise, and the start of a sentence."""
    samples = len(before.outputs[0].noise)
    if samples < 2:
        return False, "One sample is too few to tell"
    needed = threshold(samples)
    t = t_value(_gains(before, after, divergence=True))
    if t > needed:
        return True, f"Closer to the float model (t = {t:.1f})"
    if t < -needed:
        return False, f"Further from the float model (t = {t:.1f})"
    noise = t_value(_gains(before, after, divergence=False))
    lost, won = _changes(_agreement(before), _agreement(after))
    if noise > needed - 1 + CLEAR and lost <= won:
        return True, f"Outputs are clearly closer to the float model's (t = {noise:.1f})"
    if won > lost and sign_test(lost, won) < SURE:
        return True, f"More of the float model's answers ({won} won, {lost} lost)"
    return False, f"No gain beyond chance (t = {t:.1f}, and {needed:.1f} is needed)"


def _veto(before: _Answers, after: _Answers) -> str:
    """Why the change is refused whatever it gains; empty when it is not."""
    lost, won = _changes(_agreement(before), _agreement(after))
    if lost > won and sign_test(lost, won) < SURE:
        return f"Fewer of the float model's answers ({lost} lost, {won} won)"
    lost, won = _changes(before.correct, after.correct)
    if lost > won and sign_test(lost, won) < SURE:
        return f"Fewer right answers ({lost} lost, {won} won)"
    return ""


def _changes(before: Array | None, after: Array | None) -> tuple[int, int]:
    """How many samples got worse and better."""
    if before is None or after is None:
        return 0, 0
    one, two = before.astype(np.float64), after.astype(np.float64)
    return int((two < one).sum()), int((two > one).sum())


def _gains(before: _Answers, after: _Answers, *, divergence: bool) -> Array:
    """Gain of every sample, relative to the usual error, mean over the outputs: above 0 is closer to the float model.

    Logarithms of noise are taken above a tenth of its mean, so that neither lucky samples nor single bad ones decide.
    """
    rows = []
    for one, two in zip(before.outputs, after.outputs, strict=True):
        if divergence and one.kl is not None and two.kl is not None:
            usual = _mean((one.kl + two.kl) / 2)
            rows.append((one.kl - two.kl) / usual if usual else np.zeros(len(one.kl)))
            continue
        floor = 0.1 * _mean((one.noise + two.noise) / 2)
        rows.append(np.log((one.noise + floor) / (two.noise + floor)) if floor else np.zeros(len(one.noise)))
    gains: Array = np.mean(rows, axis=0)
    return gains


def _answers(float_outputs: Outputs, outputs: Outputs, labels: Sequence[int | None]) -> _Answers:
    if not float_outputs or len(float_outputs) != len(outputs):
        raise ValueError(f"{len(outputs)} answers to compare with {len(float_outputs)} of the float model")
    keys = tuple(float_outputs[0])
    finite = all(bool(np.isfinite(np.asarray(one[key], np.float64)).all()) for one in outputs for key in keys)
    compared = tuple(_output([one[key] for one in float_outputs], [one[key] for one in outputs]) for key in keys)
    key = next((key for key, one in zip(keys, compared, strict=True) if one.same is not None), None)
    known = [(place, label) for place, label in enumerate(labels) if label is not None]
    if key is None or not known:
        return _Answers(compared, finite, None, None)
    correct, reference = (
        np.array([int(np.argmax(side[place][key])) == label for place, label in known])
        for side in (outputs, float_outputs)
    )
    return _Answers(compared, finite, correct, reference)


def _output(wanted: Sequence[Array], found: Sequence[Array]) -> _Output:
    """One output of all samples."""
    pairs = [(_rows(one), _rows(two)) for one, two in zip(wanted, found, strict=True)]
    probable = all(_probabilities(one) for one, _ in pairs)
    classes = probable or all(len(one) == 1 and one.shape[1] >= 2 for one, _ in pairs)
    return _Output(
        signal=_mean([float((one**2).mean()) for one, _ in pairs]),
        noise=np.array([_noise(one, two) for one, two in pairs]),
        kl=np.array([_kl(one, two) for one, two in pairs]) if probable else None,
        same=np.array([float((one.argmax(1) == two.argmax(1)).mean()) for one, two in pairs]) if classes else None,
    )


def _noise(wanted: Array, found: Array) -> float:
    """Mean squared difference; infinite for NaN."""
    return float(((wanted - found) ** 2).mean()) if np.isfinite(found).all() else math.inf


def _rows(values: Array) -> Array:
    """[rows, last axis] float64."""
    array = np.asarray(values, np.float64)
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


def _probabilities(rows: Array) -> bool:
    return bool(rows.shape[1] >= 2 and rows.min() >= 0 and np.allclose(rows.sum(1), 1, atol=5e-3))


def _kl(wanted: Array, found: Array) -> float:
    """Mean over rows, nats, with the classes below RESOLUTION as one; 0 when both are the same, infinite for NaN."""
    if not np.isfinite(found).all():
        return math.inf
    counts = np.concatenate([wanted >= RESOLUTION, np.ones((len(wanted), 1), bool)], axis=1)
    p, q = (np.where(counts, _with_rest(one, counts) + SMOOTHING, 0.0) for one in (wanted, np.maximum(found, 0)))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    terms = np.where(counts, p * np.log(np.where(counts, p, 1.0) / np.where(counts, q, 1.0)), 0.0)
    return max(0.0, float(terms.sum(1).mean()))


def _with_rest(rows: Array, counts: Array) -> Array:
    """The classes that count, and in one more column what is missing from 1."""
    kept = np.where(counts[:, :-1], rows, 0.0)
    return np.concatenate([kept, np.maximum(1 - kept.sum(1, keepdims=True), 0.0)], axis=1)


def _agreement(answers: _Answers) -> Array | None:
    """[samples] 0…1: mean over the outputs with classes; None when there is none."""
    rows = [one.same for one in answers.outputs if one.same is not None]
    return np.mean(rows, axis=0) if rows else None


def _divergence(answers: _Answers) -> Array | None:
    rows = [one.kl for one in answers.outputs if one.kl is not None]
    return np.mean(rows, axis=0) if rows else None


def _sqnr(answers: _Answers) -> float:
    """dB; every output has the same weight. Infinite when all are equal; −infinite for NaN."""
    ratio = _mean([_mean(one.noise) / (one.signal or 1.0) for one in answers.outputs])
    if ratio == math.inf:
        return -math.inf
    return -10 * math.log10(ratio) if ratio else math.inf


def _mean(values: Array | Sequence[float]) -> float:
    """The mean, the same to the last bit in any order."""
    return math.fsum(float(value) for value in values) / len(values)


def _numbers(before: Fidelity, after: Fidelity) -> str:
    parts = []
    if before.kl is not None and after.kl is not None:
        parts.append(f"divergence {before.kl:.4f} → {after.kl:.4f} nats")
    if before.agreement is not None and after.agreement is not None:
        parts.append(f"agreement {100 * before.agreement:.1f} → {100 * after.agreement:.1f} %")
    parts.append(f"SQNR {_decibel(before.sqnr_db)} → {_decibel(after.sqnr_db)} dB")
    if before.correct is not None and after.correct is not None:
        parts.append(f"right answers {before.correct} → {after.correct}")
    return f"{', '.join(parts)} on {after.samples} {'sample' if after.samples == 1 else 'samples'}"


def _decibel(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")
