"""``evaluate`` end to end on tiny models, in real worker processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.models import linear, quantized_picture
from tests.runtime.tiny import crashing, endless
from tfmobile.artifacts import Evaluation, NamedModel
from tfmobile.datasets import DataSpec, Preprocessing
from tfmobile.errors import DataError, TfmobileError, UnknownNameError, UsageError, VerificationError
from tfmobile.evaluation import evaluate

GENERATOR = np.random.default_rng(0)
WEIGHTS = GENERATOR.normal(size=(10, 6)).astype(np.float32)
X = GENERATOR.normal(size=(64, 6)).astype(np.float32)
Y = (X @ WEIGHTS.T).argmax(axis=1)


def data(path: Path, **arrays: Any) -> DataSpec:
    np.savez(path / "d.npz", **arrays)
    return DataSpec(str(path / "d.npz"))


def run(spec: DataSpec, *contents: bytes, **options: Any) -> Evaluation:
    names = ["original", "optimized", "third"]
    return evaluate([NamedModel(*pair) for pair in zip(names, contents, strict=False)], spec, **options)


def error(spec: DataSpec, *contents: bytes, **options: Any) -> TfmobileError:
    with pytest.raises(TfmobileError) as caught:
        run(spec, *contents, **options)
    assert caught.value.fixes
    return caught.value


def test_a_perfect_classifier_is_right_everywhere(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int | None]] = []
    found = run(data(tmp_path, x=X, y=Y), linear(WEIGHTS), workers=2, progress=lambda *call: calls.append(call))
    model = found.models[0]
    assert (found.task, found.samples, found.labelled, found.workers) == ("classification", 64, True, 2)
    assert model.top1 is not None
    assert model.top1.value == 1
    assert model.top1.low < 1
    assert model.top5 is not None
    assert model.confusion is not None
    np.testing.assert_array_equal(np.diag(np.array(model.confusion)), np.bincount(Y, minlength=10))
    assert sum(row.count for row in model.per_class) == sum(row.correct for row in model.per_class) == 64
    assert found.comparisons == ()
    assert calls[0] == ("evaluate", 0, 64)
    assert calls[-1] == ("evaluate", 64, 64)


def test_two_models_are_compared_sample_by_sample(tmp_path: Path) -> None:
    worse = WEIGHTS + GENERATOR.normal(scale=0.4, size=WEIGHTS.shape).astype(np.float32)
    labels = Y.copy()
    labels[:8] = (labels[:8] + 1) % 10
    found = run(data(tmp_path, x=X, y=labels), linear(WEIGHTS), linear(worse))
    predicted = (X @ worse.T).argmax(axis=1)
    pair = found.comparisons[0]
    assert (pair.reference, pair.candidate, pair.samples) == ("original", "optimized", 64)
    assert pair.agreement is not None
    assert pair.agreement.value == (predicted == Y).mean()
    assert pair.only_reference_right == ((labels == Y) & (predicted != labels)).sum()
    assert pair.only_candidate_right == ((labels != Y) & (predicted == labels)).sum()
    assert pair.top1_change is not None
    assert pair.top1_change.value == pytest.approx((predicted == labels).mean() - (labels == Y).mean())
    assert pair.changed_count == (predicted != Y).sum()
    assert {one.index for one in pair.changed} <= set(np.flatnonzero(predicted != Y).tolist())
    assert pair.changed[0].reference == pair.changed[0].label
    reference, candidate = X @ WEIGHTS.T, X @ worse.T
    assert pair.max_abs == pytest.approx(np.abs(reference - candidate).max(), rel=1e-5)
    noise = ((reference - candidate) ** 2).sum()
    assert pair.snr_db == pytest.approx(10 * math.log10((reference**2).sum() / noise), rel=1e-5)
    assert pair.cosine is not None
    assert 0.5 < pair.cosine < 1


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    spec = data(tmp_path, x=X, y=Y)
    worse = linear(np.round(WEIGHTS))
    one, two = (run(spec, linear(WEIGHTS), worse, workers=workers) for workers in (1, 2))
    assert one.models == two.models
    assert one.comparisons == two.comparisons


def test_equal_models_have_no_noise(tmp_path: Path) -> None:
    pair = run(data(tmp_path, x=X, y=Y), linear(WEIGHTS), linear(WEIGHTS)).comparisons[0]
    assert pair.snr_db == math.inf
    assert pair.max_abs == 0
    assert pair.changed == ()
    assert pair.mcnemar_p == 1


def test_pictures_that_changed_answer_have_thumbnails(tmp_path: Path) -> None:
    for index in range(6):
        (tmp_path / "data" / f"{index % 2}").mkdir(parents=True, exist_ok=True)
        pixels = np.full((8, 8, 3), 40 * index, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{index % 2}" / f"{index}.png")
    weights = np.ones((2, 192), np.float32) * [[1], [-1]]
    spec = DataSpec(str(tmp_path / "data"), Preprocessing(mean=(100.0,), std=(50.0,)))
    shape = (1, 8, 8, 3)
    pair = run(spec, linear(weights, shape=shape), linear(-weights, shape=shape)).comparisons[0]
    assert pair.changed_count == 6
    assert all(one.thumbnail is not None and one.thumbnail.startswith("data:image/") for one in pair.changed)
    assert pair.changed[0].reference_confidence > 0.5


def test_regression_has_errors_and_r_squared(tmp_path: Path) -> None:
    weights = WEIGHTS[:1]
    targets = (X @ weights.T)[:, 0] + GENERATOR.normal(scale=0.3, size=64)
    found = run(data(tmp_path, x=X, y=targets), linear(weights), linear(weights * 0.9))
    prediction = (X @ weights.T)[:, 0]
    model = found.models[0]
    assert (found.task, found.metric_name) == ("regression", "MAE")
    assert model.mae is not None
    assert model.rmse is not None
    assert model.mae.value == pytest.approx(np.abs(prediction - targets).mean(), rel=1e-4)
    assert model.rmse.value == pytest.approx(math.sqrt(((prediction - targets) ** 2).mean()), rel=1e-4)
    expected = 1 - ((prediction - targets) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    assert model.r2 == pytest.approx(expected, rel=1e-4)
    change = found.comparisons[0].metric_change
    assert change is not None
    worse = np.abs(prediction * 0.9 - targets) - np.abs(prediction - targets)
    assert change.value == pytest.approx(worse.mean(), rel=1e-3)
    assert found.comparisons[0].agreement is None


def test_regression_of_several_values_and_of_integers(tmp_path: Path) -> None:
    found = run(data(tmp_path, x=X, y=X @ WEIGHTS[:3].T), linear(WEIGHTS[:3]))
    assert found.models[0].r2 == pytest.approx(1)
    whole = run(data(tmp_path, x=X, y=Y), linear(WEIGHTS[:1]), task="regression")
    assert whole.task == "regression"


def test_a_single_score_is_judged_at_one_half(tmp_path: Path) -> None:
    weights = WEIGHTS[:1]
    scores = (X @ weights.T)[:, 0]
    found = run(data(tmp_path, x=X, y=(scores > 0.5).astype(int)), linear(weights), linear(-weights))
    assert found.task == "classification"
    assert found.models[0].top1 is not None
    assert found.models[0].top1.value == 1
    assert len(found.models[0].confusion or ()) == 2
    assert "looks like a logit" in " ".join(found.notes)
    assert error(data(tmp_path, x=X, y=Y), linear(weights)).what.endswith("has a single score.")


def test_without_labels_outputs_are_compared(tmp_path: Path) -> None:
    found = run(data(tmp_path, x=X), linear(WEIGHTS), linear(np.round(WEIGHTS)))
    assert (found.task, found.labelled) == ("outputs", False)
    assert found.models[0].top1 is None
    assert found.comparisons[0].agreement is None
    assert found.comparisons[0].snr_db is not None
    likely = run(data(tmp_path, x=X), linear(WEIGHTS, softmax=True), linear(np.round(WEIGHTS), softmax=True))
    assert likely.comparisons[0].agreement is not None
    assert likely.comparisons[0].changed_count > 0


def test_outputs_that_are_nan_are_wrong_and_reported(tmp_path: Path) -> None:
    broken = WEIGHTS.copy()
    broken[3, 2] = np.nan
    found = run(data(tmp_path, x=X, y=Y), linear(WEIGHTS), linear(broken))
    assert found.models[1].top1 is not None
    assert found.models[1].top1.value == 0
    note = " ".join(found.notes)
    assert "'optimized' answered 64 of 64 samples with NaN" in note
    assert found.comparisons[0].snr_db is None
    assert found.comparisons[0].only_reference_right == 64


METRICS = """
import os, signal, time
def largest(outputs, label): return outputs["scores"].max() + label
def text(outputs, label): return "high"
def fails(outputs, label): raise KeyError("label")
def dies(outputs, label): os.kill(os.getpid(), signal.SIGSEGV)
def prints(outputs, label):
    print("noise on stdout", flush=True)
    os.write(1, b"more noise\\n")
    return 1
"""


def test_a_metric_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quality.py").write_text(METRICS)
    spec = data(tmp_path, x=X, y=Y)
    found = run(spec, linear(WEIGHTS), linear(WEIGHTS * 2), metric="quality:largest")
    assert (found.task, found.metric_name) == ("metric", "quality:largest")
    highest = (X @ WEIGHTS.T).max(axis=1)
    assert found.models[0].metric is not None
    assert found.models[0].metric.value == pytest.approx((highest + Y).mean(), rel=1e-5)
    assert found.comparisons[0].metric_change is not None
    assert found.comparisons[0].metric_change.value == pytest.approx(highest.mean(), rel=1e-5)
    assert run(spec, linear(WEIGHTS), metric="quality:prints").models[0].metric is not None
    for name, kind, message in [
        ("quality:text", UsageError, "failed on 'd.npz[0]'"),
        ("quality:fails", UsageError, "failed on"),
        ("quality:nothing", UsageError, "cannot be imported"),
        ("quality", UsageError, "module:callable"),
        ("quality:dies", VerificationError, "The metric 'quality:dies' crashed"),
    ]:
        caught = error(spec, linear(WEIGHTS), metric=name, workers=1)
        assert isinstance(caught, kind)
        assert message in caught.what


def test_quantized_models_get_pictures_by_table(tmp_path: Path) -> None:
    pictures = GENERATOR.integers(0, 256, (5, 9, 11, 3), dtype=np.uint8)
    np.save(tmp_path / "d.npy", pictures)
    spec = DataSpec(str(tmp_path / "d.npy"), Preprocessing(mean=(127.5,), std=(127.5,)))
    exact = linear(np.eye(297, dtype=np.float32), shape=(1, 9, 11, 3))
    found = run(spec, quantized_picture(9, 11, 1 / 128, 0), exact)
    assert found.task == "outputs"
    assert 0.9 < found.comparisons[0].max_abs <= 1.01  # relu cuts the negative half
    assert found.comparisons[0].cosine == pytest.approx(math.sqrt(0.5), abs=0.1)


@pytest.mark.parametrize("offset", [1, -1])
def test_labels_shifted_by_one_are_noticed(tmp_path: Path, offset: int) -> None:
    keep = (Y + offset >= 0) & (Y + offset < 10)
    caught = error(data(tmp_path, x=X[keep], y=Y[keep] + offset), linear(WEIGHTS))
    assert isinstance(caught, DataError)
    assert caught.fixes[0] == f"--label-offset {-offset}"


def test_labels_and_outputs_that_do_not_fit_are_explained(tmp_path: Path) -> None:
    caught = error(data(tmp_path, x=X, y=Y + 1), linear(WEIGHTS))
    assert "scores (0 to 9)" in caught.what
    assert "--label-offset -1" in caught.fixes[0]
    names = tmp_path / "labels.txt"
    names.write_text("\n".join("abcdefghi"))
    spec = data(tmp_path, x=X[Y < 9], y=Y[Y < 9])
    caught = error(DataSpec(spec.path, labels=str(names)), linear(WEIGHTS))
    assert "9 classes, but the model has 10 scores" in caught.what
    assert "--label-offset 1" in caught.fixes[0]
    assert "no output" in error(data(tmp_path, x=X, y=np.zeros((64, 4, 4))), linear(WEIGHTS)).what
    assert "no labels" in error(data(tmp_path, x=X), linear(WEIGHTS), task="classification").what
    assert "no class number" in error(data(tmp_path, x=X, y=X[:, 0]), linear(WEIGHTS), task="classification").what


def test_names_of_a_labels_file_move_with_the_offset(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join("abcdefghi"))
    keep = Y > 0
    spec = data(tmp_path, x=X[keep], y=Y[keep] - 1)
    found = run(DataSpec(spec.path, labels=str(tmp_path / "labels.txt"), label_offset=1), linear(WEIGHTS))
    assert found.class_names[1:] == tuple("abcdefghi")
    assert found.models[0].top1 is not None
    assert found.models[0].top1.value == 1


def test_data_that_does_not_fit_the_model_is_named(tmp_path: Path) -> None:
    bad = X.copy()
    bad[40, 1] = np.nan
    assert "'d.npz[40]' has 1 values that are NaN" in error(data(tmp_path, x=bad, y=Y), linear(WEIGHTS)).what
    assert "wants [1, 6]" in error(data(tmp_path, x=X[:, :5], y=Y), linear(WEIGHTS)).what
    three = {"x": X, "second": X, "y": Y}
    assert "1 array" not in error(DataSpec(data(tmp_path, **three).path, x_key="x,second"), linear(WEIGHTS)).what


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    spec = data(tmp_path, x=X, y=Y)
    assert isinstance(error(spec, linear(WEIGHTS), task="clasification"), UnknownNameError)
    assert isinstance(error(spec, linear(WEIGHTS), task="regression", metric="a:b"), UsageError)
    assert isinstance(error(spec, linear(WEIGHTS), workers=0), UsageError)
    assert isinstance(error(spec), UsageError)
    assert "do not have the same outputs" in error(spec, linear(WEIGHTS), linear(WEIGHTS[:4])).what


def test_a_model_that_crashes_or_hangs_is_named_and_does_not_take_us_down(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((9, 4), np.float32))
    spec = DataSpec(str(tmp_path / "d.npz"))
    caught = error(spec, crashing())
    assert isinstance(caught, VerificationError)
    assert "The model 'original' crashed the runtime with signal" in caught.what
    np.savez(tmp_path / "d.npz", x=np.zeros((9, 1), np.float32))
    caught = error(spec, endless(), timeout_s=3)
    assert isinstance(caught, VerificationError)
    assert "The model 'original' did not answer for 3 seconds on sample" in caught.what


def test_a_file_that_is_no_model_is_a_verification_error(tmp_path: Path) -> None:
    assert isinstance(error(data(tmp_path, x=X, y=Y), b"not a model"), VerificationError)


def test_an_iterator_is_evaluated_by_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data(tmp_path, x=X, y=Y)
    Path("stream_of_samples.py").write_text(
        "import numpy as np\ndef data():\n    z = np.load('d.npz')\n    yield from zip(z['x'], z['y'])\n"
    )
    found = run(DataSpec("stream_of_samples:data"), linear(WEIGHTS), workers=4)
    assert found.workers == 1
    assert found.models[0].top1 is not None
    assert found.models[0].top1.value == 1
    assert any("iterator" in note for note in found.notes)


def test_no_process_is_left_behind_after_an_error(tmp_path: Path) -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():
        pytest.skip("this system has no /proc that lists children")
    before = children.read_text()
    error(data(tmp_path, x=X[:, :5], y=Y), linear(WEIGHTS), workers=2)
    assert children.read_text() == before


def test_workers_start_without_tensorflow() -> None:
    code = (
        "import sys, tfmobile.evaluation.worker; assert not {'tensorflow', 'keras', 'click', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_real_classifier_keeps_its_known_accuracy(shared: Path) -> None:
    import tensorflow as tf

    folder = shared / "models" / "mobilenet_v1_0.25_224" / "saved_model_v1"
    content = tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()
    spec = DataSpec(str(shared / "datasets" / "imagenet_val_500"), Preprocessing(mean=(127.5,), std=(127.5,)))
    found = evaluate([NamedModel("mobilenet", content)], spec)
    assert found.models[0].top1 is not None
    assert found.models[0].top1.value == pytest.approx(0.646)
