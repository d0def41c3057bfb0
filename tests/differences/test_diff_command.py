"""``tfmobile diff`` and ``tfmobile.diff`` on files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tfmobile
from tests.differences.models import NETWORK, of_text
from tests.differences.test_tflite import dense
from tfmobile.cli import main
from tfmobile.errors import DataError, ModelError, UsageError, VerificationError
from tfmobile.graph.graphdef import serialize


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.pb, same.pb with the same bytes, moved.pb with another weight; a.tflite and moved.tflite."""
    folder = tmp_path_factory.mktemp("models")
    for name, changes in (("a", []), ("same", []), ("moved", [("(0.5, 0.25)", "(0.5, 0.75)")])):
        graph = of_text(*changes, text=NETWORK).graph
        assert graph is not None
        (folder / f"{name}.pb").write_bytes(serialize(graph))
    (folder / "a.tflite").write_bytes(dense())
    (folder / "moved.tflite").write_bytes(dense(weight=1.5))
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["diff", *map(str, words)])
    out, err = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, out, err


def test_a_difference_ends_with_0_unless_a_check_is_asked_for(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, files / "a.pb", files / "moved.pb")
    assert code == 0
    assert "'bias' (BiasAdd)" in out


def test_check_ends_with_6_and_says_where_they_part(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, files / "a.pb", files / "moved.pb", "--check")
    assert code == VerificationError.exit_code
    assert "'bias' (BiasAdd)" in out
    assert "They part at 'bias' (BiasAdd)." in err
    assert "--tolerance" in err


def test_check_passes_within_the_tolerance(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, files / "a.pb", files / "moved.pb", "--check", "--tolerance", "5")[0] == 0


def test_json_stays_one_document_when_the_check_fails(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, files / "a.tflite", files / "moved.tflite", "--json", "--check")
    assert code == VerificationError.exit_code
    found = json.loads(out)
    assert found["outputs_agree"] is False
    assert found["a"]["format"] == "tflite"


def test_check_fails_when_nothing_could_be_compared(files: Path) -> None:
    with pytest.raises(VerificationError, match="could not be compared"):
        tfmobile.diff(
            files / "a.pb", files / "moved.pb", input_shape=("1x5",), output=("x",), input=("act",), check=True
        )


@pytest.mark.parametrize(("one", "other"), [("a.pb", "a.pb"), ("a.pb", "same.pb")])
def test_equal_files_are_identical_without_being_opened(
    files: Path, one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfmobile.loading.load", lambda *words, **options: pytest.fail("it was opened"))
    diff = tfmobile.diff(files / one, files / other, check=True)
    assert diff.identical
    assert diff.a.sha256


def test_data_is_read_with_the_preprocessing_given(files: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=np.arange(10.0).reshape(5, 2))
    diff = tfmobile.diff(
        files / "a.pb", files / "moved.pb", data=str(tmp_path / "data.npz"), x_key="images", samples=3, std=1e9
    )
    assert diff.numbers.samples == 3
    bias = next(gap for gap in diff.numbers.tensors if gap.name == "bias")
    assert bias.max_abs == pytest.approx(0.5)
    dense_ = next(gap for gap in diff.numbers.tensors if gap.name == "dense")
    assert dense_.max_abs == 0


def test_what_is_wrong_is_said_before_any_work(files: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model at"):
        tfmobile.diff(files / "a.pb", files / "gone.pb")
    with pytest.raises(DataError, match="no data at"):
        tfmobile.diff(files / "a.pb", files / "moved.pb", data=str(tmp_path / "gone"))
    with pytest.raises(UsageError, match="--samples"):
        tfmobile.diff(files / "a.pb", files / "moved.pb", samples=0)
    with pytest.raises(UsageError, match="--tolerance"):
        tfmobile.diff(files / "a.pb", files / "moved.pb", tolerance=float("nan"))
    (tmp_path / "note.txt").write_text("no model")
    with pytest.raises(ModelError):
        tfmobile.diff(tmp_path / "note.txt", tmp_path / "note.txt")


def test_options_on_ends_hold_for_graphs_and_not_for_a_tflite(files: Path) -> None:
    diff = tfmobile.diff(files / "a.pb", files / "a.tflite", input=("x",), output=("act",), input_shape=("1x2",))
    assert not diff.numbers.reason
    assert diff.numbers.outputs[0].name == "act"


def test_two_tflite_files_need_no_tensorflow(files: Path) -> None:
    code = (
        "import sys, tfmobile; tfmobile.diff(*sys.argv[1:]); "
        "sys.exit(bool({'tensorflow', 'keras'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    words = [sys.executable, "-c", code, str(files / "a.tflite"), str(files / "moved.tflite")]
    assert subprocess.run(words, check=False).returncode == 0
