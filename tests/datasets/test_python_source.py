"""``module:callable``."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tfmobile.datasets import DataSpec, open_dataset
from tfmobile.errors import DataError

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Write Python code into the current directory and return the name of its module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(code: str) -> str:
        name = f"samples_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text("import numpy as np\n" + code)
        return name

    return write


def test_a_list_of_pairs(module) -> None:  # type: ignore[no-untyped-def]
    name = module("def data(): return [(np.full((2, 2), i), i % 3) for i in range(7)]")
    dataset = open_dataset(DataSpec(f"{name}:data"))
    assert dataset.concurrent
    assert [sample.label for _, sample in dataset.iterate()] == [0, 1, 2, 0, 1, 2, 0]
    assert dataset.read(3).name == f"{name}:data[3]"


def test_a_generator_is_read_twice_and_by_one_process(module) -> None:  # type: ignore[no-untyped-def]
    name = module("def data():\n for i in range(5): yield {'a': np.zeros(2), 'b': np.ones(3)}, i")
    dataset = open_dataset(DataSpec(f"{name}:data", limit=2))
    assert not dataset.concurrent
    assert dataset.notes
    assert [sample.label for _, sample in dataset.iterate()] == [0, 2]
    assert [sample.label for _, sample in dataset.iterate()] == [0, 2]
    assert set(dataset.read(0).values) == {"a", "b"}


def test_arrays_without_labels_and_whole_arrays(module) -> None:  # type: ignore[no-untyped-def]
    name = module("def a(): return np.zeros((4, 3))\ndef b(): return np.zeros((4, 3)), np.arange(4)")
    assert open_dataset(DataSpec(f"{name}:a")).read(1).label is None
    pair = open_dataset(DataSpec(f"{name}:b"))
    assert len(pair) == 4
    assert pair.read(3).label == 3


def test_labels_may_be_one_hot_or_targets(module) -> None:  # type: ignore[no-untyped-def]
    name = module("def data(): return [(np.zeros(2), np.array([0., 0., 1.])), (np.zeros(2), 0.5)]")
    dataset = open_dataset(DataSpec(f"{name}:data"))
    assert dataset.read(0).label == 2
    assert isinstance(dataset.read(1).label, np.ndarray)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("data = 3", "not callable"),
        ("def other(): pass", "cannot be imported"),
        ("import nothing_like_this", "cannot be imported"),
        ("def data(): raise KeyError('gone')", "failed"),
        ("def data(): return 3", "returned int"),
        ("def data(): return []", "no samples"),
        ("def data(n): return []", "failed"),
        ("def data(): return ['text']", "no array of numbers"),
        ("def data(): return [(np.zeros(2), 'cat')]", "class name 'cat'"),
        ("def data(): return [(np.zeros(2), float('nan'))]", "not a finite number"),
        ("def data():\n yield np.zeros(2)\n raise ValueError('inside')", "failed"),
        ("one = iter([np.zeros(2), np.zeros(2)])\ndef data(): return one", "when called again"),
    ],
)
def test_mistakes_in_the_users_code_are_explained(module, code: str, message: str) -> None:  # type: ignore[no-untyped-def]
    name = module(code)
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(DataSpec(f"{name}:data")).read(0)
    assert caught.value.fixes
