"""How the quantizer got closer to the float model: steps that were tried on held-back samples, kept or dropped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fidelity:
    """How a model answers compared with the float one, over ``samples`` samples; label-free unless said.

    ``agreement``: fraction with the same top-1, None when outputs are not classes. ``kl``: mean Kullback-Leibler
    divergence of the answer from the float one's, in nats, None when outputs are not probabilities. ``sqnr_db``:
    signal to quantization noise of all outputs, in dB. ``correct`` and ``reference_correct``: how many samples the
    model and the float one answer right, where there are labels.
    """

    samples: int
    agreement: float | None
    kl: float | None
    sqnr_db: float
    correct: int | None = None
    reference_correct: int | None = None


@dataclass(frozen=True)
class ImprovementStep:
    """One improvement of the quantization, tried. ``before`` and ``after`` on the held-back samples.

    ``kept`` False: the model went back to what it was before. ``reason``: why it was kept or not, in one sentence.
    ``changed``: one sentence a change; ``skipped``: one sentence a candidate left alone, with the reason.
    """

    name: str
    kept: bool
    reason: str
    changed: tuple[str, ...]
    skipped: tuple[str, ...]
    before: Fidelity | None
    after: Fidelity | None
    seconds: float


@dataclass(frozen=True)
class Improvement:
    """All steps in the order they were tried. Fitted on ``fitted_on`` samples, judged on ``held_back`` other ones.

    ``simulation_agreement``: how often the integer simulation and the real .tflite give the same top-1 (or, where
    outputs are not classes, the fraction of output values that are equal), over the held-back samples.
    ``set_aside``: samples that were used for neither, with the reason.
    """

    steps: tuple[ImprovementStep, ...]
    fitted_on: int
    held_back: int
    simulation_agreement: float | None = None
    set_aside: tuple[str, ...] = ()
