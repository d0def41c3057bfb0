"""What a path is, by its bytes alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tfmobile.errors import ModelError, UnknownNameError
from tfmobile.loading import identify, load


@pytest.mark.parametrize(
    ("fixture", "format"),
    [
        ("frozen_pb", "frozen-graph"),
        ("saved_model", "saved-model"),
        ("saved_model_v1", "saved-model"),
        ("keras2_h5", "keras2"),
        ("keras2_archive", "keras2"),
        ("keras3_archive", "keras3"),
        ("checkpoint", "checkpoint"),
        ("tflite", "tflite"),
    ],
)
def test_every_format_is_known_without_tensorflow(fixture: str, format: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(fixture)
    found = identify(path)
    assert found.format == format
    assert found.summary
    script = (
        "import sys; from tfmobile.loading import identify; print(identify(sys.argv[1]).format);"
        "heavy = {'tensorflow', 'keras', 'tf_keras'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == format, done.stderr


def test_loading_says_nothing_on_stderr(frozen_pb: Path) -> None:
    script = "import sys; from tfmobile.loading import load; load(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", script, str(frozen_pb)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_folder_around_one_model_points_to_it(saved_model: Path) -> None:
    with pytest.raises(ModelError, match="is no SavedModel") as caught:
        identify(saved_model.parent)
    assert str(saved_model) in caught.value.fixes[0]


def test_wrong_path_suggests_the_near_one(frozen_pb: Path) -> None:
    with pytest.raises(ModelError, match="no model at") as caught:
        identify(frozen_pb.with_name("frozn.pb"))
    assert str(frozen_pb) in caught.value.fixes[0]


def test_forced_format_that_is_unknown_is_suggested(frozen_pb: Path) -> None:
    with pytest.raises(UnknownNameError, match="keras4"):
        load(frozen_pb, format="keras4")


def test_forced_format_that_does_not_fit_is_a_model_error(frozen_pb: Path) -> None:
    for name in ("keras2", "keras3", "tflite", "saved-model", "checkpoint"):
        with pytest.raises(ModelError) as caught:
            load(frozen_pb, format=name)
        assert caught.value.fixes
