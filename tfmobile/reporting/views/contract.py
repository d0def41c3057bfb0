"""What an app has to do: tensors of the model, and the preprocessing in one sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmobile.artifacts import Report, TensorFact, TFLiteModel
from tfmobile.reporting import formatting
from tfmobile.reporting.views.table import Table, table


@dataclass(frozen=True)
class ContractView:
    """Everything of the section."""

    tensors: Table
    preprocessing: str
    formula: str
    files: Table


def contract_view(report: Report) -> ContractView:
    """Of the optimized model, with the original's tensors beside it."""
    rows = [
        (model, role, *_tensor(tensor))
        for model, one in (("optimized", report.optimized), ("original", report.original))
        for role, tensors in (("input", one.inputs), ("output", one.outputs))
        for tensor in tensors
    ]
    heads = ("Model", "Role", "Name", "Shape", "Type", "Scale", "Zero point")
    quantized = any(tensor.scale for tensor in (*report.optimized.inputs, *report.optimized.outputs))
    return ContractView(
        table("Input and output tensors", heads, rows, [5, 6]),
        preprocessing_sentence(report.preprocessing),
        "real value = scale × (stored value − zero point)" if quantized else "",
        _files(report),
    )


def _tensor(tensor: TensorFact) -> tuple[str, ...]:
    quantized = tensor.scale != 0
    return (
        tensor.name,
        formatting.shape(tensor.shape),
        tensor.dtype,
        f"{tensor.scale:.6g}" if quantized else formatting.DASH,
        str(tensor.zero_point).replace("-", "−") if quantized else formatting.DASH,
    )


def _files(report: Report) -> Table:
    rows = [
        (report.source.path, report.source.summary, formatting.size(report.source.size_bytes), report.source.sha256),
        _file("original, as float .tflite", report.original),
        _file("optimized .tflite", report.optimized),
    ]
    return table("Files", ("File", "What it is", "Size", "SHA-256"), rows, [2])


def _file(name: str, model: TFLiteModel) -> tuple[str, str, str, str]:
    made = " by ".join(part for part in (model.recipe, model.backend) if part not in ("", "none")) or "as given"
    digest = hashlib.sha256(model.content).hexdigest()
    return name, made, formatting.size(model.size.total_bytes), digest


def preprocessing_sentence(values: Mapping[str, Any]) -> str:
    """What is done to a stored sample, in order: crop, resize, colour, normalization, layout."""
    parts = [
        _when(
            values.get("central_crop"), lambda kept: f"keep the central {formatting.percent(float(kept))} of each side"
        ),
        _when(values.get("resize"), lambda dims: f"resize to {formatting.shape(dims)} (height × width)"),
        _when(values.get("color"), lambda color: f"{str(color).upper()} colour order"),
        _normalization(_channels(values.get("mean")), _channels(values.get("std"))),
        "channels first (NCHW)" if str(values.get("layout", "")).lower() == "nchw" else "",
    ]
    done = [part for part in parts if part]
    if not done:
        return "None: samples are fed as they are stored."
    text = ", then ".join(done)
    return f"{text[0].upper()}{text[1:]}."


def _when(value: Any, say: Any) -> str:
    return str(say(value)) if value else ""


def _channels(value: Any) -> list[float]:
    if value is None:
        return []
    return [float(one) for one in value] if isinstance(value, Sequence) else [float(value)]


def _normalization(mean: list[float], std: list[float]) -> str:
    if not mean and not std:
        return ""
    top = f"(x − {_vector(mean)})" if mean else "x"
    return f"{top} / {_vector(std)}" if std else f"{top[1:-1]}"


def _vector(values: list[float]) -> str:
    texts = [f"{value:g}".replace("-", "−") for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
