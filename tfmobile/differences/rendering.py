"""A difference for a terminal: the summary, then tables of what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfmobile.differences import wording
from tfmobile.differences.facts import ModelDiff, NodeFact, Numbers, OpCounts

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

_MOST_ROWS, _MOST_OPS = 20, 14
_NAMES = ("Node", "Tensor", "In A", "In B")
_NUMBERS = ("Moved by", "Of scale", "SNR")
_SENTENCE = "What"
_OP_WIDTH, _SENTENCE_WIDTH, _LEAST_WIDTH = 20, 32, 20


def print_diff(diff: ModelDiff, console: Console) -> None:
    """The summary; the tensors that differ; nodes added, removed, renamed and changed; notes."""
    if diff.identical:
        _summary(console, [("A", diff.a.path), ("B", diff.b.path), ("Files", "identical: the same content")])
        return
    numbers, structure = diff.numbers, diff.structure
    _summary(
        console,
        [
            ("A", wording.model(diff.a)),
            ("B", wording.model(diff.b)),
            ("Structure", wording.structure(diff)),
            ("Outputs", wording.outputs(numbers)),
            ("First divergence", wording.first(numbers)),
            *(("", fact) for fact in (numbers.first.facts if numbers.first else ())),
            ("Fed with", wording.fed(numbers)),
        ],
    )
    _tensors(console, numbers)
    across = (diff.a.format == "tflite") != (diff.b.format == "tflite")
    if not across:
        _ops(console, structure.ops)
    by_name = ", by name" if across else ""
    _table(console, f"Only in A{by_name}", ("Node", "Op"), _lone(structure.only_a))
    _table(console, f"Only in B{by_name}", ("Node", "Op"), _lone(structure.only_b))
    renamed = [
        (wording.short(node.name), wording.short(node.other), node.op)
        for node in sorted(structure.renamed, key=lambda node: node.op == "Const")
    ]
    _table(console, "Renamed", ("In A", "In B", "Op"), renamed)
    changed = [(wording.short(node.name), node.op, wording.changes(node)) for node in structure.changed]
    _table(console, "Changed", ("Node", "Op", _SENTENCE), changed)
    if diff.notes:
        _heading(console, "Notes")
    for note in diff.notes:
        _line(console, note)


def _tensors(console: Console, numbers: Numbers) -> None:
    rows = [
        (
            wording.short(gap.other),
            gap.op,
            "shape" if gap.max_abs is None else f"{gap.max_abs:.3g}",
            wording.relative(gap),
            "–" if gap.snr_db is None else f"{gap.snr_db:.1f} dB",
        )
        for gap in numbers.tensors
        if gap.differs
    ]
    _table(console, "Tensors that differ, in execution order", ("Tensor", "Op", *_NUMBERS), rows)


def _lone(nodes: Sequence[NodeFact]) -> list[tuple[str, str]]:
    """Constants last: they say least."""
    ordered = sorted(nodes, key=lambda node: node.op == "Const")
    return [(wording.short(node.name), node.op) for node in ordered]


def _ops(console: Console, ops: Sequence[OpCounts]) -> None:
    changed = [one for one in ops if one.before != one.after]
    if not changed:
        return
    parts = [f"{one.op} {one.before} → {one.after}" for one in changed[:_MOST_OPS]]
    more = f", and {len(changed) - _MOST_OPS} more" if len(changed) > _MOST_OPS else ""
    _heading(console, "Operators")
    _line(console, ", ".join(parts) + more)


def _summary(console: Console, rows: Iterable[tuple[str, str]]) -> None:
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


def _table(console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """At most 20 rows; names get the room that the other columns leave, and keep their ends."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    _heading(console, f"{title} ({len(rows):,})")
    shown = [[_op(head, cell) for head, cell in zip(heads, row, strict=True)] for row in rows[:_MOST_ROWS]]
    width = _room(console.width, heads, shown)
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim")
    for head in heads:
        justify: JustifyMethod = "right" if head in _NUMBERS else "left"
        table.add_column(head, justify=justify, no_wrap=head != _SENTENCE, overflow="fold")
    for row in shown:
        cells = (wording.clip(cell, width) if head in _NAMES else cell for head, cell in zip(heads, row, strict=True))
        table.add_row(*map(Text, cells))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        _line(console, f"{len(rows) - _MOST_ROWS:,} more with --json.")


def _op(head: str, cell: str) -> str:
    return cell if head != "Op" or len(cell) <= _OP_WIDTH else cell[: _OP_WIDTH - 1] + "…"


def _room(width: int, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide each column of names may be."""
    names = sum(head in _NAMES for head in heads)
    taken = 2 * len(heads) + _SENTENCE_WIDTH * (_SENTENCE in heads)
    for index, head in enumerate(heads):
        if head not in _NAMES and head != _SENTENCE:
            taken += max(len(head), *(len(row[index]) for row in rows))
    return max((width - taken) // names, _LEAST_WIDTH)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(f" {text}", style="bold", markup=False)


def _line(console: Console, text: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(text), (0, 2)))
