"""What ``inspect`` finds, and the schema of its ``--json``. All frozen; numbers carry their unit in the name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    """How often an operator occurs, and what all of that kind own. ``version`` is a .tflite's, 0 in a graph.

    ``macs`` leaves out the nodes whose shapes are not known.
    """

    op: str
    count: int
    version: int = 0
    parameters: int = 0
    parameter_bytes: int = 0
    macs: int = 0

    def owning(self, layers: Iterable[LayerFact]) -> OpCount:
        """The same with what ``layers`` own."""
        own = list(layers)
        return replace(
            self,
            parameters=sum(layer.parameters for layer in own),
            parameter_bytes=sum(layer.parameter_bytes for layer in own),
            macs=sum(layer.macs or 0 for layer in own),
        )


@dataclass(frozen=True)
class NodeFact:
    """One node or operator: what it reads, and what it makes first. A control edge reads ``^name``.

    ``detail`` holds a constant's value as far as it is short, or the operator's options.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    dtype: str = ""
    shape: tuple[int | None, ...] | None = None
    detail: str = ""
    device: str = ""


@dataclass(frozen=True)
class EndFact:
    """A node that nothing reads: a possible output."""

    node: str
    op: str


@dataclass(frozen=True)
class WrittenFacts:
    """A frozen graph as its file has it, before anything is cut away; of another format, the graph frozen from it.

    ``inputs`` are the placeholders, ``outputs`` the nodes that nothing reads, but for constants, assignments and
    NoOps: possible ends, one of which may be the one you look for. ``ops`` counts the nodes in functions too.
    """

    nodes: int
    inputs: tuple[PortFact, ...]
    outputs: tuple[EndFact, ...]
    variables: tuple[PortFact, ...]
    constants: int
    constant_values: int
    constant_bytes: int
    control_edges: int
    devices: Mapping[str, int]
    """Nodes by the device they ask for."""
    functions: int
    function_nodes: int
    ops: tuple[OpCount, ...]


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
    """Batch normalizations, and how many of them fold-batch-norms folds into the layers beside them.

    Batch-norm ops, and those that stand as a product and a sum after a layer. ``kept`` says why the others do not
    fold. ``foldable`` is None when folding was not tried.
    """

    total: int
    foldable: int | None
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetFact:
    """What is known against a model on a target. ``problems`` are sentences, ``ops`` the operators they are about.

    Of a graph it is what is known before conversion; ``prediction``: a rule read from documents, not measured.
    """

    target: str
    ok: bool
    problems: tuple[str, ...] = ()
    ops: tuple[NodeGroup, ...] = ()
    prediction: bool = False


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
    written: WrittenFacts
    targets: tuple[TargetFact, ...]
    command: str
    """The command that optimizes this model; cut where it needs to be, as far as that is known."""
    transform_command: str
    """The command that only simplifies the graph."""
    structure: tuple[NodeFact, ...] = ()
    """Every node the outputs need, in execution order; when asked for."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BufferFact:
    """A constant stored in the file, named by the first tensor that uses it; ``tensors`` of them do."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    tensors: int = 1


@dataclass(frozen=True)
class MetadataFact:
    """An entry of the file's metadata table."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class QuantizationFact:
    """real = scale · (q − zero_point). With one scale a channel, ``axis`` is the channels' and ``scales`` their number;
    the scale is then given as the smallest and the largest, the zero point as the first."""

    scales: int
    smallest_scale: float
    largest_scale: float
    zero_point: int
    axis: int | None = None


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a .tflite. ``role`` is input, output, constant, variable or activation; −1 is an open dimension."""

    subgraph: int
    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    role: str
    constant_bytes: int
    buffer: int
    quantization: QuantizationFact | None


@dataclass(frozen=True)
class SubgraphFact:
    """One subgraph of a .tflite: the first is the model, the others are bodies of loops, branches and signatures."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: int
    operators: int
    ops: tuple[OpCount, ...]


@dataclass(frozen=True)
class SignatureFact:
    """A way to call a .tflite: its inputs and outputs by name, each with the tensor behind it."""

    key: str
    subgraph: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class TFLiteInspection:
    """A .tflite, read without running it. ``ops``, ``layers`` and ``macs`` are those of the main subgraph."""

    name: str
    sha256: str
    format_version: int
    description: str
    signatures: tuple[SignatureFact, ...]
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    subgraphs: tuple[SubgraphFact, ...]
    ops: tuple[OpCount, ...]
    parameters: int
    macs: int
    layers: tuple[LayerFact, ...]
    quantization: str
    """The scheme in words, such as ``full int8, per channel``."""
    arithmetic: Mapping[str, int]
    """Operators by arithmetic: integer, float, weight-only, boundary, other."""
    size: SizeFact
    tensors: tuple[StoredTensor, ...]
    """Of all subgraphs, in the order of the file."""
    buffers: tuple[BufferFact, ...]
    """The constants, the largest first."""
    arena_bytes: int
    """Lower bound of the memory for activations: the most that is alive at once."""
    edge_tpu: bool
    """Compiled for the Edge TPU already."""
    metadata: tuple[MetadataFact, ...]
    targets: tuple[TargetFact, ...]
    description_metadata: Mapping[str, Any] = field(default_factory=dict)
    """The model's own metadata: name, description, normalization, labels."""
    attached: Mapping[str, int] = field(default_factory=dict)
    """Attached files and their size in bytes."""
    command: str = ""
    structure: tuple[NodeFact, ...] = ()
    """Every operator of the main subgraph, in execution order; when asked for."""
    notes: tuple[str, ...] = ()
