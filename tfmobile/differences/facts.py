"""What ``diff`` finds. All frozen; A is the first model, B the second. A number that is not finite is null in JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EndFact:
    """An input or output. A dimension of None may change; a shape of None has unknown rank."""

    key: str
    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class ModelFact:
    """One of the two models. ``nodes`` counts the nodes of a graph, the operators of a .tflite."""

    path: str
    format: str
    summary: str
    sha256: str
    size_bytes: int
    nodes: int
    inputs: tuple[EndFact, ...]
    outputs: tuple[EndFact, ...]


@dataclass(frozen=True)
class NodeFact:
    """A node that one side does not have."""

    name: str
    op: str


@dataclass(frozen=True)
class RenamedNode:
    """A node with the same content under two names."""

    name: str
    other: str
    op: str


@dataclass(frozen=True)
class ChangedField:
    """One thing about a node that is not the same. ``max_abs`` and ``max_rel`` (of A's scale) for values."""

    what: str
    before: str
    after: str
    max_abs: float | None = None
    max_rel: float | None = None


@dataclass(frozen=True)
class ChangedNode:
    """A node that both sides have, and what is different about it. ``other`` is its name in B, ``op`` its op in A."""

    name: str
    other: str
    op: str
    fields: tuple[ChangedField, ...]


@dataclass(frozen=True)
class OpCounts:
    """How often an op occurs in A and in B."""

    op: str
    before: int
    after: int


@dataclass(frozen=True)
class Structure:
    """The nodes side by side, each list in execution order. ``matched`` counts the nodes both sides have.

    Between a graph and a .tflite, whose operators are different things, ``changed`` and ``renamed`` stay empty: nodes
    are matched by the names of their tensors, and a node of the graph that an operator was fused from is matched too.
    """

    matched: int
    only_a: tuple[NodeFact, ...]
    only_b: tuple[NodeFact, ...]
    renamed: tuple[RenamedNode, ...]
    changed: tuple[ChangedNode, ...]
    ops: tuple[OpCounts, ...]

    @property
    def same(self) -> bool:
        """Whether nothing is different but names."""
        return not (self.only_a or self.only_b or self.changed)


@dataclass(frozen=True)
class TensorGap:
    """One tensor of both models on the same samples. ``name`` is A's, ``other`` B's, ``op`` what makes it in B.

    ``max_abs`` is the largest difference; ``max_rel`` the same relative to the largest magnitude in A; ``snr_db`` is
    10·log10(Σ a² / Σ (a − b)²), None without any difference. All are None where the shapes differ.
    """

    name: str
    other: str
    op: str
    shape: tuple[int, ...]
    other_shape: tuple[int, ...]
    max_abs: float | None
    max_rel: float | None
    snr_db: float | None
    cosine: float | None
    differs: bool
    """Whether ``max_rel`` is beyond the tolerance (NaN always is)."""


@dataclass(frozen=True)
class Divergence:
    """The first tensor, in B's execution order, that differs. ``facts``: sentences on its inputs and what changed."""

    tensor: TensorGap
    inputs_agree: bool
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """Both models on the same samples. ``reason`` says why nothing was compared, where nothing was.

    ``tensors`` are all that were compared, in execution order; ``not_compared`` counts matching tensors that were not:
    inside of loops and branches, or values that could not be fetched.
    """

    samples: int
    source: str
    """``random``, or the path of the data."""
    tolerance: float
    outputs: tuple[TensorGap, ...] = ()
    tensors: tuple[TensorGap, ...] = ()
    first: Divergence | None = None
    not_compared: int = 0
    reason: str = ""

    @property
    def outputs_agree(self) -> bool:
        """Whether every output was compared and stays within the tolerance."""
        return not self.reason and bool(self.outputs) and not any(gap.differs for gap in self.outputs)


@dataclass(frozen=True)
class ModelDiff:
    """The result of ``diff``. Of two identical files nothing else is told."""

    a: ModelFact
    b: ModelFact
    identical: bool
    structure: Structure
    numbers: Numbers
    notes: tuple[str, ...] = ()

    @property
    def outputs_agree(self) -> bool:
        """Whether the outputs are proven to be the same, within the tolerance."""
        return self.identical or self.numbers.outputs_agree
