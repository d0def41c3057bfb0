"""An inspection for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfmobile.inspection import printing
from tfmobile.inspection.facts import BatchNorms, GraphInspection, PortFact, TFLiteInspection, WrittenFacts
from tfmobile.inspection.printing import count, several, shape, size
from tfmobile.inspection.tflite_rendering import print_tflite

if TYPE_CHECKING:
    from rich.console import Console

_MOST_REASONS = 3


def print_inspection(inspection: GraphInspection | TFLiteInspection, console: Console) -> None:
    """Facts, inputs and outputs, operators, the largest layers, targets, and what to do next."""
    if isinstance(inspection, GraphInspection):
        _print_graph(inspection, console)
    else:
        print_tflite(inspection, console)


def _print_graph(found: GraphInspection, console: Console) -> None:
    rows = [
        ("Format", found.summary or found.format),
        ("Signature", _signature(found)),
        *(("Input", _port(port)) for port in found.inputs),
        *(("Output", _port(port)) for port in found.outputs),
        ("Size", f"{size(found.size_bytes)} on disk"),
        ("Nodes", f"{found.nodes:,} that the outputs need"),
        ("Parameters", f"{found.parameters:,} ({size(found.parameter_bytes)})"),
        ("MACs", f"{count(found.macs)} an inference"),
        ("Batch norms", _batch_norms(found.batch_norms)),
        *_written(found.written, found.format == "frozen-graph"),
    ]
    printing.head(console, found.path, rows)
    printing.operators(console, found.ops, found.parameter_bytes)
    printing.layers(console, found.layers, found.parameter_bytes)
    printing.groups(console, "Not needed at inference", found.training_only)
    printing.groups(console, "No TFLite builtins", found.not_convertible)
    _reasons(console, found.batch_norms.kept)
    printing.targets(console, found.targets, "Targets, as far as known before conversion")
    printing.structure(console, found.structure)
    commands = [("Optimize it", found.command), ("Or only simplify the graph", found.transform_command)]
    printing.end(console, found.notes, commands)


def _written(file: WrittenFacts, frozen: bool) -> Iterable[tuple[str, str]]:
    """What summarize_graph told, of the file's own graph."""
    whole = f"{file.nodes:,} nodes" if frozen else f"{file.nodes:,} nodes after freezing"
    yield "Graph", f"{whole}, {file.control_edges:,} control edges"
    yield "Constants", f"{file.constants:,} with {file.constant_values:,} values ({size(file.constant_bytes)})"
    if file.variables:
        yield "Variables", several([_port(port) for port in file.variables], 4)
    if file.functions:
        yield "Functions", f"{file.functions:,} with {file.function_nodes:,} nodes"
    for device, number in file.devices.items():
        yield "Device", f"{device}: {number:,} nodes"
    if frozen:
        yield "Possible inputs", several([_port(port) for port in file.inputs]) or "no placeholder"
        yield "Possible outputs", several([f"{one.node} ({one.op})" for one in file.outputs]) or "none"


def _batch_norms(norms: BatchNorms) -> str:
    if not norms.total:
        return ""
    if norms.foldable is None:
        return f"{norms.total:,}"
    return f"{norms.foldable:,} of {norms.total:,} fold into the layers beside them"


def _reasons(console: Console, kept: tuple[str, ...]) -> None:
    if not kept:
        return
    printing.heading(console, "Batch norms that do not fold")
    for reason in kept[:_MOST_REASONS]:
        printing.line(console, reason)
    if len(kept) > _MOST_REASONS:
        printing.line(console, f"And {len(kept) - _MOST_REASONS:,} more with --json.")


def _signature(found: GraphInspection) -> str:
    others = [name for name in found.signatures if name != found.signature]
    if not found.signature:
        return ", ".join(others)
    return found.signature + (f" (also there: {', '.join(others)})" if others else "")


def _port(port: PortFact) -> str:
    name = port.key if port.key == port.tensor else f"{port.key} ({port.tensor})"
    return f"{name}: {port.dtype} {shape(port.shape)}"
