from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.runtime import tiny
from tfmobile.errors import DataError, ModelError, ToolError, VerificationError
from tfmobile.runtime import child, load_test, run


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for the code of a worker module called ``a_worker``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "a_worker.py"


def write_worker(path: Path, body: str) -> None:
    path.write_text(
        "import os, signal, sys, time\nimport numpy as np\nfrom tfmobile import errors\n"
        f"from tfmobile.runtime import child\n\n\ndef answer(job):\n    {body}\n\n\n"
        "if __name__ == '__main__':\n    child.serve(answer)\n"
    )


def test_a_good_model_passes_the_load_test() -> None:
    found = load_test(tiny.add_one(), [{"x": np.zeros((1, 4), np.float32)}] * 3)
    assert found.invocations == 3
    assert found.outputs_finite
    assert found.init_ms > 0


def test_a_model_without_given_inputs_is_tested_on_random_ones() -> None:
    assert load_test(tiny.quantized_relu()).invocations == 2


def test_outputs_that_are_not_finite_are_noticed() -> None:
    assert not load_test(tiny.add_one(), [{"x": np.full((1, 4), np.inf, np.float32)}]).outputs_finite


def test_a_model_that_crashes_the_runtime_is_an_error_with_the_signal() -> None:
    with pytest.raises(VerificationError) as caught:
        load_test(tiny.crashing())
    assert "SIGSEGV" in caught.value.what
    assert caught.value.fixes


def test_a_model_that_hangs_is_stopped() -> None:
    start = time.monotonic()
    with pytest.raises(VerificationError, match="did not finish within 3 seconds"):
        load_test(tiny.endless(), timeout_s=3)
    assert time.monotonic() - start < 10


def test_a_model_that_does_not_load_says_why() -> None:
    with pytest.raises(VerificationError) as caught:
        load_test(tiny.add_one()[:200])
    assert caught.value.why


def test_run_gives_outputs_in_order_and_with_tensors_the_intermediate_ones() -> None:
    feeds = [{"x": np.full((1, 4), value, np.float32)} for value in (1, 2)]
    assert [float(out["y"][0, 0]) for out in run(tiny.add_one(), feeds)] == [2, 3]
    assert set(run(tiny.dense_half(), feeds, tensors=True)[0]) == {"w_float", "y"}


def test_an_error_of_the_worker_arrives_as_the_same_error() -> None:
    with pytest.raises(DataError, match="wrong shape"):
        run(tiny.add_one(), [{"x": np.zeros((2, 2), np.float32)}])


def test_values_files_and_arrays_go_both_ways(worker: Path) -> None:
    write_worker(
        worker,
        "return child.Answer({'size': len(job.file('f').read_bytes()), **job.request}, "
        "[{k: v * 2 for k, v in one.items()} for one in job.arrays()])",
    )
    sets = [{"a/b": np.arange(3), "scalar": np.float32(2)}, {}]
    found = child.call("a_worker", {"n": 1}, files={"f": b"12345"}, arrays=sets, timeout_s=30)
    assert dict(found.values) == {"size": 5, "n": 1}
    first, second = found.arrays
    assert first["a/b"].tolist() == [0, 2, 4]
    assert first["scalar"] == 4
    assert not second


def test_a_typed_error_crosses_with_its_fixes(worker: Path) -> None:
    write_worker(worker, "raise errors.ModelError('It is bad.', why='So.', fixes=['Do this.'])")
    with pytest.raises(ModelError) as caught:
        child.call("a_worker", {}, timeout_s=30)
    assert (caught.value.what, caught.value.why, caught.value.fixes) == ("It is bad.", "So.", ("Do this.",))


def test_an_unexpected_exception_is_a_tool_error_with_the_last_lines(worker: Path) -> None:
    write_worker(worker, "raise KeyError('lost')")
    with pytest.raises(ToolError) as caught:
        child.call("a_worker", {}, timeout_s=30)
    assert "KeyError: 'lost'" in caught.value.why


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGFPE, signal.SIGKILL])
def test_a_signal_is_named(worker: Path, number: signal.Signals) -> None:
    write_worker(worker, f"print('last words', file=sys.stderr, flush=True); os.kill(os.getpid(), {int(number)})")
    with pytest.raises(VerificationError) as caught:
        child.call("a_worker", {}, timeout_s=30, what="model.tflite")
    assert caught.value.what == f"model.tflite crashed the runtime with signal {number.name}."
    assert "last words" in caught.value.why


def test_a_child_that_exits_without_an_answer_is_a_tool_error(worker: Path) -> None:
    write_worker(worker, "os._exit(0)")
    with pytest.raises(ToolError):
        child.call("a_worker", {}, timeout_s=30)


def test_a_module_in_the_working_folder_does_not_get_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('stolen')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert load_test(tiny.add_one()).invocations == 2


def test_a_full_temporary_folder_is_a_tool_error_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(child, "write_arrays", full)
    with pytest.raises(ToolError) as caught:
        load_test(tiny.add_one())
    assert "TMPDIR" in caught.value.fixes[0]
