"""``tfmobile optimize --recipe int8-fast`` against a bare TFLiteConverter script: wall time, peak memory, size.

Both start from the same Keras file and calibrate on the same pictures with the same preprocessing; evaluation and
benchmark are off. Every repetition is a fresh process, tfmobile and the script take turns, and ratios are those of the
medians. Memory is sampled over the whole process tree: "tree" adds resident sizes, so that it counts memory that two
processes share twice; "tree, shared once" adds proportional sizes; "largest" is the largest single process.

    python benchmarks/optimize_vs_converter.py [--repeat 3] [--model FILE] [--data DIR] [--mean M] [--std S] [--json]

Needs the real models and data (environment variable TFMOBILE_SHARED, default ../shared).
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
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TFMOBILE_SHARED", ROOT.parent / "shared")) / "data"
MODEL = DATA / "models" / "mobilenet_v1_0.25_224" / "model.h5"
PICTURES = DATA / "datasets" / "imagenet_calibration_500"
WAYS = ("converter", "tfmobile")
BARS = {"seconds": 1.5, "tree_bytes": 1.3, "tree_once_bytes": 1.3, "largest_bytes": 1.3, "size_bytes": 1.02}
"""The largest ratio that is good enough."""

# What somebody without tfmobile would write.
BARE = """
import os, sys
os.environ["TF_USE_LEGACY_KERAS"] = sys.argv[5]
from pathlib import Path
import numpy as np
import tensorflow as tf
from PIL import Image
model, data, out, (mean, std) = sys.argv[1], Path(sys.argv[2]), sys.argv[3], map(float, sys.argv[4].split(","))
pictures = sorted((data / "images").iterdir())
def samples():
    for picture in pictures:
        yield [((np.asarray(Image.open(picture).convert("RGB"), np.float32) - mean) / std)[None]]
converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model(model, compile=False))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = samples
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
Path(out).write_bytes(converter.convert())
"""


@dataclass(frozen=True)
class Run:
    """One repetition of one way."""

    seconds: float
    tree_bytes: int
    tree_once_bytes: int
    largest_bytes: int
    size_bytes: int


def command(way: str, options: argparse.Namespace, folder: Path) -> tuple[list[str], Path]:
    """The command line of a way, and the file it writes."""
    if way == "converter":
        out = folder / "bare.tflite"
        scaling = f"{options.mean},{options.std}"
        legacy = "1" if options.model.suffix in (".h5", ".hdf5") else "0"
        arguments = [str(options.model), str(options.data), str(out), scaling, legacy]
        return [sys.executable, "-c", BARE, *arguments], out
    words = ["optimize", str(options.model), "--recipe", "int8-fast", "--io", "int8"]
    words += ["--calibrate-with", str(options.data), "--mean", str(options.mean), "--std", str(options.std)]
    words += ["--no-evaluate", "--no-benchmark", "--quiet", "-o", str(folder / "build")]
    return [sys.executable, "-m", "tfmobile", *words], folder / "build" / "model.tflite"


def measure(way: str, options: argparse.Namespace) -> Run:
    """Run a way once in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="tfmobile-benchmark-") as name:
        words, out = command(way, options, Path(name))
        log = Path(name) / "log"
        with log.open("wb") as stream:
            start = time.perf_counter()
            process = subprocess.Popen(words, stdout=stream, stderr=stream, cwd=ROOT)
            peaks = watch(process)
            seconds = time.perf_counter() - start
        if process.returncode or not out.exists():
            sys.exit(f"{way} failed with exit code {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
        return Run(seconds, *peaks, out.stat().st_size)


def watch(process: subprocess.Popen[bytes], every_s: float = 0.05) -> tuple[int, int, int]:
    """Peak bytes until the process ends: resident and proportional sizes of its tree, and its largest process."""
    resident = proportional = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return resident, proportional, usage.ru_maxrss * 1024
        rows = [memory(one) for one in tree(process.pid)]
        resident = max(resident, sum(row[0] for row in rows))
        proportional = max(proportional, sum(row[1] for row in rows))
        time.sleep(every_s)


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def memory(pid: int) -> tuple[int, int]:
    """Resident and proportional size of a process in bytes, 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0, 0
    sizes = {key: int(value.split()[0]) * 1024 for key, _, value in (line.partition(":") for line in lines)}
    return sizes.get("Rss", 0), sizes.get("Pss", 0)


def summarize(runs: dict[str, list[Run]]) -> dict[str, dict[str, float]]:
    """Medians of both ways and tfmobile's over the converter's, by quantity."""
    summary = {}
    for key in BARS:
        ours, theirs = (statistics.median(getattr(run, key) for run in runs[way]) for way in reversed(WAYS))
        summary[key] = {"converter": theirs, "tfmobile": ours, "ratio": ours / theirs, "bar": BARS[key]}
    return summary


def print_table(summary: dict[str, dict[str, float]], repeat: int) -> None:
    """The summary for people."""
    names = {
        "seconds": "wall time, s",
        "tree_bytes": "peak memory, tree, MB",
        "tree_once_bytes": "peak memory, tree, shared once, MB",
        "largest_bytes": "peak memory, largest process, MB",
        "size_bytes": "size of the .tflite, kB",
    }
    divisors = {"seconds": 1.0, "size_bytes": 1e3}
    print(f"{'median of ' + str(repeat):<36}{'converter':>12}{'tfmobile':>12}{'ratio':>8}{'bar':>7}")
    for key, row in summary.items():
        by = divisors.get(key, 1e6)
        good = "" if row["ratio"] <= row["bar"] else "  over"
        figures = f"{row['converter'] / by:>12.2f}{row['tfmobile'] / by:>12.2f}{row['ratio']:>8.3f}{row['bar']:>7}"
        print(f"{names[key]:<36}{figures}{good}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a ratio is over its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL, help="a Keras file; .h5 is opened as Keras 2")
    parser.add_argument("--data", type=Path, default=PICTURES, help="folder with images/")
    parser.add_argument("--mean", type=float, default=127.5)
    parser.add_argument("--std", type=float, default=127.5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    options = parser.parse_args(arguments)
    if not options.model.exists() or not options.data.exists():
        parser.error(f"{options.model} or {options.data} is not there; set TFMOBILE_SHARED")
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for turn in range(options.repeat):
        for way in WAYS if turn % 2 == 0 else WAYS[::-1]:
            runs[way].append(measure(way, options))
            if not options.json:
                run = runs[way][-1]
                print(f"{way:<10} {run.seconds:6.2f} s  {run.tree_once_bytes / 1e6:5.0f} MB", file=sys.stderr)
    summary = summarize(runs)
    if options.json:
        print(json.dumps({"summary": summary, "runs": {way: [asdict(run) for run in runs[way]] for way in WAYS}}))
    else:
        print_table(summary, options.repeat)
    return int(any(row["ratio"] > row["bar"] for row in summary.values()))


if __name__ == "__main__":
    sys.exit(main())
