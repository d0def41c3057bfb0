"""Throughput of ``tfmobile.evaluation.evaluate`` against one plain Interpreter loop, on real models and pictures.

Both decode, preprocess and invoke the same pictures and take the best class. The loop is timed without its imports and
without opening the model's file; evaluate with everything, the start of its processes included. Repetitions are
interleaved, every one in a fresh process, so that drift of the machine cancels; the ratio is that of the medians.

    python benchmarks/evaluate_throughput.py [--repeat 5] [--limit 500] [--models DIR]

Needs the real models and data (environment variable TFMOBILE_SHARED, default ../shared) and TensorFlow to make the
.tflite files, which are kept in --models.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TFMOBILE_SHARED", ROOT.parent / "shared")) / "data"
PICTURES = DATA / "datasets" / "imagenet_val_500"
# Name: how to make it, mean, std.
MODELS = {
    "mobilenet-v1-0.25-float": ("mobilenet", False, 127.5, 127.5),
    "mobilenet-v1-0.25-int8": ("mobilenet", True, 127.5, 127.5),
    "efficientnet-lite0-float": ("efficientnet", False, 127.0, 128.0),
    "efficientnet-lite0-int8": ("efficientnet", True, 127.0, 128.0),
}
WAYS = ("loop, 1 thread", "loop, 2 threads", "evaluate")


def make_model(name: str, folder: Path) -> Path:
    """The .tflite of MODELS[name] in ``folder``, converted with plain TFLiteConverter when it is not there."""
    path = folder / f"{name}.tflite"
    if path.exists():
        return path
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    source, quantized, mean, std = MODELS[name]
    if source == "mobilenet":
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(DATA / "models" / "mobilenet_v1_0.25_224" / "saved_model_v1")
        )
    else:
        model = tf.keras.models.load_model(DATA / "models" / "efficientnet_lite0" / "model.keras", compile=False)
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        pictures = sorted((DATA / "datasets" / "imagenet_calibration_500" / "images").iterdir())[:100]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [((np.asarray(Image.open(picture).convert("RGB"), np.float32) - mean) / std)[None]] for picture in pictures
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(converter.convert())
    return path


def run_loop(model: Path, mean: float, std: float, limit: int, threads: int) -> tuple[float, float]:
    """Seconds and top-1 of a plain loop over the pictures."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL import Image

    rows = [line.rsplit(",", 1) for line in (PICTURES / "labels.csv").read_text().splitlines()[1:]][:limit]
    content = model.read_bytes()
    start = time.perf_counter()
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = into["quantization"]
    right = 0
    for file, label in rows:
        pixels = np.asarray(Image.open(PICTURES / file).convert("RGB"))
        values = (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)
        if scale:
            values = np.clip(np.round(values / np.float32(scale)) + np.float32(zero_point), -128, 127).astype(np.int8)
        interpreter.set_tensor(into["index"], values[None])
        interpreter.invoke()
        right += int(interpreter.get_tensor(out["index"]).argmax()) == int(label)
    return time.perf_counter() - start, right / len(rows)


def run_evaluate(model: Path, mean: float, std: float, limit: int) -> tuple[float, float]:
    """Seconds and top-1 of ``evaluate``, which spreads the samples over all cores."""
    from tfmobile.artifacts import NamedModel
    from tfmobile.datasets import DataSpec, Preprocessing
    from tfmobile.evaluation import evaluate

    spec = DataSpec(str(PICTURES), Preprocessing(mean=(mean,), std=(std,)), limit=limit)
    content = model.read_bytes()
    start = time.perf_counter()
    found = evaluate([NamedModel("model", content)], spec)
    assert found.models[0].top1 is not None
    return time.perf_counter() - start, found.models[0].top1.value


def measure(way: str, name: str, folder: Path, limit: int) -> tuple[float, float]:
    """One repetition in a fresh process."""
    command = [sys.executable, __file__, "--one", way, "--name", name, "--models", str(folder), "--limit", str(limit)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, top1 = json.loads(done.stdout.splitlines()[-1])
    return seconds, top1


def one(way: str, name: str, folder: Path, limit: int) -> tuple[float, float]:
    """What the fresh process does."""
    _, _, mean, std = MODELS[name]
    model = make_model(name, folder)
    if way == "evaluate":
        return run_evaluate(model, mean, std, limit)
    return run_loop(model, mean, std, limit, threads=2 if "2" in way else 1)


def main() -> None:
    """Print a table, and the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "tfmobile-benchmark-models")
    parser.add_argument("--name", choices=MODELS, action="append")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.name[0], options.models, options.limit)))
        return
    if not PICTURES.is_dir():
        sys.exit(f"The pictures are not on this machine ({PICTURES}); set TFMOBILE_SHARED.")
    ratios = {}
    for name in options.name or MODELS:
        make = [sys.executable, __file__, "--one", WAYS[0], "--name", name, "--models", str(options.models)]
        subprocess.run([*make, "--limit", "2"], check=True, capture_output=True)
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        top1: dict[str, float] = {}
        for _ in range(options.repeat):
            for way in WAYS:
                seconds, top1[way] = measure(way, name, options.models, options.limit)
                times[way].append(seconds)
        median = {way: statistics.median(values) for way, values in times.items()}
        print(name)
        for way in WAYS:
            rate, gain = options.limit / median[way], median[WAYS[0]] / median[way]
            print(f"  {way:16} {rate:8.0f} samples/s   {gain:5.2f} x   top-1 {100 * top1[way]:.1f} %", flush=True)
        ratios[name] = {way: round(median[way] / median["evaluate"], 3) for way in WAYS[:2]}
    print(json.dumps({"evaluate_over": ratios}))


if __name__ == "__main__":
    main()
