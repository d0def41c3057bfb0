"""An inspection for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfmobile.artifacts import TensorFact
from tfmobile.inspection.facts import GraphInspection, LayerFact, NodeGroup, OpCount, PortFact, TFLiteInspection

if TYPE_CHECKING:
    from rich.console import Console

_MOST_LAYERS, _MOST_OPS, _MOST_REASONS = 15, 12, 3


def print_inspection(inspection: GraphInspection | TFLiteInspection, console: Console) -> None:
    """Facts, inputs and outputs, operators, the largest layers, and what to do next."""
    if isinstance(inspection, GraphInspection):
        _print_graph(inspection, console)
    else:
        _print_tflite(inspection, console)


def _print_graph(found: GraphInspection, console: Console) -> None:
    norms = found.batch_norms
    rows = [
        ("Format", found.summary or found.format),
        ("Signature", _signature(found)),
        *(("Input", _port(port)) for port in found.inputs),
        *(("Output", _port(port)) for port in found.outputs),
        ("Size", f"{size(found.size_bytes)} on disk"),
        ("Nodes", f"{found.nodes:,}"),
        ("Parameters", f"{found.parameters:,} ({size(found.parameter_bytes)})"),
        ("MACs", f"{count(found.macs)} an inference"),
        (
            "Batch norms",
            f"{norms.foldable} of {norms.total} fold into the layer before" if norms.total else "",
        ),
    ]
    _head(console, found.path, rows)
    _ops(console, found.ops)
    _layers(console, found.layers, found.parameter_bytes)
    _groups(console, "Not needed at inference", found.training_only)
    _groups(console, "No TFLite builtins", found.not_convertible)
    _sentences(console, [f"Not folded: {reason}." for reason in norms.kept], "batch normalizations")
    _end(console, found.notes, found.command)


def _print_tflite(found: TFLiteInspection, console: Console) -> None:
    kinds = ", ".join(f"{number} {kind}" for kind, number in found.arithmetic.items())
    rows = [
        ("Format", f"TensorFlow Lite, schema {found.format_version}"),
        ("Description", found.description),
        ("Signatures", ", ".join(found.signatures)),
        *(("Input", _tensor(fact)) for fact in found.inputs),
        *(("Output", _tensor(fact)) for fact in found.outputs),
        ("Quantization", found.quantization + (", compiled for the Edge TPU" if found.edge_tpu else "")),
        ("Operators", kinds),
        ("Parameters", f"{found.parameters:,}"),
        ("MACs", f"{count(found.macs)} an inference"),
        ("Size", f"{size(found.size.total_bytes)}: weights {size(found.size.weight_bytes)}, metadata "
                 f"{size(found.size.metadata_bytes)}; {size(found.size.zipped_bytes)} zipped"),
        ("Activations", f"at least {size(found.arena_bytes)}"),
        ("Normalization", _normalization(found)),
        ("Metadata", ", ".join(f"{entry.name} ({size(entry.size_bytes)})" for entry in found.metadata)),
        ("Attached", ", ".join(f"{name} ({size(bytes_)})" for name, bytes_ in found.attached.items())),
    ]  # fmt: skip
    _head(console, found.name, rows)
    _ops(console, found.ops)
    _layers(console, found.layers, found.size.weight_bytes)
    _end(console, found.notes, found.command)


def _head(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console.print()
    console.print(Padding(Text(title, style="bold"), (0, 1)))
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows:
        if value:
            table.add_row(key, Text(value))
    console.print(table)


def _ops(console: Console, ops: Sequence[OpCount]) -> None:
    parts = [f"{one.op}{f' v{one.version}' if one.version else ''} × {one.count}" for one in ops[:_MOST_OPS]]
    more = f", and {len(ops) - _MOST_OPS} more" if len(ops) > _MOST_OPS else ""
    _heading(console, "Operators")
    _line(console, ", ".join(parts) + more)


_HEADS = ("Layer", "Operator", "Output", "Params", "Size", "Share", "MACs")
_ONLY_WIDE = ("Output", "Share")


def _layers(console: Console, layers: Sequence[LayerFact], total_bytes: int) -> None:
    from rich.table import Table
    from rich.text import Text

    heavy = [layer for layer in layers if layer.parameters or layer.macs or layer.macs is None]
    shown = sorted(heavy, key=lambda layer: (-layer.parameter_bytes, -(layer.macs or 0)))[:_MOST_LAYERS]
    if not shown:
        return
    _heading(console, "Largest layers")
    wide = console.width >= 110
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim")
    for head in _HEADS:
        if wide or head not in _ONLY_WIDE:
            table.add_column(head, justify="left" if head in _HEADS[:3] else "right", no_wrap=True)
    for layer in shown:
        share = 100 * layer.parameter_bytes / total_bytes if total_bytes else 0.0
        cells = (
            _clip(layer.name.rpartition(";")[2], 40 if wide else 26), _clip(layer.op, 22), _shape(layer.shape),
            f"{layer.parameters:,}", size(layer.parameter_bytes), f"{share:.1f} %",
            "?" if layer.macs is None else count(layer.macs),
        )  # fmt: skip
        table.add_row(*(Text(cell) for head, cell in zip(_HEADS, cells, strict=True) if wide or head not in _ONLY_WIDE))
    console.print(table)
    if len(heavy) > len(shown):
        _line(console, f"{len(heavy) - len(shown)} more with --json.")


def _groups(console: Console, title: str, groups: Sequence[NodeGroup]) -> None:
    if not groups:
        return
    _heading(console, title)
    for group in groups:
        _line(console, f"{group.op} × {group.count}: {group.why} (such as {group.example})")


def _sentences(console: Console, sentences: Sequence[str], what: str) -> None:
    for sentence in sentences[:_MOST_REASONS]:
        _line(console, sentence)
    if len(sentences) > _MOST_REASONS:
        _line(console, f"And {len(sentences) - _MOST_REASONS} more {what}.")


def _end(console: Console, notes: Sequence[str], command: str) -> None:
    if notes:
        _heading(console, "Notes")
    for note in notes:
        _line(console, note)
    if command:
        _heading(console, "Optimize it")
        console.print(f"  {command}", markup=False, soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(f" {text}", style="bold", markup=False)


def _line(console: Console, text: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(text), (0, 2)))


def _signature(found: GraphInspection) -> str:
    others = [name for name in found.signatures if name != found.signature]
    if not found.signature:
        return ", ".join(others)
    return found.signature + (f" (also there: {', '.join(others)})" if others else "")


def _port(port: PortFact) -> str:
    name = port.key if port.key == port.tensor else f"{port.key} ({port.tensor})"
    return f"{name}: {port.dtype} {_shape(port.shape)}"


def _tensor(fact: TensorFact) -> str:
    quantized = f", real = {fact.scale:.6g} · (q − {fact.zero_point})" if fact.scale else ""
    return f"{fact.name}: {fact.dtype} {_shape(fact.shape)}{quantized}"


def _normalization(found: TFLiteInspection) -> str:
    parts = []
    for subgraph in found.description_metadata.get("subgraph_metadata", ()):
        for tensor in subgraph.get("input_tensor_metadata", ()):
            for unit in tensor.get("process_units", ()):
                options = unit.get("options", {})
                if options.get("type") == "NormalizationOptions":
                    mean, std = (", ".join(f"{one:g}" for one in options.get(key, ())) for key in ("mean", "std"))
                    parts.append(f"(x − {mean}) / {std}")
    return "; ".join(parts)


def _shape(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "[?]"
    return "[" + ", ".join("?" if one in (None, -1) else str(one) for one in shape) + "]"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def size(number: int) -> str:
    """Bytes in decimal units, like file managers: ``1.88 MB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number} B"


def count(number: int) -> str:
    """``41.4 M``."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return str(number)
