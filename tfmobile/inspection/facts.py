"""What ``inspect`` finds. All frozen; numbers carry their unit in the name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmobile.artifacts import SizeFact, TensorFact


@dataclass(frozen=True)
class PortFact:
    """An input or output of a graph. A dimension of None may change; a shape of None has unknown rank."""

    key: str
    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class OpCount:
    """How often an operator occurs. ``version`` is that of a .tflite's operator, 0 in a graph."""

    op: str
    count: int
    version: int = 0


@dataclass(frozen=True)
class LayerFact:
    """A node that has parameters or multiplies. ``macs`` is None when a shape is not known."""

    name: str
    op: str
    shape: tuple[int | None, ...] | None
    """Shape of its first output."""
    parameters: int
    parameter_bytes: int
    macs: int | None
    dtype: str = ""
    """Of its first output."""


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one op that share a property, and what it means for them."""

    op: str
    count: int
    why: str
    example: str


@dataclass(frozen=True)
class BatchNorms:
    """Batch normalizations, and how many of them fold into the layer before. ``kept`` says why the others do not."""

    total: int
    foldable: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphInspection:
    """A TensorFlow model. ``macs`` counts multiply-accumulates of one inference at the input shapes given."""

    path: str
    format: str
    summary: str
    sha256: str
    size_bytes: int
    signature: str | None
    signatures: tuple[str, ...]
    inputs: tuple[PortFact, ...]
    outputs: tuple[PortFact, ...]
    nodes: int
    ops: tuple[OpCount, ...]
    parameters: int
    parameter_bytes: int
    macs: int
    layers: tuple[LayerFact, ...]
    training_only: tuple[NodeGroup, ...]
    batch_norms: BatchNorms
    not_convertible: tuple[NodeGroup, ...]
    """Ops that are no TFLite builtins, as far as known."""
    command: str
    """The command that optimizes this model."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BufferFact:
    """A constant stored in the file, named by the first tensor that uses it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True)
class MetadataFact:
    """An entry of the file's metadata table."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class TFLiteInspection:
    """A .tflite, read without running it. Operators are those of the main subgraph, layers too."""

    name: str
    sha256: str
    format_version: int
    description: str
    signatures: tuple[str, ...]
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    subgraphs: int
    ops: tuple[OpCount, ...]
    parameters: int
    macs: int
    layers: tuple[LayerFact, ...]
    quantization: str
    """The scheme in words, such as ``full int8, per channel``."""
    arithmetic: Mapping[str, int]
    """Operators by arithmetic: integer, float, weight-only, boundary, other."""
    size: SizeFact
    buffers: tuple[BufferFact, ...]
    """The largest constants."""
    arena_bytes: int
    """Lower bound of the memory for activations: the most that is alive at once."""
    edge_tpu: bool
    """Compiled for the Edge TPU already."""
    metadata: tuple[MetadataFact, ...]
    description_metadata: Mapping[str, Any] = field(default_factory=dict)
    """The model's own metadata: name, description, normalization, labels."""
    attached: Mapping[str, int] = field(default_factory=dict)
    """Attached files and their size in bytes."""
    command: str = ""
    notes: tuple[str, ...] = ()
