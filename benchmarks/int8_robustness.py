"""int8 of MobileNet V1 0.25 with calibration samples that are few, turned around, or 1 % broken.

Broken samples: hot pixels (50 times the largest value), a saturated picture, one value of 10,000 times the largest,
noise, a constant picture. Every variant is quantized by ``--recipe int8`` and judged on the same pictures; what counts
is how far its accuracy is from that of all clean samples. On 500 pictures two models that are equally good differ by
half a point, by luck; the drop that is expected from how sure the float model is of its answers differs far less.

    python benchmarks/int8_robustness.py [--recipe int8] [--out FILE.json]

Needs the real models and data (TFMOBILE_SHARED, default ../shared).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TFMOBILE_SHARED", ROOT.parent / "shared")) / "data"
MODEL = DATA / "models/mobilenet_v1_0.25_224/frozen.pb"
CALIBRATION = DATA / "datasets/imagenet_calibration_500"
VALIDATION = DATA / "datasets/imagenet_val_500"
SCALING = {"mean": 127.5, "std": 127.5}


def pictures() -> Any:
    """All calibration pictures as they are stored, [500, 224, 224, 3] uint8."""
    from PIL import Image

    files = sorted((CALIBRATION / "images").iterdir())
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])


def broken(clean: Any, seed: int) -> Any:
    """The same with 1 % of the samples (at least one) replaced by broken ones, as float32 pixels."""
    random = np.random.default_rng(seed)
    found = clean.astype(np.float32)
    kinds: list[Callable[[Any], Any]] = [_outlier, _hot_pixels, _saturated, _noise, _constant]
    for place, index in enumerate(random.choice(len(clean), max(1, len(clean) // 100), replace=False)):
        found[index] = kinds[place % len(kinds)](found[index])
    return found


def _outlier(picture: Any) -> Any:
    changed = picture.copy()
    changed[100, 100, 1] = 255 * 10_000
    return changed


def _hot_pixels(picture: Any) -> Any:
    changed = picture.copy()
    changed[::50, ::50] = 255 * 50
    return changed


def _saturated(picture: Any) -> Any:
    return np.where(picture > 127, 255, 0).astype(np.float32)


def _noise(picture: Any) -> Any:
    return np.random.default_rng(1).uniform(0, 255, picture.shape).astype(np.float32)


def _constant(picture: Any) -> Any:
    return np.full_like(picture, 128)


def variants(clean: Any) -> dict[str, Any]:
    """Name → calibration samples."""
    turned, shuffled = clean[::-1], clean[np.random.default_rng(5).permutation(len(clean))]
    return {
        "all 500": clean,
        "all 500, backwards": turned,
        "1 % broken": broken(clean, 0),
        "1 % broken, other ones, shuffled": broken(shuffled, 1),
        "50": shuffled[:50],
        "another 50": shuffled[50:100],
        "50, one with an outlier": broken(shuffled[:50], 2),
    }


def measure(recipe: str, folder: Path) -> list[dict[str, Any]]:
    """A row a variant."""
    import tfmobile
    from tfmobile.artifacts import NamedModel
    from tfmobile.evaluation import evaluate
    from tfmobile.plan import make_plan

    rows, models = [], []
    for name, samples in variants(pictures()).items():
        np.savez(folder / "samples.npz", x=samples)
        report = tfmobile.optimize(
            MODEL,
            recipe=recipe,
            calibrate_with=str(folder / "samples.npz"),
            out=str(folder / "build"),
            evaluate=False,
            benchmark=False,
            **SCALING,
        )
        if not models:
            models.append(NamedModel("float", report.original.content))
        models.append(NamedModel(name, report.optimized.content))
        aside = report.improvement.set_aside if report.improvement is not None else ()
        rows.append({"name": name, "set_aside": list(aside)})
    plan = make_plan(None, SCALING)
    found = evaluate(models, plan.data_spec(str(VALIDATION)))
    clean = next(model.top1.value for model in found.models if model.name == "all 500" and model.top1)
    for row, pair in zip(rows, found.comparisons, strict=True):
        assert pair.top1_change is not None
        assert pair.agreement is not None
        accuracy = next(model.top1.value for model in found.models if model.name == row["name"] and model.top1)
        row.update(top1=accuracy, against_float=pair.top1_change.value, agreement=pair.agreement.value)
        row["against_clean"] = accuracy - clean
    for row, drop in zip(rows, expected_drops(models), strict=True):
        row["expected_drop"] = drop
    return rows


def expected_drops(models: Sequence[Any]) -> list[float]:
    """By how much less the first model believes in the answers of each other one than in its own, mean."""
    from tfmobile import runtime
    from tfmobile.plan import make_plan
    from tfmobile.steps.context import feeds_at

    plan = make_plan(None, SCALING)
    _, fed = feeds_at(plan, str(VALIDATION), runtime.describe(models[0].content).inputs)
    feeds = [feed for _, _, feed in fed]
    answers = [
        np.array([next(iter(one.values())).ravel() for one in runtime.run(model.content, feeds)]) for model in models
    ]
    believed, rows = answers[0].astype(np.float64), np.arange(len(feeds))
    own = believed.max(axis=1)
    return [float((own - believed[rows, other.argmax(axis=1)]).mean()) for other in answers[1:]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="int8")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    if not DATA.is_dir():
        parser.error(f"{DATA} is not there; set TFMOBILE_SHARED")
    with tempfile.TemporaryDirectory(prefix="tfmobile-benchmark-") as folder:
        rows = measure(options.recipe, Path(folder))
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")
    print("| calibration samples | top-1 % | against float | against all 500 | expected | agreement % | set aside |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        change, clean = 100 * row["against_float"], 100 * row["against_clean"]
        expected = f"{-100 * row['expected_drop']:+.2f}"
        figures = f"{100 * row['top1']:.1f} | {change:+.1f} | {clean:+.1f} | {expected} | {100 * row['agreement']:.1f}"
        print(f"| {row['name']} | {figures} | {len(row['set_aside'])} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
