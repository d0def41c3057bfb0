"""Pieces of an inspection on a terminal: headings, lines, tables, and numbers in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfmobile.inspection.facts import LayerFact, NodeFact, NodeGroup, OpCount, TargetFact

if TYPE_CHECKING:
    from rich.console import Console

_MOST_LAYERS, _MOST_OPS, _MOST_PROBLEMS = 15, 12, 3
_LONGEST_NAME, _SHORTEST_NAME = 44, 26
_LAYER_HEADS = ("Layer", "Operator", "Output", "Params", "Size", "Share", "MACs")
_OP_HEADS = ("Operator", "Count", "Params", "Size", "Share", "MACs", "Share")


def head(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """The title, and what is said in a word each; a row without a value is left out."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console.print()
    console.print(Padding(Text(title, style="bold", overflow="fold"), (0, 1)))
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows:
        if value:
            table.add_row(key, Text(value))
    console.print(table)


def operators(console: Console, ops: Sequence[OpCount], total_bytes: int) -> None:
    """Those that own parameters or multiply as a table, the others by their number."""
    owning = sorted(
        (one for one in ops if one.parameters or one.macs), key=lambda one: (-one.parameter_bytes, -one.macs)
    )
    others = [one for one in ops if not (one.parameters or one.macs)]
    heading(console, "Operators")
    if owning:
        macs = sum(one.macs for one in owning)
        table(
            console,
            _OP_HEADS,
            [
                (
                    op_name(one), f"{one.count:,}", f"{one.parameters:,}", size(one.parameter_bytes),
                    share(one.parameter_bytes, total_bytes), count(one.macs), share(one.macs, macs),
                )
                for one in owning[:_MOST_OPS]
            ],
            left=1,
            narrow=(0, 1, 2, 3, 5),
        )  # fmt: skip
    parts = [f"{op_name(one)} × {one.count:,}" for one in others[:_MOST_OPS]]
    more = len(others) + max(len(owning) - _MOST_OPS, 0) - len(parts)
    if parts:
        line(console, ", ".join(parts) + (f", and {max(more, 0)} more kinds" if more > 0 else ""))


def op_name(one: OpCount) -> str:
    """``CONV_2D v3``; a graph's ops have no version."""
    return f"{one.op} v{one.version}" if one.version else one.op


def layers(console: Console, found: Sequence[LayerFact], total_bytes: int) -> None:
    """The largest ones."""
    heavy = [layer for layer in found if layer.parameters or layer.macs or layer.macs is None]
    shown = sorted(heavy, key=lambda layer: (-layer.parameter_bytes, -(layer.macs or 0)))[:_MOST_LAYERS]
    if not shown:
        return
    heading(console, "Largest layers")
    rows = [
        (
            clip(layer.name.rpartition(";")[2], _LONGEST_NAME), clip(layer.op, 22), shape(layer.shape),
            f"{layer.parameters:,}", size(layer.parameter_bytes), share(layer.parameter_bytes, total_bytes),
            "?" if layer.macs is None else count(layer.macs),
        )
        for layer in shown
    ]  # fmt: skip
    table(console, _LAYER_HEADS, rows, left=3, narrow=(0, 1, 3, 4, 6))
    if len(heavy) > len(shown):
        line(console, f"{len(heavy) - len(shown):,} more with --json.")


def table(
    console: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: int,
    narrow: Sequence[int],
    name: int = 0,
) -> None:
    """The first ``left`` columns stand left, the others right; names, in the column ``name``, are clipped to fit.

    Where they would be clipped to very little, only the columns ``narrow`` are there.
    """
    from rich.table import Table
    from rich.text import Text

    wide = [max(len(head), *(len(row[place]) for row in rows)) for place, head in enumerate(heads)]
    places: Sequence[int] = range(len(heads))
    room = _room(console.width, wide, places, name)
    if room < min(wide[name], _SHORTEST_NAME):
        places = narrow
        room = _room(console.width, wide, places, name)
    made = Table(box=None, padding=(0, 1, 0, 1), header_style="dim")
    for place in places:
        made.add_column(heads[place], justify="left" if place < left else "right", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(clip(row[place], max(room, 8)) if place == name else row[place]) for place in places))
    console.print(made)


def _room(width: int, wide: Sequence[int], places: Sequence[int], name: int) -> int:
    """What the other columns leave for the names."""
    return width - sum(wide[place] + 2 for place in places if place != name) - 2


def groups(console: Console, title: str, found: Sequence[NodeGroup]) -> None:
    """Ops, and what each means for the model."""
    if not found:
        return
    heading(console, title)
    for group in found:
        line(console, f"{group.op} × {group.count:,}: {group.why} (such as {group.example})")


def targets(console: Console, found: Sequence[TargetFact], title: str) -> None:
    """Targets against which nothing is known in one line, the others with their problems."""
    heading(console, title)
    fine = [fact.target for fact in found if fact.ok]
    if fine:
        line(console, f"{', '.join(fine)}: nothing known against it")
    by_problems: dict[tuple[str, ...], list[str]] = {}
    for fact in found:
        if not fact.ok:
            by_problems.setdefault(fact.problems, []).append(fact.target)
    for problems, names in by_problems.items():
        for place, sentence in enumerate(problems[:_MOST_PROBLEMS]):
            line(console, f"{', '.join(names)}: {sentence}" if place == 0 else sentence, indent=2 if place == 0 else 4)
        if len(problems) > _MOST_PROBLEMS:
            line(console, f"And {len(problems) - _MOST_PROBLEMS} more with --json.", indent=4)


def structure(console: Console, nodes: Sequence[NodeFact]) -> None:
    """Every node in a line of its own, which a terminal may wrap."""
    if not nodes:
        return
    heading(console, "Structure, in execution order")
    for node in nodes:
        made = f"{node.dtype} {shape(node.shape)}".strip()
        name, *read = (text.rpartition(";")[2] for text in (node.name, *node.inputs))
        parts = [f"{name} ({node.op}): [{', '.join(read)}]", made, node.detail, node.device]
        console.print("  " + "  ".join(filter(None, parts)), markup=False, soft_wrap=True)


def end(console: Console, notes: Sequence[str], commands: Iterable[tuple[str, str]]) -> None:
    """Notes, and how to go on."""
    if notes:
        heading(console, "Notes")
    for note in notes:
        line(console, note)
    for title, command in commands:
        if command:
            heading(console, title)
            console.print(f"  {command}", markup=False, soft_wrap=True)


def heading(console: Console, text: str) -> None:
    """A bold line after an empty one."""
    console.print()
    console.print(f" {text}", style="bold", markup=False)


def line(console: Console, text: str, indent: int = 2) -> None:
    """Wrapped, and set in a little."""
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(text), (0, indent)))


def several(names: Sequence[str], most: int = 6) -> str:
    """``a, b, and 5 more``."""
    shown = ", ".join(names[:most])
    return f"{shown}, and {len(names) - most:,} more" if len(names) > most else shown


def shape(dims: Sequence[int | None] | None) -> str:
    """``[1, ?, 3]``."""
    if dims is None:
        return "[?]"
    return "[" + ", ".join("?" if one in (None, -1) else str(one) for one in dims) + "]"


def clip(text: str, width: int) -> str:
    """The end of a long name, which says more than its beginning."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def share(part: int, whole: int) -> str:
    """``12.5 %``."""
    return f"{100 * part / whole if whole else 0.0:.1f} %"


def size(number: int) -> str:
    """Bytes in decimal units, like file managers: ``1.88 MB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{_three(number / factor)} {unit}"
    return f"{number} B"


def count(number: int) -> str:
    """``41.4 M``."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor:
            return f"{_three(number / factor)} {unit}"
    return str(number)


def _three(value: float) -> str:
    """Three digits, and never an exponent."""
    return f"{value:.0f}" if value >= 999.5 else f"{value:.3g}"
