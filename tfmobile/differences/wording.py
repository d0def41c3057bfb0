"""What was found, in words for a terminal."""

from __future__ import annotations

from tfmobile.differences.facts import ChangedField, ChangedNode, ModelDiff, ModelFact, Numbers, TensorGap

_MOST_FIELDS = 3


def model(fact: ModelFact) -> str:
    """``frozen.pb (frozen-graph, 1.94 MB, 378 nodes)``."""
    what = _many(fact.nodes, "operator" if fact.format == "tflite" else "node")
    return f"{fact.path} ({fact.format}, {_size(fact.size_bytes)}, {what})"


def structure(diff: ModelDiff) -> str:
    """How many nodes both have, how many are changed, renamed, or on one side only."""
    found = diff.structure
    kinds = [one.format == "tflite" for one in (diff.a, diff.b)]
    what = _many(found.matched, "operator" if any(kinds) else "node")
    if found.same and not found.renamed and kinds[0] == kinds[1]:
        return f"the same: {what}"
    parts = [f"{what} in both"]
    parts += [f"{len(found.changed):,} of them changed"] if found.changed else []
    parts += [f"{len(found.renamed):,} others renamed"] if found.renamed else []
    sides = (("A", found.only_a), ("B", found.only_b))
    return ", ".join([*parts, *(f"{len(nodes):,} only in {side}" for side, nodes in sides if nodes)])


def outputs(numbers: Numbers) -> str:
    """Whether they agree, and how far the worst of them moved; or why nothing was run."""
    if numbers.reason:
        return numbers.reason
    if not numbers.outputs:
        return "not compared: none of the one belongs to one of the other"
    worst = max(numbers.outputs, key=_size_of_gap)
    name = f"'{worst.name}' " if len(numbers.outputs) > 1 else ""
    if worst.max_abs == 0:
        return "exactly the same"
    return f"{'differ' if worst.differs else 'agree'}: {name}{moved(worst)}{_snr(worst)}"


def first(numbers: Numbers) -> str:
    """The first tensor that differs, or how well all agree."""
    if numbers.reason:
        return ""
    if numbers.first is not None:
        gap = numbers.first.tensor
        return f"'{short(gap.other)}' ({gap.op}): {moved(gap)}"
    worst = max(numbers.tensors, key=_size_of_gap, default=None)
    most = f"; the most is {relative(worst)} at '{short(worst.other)}'" if worst is not None and worst.max_rel else ""
    return f"none: {_many(len(numbers.tensors), 'tensor')} compared, which agree to {numbers.tolerance:g}{most}"


def fed(numbers: Numbers) -> str:
    """With what both were run, and how much was compared."""
    if numbers.reason:
        return ""
    random = numbers.source == "random"
    words = _many(numbers.samples, "random sample" if random else "sample") + (
        "" if random else f" of {numbers.source}"
    )
    left = f", {numbers.not_compared:,} more left out" if numbers.not_compared else ""
    return f"{words}; {_many(len(numbers.tensors), 'tensor')} compared{left}"


def moved(gap: TensorGap) -> str:
    """By how much a tensor moved, or the two shapes it has."""
    if gap.max_abs is None:
        return f"shape {list(gap.shape)} in A, {list(gap.other_shape)} in B"
    return f"moved by up to {gap.max_abs:.3g}, that is {relative(gap)} of the largest value"


def relative(gap: TensorGap) -> str:
    """``0.013``; a dash where the shapes differ."""
    return "–" if gap.max_rel is None else f"{gap.max_rel:.2g}"


def changes(node: ChangedNode) -> str:
    """What changed about a node, what weighs most first."""
    order = sorted(node.fields, key=lambda field: (field.what.endswith("quantization"), field.what == "version"))
    texts = [*map(_field, order[:_MOST_FIELDS])]
    if short(node.name) != short(node.other):
        texts.insert(0, f"now '{clip(short(node.other), 48)}'")
    if len(order) > _MOST_FIELDS:
        texts.append(f"and {len(order) - _MOST_FIELDS} more")
    return "; ".join(texts)


def short(name: str) -> str:
    """The converter names an operator after all nodes it was made of, the last first: that one says it best."""
    return name.partition(";")[0]


def clip(text: str, width: int) -> str:
    """The end of a text that is too long: names begin alike."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def _field(field: ChangedField) -> str:
    if field.what == "inputs":
        return f"inputs: {field.before.partition(':')[0]} → {field.after.partition(':')[0]}"
    if field.max_abs is not None and field.before == field.after:
        return f"{field.what} moved by up to {field.max_abs:.3g} ({field.before})"
    change = "" if field.max_abs is None else f" (up to {field.max_abs:.3g})"
    return f"{field.what}: {clip(field.before, 48)} → {clip(field.after, 48)}{change}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _snr(gap: TensorGap) -> str:
    return "" if gap.snr_db is None else f", SNR {gap.snr_db:.1f} dB"


def _size_of_gap(gap: TensorGap) -> float:
    return float("inf") if gap.max_rel is None or gap.max_rel != gap.max_rel else gap.max_rel


def _size(number: int) -> str:
    return f"{number / 1e6:.2f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"
