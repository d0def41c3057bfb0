"""A difference for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfmobile.differences.facts import (
    ChangedField,
    ModelDiff,
    ModelFact,
    NodeFact,
    Numbers,
    OpCounts,
    Structure,
    TensorGap,
)

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 110
_MOST_ROWS, _MOST_OPS, _MOST_FIELDS = 20, 14, 3


def print_diff(diff: ModelDiff, console: Console) -> None:
    """The summary, then tables of what was added, removed, renamed, changed, and of the tensors that differ."""
    if diff.identical:
        _head(console, [("A", diff.a.path), ("B", diff.b.path), ("Files", "identical: the same content")])
        return
    structure, numbers = diff.structure, diff.numbers
    across = (diff.a.format == "tflite") != (diff.b.format == "tflite")
    rows = [
        ("A", _model(diff.a)),
        ("B", _model(diff.b)),
        ("Structure", _structure(structure, diff)),
        ("Outputs", _outputs(numbers)),
        ("First divergence", _first(numbers)),
        *(("", fact) for fact in (numbers.first.facts if numbers.first else ())),
        ("Fed with", _fed(numbers)),
    ]
    _head(console, rows)
    _gaps(console, numbers)
    if not across:
        _ops(console, structure.ops)
    by_name = ", by name" if across else ""
    _table(console, f"Only in A{by_name}", ("Node", "Op"), _lone(structure.only_a))
    _table(console, f"Only in B{by_name}", ("Node", "Op"), _lone(structure.only_b))
    renamed = [(_short(node.name), _short(node.other), node.op) for node in structure.renamed]
    _table(console, "Renamed", ("In A", "In B", "Op"), renamed)
    changed = [(_short(node.name), node.op, _fields(node.fields)) for node in structure.changed]
    _table(console, "Changed", ("Node", "Op", "What"), changed)
    _notes(console, diff.notes)


def _model(model: ModelFact) -> str:
    what = "operators" if model.format == "tflite" else "nodes"
    return f"{model.path} ({model.format}, {_size(model.size_bytes)}, {model.nodes:,} {what})"


def _size(number: int) -> str:
    return f"{number / 1e6:.2f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"


def _structure(found: Structure, diff: ModelDiff) -> str:
    kinds = [model.format == "tflite" for model in (diff.a, diff.b)]
    what = "operators" if all(kinds) else "nodes"
    if found.same and not found.renamed and kinds[0] == kinds[1]:
        return f"the same: {found.matched:,} {what}"
    parts = [f"{found.matched:,} {what} in both" if kinds[0] == kinds[1] else f"{found.matched:,} operators are nodes"]
    parts += [f"{len(found.changed):,} of them changed"] if found.changed else []
    parts += [f"{len(found.renamed):,} renamed"] if found.renamed else []
    sides = (("A", found.only_a), ("B", found.only_b))
    return ", ".join([*parts, *(f"{len(nodes):,} only in {side}" for side, nodes in sides if nodes)])


def _outputs(numbers: Numbers) -> str:
    if numbers.reason:
        return numbers.reason
    wrong = [gap for gap in numbers.outputs if gap.shape != gap.other_shape]
    if wrong:
        return f"'{wrong[0].name}' has shape {list(wrong[0].shape)} in A and {list(wrong[0].other_shape)} in B"
    worst = max(numbers.outputs, key=lambda gap: _sortable(gap.max_rel))
    name = f" at '{worst.name}'" if len(numbers.outputs) > 1 else ""
    if not worst.max_abs:
        return "exactly the same"
    word = "differ" if worst.differs else "agree"
    snr = "" if worst.snr_db is None else f", SNR {worst.snr_db:.1f} dB"
    return f"{word}: moved by up to {worst.max_abs:.3g}, that is {_relative(worst)} of the largest value{name}{snr}"


def _first(numbers: Numbers) -> str:
    if numbers.reason:
        return ""
    if numbers.first is None:
        worst = max(numbers.tensors, key=lambda gap: _sortable(gap.max_rel), default=None)
        most = (
            "" if worst is None or not worst.max_rel else f"; the most is {_relative(worst)} at '{_short(worst.other)}'"
        )
        return f"none: all {len(numbers.tensors):,} tensors compared agree to {numbers.tolerance:g}{most}"
    gap = numbers.first.tensor
    if gap.shape != gap.other_shape:
        moved = f"shape {list(gap.shape)} in A, {list(gap.other_shape)} in B"
    else:
        moved = f"moved by up to {gap.max_abs:.3g}, {_relative(gap)} of its largest value"
    return f"'{_short(gap.other)}' ({gap.op}): {moved}"


def _fed(numbers: Numbers) -> str:
    if numbers.reason:
        return ""
    what = "random" if numbers.source == "random" else ""
    words = f"{numbers.samples} {what} sample{'' if numbers.samples == 1 else 's'}".replace("  ", " ")
    words += "" if what else f" of {numbers.source}"
    left = f"; {numbers.not_compared:,} matching tensors could not be compared" if numbers.not_compared else ""
    return f"{words}; {len(numbers.tensors):,} tensors compared{left}"


def _lone(nodes: Sequence[NodeFact]) -> list[tuple[str, str]]:
    """Constants last: they say least."""
    return [(_short(node.name), node.op) for node in sorted(nodes, key=lambda node: node.op == "Const")]


def _relative(gap: TensorGap) -> str:
    return "NaN" if gap.max_rel is None or gap.max_rel != gap.max_rel else f"{gap.max_rel:.2g}"


def _sortable(value: float | None) -> float:
    return float("inf") if value is None or value != value else value


def _short(name: str) -> str:
    return name.partition(";")[0]


def _fields(fields: Sequence[ChangedField]) -> str:
    """What weighs most: fields whose value could be compared, then as they come; scales last."""
    order = sorted(fields, key=lambda field: (field.what.endswith("quantization"), field.what == "version"))
    more = f"; and {len(order) - _MOST_FIELDS} more" if len(order) > _MOST_FIELDS else ""
    return "; ".join(map(_field, order[:_MOST_FIELDS])) + more


def _field(field: ChangedField) -> str:
    if field.max_abs is not None and field.before == field.after:
        return f"{field.what} moved by up to {field.max_abs:.3g} ({field.before})"
    if field.what == "inputs":
        return f"inputs: {_count(field.before)} → {_count(field.after)}"
    moved = "" if field.max_abs is None else f" (up to {field.max_abs:.3g})"
    return f"{field.what}: {_clip(field.before, 48)} → {_clip(field.after, 48)}{moved}"


def _count(names: str) -> int:
    return 0 if names == "none" else names.count(", ") + 1


def _head(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print()
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows:
        if value:
            table.add_row(key, Text(value))
    console.print(table)


def _ops(console: Console, ops: Sequence[OpCounts]) -> None:
    changed = [one for one in ops if one.before != one.after]
    if not changed:
        return
    parts = [f"{one.op} {one.before} → {one.after}" for one in changed[:_MOST_OPS]]
    more = f", and {len(changed) - _MOST_OPS} more" if len(changed) > _MOST_OPS else ""
    _heading(console, "Operators")
    _line(console, ", ".join(parts) + more)


def _gaps(console: Console, numbers: Numbers) -> None:
    wide = console.width >= _WIDE
    differing = [gap for gap in numbers.tensors if gap.differs]
    rows = [
        (
            _short(gap.other),
            _ended(gap.op, 20 if wide else 17),
            _number(gap.max_abs),
            _relative(gap),
            _number(gap.snr_db, "{:.1f} dB", "exact"),
        )
        for gap in differing
    ]
    heads = ("Tensor", "Op", "Moved by", "Of scale", "SNR")
    _table(console, "Tensors that differ, in execution order", heads, rows)


def _number(value: float | None, form: str = "{:.3g}", none: str = "–") -> str:
    return none if value is None else form.format(value)


def _table(console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    _heading(console, f"{title} ({len(rows):,})")
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim")
    numeric = {"Moved by", "Of scale", "SNR"} & {*heads}
    for head in heads:
        table.add_column(head, justify="right" if head in numeric else "left", no_wrap=head != "What", overflow="fold")
    width = 56 if console.width >= _WIDE else 28 if numeric else 34
    for row in rows[:_MOST_ROWS]:
        cells = (cell if head == "What" else _clip(cell, width) for head, cell in zip(heads, row, strict=True))
        table.add_row(*map(Text, cells))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        _line(console, f"{len(rows) - _MOST_ROWS:,} more with --json.")


def _notes(console: Console, notes: Sequence[str]) -> None:
    if notes:
        _heading(console, "Notes")
    for note in notes:
        _line(console, note)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(f" {text}", style="bold", markup=False)


def _line(console: Console, text: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(text), (0, 2)))


def _ended(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[-(width - 1) :]
