"""A classifier's answers as probabilities, and what they tell about the samples, with and without labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from tfmobile.graph.model import Array

Answer: TypeAlias = Callable[[Sequence[Mapping[str, Array]]], Sequence[Mapping[str, Array]]]
"""Feeds by input key → outputs by key, one a feed. The float model."""
TINY = 1e-12


def answer_of(floating: bytes, *, threads: int = 2, timeout_s: float = 300.0) -> Answer:
    """The float .tflite as a function; it runs in a child process."""
    from tfmobile import runtime

    return lambda feeds: runtime.run(floating, feeds, threads=threads, timeout_s=timeout_s)


def probabilities(outputs: Sequence[Mapping[str, Array]]) -> Array | None:
    """[samples, classes] float64 of a classifier's outputs; scores that are no probabilities go through softmax.

    A single number is the probability, or the logit, of the second of two classes. None when there is no output or more
    than one: which of them holds classes cannot be told. Rows with NaN or infinity stay NaN.
    """
    if not outputs or any(len(one) != 1 for one in outputs):
        return None
    scores = np.stack([np.asarray(next(iter(one.values())), np.float64).reshape(-1) for one in outputs])
    if scores.shape[1] == 0:
        return None
    finite = np.isfinite(scores).all(axis=1)
    sound = scores[finite]
    inside = bool(((sound >= -1e-6) & (sound <= 1 + 1e-3)).all())
    if scores.shape[1] == 1:
        scores = np.hstack([1 - scores, scores]) if inside else np.hstack([np.zeros_like(scores), scores])
    if inside and (scores.shape[1] == 2 or bool((abs(sound.sum(axis=1) - 1) < 0.05).all())):
        scores[finite] = np.clip(scores[finite], 0, 1)
    else:
        scores[finite] = _softmax(scores[finite])
    scores[~finite] = np.nan
    return scores


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def first_answers(found: Array) -> Array:
    """The most probable class of [samples, classes], int64; −1 where it is not finite."""
    return np.where(np.isfinite(found).all(axis=1), np.nan_to_num(found).argmax(axis=1), -1).astype(np.int64)


def information(found: Array) -> Array:
    """What each answer says beyond the mean answer: KL(answer ‖ mean), nats, [samples].

    Its mean is the mutual information of sample and answer (entropy of the mean minus mean entropy): 0 when all samples
    get the same answer, however sure, and when every answer is a shrug. The same quantity picks samples in active
    learning (Houlsby et al. 2011, arXiv:1112.5745).
    """
    mean = found.mean(axis=0)
    return np.asarray((found * (np.log(found + TINY) - np.log(mean + TINY))).sum(axis=1))


def paired_t(better: Array, worse: Array) -> float:
    """Student's t of the paired differences of [samples]; 0 when all are 0, 99 at most."""
    difference = np.asarray(better, np.float64) - np.asarray(worse, np.float64)
    if len(difference) < 2 or not difference.any():
        return 0.0
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    return float(np.clip(difference.mean() / max(error, TINY), -99, 99))
