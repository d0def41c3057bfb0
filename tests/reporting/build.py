"""Whole reports made by hand: a MobileNet-like one, a ten-class one, a slower one, a minimal one, a regression."""

from __future__ import annotations

import dataclasses
import random
from functools import cache
from typing import Any

from tests.reporting.parts import (
    GRAPH,
    changed_samples,
    evaluation,
    latency,
    latency_row,
    layer_names,
    per_class,
    tflite,
)
from tfmobile.artifacts import (
    Calibration,
    Comparison,
    Difference,
    Evaluation,
    Fidelity,
    Improvement,
    ImprovementStep,
    Interval,
    LayerError,
    LoadTest,
    ModelAccuracy,
    Report,
    Rewrite,
    RewriteStep,
    SourceModel,
    StepFact,
)


def rewrite() -> Rewrite:
    """Four passes, one of them refused."""
    folded = tuple(f"Conv2d_{index}_pointwise: FusedBatchNormV3 folded into Conv2D" for index in range(1, 14))
    steps = (
        RewriteStep(
            "strip-unused", 812, 640, ("172 nodes are not needed for the output",), (), 0.0, 0.0, 1e-4, 8, 0.04
        ),
        RewriteStep(
            "remove-training-nodes",
            640,
            611,
            ("Dropout_1b: Identity removed",),
            ("input_map/Assert: is a graph output",),
            0.0,
            0.0,
            1e-4,
            8,
            0.06,
        ),
        RewriteStep(
            "fold-batch-norms", 611, 418, folded, ("Conv2d_0: read by two nodes",), 3.1e-7, 4.2e-7, 1e-4, 8, 0.31
        ),
        RewriteStep(
            "fold-constants",
            418,
            418,
            (),
            (),
            0.0213,
            0.0417,
            1e-4,
            8,
            0.12,
            True,
            "the outputs differ by 0.0417 relative, tolerance 0.0001",
            "MobilenetV1/Logits/Squeeze",
        ),
    )
    return Rewrite(GRAPH, steps)


def improvement() -> Improvement:
    """Three tried, two kept."""
    plain, pooled = Fidelity(125, 0.824, 0.41, 8.1), Fidelity(125, 0.832, 0.39, 8.3)
    corrected = Fidelity(125, 0.952, 0.031, 19.7)
    sentence = "The divergence from the float answers falls from 0.39 to 0.031 nats."
    return Improvement(
        steps=(
            ImprovementStep("own-range-pools", True, "It helps.", ("Pool 'pool' is a Mean.",), (), plain, pooled, 1.2),
            ImprovementStep("equalize", False, "It does not help.", (), ("'conv' ends in Relu6.",), pooled, plain, 3.4),
            ImprovementStep("correct-bias", True, sentence, ("27 biases.",), (), pooled, corrected, 2.9),
        ),
        fitted_on=375,
        held_back=125,
        simulation_agreement=1.0,
        set_aside=("Sample 'noise.jpg' was set aside: its largest value is 40 times that of the others.",),
    )


def layer_errors() -> tuple[LayerError, ...]:
    """Falling along the depth with one bad layer."""
    rng = random.Random(5)
    values = [41 - index * 0.7 + rng.uniform(-2, 2) for index in range(len(layer_names()))]
    values[3] = 11.83
    return tuple(LayerError(name, op, value) for (name, op, _), value in zip(layer_names(), values, strict=True))


__all__ = ["evaluation", "latency", "latency_row"]


@cache
def realistic() -> Report:
    """Everything measured."""
    errors = layer_errors()
    source = SourceModel(
        "models/mobilenet_v1_0.25_224/frozen.pb",
        "frozen-graph",
        "Frozen GraphDef with 812 nodes",
        "9f" * 32,
        2_046_112,
        GRAPH,
        notes=("Input 'input' and output 'MobilenetV1/Predictions/Reshape_1' were guessed.",),
    )
    steps = (
        StepFact("load", 0.41, True, {"format": "frozen-graph"}, {"nodes": 812}),
        StepFact("rewrite", 1.12, False, {"passes": ["strip-unused"], "tolerance": 1e-4}, {"nodes_after": 418}),
        StepFact("convert", 0.44, False, {}, {"bytes": 1_926_356}),
        StepFact("calibrate", 2.61, False, {"every": 50}, {"samples": 500}),
        StepFact("quantize", 0.05, False, {"recipe": "int8"}, {"backend": "mlir_quantize"}),
        StepFact("evaluate", 4.2, False, {"workers": 2}, {"samples": 500}),
        StepFact("benchmark", 19.7, False, {"latency_budget": 20.0}, {}),
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
            {f"tensor_{index}": (-1.5, 6.0) for index in range(64)},
            500,
            "calibration/",
            False,
            ("2 pictures were skipped.",),
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
        preprocessing={
            "resize": [224, 224],
            "central_crop": 0.875,
            "mean": [127.5],
            "std": [127.5],
            "color": "rgb",
            "layout": "nhwc",
        },
        steps=steps,
        notes=("Latency was not measured on a phone: this is the host's CPU.",),
        out="build",
        improvement=improvement(),
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
        improvement=None,
        steps=(StepFact("quantize", 0.05, False),),
        notes=(
            "Accuracy was not measured: no --data was given.",
            "Latency was not measured: --no-benchmark was given.",
        ),
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
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
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
        ModelAccuracy(
            name,
            Interval(value, value - 0.015, value + 0.012),
            None,
            per_class=per_class(right, 50, names),
            confusion=table,
        )
        for name, value, right, table in zip(("original", "optimized"), share, rights, (first, second), strict=True)
    )
    change = share[1] - share[0]
    comparison = Comparison(
        "original",
        "optimized",
        500,
        Interval(0.97, 0.951, 0.982),
        Interval(change, change - 0.014, change + 0.013),
        None,
        19,
        4,
        0.0026,
        27.5,
        0.9994,
        0.21,
        24,
        changed_samples(names),
    )
    found = Evaluation("classification", 500, True, models, (comparison,), None, names, 2, 0.8)
    return dataclasses.replace(
        realistic(),
        source=dataclasses.replace(realistic().source, path="sample_models/digits/digits.keras", format="keras3"),
        evaluation=found,
    )


def hostile(text: str) -> Report:
    """``text`` wherever a user or a foreign file can put any."""
    report = realistic()
    assert report.evaluation is not None
    comparison = report.evaluation.comparisons[0]
    changed = tuple(
        dataclasses.replace(one, name=text, thumbnail=f'data:image/png;base64,AAAA"><b>{text}')
        for one in comparison.changed
    )
    models = tuple(
        dataclasses.replace(
            model, name=model.name, per_class=tuple(dataclasses.replace(one, name=text) for one in model.per_class)
        )
        for model in report.evaluation.models
    )
    found = dataclasses.replace(
        report.evaluation,
        class_names=(text,) * 100,
        models=models,
        notes=(text,),
        comparisons=(dataclasses.replace(comparison, changed=changed),),
        metric_name=text,
    )
    ops = tuple(
        dataclasses.replace(op, output=text + str(op.index), op=text, reason=text) for op in report.optimized.ops
    )
    everything: dict[str, Any] = {
        "command": text,
        "created": text,
        "versions": {text: text},
        "target": text,
        "notes": (text,),
        "out": text,
        "recipe": {"name": text, "summary": text},
        "evaluation": found,
        "source": dataclasses.replace(report.source, path=f"a/{text}", summary=text, notes=(text,)),
        "optimized": dataclasses.replace(report.optimized, ops=ops, notes=(text,), backend=text),
        "layer_errors": tuple(dataclasses.replace(one, name=text, op=text) for one in report.layer_errors),
        "preprocessing": {"color": text},
        "steps": (StepFact(text, 1.0, False, {text: text}, {text: text}),),
    }
    return dataclasses.replace(report, **everything)
