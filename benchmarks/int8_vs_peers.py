"""int8 by tfmobile against plain TFLiteConverter and litert-quantizer: accuracy, agreement, size, latency, time.

Every case is one model with calibration samples and other, labelled samples. All ways calibrate on the same samples
with the same preprocessing; all results are judged in one ``tfmobile.evaluate`` against the float model, and timed
interleaved in one ``tfmobile.benchmark``.

    python benchmarks/int8_vs_peers.py CASE… [--recipes int8-fast,int8,int8-best] [--out DIR] [--no-latency]

CASE: mobilenet, mobilenet-per-tensor, efficientnet, efficientnet-per-tensor, ds-cnn, kws, resnet8. Writes
DIR/<case>.json and prints a table. Needs the real models and data (TFMOBILE_SHARED, default ../shared).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TFMOBILE_SHARED", ROOT.parent / "shared")) / "data"


@dataclass(frozen=True)
class Case:
    """``options`` are those of ``tfmobile.optimize``; paths are relative to the data."""

    model: str
    data: str
    calibrate_with: str
    options: dict[str, Any] = field(default_factory=dict)
    recipes: tuple[str, ...] = ("int8-fast", "int8", "int8-best")
    per_tensor: bool = False


PICTURES = {"data": "datasets/imagenet_val_500", "calibrate_with": "datasets/imagenet_calibration_500"}
MOBILENET = "models/mobilenet_v1_0.25_224/frozen.pb"
EFFICIENTNET = "models/efficientnet_lite0/model.keras"
PER_TENSOR = ("int8-per-tensor-fast", "int8-per-tensor", "int8-per-tensor-best")
CASES = {
    "mobilenet": Case(MOBILENET, **PICTURES, options={"mean": 127.5, "std": 127.5}),
    "mobilenet-per-tensor": Case(
        MOBILENET, **PICTURES, options={"mean": 127.5, "std": 127.5}, recipes=PER_TENSOR, per_tensor=True
    ),
    "efficientnet": Case(EFFICIENTNET, **PICTURES, options={"mean": 127, "std": 128}),
    "efficientnet-per-tensor": Case(
        EFFICIENTNET, **PICTURES, options={"mean": 127, "std": 128}, recipes=PER_TENSOR, per_tensor=True
    ),
    "ds-cnn": Case(
        "models/kws_ds_cnn/DS_CNN_S.pb",
        "datasets/speech_mfcc_test_1200.npz",
        "datasets/speech_mfcc_calibration_300.npz",
        {"input": ["Mfcc"], "output": ["labels_softmax"]},
    ),
    "kws": Case("models/mlperf_tiny/kws_ref_model", "datasets/kws01_mfcc_float.npz", "datasets/kws01_mfcc_float.npz"),
    "resnet8": Case(
        "models/mlperf_tiny/resnet8_cifar10.h5",
        "datasets/cifar10_test_2000.npz",
        "datasets/cifar10_calibration_500.npz",
    ),
}


@dataclass(frozen=True)
class Made:
    """A .tflite of one way. ``seconds``: from the command to the file, without evaluation."""

    name: str
    path: Path
    seconds: float
    facts: dict[str, Any]


def by_tfmobile(case: Case, recipe: str, folder: Path) -> Made:
    """``tfmobile.optimize`` without evaluation and benchmark, into an empty folder."""
    import tfmobile

    start = time.perf_counter()
    report = tfmobile.optimize(
        DATA / case.model,
        recipe=recipe,
        calibrate_with=str(DATA / case.calibrate_with),
        out=str(folder / recipe),
        evaluate=False,
        benchmark=False,
        **case.options,
    )
    seconds = time.perf_counter() - start
    facts: dict[str, Any] = {"notes": list(report.notes), "left_float": len(report.optimized.left_float)}
    if report.improvement is not None:
        facts["simulation_agreement"] = report.improvement.simulation_agreement
        facts["steps"] = [
            {"name": step.name, "kept": step.kept, "reason": step.reason, "seconds": step.seconds}
            for step in report.improvement.steps
        ]
    return Made(recipe, folder / recipe / "model.tflite", seconds, facts)


def by_converter(case: Case, folder: Path) -> Made:
    """What somebody without tfmobile would write: TFLiteConverter on the frozen graph, with representative samples."""
    import tensorflow as tf

    import tfmobile

    frozen = folder / "converter.pb"
    source = tfmobile.freeze(DATA / case.model, out=str(frozen), **_opening(case))
    assert source.graph is not None
    inputs = {spec.ref.node: [size or 1 for size in spec.shape or ()] for spec in source.graph.inputs}
    outputs = [spec.ref.node for spec in source.graph.outputs]
    feeds = list(calibration(case, frozen, list(inputs), outputs))
    start = time.perf_counter()
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(str(frozen), list(inputs), outputs, inputs)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (list(feed.values()) for feed in feeds)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel = case.per_tensor
    converter._experimental_disable_per_channel_quantization_for_dense_layers = case.per_tensor
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return _made("TFLiteConverter", converter.convert(), start, folder)


def by_litert_quantizer(case: Case, floating: Path, folder: Path) -> Made:
    """Its static int8 recipe on the float .tflite, calibrated on the same samples in the order of the data."""
    from litert_quantizer import quantizer, recipe

    import tfmobile.runtime as runtime

    content = floating.read_bytes()
    feeds = list(calibration(case, floating, (), ()))
    start = time.perf_counter()
    work = quantizer.Quantizer(bytearray(content))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    statistics = work.calibrate({"serving_default": feeds}, num_threads=2)
    result = work.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    assert runtime.describe(bytes(result.quantized_model)).inputs
    return _made("litert-quantizer", bytes(result.quantized_model), start, folder)


def calibration(case: Case, model: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The calibration samples, preprocessed, by input key."""
    from tfmobile.plan import make_plan
    from tfmobile.steps.context import input_facts, some_feeds
    from tfmobile.steps.opening import open_source

    options = {key: value for key, value in case.options.items() if key not in ("input", "output")}
    path = str(DATA / case.calibrate_with)
    plan = make_plan(None, {**options, "model": str(model), "input": inputs, "output": outputs}, discover=False)
    yield from some_feeds(plan, path, input_facts(open_source(str(model), plan.model, False)), 10**6)


def _opening(case: Case) -> dict[str, Any]:
    return {key: value for key, value in case.options.items() if key in ("input", "output")}


def _made(name: str, content: bytes, start: float, folder: Path) -> Made:
    seconds = time.perf_counter() - start
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    return Made(name, path, seconds, {})


def measure(case: Case, recipes: Sequence[str], folder: Path, latency: bool) -> dict[str, Any]:
    """All ways on one case."""
    from tfmobile.artifacts import NamedModel
    from tfmobile.benchmarking import benchmark
    from tfmobile.evaluation import evaluate
    from tfmobile.plan import make_plan

    floating = by_tfmobile(case, "float32", folder)
    made = [floating, by_converter(case, folder)]
    if not case.per_tensor:
        made.append(by_litert_quantizer(case, floating.path, folder))
    made += [by_tfmobile(case, recipe, folder) for recipe in recipes]
    models = [NamedModel(one.name, one.path.read_bytes()) for one in made]
    plan = make_plan(None, {key: value for key, value in case.options.items() if key in ("mean", "std")})
    found = evaluate(models, plan.data_spec(str(DATA / case.data)))
    timed = benchmark(models, time_budget_s=60.0) if latency else None
    return {
        "samples": found.samples,
        "rows": [_row(one, found, timed) for one in made],
    }


def _row(one: Made, found: Any, timed: Any) -> dict[str, Any]:
    accuracy = next(model for model in found.models if model.name == one.name)
    against = next((pair for pair in found.comparisons if pair.candidate == one.name), None)
    ratio = next((item for item in timed.ratios if item.name == one.name), None) if timed is not None else None
    return {
        "name": one.name,
        "top1": accuracy.top1.value,
        "change": _interval(against.top1_change) if against else None,
        "agreement": _interval(against.agreement) if against else None,
        "bytes": one.path.stat().st_size,
        "seconds": one.seconds,
        "speed_against_float": _interval(ratio.value) if ratio is not None else None,
        **one.facts,
    }


def _interval(found: Any) -> list[float] | None:
    return None if found is None else [found.value, found.low, found.high]


def print_table(name: str, result: dict[str, Any]) -> None:
    """For people, and for a page."""
    print(f"\n{name}, {result['samples']} samples")
    print("| way | top-1 % | change, points (95 %) | agreement % (95 %) | bytes | seconds | speed, float = 1 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in result["rows"]:
        change, agreement, speed = (row[key] for key in ("change", "agreement", "speed_against_float"))
        cells = [
            row["name"],
            f"{100 * row['top1']:.2f}",
            f"{100 * change[0]:+.2f} ({100 * change[1]:+.2f} to {100 * change[2]:+.2f})" if change else "",
            f"{100 * agreement[0]:.1f} ({100 * agreement[1]:.1f} to {100 * agreement[2]:.1f})" if agreement else "",
            f"{row['bytes']:,}",
            f"{row['seconds']:.0f}",
            f"{speed[0]:.2f} ({speed[1]:.2f} to {speed[2]:.2f})" if speed else "",
        ]
        print("| " + " | ".join(cells) + " |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cases named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=sorted(CASES), metavar="CASE")
    parser.add_argument("--recipes", help="comma list; default: those of the case")
    parser.add_argument("--out", type=Path, default=Path("int8_results"))
    parser.add_argument("--no-latency", action="store_true")
    options = parser.parse_args(arguments)
    if not DATA.is_dir():
        parser.error(f"{DATA} is not there; set TFMOBILE_SHARED")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.cases:
        case = CASES[name]
        recipes = options.recipes.split(",") if options.recipes else case.recipes
        with tempfile.TemporaryDirectory(prefix="tfmobile-benchmark-") as folder:
            result = measure(case, recipes, Path(folder), not options.no_latency)
        (options.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        print_table(name, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
