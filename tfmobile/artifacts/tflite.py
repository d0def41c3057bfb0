"""A .tflite and what is known about it; samples and calibrated ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfmobile.graph.model import Array


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
class Sample:
    """One sample of a data set, before preprocessing: arrays in the order of the model's inputs, or by key; a label.

    ``label`` is an int (class), a float array (regression target) or None.
    """

    name: str
    values: Mapping[str, Array] | tuple[Array, ...]
    label: int | Array | None = None
