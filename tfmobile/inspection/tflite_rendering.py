"""An inspected .tflite for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfmobile.artifacts import TensorFact
from tfmobile.inspection import printing
from tfmobile.inspection.facts import QuantizationFact, SignatureFact, StoredTensor, TFLiteInspection
from tfmobile.inspection.printing import clip, count, several, shape, size

if TYPE_CHECKING:
    from rich.console import Console

_MOST_SUBGRAPHS, _MOST_SIGNATURES = 6, 6
_TENSOR_HEADS = ("Tensor", "Name", "Type", "Shape", "Role", "Bytes", "Quantization")


def print_tflite(found: TFLiteInspection, console: Console) -> None:
    """Facts, operators, layers, targets; every tensor when the structure was asked for."""
    printing.head(console, found.name, _rows(found))
    weights = sum(layer.parameter_bytes for layer in found.layers)
    printing.operators(console, found.ops, weights)
    printing.layers(console, found.layers, weights)
    _subgraphs(console, found)
    printing.targets(console, found.targets, "Targets")
    if found.structure:
        printing.structure(console, found.structure)
        _tensors(console, found.tensors)
    printing.end(console, found.notes, [("Optimize it", found.command)])


def _rows(found: TFLiteInspection) -> Iterable[tuple[str, str]]:
    yield "Format", f"TensorFlow Lite, schema {found.format_version}"
    yield "Description", found.description
    for signature in found.signatures[:_MOST_SIGNATURES]:
        yield "Signature", _signature(signature)
    for fact in found.inputs:
        yield "Input", _tensor(fact)
    for fact in found.outputs:
        yield "Output", _tensor(fact)
    yield "Quantization", found.quantization + (", compiled for the Edge TPU" if found.edge_tpu else "")
    yield "Operators", ", ".join(f"{number:,} {kind}" for kind, number in found.arithmetic.items())
    yield "Parameters", f"{found.parameters:,}"
    yield "MACs", f"{count(found.macs)} an inference"
    yield (
        "Size",
        (
            f"{size(found.size.total_bytes)}: weights {size(found.size.weight_bytes)}, quantization "
            f"{size(found.size.quantization_bytes)}, metadata {size(found.size.metadata_bytes)}; "
            f"{size(found.size.zipped_bytes)} zipped"
        ),
    )
    yield "Tensors", _tensor_counts(found)
    yield "Activations", f"at least {size(found.arena_bytes)} at once"
    yield "Normalization", _normalization(found)
    yield "Metadata", ", ".join(f"{entry.name} ({size(entry.size_bytes)})" for entry in found.metadata)
    yield "Attached", ", ".join(f"{name} ({size(bytes_)})" for name, bytes_ in found.attached.items())


def _signature(signature: SignatureFact) -> str:
    ends = f"{', '.join(signature.inputs) or 'nothing'} → {', '.join(signature.outputs) or 'nothing'}"
    return f"{signature.key}: {ends}" + (f" (subgraph {signature.subgraph})" if signature.subgraph else "")


def _tensor(fact: TensorFact) -> str:
    quantized = f", real = {fact.scale:.6g} · (q − {fact.zero_point})" if fact.scale else ""
    return f"{fact.name}: {fact.dtype} {shape(fact.shape)}{quantized}"


def _tensor_counts(found: TFLiteInspection) -> str:
    quantized = [tensor.quantization for tensor in found.tensors if tensor.quantization is not None]
    per_channel = sum(fact.scales > 1 for fact in quantized)
    text = f"{len(found.tensors):,}, {len(quantized):,} of them quantized"
    text += f" ({per_channel:,} per channel)" if per_channel else ""
    return f"{text}; {len(found.buffers):,} constants, {size(sum(one.size_bytes for one in found.buffers))}"


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


def _subgraphs(console: Console, found: TFLiteInspection) -> None:
    others = list(enumerate(found.subgraphs))[1:]
    if not others:
        return
    printing.heading(console, "Other subgraphs")
    for number, one in others[:_MOST_SUBGRAPHS]:
        ops = several([f"{op.op} × {op.count:,}" for op in one.ops])
        printing.line(console, f"{number} {one.name or '(no name)'}: {one.operators:,} operators ({ops})")
    if len(others) > _MOST_SUBGRAPHS:
        printing.line(console, f"And {len(others) - _MOST_SUBGRAPHS:,} more with --json.")


def _tensors(console: Console, tensors: Iterable[StoredTensor]) -> None:
    printing.heading(console, "Tensors")
    rows = [
        (
            f"{one.subgraph}:{one.index}" if one.subgraph else str(one.index), clip(one.name.rpartition(";")[2], 44),
            one.dtype, shape(one.shape), one.role, size(one.constant_bytes) if one.constant_bytes else "",
            quantization_text(one.quantization),
        )
        for one in tensors
    ]  # fmt: skip
    printing.table(console, _TENSOR_HEADS, rows, left=len(_TENSOR_HEADS), narrow=(0, 1, 2, 6), name=1)


def quantization_text(fact: QuantizationFact | None) -> str:
    """``0.0235 · (q + 128)``, or ``64 scales on axis 0, 0.001 to 0.02``; empty for a tensor without a scale."""
    if fact is None:
        return ""
    if fact.axis is not None:
        return f"{fact.scales} scales on axis {fact.axis}, {fact.smallest_scale:.3g} to {fact.largest_scale:.3g}"
    shift = "q" if not fact.zero_point else f"(q {'−' if fact.zero_point > 0 else '+'} {abs(fact.zero_point)})"
    return f"{fact.smallest_scale:.6g} · {shift}"
