"""Whole reports made by hand: a MobileNet-like one, a ten-class one, a slower one, a minimal one, a regression."""

from __future__ import annotations

import base64
import dataclasses
import io
import random
from functools import cache
from typing import Any

from PIL import Image

from tfmobile.artifacts import (
    Calibration,
    ChangedSample,
    ClassAccuracy,
    Comparison,
    Difference,
    Evaluation,
    Interval,
    Latency,
    LatencyRow,
    LayerError,
    LoadTest,
    ModelAccuracy,
    OpFact,
    Ratio,
    Report,
    Rewrite,
    RewriteStep,
    SizeFact,
    SourceModel,
    StepFact,
    TensorFact,
    TFLiteModel,
)
from tfmobile.graph.model import Graph, Node, TensorRef, TensorSpec

ANIMALS = (
    "tench", "goldfish", "great white shark", "hammerhead", "electric ray", "cock", "hen", "ostrich", "brambling",
    "goldfinch", "house finch", "junco", "indigo bunting", "robin", "bulbul", "jay", "magpie", "chickadee",
    "water ouzel", "kite", "bald eagle", "vulture", "great grey owl", "European fire salamander", "common newt",
)  # fmt: skip
CLASSES = tuple(f"{name} {round_ + 1}" if round_ else name for round_ in range(4) for name in ANIMALS)
SHAPE = (None, 224, 224, 3)
GRAPH = Graph(
    nodes={name: Node(name, "Placeholder") for name in ("input", "MobilenetV1/Predictions/Reshape_1")},
    inputs=(TensorSpec("input", TensorRef("input"), "float32", SHAPE),),
    outputs=(TensorSpec("probabilities", TensorRef("MobilenetV1/Predictions/Reshape_1"), "float32", (None, 1001)),),
)


def picture(seed: int, side: int = 64) -> str:
    """A small JPEG as a data URI."""
    rng = random.Random(seed)
    top, bottom = ([rng.randrange(256) for _ in range(3)] for _ in range(2))
    small = Image.new("RGB", (3, 3))
    small.putdata(
        [tuple((a + (b - a) * row // 2 + rng.randrange(60)) % 256 for a, b in zip(top, bottom, strict=True)) for row in range(3) for _ in range(3)]
    )
    buffer = io.BytesIO()
    small.resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def layer_names() -> list[tuple[str, str, int]]:
    """Name, operator and number of weights of MobileNet V1 0.25."""
    scope = "MobilenetV1/MobilenetV1"
    depth = [(8, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 128), *[(128, 128)] * 5, (128, 256), (256, 256)]
    layers = [(f"{scope}/Conv2d_0/Relu6;batchnorm", "CONV_2D", 3 * 9 * 8)]
    for index, (inner, outer) in enumerate(depth, 1):
        layers.append((f"{scope}/Conv2d_{index}_depthwise/Relu6", "DEPTHWISE_CONV_2D", 9 * inner))
        layers.append((f"{scope}/Conv2d_{index}_pointwise/Relu6", "CONV_2D", inner * outer))
    layers.append((f"{scope}/Logits/Conv2d_1c_1x1/BiasAdd", "CONV_2D", 256 * 1001))
    return layers


def tflite(width: int, kind: str, recipe: str, backend: str) -> TFLiteModel:
    """A model of ``width`` bytes a weight; the softmax of a quantized one stays float."""
    ops = [OpFact(index, op, name, kind, weights * width) for index, (name, op, weights) in enumerate(layer_names())]
    total = sum(op.weight_bytes for op in ops)
    ops.append(OpFact(len(ops), "AVERAGE_POOL_2D", "MobilenetV1/Logits/AvgPool_1a/AvgPool", kind))
    quantized = kind == "integer"
    if quantized:
        ops.append(OpFact(len(ops), "DEQUANTIZE", "logits_float", "boundary"))
    reason = "the target's kernel has no int8 softmax over 1001 classes" if quantized else ""
    ops.append(OpFact(len(ops), "SOFTMAX", "MobilenetV1/Predictions/Reshape_1", "float", 0, reason))
    parameters = 84_312 if quantized else 0
    size = SizeFact(total + parameters + 1_820 + 22_004, total, parameters, 1_820, 22_004, int(total * 0.82) + 9_000)
    inputs = TensorFact("input", (1, 224, 224, 3), "int8" if quantized else "float32", 0.0078125 if quantized else 0.0, -1 if quantized else 0)
    outputs = TensorFact("MobilenetV1/Predictions/Reshape_1", (1, 1001), "float32")
    notes = ("Per-channel scales for 28 layers.",) if quantized else ()
    return TFLiteModel(b"TFL3" + bytes(width), recipe, backend, (inputs,), (outputs,), tuple(ops), size, notes)


def latency_row(name: str, center: float, *, threads: int = 1, xnnpack: bool = True, runtime: str = "tflite", seed: int = 0, converged: bool = True) -> LatencyRow:
    """240 runs around ``center`` milliseconds with a tail."""
    rng = random.Random(seed)
    times = [center * (1 + abs(rng.gauss(0, 0.03)) + (rng.random() ** 24) * 0.9) for _ in range(240)]
    ordered = sorted(times)
    p50, p90, p99 = (ordered[int(240 * share)] for share in (0.5, 0.9, 0.99))
    return LatencyRow(
        name=name, runtime=runtime, threads=threads, xnnpack=xnnpack, runs=240, warmup_runs=5, p50_ms=p50, p90_ms=p90,
        p99_ms=p99, mean_ms=sum(times) / 240, interval=Interval(p50, p50 * 0.996, p50 * 1.005), init_ms=center * 2.1,
        peak_memory_bytes=int(61e6 + center * 1e6), model_memory_bytes=int(4.1e6 + center * 1e6), converged=converged,
        times_ms=tuple(times),
    )  # fmt: skip


def latency(speed: float = 2.31) -> Latency:
    """Optimized is ``speed`` times as fast, in three settings; TensorFlow is timed too."""
    rows, ratios = [], []
    for index, (threads, xnnpack, base) in enumerate(((1, True, 2.14), (2, True, 1.32), (1, False, 6.41))):
        rows.append(latency_row("original", base, threads=threads, xnnpack=xnnpack, seed=index))
        rows.append(latency_row("optimized", base / speed, threads=threads, xnnpack=xnnpack, seed=index + 10, converged=index < 2))
        ratios.append(Ratio("optimized", "original", threads, xnnpack, Interval(speed, speed * 0.97, speed * 1.04)))
    rows.append(latency_row("original", 9.87, runtime="tensorflow", seed=99))
    host = {"cpu": "Cortex-A76", "cores": "4", "os": "Linux 6.6", "python": "3.11.9", "runtime": "ai-edge-litert 2.3.0"}
    return Latency(host, "32 real samples", tuple(rows), tuple(ratios), 19.7, ("CPU frequency scaling was on.",))


def per_class(correct: list[int], count: int, names: tuple[str, ...]) -> tuple[ClassAccuracy, ...]:
    """``count`` samples a class."""
    return tuple(ClassAccuracy(label, names[label], count, one) for label, one in enumerate(correct))


def changed_samples(names: tuple[str, ...], number: int = 24) -> tuple[ChangedSample, ...]:
    """Thirteen turned wrong, eleven right or wrong both times."""
    found = []
    for index in range(number):
        label = (index * 7) % len(names)
        other, third = (label + 3) % len(names), (label + 5) % len(names)
        reference, candidate = (label, other) if index < 13 else (other, label) if index < 22 else (other, third)
        found.append(
            ChangedSample(
                index * 20, f"images/val_{index * 20:05d}.jpg", label, reference, candidate, 0.41 + index / 100,
                0.38 + index / 90, picture(index),
            )  # fmt: skip
        )
    return tuple(found)


def evaluation() -> Evaluation:
    """100 classes of 5 samples, 500 in all: 13 lost, 11 gained or moved."""
    rng = random.Random(3)
    before = [rng.choice((2, 3, 3, 4, 5)) for _ in CLASSES]
    after = [max(0, min(5, one + rng.choice((0,) * 8 + (-1, -1, 1, -2)))) for one in before]
    original = ModelAccuracy("original", Interval(0.646, 0.603, 0.687), Interval(0.85, 0.816, 0.879), per_class=per_class(before, 5, CLASSES))
    optimized = ModelAccuracy("optimized", Interval(0.642, 0.599, 0.683), Interval(0.848, 0.814, 0.877), per_class=per_class(after, 5, CLASSES))
    comparison = Comparison(
        "original", "optimized", 500, Interval(0.952, 0.929, 0.968), Interval(-0.004, -0.016, 0.008), None, 13, 9, 0.5234,
        24.31, 0.99812, 0.3127, 24, changed_samples(CLASSES),
    )  # fmt: skip
    return Evaluation(
        "classification", 500, True, (original, optimized), (comparison,), None, CLASSES, 2, 4.2,
        ("3 pictures were grey and were read as RGB.",),
    )  # fmt: skip


def rewrite() -> Rewrite:
    """Four passes, one of them refused."""
    folded = tuple(f"Conv2d_{index}_pointwise: FusedBatchNormV3 folded into Conv2D" for index in range(1, 14))
    steps = (
        RewriteStep("strip-unused", 812, 640, ("172 nodes are not needed for the output",), (), 0.0, 0.0, 1e-4, 8, 0.04),
        RewriteStep("remove-training-nodes", 640, 611, ("Dropout_1b: Identity removed",), ("input_map/Assert: is a graph output",), 0.0, 0.0, 1e-4, 8, 0.06),
        RewriteStep("fold-batch-norms", 611, 418, folded, ("Conv2d_0: read by two nodes",), 3.1e-7, 4.2e-7, 1e-4, 8, 0.31),
        RewriteStep(
            "fold-constants", 418, 418, (), (), 0.0213, 0.0417, 1e-4, 8, 0.12, True,
            "the outputs differ by 0.0417 relative, tolerance 0.0001", "MobilenetV1/Logits/Squeeze",
        ),
    )  # fmt: skip
    return Rewrite(GRAPH, steps)


def layer_errors() -> tuple[LayerError, ...]:
    """Falling along the depth with one bad layer."""
    rng = random.Random(5)
    values = [41 - index * 0.7 + rng.uniform(-2, 2) for index in range(len(layer_names()))]
    values[3] = 11.83
    return tuple(LayerError(name, op, value) for (name, op, _), value in zip(layer_names(), values, strict=True))


@cache
def realistic() -> Report:
    """Everything measured."""
    errors = layer_errors()
    source = SourceModel(
        "models/mobilenet_v1_0.25_224/frozen.pb", "frozen-graph", "Frozen GraphDef with 812 nodes", "9f" * 32, 2_046_112,
        GRAPH, notes=("Input 'input' and output 'MobilenetV1/Predictions/Reshape_1' were guessed.",),
    )  # fmt: skip
    steps = (
        StepFact("load", 0.41, True, {"format": "frozen-graph"}, {"nodes": 812}),
        StepFact("rewrite", 1.12, False, {"passes": ["strip-unused"], "tolerance": 1e-4}, {"nodes_after": 418}),
        StepFact("convert", 0.44, False, {}, {"bytes": 1_926_356}),
        StepFact("calibrate", 2.61, False, {"every": 50}, {"samples": 500}),
        StepFact("quantize", 0.05, False, {"recipe": "int8"}, {"backend": "mlir_quantize"}),
        StepFact("evaluate", 4.2, False, {"workers": 2}, {"samples": 500}),
        StepFact("benchmark", 19.7, False, {"time_budget": 20.0}, {}),
    )
    return Report(
        command="tfmobile optimize models/mobilenet_v1_0.25_224/frozen.pb --recipe int8 --data val/ "
        "--calibrate-with calibration/ --mean 127.5 --std 127.5 -o build",
        created="2026-11-24 06:31 UTC",
        versions={"tfmobile": "0.1.0", "tensorflow": "2.21.0", "ai-edge-litert": "2.3.0", "python": "3.11.9"},
        source=source,
        recipe={"name": "int8", "summary": "Integer-only: int8 weights per channel, int8 activations per tensor."},
        target="cpu",
        rewrite=rewrite(),
        calibration=Calibration(
            {f"tensor_{index}": (-1.5, 6.0) for index in range(64)}, 500, "calibration/", False, ("2 pictures were skipped.",)
        ),
        original=tflite(4, "float", "float32", "TFLiteConverter"),
        optimized=tflite(1, "integer", "int8", "mlir_quantize"),
        load_test=LoadTest("ai-edge-litert 2.3.0", 3.4, 8, True),
        differences=(
            Difference("rewritten graph", 8, 3.1e-7, 4.2e-7, 131.2),
            Difference("float .tflite", 8, 2.4e-6, 3.3e-6, 118.7),
            Difference("optimized .tflite", 8, 0.0412, 0.0731, 24.9),
        ),
        layer_errors=errors,
        evaluation=evaluation(),
        latency=latency(),
        preprocessing={"resize": [224, 224], "central_crop": 0.875, "mean": [127.5], "std": [127.5], "color": "rgb", "layout": "nhwc"},
        steps=steps,
        notes=("Latency was not measured on a phone: this is the host's CPU.",),
        out="build",
    )


@cache
def minimal() -> Report:
    """Random calibration, no evaluation, no latency, no rewrite."""
    return dataclasses.replace(
        realistic(),
        command="tfmobile optimize model.tflite --calibrate-with random -o build",
        source=SourceModel("model.tflite", "tflite", "Float .tflite", "ab" * 32, 1_926_356, tflite=b"TFL3"),
        rewrite=None,
        calibration=Calibration({"x": (-1.0, 1.0)}, 100, "random numbers, uniform −1 to 1", random=True),
        differences=(),
        layer_errors=(),
        evaluation=None,
        latency=None,
        preprocessing={},
        steps=(StepFact("quantize", 0.05, False),),
        notes=("Accuracy was not measured: no --data was given.", "Latency was not measured: --no-benchmark was given."),
    )


@cache
def slower() -> Report:
    """Smaller, but slower and less accurate."""
    report = realistic()
    assert report.evaluation is not None
    worse = dataclasses.replace(report.evaluation.comparisons[0], top1_change=Interval(-0.036, -0.05, -0.022))
    return dataclasses.replace(
        report, latency=latency(0.71), evaluation=dataclasses.replace(report.evaluation, comparisons=(worse,))
    )


@cache
def ten_classes() -> Report:
    """Digits: confusion matrices, and classes large enough for points."""
    names = tuple("zero one two three four five six seven eight nine".split())
    rng = random.Random(8)

    def matrix(errors: int) -> tuple[tuple[int, ...], ...]:
        rows = []
        for label in range(10):
            row = [0] * 10
            for _ in range(rng.randrange(errors)):
                row[rng.choice([one for one in range(10) if one != label])] += 1
            row[label] = 50 - sum(row)
            rows.append(tuple(row))
        return tuple(rows)

    first, second = matrix(4), matrix(9)
    rights = [[row[index] for index, row in enumerate(one)] for one in (first, second)]
    share = [sum(one) / 500 for one in rights]
    models = tuple(
        ModelAccuracy(name, Interval(value, value - 0.015, value + 0.012), None, per_class=per_class(right, 50, names), confusion=table)
        for name, value, right, table in zip(("original", "optimized"), share, rights, (first, second), strict=True)
    )
    change = share[1] - share[0]
    comparison = Comparison(
        "original", "optimized", 500, Interval(0.97, 0.951, 0.982), Interval(change, change - 0.014, change + 0.013), None,
        19, 4, 0.0026, 27.5, 0.9994, 0.21, 24, changed_samples(names),
    )  # fmt: skip
    found = Evaluation("classification", 500, True, models, (comparison,), None, names, 2, 0.8)
    return dataclasses.replace(
        realistic(), source=dataclasses.replace(realistic().source, path="sample_models/digits/digits.keras", format="keras3"), evaluation=found
    )


def hostile(text: str) -> Report:
    """``text`` wherever a user or a foreign file can put any."""
    report = realistic()
    assert report.evaluation is not None
    comparison = report.evaluation.comparisons[0]
    changed = tuple(
        dataclasses.replace(one, name=text, thumbnail=f"data:image/png;base64,AAAA\"><b>{text}") for one in comparison.changed
    )
    models = tuple(
        dataclasses.replace(model, name=model.name, per_class=tuple(dataclasses.replace(one, name=text) for one in model.per_class))
        for model in report.evaluation.models
    )
    found = dataclasses.replace(
        report.evaluation, class_names=(text,) * 100, models=models, notes=(text,),
        comparisons=(dataclasses.replace(comparison, changed=changed),), metric_name=text,
    )  # fmt: skip
    ops = tuple(dataclasses.replace(op, output=text + str(op.index), op=text, reason=text) for op in report.optimized.ops)
    everything: dict[str, Any] = {
        "command": text, "created": text, "versions": {text: text}, "target": text, "notes": (text,), "out": text,
        "recipe": {"name": text, "summary": text}, "evaluation": found,
        "source": dataclasses.replace(report.source, path=f"a/{text}", summary=text, notes=(text,)),
        "optimized": dataclasses.replace(report.optimized, ops=ops, notes=(text,), backend=text),
        "layer_errors": tuple(dataclasses.replace(one, name=text, op=text) for one in report.layer_errors),
        "preprocessing": {"color": text},
        "steps": (StepFact(text, 1.0, False, {text: text}, {text: text}),),
    }  # fmt: skip
    return dataclasses.replace(report, **everything)
