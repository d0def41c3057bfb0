"""Steps are reused, a killed or damaged one is not, and results are published whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from tfmobile.errors import OutputError
from tfmobile.workspace import Product, Workspace, write_file


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Product:
        self.calls += 1
        return {"blob": b"content"}, {"answer": 42}


def test_the_same_step_is_computed_once(tmp_path: Path) -> None:
    compute = Counted()
    for _ in range(2):
        with Workspace(tmp_path) as workspace:
            step = workspace.step("load", {"input": "a"}, compute)
    assert compute.calls == 1
    assert (step.reused, step.blobs["blob"], step.facts["answer"]) == (True, b"content", 42)


def test_other_options_compute_again(tmp_path: Path) -> None:
    compute = Counted()
    with Workspace(tmp_path) as workspace:
        workspace.step("load", {"input": "a"}, compute)
        workspace.step("load", {"input": "b"}, compute)
    assert compute.calls == 2


def test_a_damaged_step_is_computed_again(tmp_path: Path) -> None:
    compute = Counted()
    with Workspace(tmp_path) as workspace:
        workspace.step("load", {}, compute)
        next(workspace.work.glob("load-*/blob")).write_bytes(b"contenT")
        assert not workspace.step("load", {}, compute).reused
    assert compute.calls == 2


def test_a_half_written_step_counts_as_nothing_and_is_removed(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        workspace.step("load", {}, Counted())
        folder = next(workspace.work.glob("load-*"))
        folder.rename(folder.with_name(folder.name + ".tmp"))
    compute = Counted()
    with Workspace(tmp_path) as workspace:
        assert not list(workspace.work.glob("*.tmp"))
        workspace.step("load", {}, compute)
    assert compute.calls == 1


def test_publish_replaces_results_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        workspace.publish({"model.tflite": b"old"})
        workspace.publish({"model.tflite": b"new", "card.json": b"{}"})
    assert (tmp_path / "model.tflite").read_bytes() == b"new"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".work", "card.json", "model.tflite"]


def test_progress_of_a_long_step_survives(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        workspace.write_partial("calibrate", "k", {"samples": 100})
    with Workspace(tmp_path) as workspace:
        assert workspace.read_partial("calibrate", "k") == {"samples": 100}
        workspace.drop_partial("calibrate", "k")
        assert workspace.read_partial("calibrate", "k") is None


def hold(folder: Path) -> None:
    with Workspace(folder):
        (folder / "held").touch()
        time.sleep(60)


def test_a_second_run_in_the_same_folder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    first = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path,))
    first.start()
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "held").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(OutputError, match="Another run"), Workspace(tmp_path):
            pass
    finally:
        os.kill(first.pid or 0, signal.SIGKILL)
        first.join()
    with Workspace(tmp_path):
        pass


def test_a_file_where_the_folder_should_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(OutputError) as caught, Workspace(tmp_path / "out"):
        pass
    assert "-o" in caught.value.fixes[0]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "frozen.pb"
    write_file(target, b"old")
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    staged = target.with_name(".frozen.pb.tmp")
    staged.symlink_to("/dev/full")
    with pytest.raises(OutputError) as caught:
        write_file(target, b"new")
    assert "space" in caught.value.fixes[0]
    assert target.read_bytes() == b"old"
    assert not staged.exists()


def test_only_the_newest_steps_are_kept(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        for number in range(12):
            workspace.step("quantize", {"number": number}, Counted())
        workspace.publish({})
        assert len(list(workspace.work.glob("quantize-*"))) == 6
