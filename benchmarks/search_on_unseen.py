"""Does what a search chooses keep its promise on samples that it has not seen?

Where calibration samples have no labels, the search judges by them (by the drop that is expected), and what it chose is
evaluated on all labelled ones. Otherwise the labelled data are divided in two by content: the search judges on one
part, and what it chose is evaluated on the other:

    python benchmarks/search_on_unseen.py [--max-drop 0.5] [--out FOLDER] [NAME …]

``TFMOBILE_SHARED`` names the folder with models and data (default: ../shared).
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("TFMOBILE_SHARED", ROOT.parent / "shared")) / "data"
PICTURES = ("datasets/imagenet_val_500", "datasets/imagenet_calibration_500")


@dataclass(frozen=True)
class Case:
    """A model with its labelled data, what to calibrate with (None: a part of the data), and the options it needs.

    ``divided`` False: the search sees the calibration samples only, and divides those.
    """

    model: str
    data: str
    calibration: str | None
    options: dict[str, Any] = field(default_factory=dict)
    divided: bool = True


CASES = {
    "mobilenet": Case(
        "models/mobilenet_v1_0.25_224/frozen.pb", *PICTURES, {"mean": 127.5, "std": 127.5}, divided=False
    ),
    "mobilenet, one scale a tensor": Case(
        "models/mobilenet_v1_0.25_224/frozen.pb",
        *PICTURES,
        {"mean": 127.5, "std": 127.5, "recipe": "int8-per-tensor"},
        divided=False,
    ),
    "efficientnet": Case("models/efficientnet_lite0/model.keras", *PICTURES, {"mean": 127, "std": 128}, divided=False),
    "ds-cnn": Case(
        "models/kws_ds_cnn/DS_CNN_S.pb",
        "datasets/speech_mfcc_test_1200.npz",
        "datasets/speech_mfcc_calibration_300.npz",
        {"input": ("Mfcc",), "output": ("labels_softmax",), "input_shape": ("Mfcc=1x49x10",)},
    ),
    "resnet8": Case(
        "models/mlperf_tiny/resnet8_cifar10.h5",
        "datasets/cifar10_test_2000.npz",
        "datasets/cifar10_calibration_500.npz",
    ),
    "kws": Case("models/mlperf_tiny/kws_ref_model", "datasets/kws01_mfcc_float.npz", None),
}


def halves(data: Path, folder: Path) -> tuple[Path, Path]:
    """Two lists of samples: those to search with, and those to check on."""
    from tfmobile.datasets.spec import DataSpec
    from tfmobile.datasets.subset import divide, subset_text

    first, second, total = divide(DataSpec(str(data)), 1_000_000)
    files = folder / "search.json", folder / "check.json"
    folder.mkdir(parents=True, exist_ok=True)
    for file, positions in zip(files, (first, second), strict=True):
        file.write_text(subset_text(file, str(data), positions, total, ""), encoding="utf-8")
    return files


def _names(layers: tuple[str, ...]) -> str:
    """The layers that have more than 8 bits, in short."""
    parts = [one.split("/")[-2] if "/" in one else one for one in layers]
    return f" ({', '.join(parts)})" if parts else ""


def run(name: str, case: Case, max_drop: float, out: Path) -> str:
    """One line of the table."""
    import tfmobile

    folder = out / name.replace(", ", "-").replace(" ", "-")
    seen, unseen = halves(SHARED / case.data, folder) if case.divided else (None, SHARED / case.data)
    calibration = str(SHARED / case.calibration) if case.calibration else None
    started = time.monotonic()
    report = tfmobile.optimize(
        SHARED / case.model,
        data=str(seen) if seen else None,
        calibrate_with=calibration,
        max_drop=max_drop,
        evaluate=False,
        benchmark=False,
        out=str(folder / "build"),
        **case.options,
    )
    seconds = time.monotonic() - started
    search = report.search
    assert search is not None
    chosen = next(one for one in search.trials if one.name == search.chosen)
    options = {key: value for key, value in case.options.items() if key in ("mean", "std")}
    (folder / "original.tflite").write_bytes(report.original.content)
    checked = tfmobile.evaluate(
        folder / "build" / "model.tflite", against=str(folder / "original.tflite"), data=str(unseen), **options
    )
    (comparison,) = checked.comparisons
    change, same = comparison.top1_change, comparison.agreement
    assert change is not None
    assert same is not None
    loss = chosen.losses[0]
    cells = (
        name,
        search.chosen,
        str(len(search.trials)),
        f"{len(chosen.higher)}{_names(chosen.higher)}",
        f"{100 * loss.value.value + 0.0:.1f} ({loss.measure}) of {chosen.samples}",
        f"{-100 * change.value:.1f} ({-100 * change.high:.1f} to {-100 * change.low:.1f}) of {checked.samples}",
        f"{100 * same.value:.1f} %",
        f"{len(report.optimized.content) / 1000:.0f} kB",
        f"{seconds:.0f} s",
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print a Markdown table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-drop", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=Path("search-build"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}; all if not given")
    asked = parser.parse_args()
    print("| Model | Chosen | Tried | Layers above int8 | Lost, seen | Lost, unseen | Same answers | Size | Took |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in asked.names or CASES:
        print(run(name, CASES[name], asked.max_drop, asked.out), flush=True)


if __name__ == "__main__":
    main()
