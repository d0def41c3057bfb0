"""What was measured: accuracy and latency, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassAccuracy:
    label: int
    name: str
    count: int
    correct: int


@dataclass(frozen=True)
class ModelAccuracy:
    """One model on the data. Fractions are 0 to 1. What the task does not have is None or empty."""

    name: str
    top1: Interval | None = None
    top5: Interval | None = None
    mae: Interval | None = None
    rmse: Interval | None = None
    r2: float | None = None
    metric: Interval | None = None
    per_class: tuple[ClassAccuracy, ...] = ()
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Rows are true labels, columns predictions; None above 100 classes."""


@dataclass(frozen=True)
class ChangedSample:
    """A sample that the two models answer differently."""

    index: int
    name: str
    label: int | None
    reference: int
    candidate: int
    reference_confidence: float
    candidate_confidence: float
    thumbnail: str | None = None
    """A data: URI of a small picture, for image data."""


@dataclass(frozen=True)
class Comparison:
    """A candidate against the reference, on the same samples (paired)."""

    reference: str
    candidate: str
    samples: int
    agreement: Interval | None
    top1_change: Interval | None
    """Candidate minus reference, a fraction; negative is a loss. Interval of the paired difference."""
    metric_change: Interval | None
    only_reference_right: int | None
    only_candidate_right: int | None
    mcnemar_p: float | None
    snr_db: float | None
    cosine: float | None
    max_abs: float
    changed_count: int
    changed: tuple[ChangedSample, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """The result of ``evaluate``. ``task`` is classification, regression, metric, or outputs (no labels)."""

    task: str
    samples: int
    labelled: bool
    models: tuple[ModelAccuracy, ...]
    comparisons: tuple[Comparison, ...] = ()
    metric_name: str | None = None
    class_names: tuple[str, ...] = ()
    workers: int = 1
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LatencyRow:
    """One model in one setting. ``times_ms`` holds every timed run, in order; ``interval`` is that of the median."""

    name: str
    runtime: str
    """tflite or tensorflow."""
    threads: int
    xnnpack: bool
    runs: int
    warmup_runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    interval: Interval
    init_ms: float
    peak_memory_bytes: int
    """Peak resident memory of the child that ran it; ``model_memory_bytes`` is the part due to the model."""
    model_memory_bytes: int
    converged: bool
    """False when the time budget ended before the interval of the median was narrow."""
    times_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Ratio:
    """``baseline`` median over ``name`` median: above 1 is faster. Measured interleaved, in one run and setting."""

    name: str
    baseline: str
    threads: int
    xnnpack: bool
    value: Interval


@dataclass(frozen=True)
class Latency:
    """The result of ``benchmark``."""

    host: Mapping[str, str]
    """cpu, cores, os, python, runtime and its version."""
    inputs: str
    """What was fed: real samples, or random values of which range."""
    rows: tuple[LatencyRow, ...]
    ratios: tuple[Ratio, ...]
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpLatency:
    """One operator of a .tflite, timed alone. ``us``: median of one run in microseconds, without ``overhead_us``.

    ``index``: position in the main subgraph. ``layer``: the first part of its output's name. ``kind`` as in OpFact.
    ``converged`` False: the time budget ended before the interval of the median was narrow.
    """

    model: str
    index: int
    op: str
    layer: str
    kind: str
    us: Interval
    runs: int
    converged: bool


@dataclass(frozen=True)
class OpLatencies:
    """Where the time of models goes, operator by operator, in one setting.

    ``whole_us``: each model as a whole, timed in the same rounds; what its operators sum up to differs from it by what
    only the whole sees (tensors that are still in the cache or not any more, work of the runtime between operators).
    ``overhead_us``: what calling the runtime takes, which is not part of any of these numbers.
    """

    host: Mapping[str, str]
    threads: int
    xnnpack: bool
    method: str
    """How it was measured, in one sentence."""
    ops: tuple[OpLatency, ...]
    whole_us: Mapping[str, Interval]
    overhead_us: float
    seconds: float
    notes: tuple[str, ...] = ()

    def of(self, model: str) -> tuple[OpLatency, ...]:
        """The operators of one model, in execution order."""
        return tuple(one for one in self.ops if one.model == model)

    def sum_us(self, model: str) -> float:
        """What the operators of a model take together."""
        return sum(one.us.value for one in self.of(model))


@dataclass(frozen=True)
class FloatCost:
    """What it costs that a layer of an int8 model computes in float, in microseconds: the sum of three medians.

    ``borders_us``: turning its inputs to float and its output back. A border to a neighbour that is float too, or to a
    float input or output of the model, is not needed. Negative costs are gains.
    """

    layer: str
    float_us: float
    int8_us: float
    borders_us: float

    @property
    def us(self) -> float:
        """Float less int8, with borders."""
        return self.float_us - self.int8_us + self.borders_us


@dataclass(frozen=True)
class FloatCosts:
    """By layer, in execution order. ``notes`` name the layers that could not be timed, and why."""

    layers: Mapping[str, FloatCost]
    method: str
    """How it was measured, in one sentence."""
    notes: tuple[str, ...] = ()
