"""Tensors that were matched and are not the same thing after all: they differ, and all that is made of them agrees.

Between a graph and a .tflite a name may stand for another value, and a layer found under another name may have its
batch normalization folded in. Two tensors of one name in two graphs are always meant to be the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set

from tfmobile.differences.facts import TensorGap
from tfmobile.differences.sides import Part, Side, Source
from tfmobile.graph.model import TensorRef

_DEPTH = 3
"""How many strangers may follow each other."""
_CLOSER_DB = 25.0
"""So much closer is as good as agreeing, after a layer under another name: no layer takes that much noise away."""
_NEVER = float("inf")


def strangers(
    side: Side, gaps: Mapping[TensorRef, TensorGap], discrete: Set[TensorRef], *, across_kinds: bool
) -> frozenset[TensorRef]:
    """The strangers among ``gaps`` (by B's tensor, in execution order), ``side`` being B.

    That integers agree (``discrete``) is no evidence: the largest of two outputs may be the same by chance. Of two
    graphs whose tensors all differ (weights were quantized), those count as agreeing that are very much closer.
    """
    readers: dict[TensorRef, list[TensorRef]] = {}
    for ref in gaps:
        for before in nearest(side, side.parts[ref.node], gaps.keys()):
            readers.setdefault(before, []).append(ref)
    depth: dict[TensorRef, int] = {}
    for ref, gap in reversed(list(gaps.items())):
        if not gap.differs or not (across_kinds or gap.name != gap.other):
            continue
        after = readers.get(ref, [])
        deepest = max((depth.get(reader, 0) for reader in after), default=0)
        closer = _NEVER if across_kinds or gap.snr_db is None else gap.snr_db + _CLOSER_DB
        wrong = any(_differs(gaps[reader], closer) and reader not in depth for reader in after)
        proven = any(reader not in discrete for reader in after)
        if proven and not wrong and deepest < _DEPTH:
            depth[ref] = deepest + 1
    return frozenset(depth)


def _differs(gap: TensorGap, closer: float) -> bool:
    return gap.differs and (gap.snr_db is None or gap.snr_db < closer)


def nearest(side: Side, part: Part, stops: Collection[TensorRef]) -> list[TensorRef]:
    """The tensors among ``stops`` that lie directly before a part, in the order of its inputs."""
    found: dict[TensorRef, None] = {}
    seen: set[str] = set()
    waiting: list[Source] = list(reversed(part.inputs))
    while waiting:
        source = waiting.pop()
        if not isinstance(source, TensorRef):
            continue
        if source in stops:
            found[source] = None
        elif source.node not in seen and source.node in side.parts:
            seen.add(source.node)
            waiting.extend(reversed(side.parts[source.node].inputs))
    return list(found)
