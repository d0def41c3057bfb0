"""Why a quantized model answers unlike the float one: findings with causes by name, and the numbers behind them."""

from __future__ import annotations

from dataclasses import dataclass

from tfmobile.artifacts.improvement import Fidelity, Improvement


@dataclass(frozen=True)
class Finding:
    """One cause, by name, and what to do about it.

    ``cause``: a hyphenated name, such as ``channel-imbalance`` or ``repeated-samples``. ``about``: ``data``, ``model``
    or ``layer``. ``where``: the layer or the samples, "" where it is all of them. ``what``: one sentence with the
    numbers. ``fix``: what to do next, with the option or recipe to give. ``severity``: 0 to 1, how much of the loss it
    explains, or how sure it is that something is wrong.
    """

    cause: str
    about: str
    where: str
    what: str
    fix: str
    severity: float


@dataclass(frozen=True)
class ScalingTrial:
    """One common preprocessing tried on the float model, over the same samples as all others.

    ``mean``, ``std`` (in stored units, one value or one a channel, empty where not applied) and ``color`` are the
    options that give it; ``options`` are those as typed, "" where no options give it. ``confidence``: mean probability
    of the first answer, 0 to 1. ``information``: how well the answers tell the samples apart, in nats: the entropy of
    the mean answer minus the mean entropy; 0 when every sample gets the same answer. ``accuracy``: None without labels.
    ``finite``: whether all outputs are. ``present``: whether it is what is done now.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    color: str
    confidence: float
    information: float
    accuracy: float | None
    finite: bool = True
    present: bool = False
    options: str = ""


@dataclass(frozen=True)
class LayerDiagnosis:
    """One layer of the quantized model, by the first part of its output tensor's name.

    ``sqnr_db``, ``cosine``, ``rmse_per_scale``: its output against the float one, all layers before it quantized too; a
    rounding alone gives 0.289 of a scale. ``only_this``: how the model answers when nothing else is quantized,
    ``all_but_this``: when everything else is. ``range``: real smallest and largest value that the output can hold.
    ``channel_lows`` and ``channel_highs``: of its output, ``weight_maxima``: largest absolute weight, by channel.
    ``held``: the smallest and largest float value over the calibration samples. ``histogram``: how many of them lie in
    each of equal bins over ``histogram_range``, ``outside`` how many below and above it. ``clipped``: fraction of float
    values outside ``range``, ``shift_share``: part of the squared error that is one constant a channel. ``share``: its
    part of the whole damage, 0 to 1. Channels and histograms are given for the worst layers only.
    """

    name: str
    op: str
    sqnr_db: float
    cosine: float
    rmse_per_scale: float
    only_this: Fidelity | None = None
    all_but_this: Fidelity | None = None
    range: tuple[float, float] = (0.0, 0.0)
    scale: float = 0.0
    zero_point: int = 0
    channel_lows: tuple[float, ...] = ()
    channel_highs: tuple[float, ...] = ()
    weight_maxima: tuple[float, ...] = ()
    held: tuple[float, float] = (0.0, 0.0)
    histogram: tuple[int, ...] = ()
    histogram_range: tuple[float, float] = (0.0, 0.0)
    outside: tuple[int, int] = (0, 0)
    clipped: float = 0.0
    shift_share: float = 0.0
    share: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """The result of ``diagnose``. ``findings``: by severity, the worst first; ``layers``: in execution order.

    ``headline``: the result in one sentence. Ranges were measured on ``samples``, everything else on ``held_back``
    other ones: answers on all of them, layers on the first ``layer_samples``, single layers on ``effect_samples`` (0:
    not measured). ``fidelity``: the quantized model against the float one; its counts of right answers are None without
    labels. ``simple``: the same by smallest and largest values alone, where the recipe does more; ``improvement``: what
    it did. ``labelled``: how many of the samples that were held back have a label. ``notes``: what was not done or not
    measured, and why.
    """

    model: str
    summary: str
    recipe: str
    data: str
    samples: int
    held_back: int
    labelled: int
    fidelity: Fidelity | None
    findings: tuple[Finding, ...] = ()
    layers: tuple[LayerDiagnosis, ...] = ()
    scalings: tuple[ScalingTrial, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    headline: str = ""
    layer_samples: int = 0
    effect_samples: int = 0
    simple: Fidelity | None = None
    improvement: Improvement | None = None
