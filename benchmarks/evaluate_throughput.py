"""Throughput of ``tfmobile.evaluation.evaluate`` against one plain Interpreter loop, on real models and pictures.

Both decode, preprocess and invoke the same pictures and take the best class. Throughput is that of the work itself: the
loop is timed without its imports, evaluate from the moment its processes are ready ("with start" says what the start
adds). Repetitions are interleaved, every one in a fresh process, so that drift of the machine cancels; ratios are those
of the medians. "Two loops" is what the machine can do at best: two plain loops at once, each with half of the pictures.

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
WAYS = ("loop, 1 thread", "loop, 2 threads", "two loops", "evaluate")
BASE = WAYS[0]


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


def rows(limit: int) -> list[list[str]]:
    """File and label of the first pictures, over again if there are fewer."""
    found = [line.rsplit(",", 1) for line in (PICTURES / "labels.csv").read_text().splitlines()[1:]]
    return [found[index % len(found)] for index in range(limit)]


def run_loop(model: Path, mean: float, std: float, part: list[list[str]], threads: int) -> tuple[float, float]:
    """Seconds and top-1 of a plain loop over the pictures of ``part``."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL import Image

    interpreter = Interpreter(model_content=model.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = into["quantization"]
    right = 0
    start = time.perf_counter()
    for file, label in part:
        pixels = np.asarray(Image.open(PICTURES / file).convert("RGB"))
        values = (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)
        if scale:
            values = np.clip(np.round(values / np.float32(scale)) + np.float32(zero_point), -128, 127).astype(np.int8)
        interpreter.set_tensor(into["index"], values[None])
        interpreter.invoke()
        right += int(interpreter.get_tensor(out["index"]).argmax()) == int(label)
    return time.perf_counter() - start, right / len(part)


def run_evaluate(model: Path, mean: float, std: float, limit: int) -> tuple[float, float, float]:
    """Seconds of work, top-1, and seconds with the start of ``evaluate``, which spreads the samples over all cores."""
    from tfmobile.artifacts import NamedModel
    from tfmobile.datasets import DataSpec, Preprocessing
    from tfmobile.evaluation import evaluate

    began = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if done == 0:
            began.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        lines = ["file,label", *(f"{PICTURES / file},{label}" for file, label in rows(limit))]
        (Path(folder) / "labels.csv").write_text("\n".join(lines))
        spec = DataSpec(folder, Preprocessing(mean=(mean,), std=(std,)))
        content = model.read_bytes()
        start = time.perf_counter()
        found = evaluate([NamedModel("model", content)], spec, progress=progress)
        end = time.perf_counter()
    assert found.models[0].top1 is not None
    return end - began[0], found.models[0].top1.value, end - start


def measure(way: str, name: str, folder: Path, limit: int) -> list[float]:
    """Seconds of work, top-1 and seconds with start of one repetition in a fresh process (of two for two loops)."""
    command = [sys.executable, __file__, "--name", name, "--models", str(folder), "--limit", str(limit), "--one"]
    ways = ("half 1", "half 2") if way == "two loops" else (way,)
    children = [subprocess.Popen([*command, one], stdout=subprocess.PIPE, text=True) for one in ways]
    answers = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    return [max(answer[0] for answer in answers), statistics.mean(answer[1] for answer in answers), answers[0][-1]]


def one(way: str, name: str, folder: Path, limit: int) -> tuple[float, ...]:
    """What the fresh process does."""
    _, _, mean, std = MODELS[name]
    model = make_model(name, folder)
    if way == "evaluate":
        return run_evaluate(model, mean, std, limit)
    part = rows(limit)
    if way.startswith("half"):
        part = part[int(way[-1]) - 1 :: 2]
    return run_loop(model, mean, std, part, threads=2 if "2 threads" in way else 1)


def main() -> None:
    """Print a table, and the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "tfmobile-benchmark-models")
    parser.add_argument("--name", choices=MODELS, action="append")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.name[0], options.models, options.limit)))
        return
    if not PICTURES.is_dir():
        sys.exit(f"The pictures are not on this machine ({PICTURES}); set TFMOBILE_SHARED.")
    print(json.dumps({name: table(name, options) for name in options.name or MODELS}))


def table(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure one model, print its rows, and return the throughput of evaluate over that of the others."""
    measure(BASE, name, options.models, 2)
    runs: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for _ in range(options.repeat):
        for way in WAYS:
            runs[way].append(measure(way, name, options.models, options.limit))
    seconds = {way: statistics.median(run[0] for run in found) for way, found in runs.items()}
    print(name)
    for way, found in runs.items():
        rate, gain, top1 = options.limit / seconds[way], seconds[BASE] / seconds[way], 100 * found[0][1]
        print(f"  {way:16} {rate:8.0f} samples/s   {gain:5.2f} x   top-1 {top1:.1f} %", flush=True)
    whole = statistics.median(run[2] for run in runs["evaluate"])
    print(f"  evaluate with start {whole:.2f} s: {seconds[BASE] / whole:.2f} x", flush=True)
    ratios = {way: round(seconds[way] / seconds["evaluate"], 3) for way in WAYS[:-1]}
    return {**ratios, "with start": round(seconds[BASE] / whole, 3)}


if __name__ == "__main__":
    main()
