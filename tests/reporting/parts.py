"""Pieces of the hand-made reports: models, layers, pictures, measurements."""

from __future__ import annotations

import base64
import io
import random

from PIL import Image

from tfmobile.artifacts import (
    ChangedSample,
    ClassAccuracy,
    Comparison,
    Evaluation,
    Interval,
    Latency,
    LatencyRow,
    ModelAccuracy,
    OpFact,
    Ratio,
    SizeFact,
    TensorFact,
    TFLiteModel,
)
from tfmobile.graph.model import Graph, Node, TensorRef, TensorSpec

ANIMALS = (
    "tench",
    "goldfish",
    "great white shark",
    "hammerhead",
    "electric ray",
    "cock",
    "hen",
    "ostrich",
    "brambling",
    "goldfinch",
    "house finch",
    "junco",
    "indigo bunting",
    "robin",
    "bulbul",
    "jay",
    "magpie",
    "chickadee",
    "water ouzel",
    "kite",
    "bald eagle",
    "vulture",
    "great grey owl",
    "European fire salamander",
    "common newt",
)
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
        [
            tuple((a + (b - a) * row // 2 + rng.randrange(60)) % 256 for a, b in zip(top, bottom, strict=True))
            for row in range(3)
            for _ in range(3)
        ]
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
    inputs = TensorFact(
        "input",
        (1, 224, 224, 3),
        "int8" if quantized else "float32",
        0.0078125 if quantized else 0.0,
        -1 if quantized else 0,
    )
    outputs = TensorFact("MobilenetV1/Predictions/Reshape_1", (1, 1001), "float32")
    notes = ("Per-channel scales for 28 layers.",) if quantized else ()
    return TFLiteModel(b"TFL3" + bytes(width), recipe, backend, (inputs,), (outputs,), tuple(ops), size, notes)


def latency_row(
    name: str,
    center: float,
    *,
    threads: int = 1,
    xnnpack: bool = True,
    runtime: str = "tflite",
    seed: int = 0,
    converged: bool = True,
) -> LatencyRow:
    """240 runs around ``center`` milliseconds with a tail."""
    rng = random.Random(seed)
    times = [center * (1 + abs(rng.gauss(0, 0.03)) + (rng.random() ** 24) * 0.9) for _ in range(240)]
    ordered = sorted(times)
    p50, p90, p99 = (ordered[int(240 * share)] for share in (0.5, 0.9, 0.99))
    return LatencyRow(
        name=name,
        runtime=runtime,
        threads=threads,
        xnnpack=xnnpack,
        runs=240,
        warmup_runs=5,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        mean_ms=sum(times) / 240,
        interval=Interval(p50, p50 * 0.996, p50 * 1.005),
        init_ms=center * 2.1,
        peak_memory_bytes=int(61e6 + center * 1e6),
        model_memory_bytes=int(4.1e6 + center * 1e6),
        converged=converged,
        times_ms=tuple(times),
    )


def latency(speed: float = 2.31) -> Latency:
    """Optimized is ``speed`` times as fast, in three settings; TensorFlow is timed too."""
    rows, ratios = [], []
    for index, (threads, xnnpack, base) in enumerate(((1, True, 2.14), (2, True, 1.32), (1, False, 6.41))):
        rows.append(latency_row("original", base, threads=threads, xnnpack=xnnpack, seed=index))
        rows.append(
            latency_row(
                "optimized", base / speed, threads=threads, xnnpack=xnnpack, seed=index + 10, converged=index < 2
            )
        )
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
                index * 20,
                f"images/val_{index * 20:05d}.jpg",
                label,
                reference,
                candidate,
                0.41 + index / 100,
                0.38 + index / 90,
                picture(index),
            )
        )
    return tuple(found)


def evaluation() -> Evaluation:
    """100 classes of 5 samples, 500 in all: 13 lost, 11 gained or moved."""
    rng = random.Random(3)
    before = [rng.choice((2, 3, 3, 4, 5)) for _ in CLASSES]
    after = [max(0, min(5, one + rng.choice((0,) * 8 + (-1, -1, 1, -2)))) for one in before]
    original = ModelAccuracy(
        "original", Interval(0.646, 0.603, 0.687), Interval(0.85, 0.816, 0.879), per_class=per_class(before, 5, CLASSES)
    )
    optimized = ModelAccuracy(
        "optimized",
        Interval(0.642, 0.599, 0.683),
        Interval(0.848, 0.814, 0.877),
        per_class=per_class(after, 5, CLASSES),
    )
    comparison = Comparison(
        "original",
        "optimized",
        500,
        Interval(0.952, 0.929, 0.968),
        Interval(-0.004, -0.016, 0.008),
        None,
        13,
        9,
        0.5234,
        24.31,
        0.99812,
        0.3127,
        24,
        changed_samples(CLASSES),
    )
    return Evaluation(
        "classification",
        500,
        True,
        (original, optimized),
        (comparison,),
        None,
        CLASSES,
        2,
        4.2,
        ("3 pictures were grey and were read as RGB.",),
    )
