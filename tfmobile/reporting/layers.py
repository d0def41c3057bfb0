"""Weights by layer, original beside optimized, and layer names short enough to read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from tfmobile.artifacts import OpFact, TFLiteModel


@dataclass(frozen=True)
class LayerSize:
    """One layer's constant bytes in each model; None where the other model has no such layer."""

    name: str
    op: str
    original_bytes: int | None
    optimized_bytes: int | None


def layer_sizes(original: TFLiteModel, optimized: TFLiteModel) -> tuple[LayerSize, ...]:
    """Layers with weights, in execution order. Paired by name, or by order where the names have changed.

    The name is the first ``;`` part of the output's: the others say what was fused, which changes.
    """
    before = [op for op in original.ops if op.weight_bytes > 0]
    after = [op for op in optimized.ops if op.weight_bytes > 0]
    left = _by_name(after)
    named = _by_name(before)
    if sum(name in left for name in named) * 2 < len(before) and len(before) == len(after):
        return tuple(_pair(first, second) for first, second in zip(before, after, strict=True))
    rows = [_pair(op, left.pop(name, None)) for name, op in named.items()]
    return (*rows, *(_pair(None, op) for op in left.values()))


def _by_name(ops: Sequence[OpFact]) -> dict[tuple[str, int], OpFact]:
    """With a number, since several operators may have the same name."""
    found: dict[tuple[str, int], OpFact] = {}
    seen: Counter[str] = Counter()
    for op in ops:
        name = op.output.partition(";")[0]
        found[name, seen[name]] = op
        seen[name] += 1
    return found


def _pair(before: OpFact | None, after: OpFact | None) -> LayerSize:
    named = before or after
    assert named is not None
    return LayerSize(
        named.output,
        named.op,
        before.weight_bytes if before is not None else None,
        after.weight_bytes if after is not None else None,
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Without the fused parts after ``;`` and the scopes that all names share: ``Conv2d_3/Relu6``."""
    heads = [name.split(";")[0] for name in names]
    scopes = [head.split("/") for head in heads]
    shared = takewhile(lambda level: len(set(level)) == 1, zip(*scopes, strict=False))
    depth = len(list(shared)) if len(scopes) > 1 else 0
    depth = min([depth, *(len(scope) - 1 for scope in scopes)])
    return ["/".join(scope[depth:]) or head for scope, head in zip(scopes, heads, strict=True)]


def clip(text: str, width: int) -> str:
    """At most ``width`` characters, the middle left out."""
    if len(text) <= width:
        return text
    head = math.ceil((width - 1) / 2)
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
