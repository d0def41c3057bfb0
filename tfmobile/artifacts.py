"""The nouns that flow through the line. All frozen; numbers carry their unit in the name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmobile.graph.model import Array, Graph


@dataclass(frozen=True)
class SourceModel:
    """What ``load`` found in a file or folder. Exactly one of ``graph`` and ``tflite`` is set.

    ``format`` is one of: frozen-graph, saved-model, keras3, keras2, checkpoint, tflite. ``notes`` are sentences for the
    user: guessed inputs, dropped nodes, fixed dimensions.
    """

    path: str
    format: str
    summary: str
    sha256: str
    size_bytes: int
    graph: Graph | None = None
    tflite: bytes | None = None
    signature: str | None = None
    signatures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeedChange:
    """How an input changed what it takes: ``forward`` makes its new feed of an old one, ``back`` the old of a new."""

    forward: Callable[[Array], Array]
    back: Callable[[Array], Array]


@dataclass(frozen=True)
class PassResult:
    """``changed``: one sentence a rewrite done; ``skipped``: one sentence a candidate left alone, with the reason.

    ``feeds``: the inputs, by key, that take something else than before (another layout, pixels).
    """

    graph: Graph
    changed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    feeds: Mapping[str, FeedChange] = field(default_factory=dict)


@dataclass(frozen=True)
class RewriteStep:
    """One pass, applied and verified on ``samples`` sample inputs against the original graph.

    ``max_abs`` and ``max_rel`` are the largest difference over all outputs (``max_rel`` relative to the largest
    absolute value of the output); None when it could not be measured, then ``reason`` says why. A refused pass left
    the graph alone. ``call`` is the pass with its arguments, as it can be typed. A pass that does not have to keep the
    answer (``keeps_answer`` false, such as round-weights) is measured but not refused, and the passes after it are
    compared with its result: ``against`` says with what, and ``drift`` is ``max_rel`` against the original itself.
    """

    name: str
    nodes_before: int
    nodes_after: int
    changed: tuple[str, ...]
    skipped: tuple[str, ...]
    max_abs: float | None
    max_rel: float | None
    tolerance: float
    samples: int
    seconds: float
    refused: bool = False
    reason: str = ""
    first_difference: str | None = None
    call: str = ""
    keeps_answer: bool = True
    against: str = "the original"
    drift: float | None = None


@dataclass(frozen=True)
class Rewrite:
    """The graph after all accepted passes."""

    graph: Graph
    steps: tuple[RewriteStep, ...]


@dataclass(frozen=True)
class Transformation:
    """A graph after the passes that were asked for, written to ``out``. Zipped sizes are those of one deflated file."""

    source: SourceModel
    rewrite: Rewrite
    out: str
    source_zipped_bytes: int
    size_bytes: int
    zipped_bytes: int
    command: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorFact:
    """An input or output tensor of a .tflite. ``scale`` 0 means not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class OpFact:
    """One operator of a .tflite. ``kind`` is integer, float, weight-only, boundary (QUANTIZE/DEQUANTIZE) or other."""

    index: int
    op: str
    output: str
    kind: str
    weight_bytes: int = 0
    reason: str = ""
    """Why it stayed float, where that is known."""


@dataclass(frozen=True)
class SizeFact:
    """Bytes of a .tflite by what they are for."""

    total_bytes: int
    weight_bytes: int
    quantization_bytes: int
    metadata_bytes: int
    other_bytes: int
    zipped_bytes: int


@dataclass(frozen=True)
class TFLiteModel:
    """A .tflite and what is in it. ``recipe`` is the recipe's name, ``backend`` what quantized it."""

    content: bytes
    recipe: str
    backend: str
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    ops: tuple[OpFact, ...]
    size: SizeFact
    notes: tuple[str, ...] = ()

    @property
    def left_float(self) -> tuple[OpFact, ...]:
        """The operators that compute in float although the recipe quantizes."""
        return tuple(op for op in self.ops if op.kind == "float")


@dataclass(frozen=True)
class Calibration:
    """Activation ranges by tensor name: real minimum and maximum over ``samples`` samples. Order-independent."""

    ranges: Mapping[str, tuple[float, float]]
    samples: int
    source: str
    random: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadTest:
    """The model loaded and ran in a child process."""

    runtime: str
    init_ms: float
    invocations: int
    outputs_finite: bool


@dataclass(frozen=True)
class Difference:
    """One model's outputs against another's on the same samples, over all outputs."""

    what: str
    samples: int
    max_abs: float
    max_rel: float
    snr_db: float | None


@dataclass(frozen=True)
class NamedModel:
    """A .tflite to evaluate or benchmark, by the name the report uses: ``original``, ``optimized`` or a file name."""

    name: str
    content: bytes


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
class LayerError:
    """The error of one layer's output, int8 against float on the same samples, in execution order."""

    name: str
    op: str
    snr_db: float


@dataclass(frozen=True)
class Preflight:
    """Whether the model meets a target's rules; ``problems`` are sentences."""

    target: str
    ok: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepFact:
    """One step of a run, for the manifest and the report."""

    name: str
    seconds: float
    reused: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All facts of one run: what report.json, report.html and the terminal table are made from."""

    command: str
    created: str
    versions: Mapping[str, str]
    source: SourceModel
    recipe: Mapping[str, Any]
    target: str
    rewrite: Rewrite | None
    calibration: Calibration | None
    original: TFLiteModel
    optimized: TFLiteModel
    load_test: LoadTest
    differences: tuple[Difference, ...]
    layer_errors: tuple[LayerError, ...]
    evaluation: Evaluation | None
    latency: Latency | None
    preprocessing: Mapping[str, Any]
    steps: tuple[StepFact, ...]
    notes: tuple[str, ...]
    """What was not done or not measured, and why: shown, never hidden."""
    out: str


@dataclass(frozen=True)
class Sample:
    """One sample of a data set, before preprocessing: arrays in the order of the model's inputs, or by key; a label.

    ``label`` is an int (class), a float array (regression target) or None.
    """

    name: str
    values: Mapping[str, Array] | tuple[Array, ...]
    label: int | Array | None = None
