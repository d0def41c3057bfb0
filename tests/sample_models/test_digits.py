"""The digits sample is what its README says: small, accurate, with data that its settings file describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfmobile.datasets import open_dataset
from tfmobile.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "sample_models" / "digits"


def test_the_committed_files_are_small() -> None:
    assert (DIGITS / "model.keras").stat().st_size < 1_000_000
    assert sum(path.stat().st_size for path in DIGITS.glob("*.npz")) < 1_000_000


def test_the_settings_file_names_what_is_there() -> None:
    plan = make_plan(str(DIGITS / "tfmobile.toml"), {})
    assert plan.model.path is not None
    assert Path(plan.model.path).samefile(DIGITS / "model.keras")
    assert (plan.optimize.recipe, plan.optimize.target) == ("int8", "cpu")
    assert plan.data.data is not None
    dataset = open_dataset(plan.data_spec(plan.data.data))
    assert len(dataset) == 1000
    assert dataset.class_names == tuple("0123456789")


def test_no_calibration_sample_is_a_test_sample() -> None:
    with np.load(DIGITS / "calibration.npz") as calibration, np.load(DIGITS / "test.npz") as test:
        assert set(calibration.files) == {"x"}
        assert calibration["x"].shape == (300, 28, 28, 1)
        seen = {sample.tobytes() for sample in calibration["x"]}
        assert not seen & {sample.tobytes() for sample in test["x"]}


def test_the_float_model_is_right_on_97_percent_of_the_held_out_digits() -> None:
    import keras

    model = keras.saving.load_model(DIGITS / "model.keras", compile=False)
    with np.load(DIGITS / "test.npz") as test:
        answers = np.asarray(model(test["x"].astype(np.float32) / 255)).argmax(axis=-1)
        assert (answers == test["y"]).mean() >= 0.97


def test_the_network_has_what_a_mobile_network_has() -> None:
    import keras

    model = keras.saving.load_model(DIGITS / "model.keras", compile=False)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Dropout", "GlobalAveragePooling2D"} <= kinds
