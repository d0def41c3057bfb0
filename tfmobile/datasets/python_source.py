"""``module:callable``: the user's own Python gives the samples."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets.labels import label_of, read_class_names
from tfmobile.datasets.source import Source
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError, TfmobileError
from tfmobile.graph.model import Array

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_reference(path: str) -> bool:
    """Whether the text is written like ``module:callable``."""
    return _REFERENCE.fullmatch(path) is not None


def import_callable(reference: str) -> Callable[..., Any]:
    """The object that ``module:callable`` names; the current directory is searched too. Raises DataError."""
    module, _, attribute = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as cause:
        raise DataError(
            f"'{reference}' cannot be imported.",
            why=f"{type(cause).__name__}: {cause}",
            fixes=[f"Run in the folder that holds {module.split('.')[0]}.py, or install it.", "Check both names."],
        ) from cause
    if not callable(found):
        raise DataError(f"'{reference}' is not callable.", fixes=["Name a function that returns the samples."])
    return found  # type: ignore[no-any-return]


def open_python(spec: DataSpec) -> Source:
    """Call it without arguments. It returns a sequence or an iterator of array | (array, label) | {key: array} |
    ({key: array}, label), or a pair of whole arrays (x, y)."""
    names = read_class_names(spec.labels)
    result = _call(spec.path)
    if _is_pair_of_arrays(result):
        from tfmobile.datasets.numpy_files import ArraySource

        x, y = result
        return ArraySource(spec.path, {"x": x}, False, y, names)
    if hasattr(result, "__len__") and hasattr(result, "__getitem__") and not isinstance(result, Mapping):
        return ItemSource(spec.path, result, names)
    if hasattr(result, "__iter__") and not isinstance(result, Mapping):
        return IteratorSource(spec.path, names, _first=iter(result))
    raise DataError(
        f"'{spec.path}' returned {type(result).__name__}.",
        fixes=["Return a list, or a generator, of arrays or of (array, label) pairs."],
    )


def _is_pair_of_arrays(result: Any) -> bool:
    if not isinstance(result, tuple) or len(result) != 2:
        return False
    x, y = result
    both = isinstance(x, np.ndarray) and isinstance(y, np.ndarray)
    return both and x.ndim >= 1 and 1 <= y.ndim <= 2 and len(x) == len(y) and x.dtype != object


def _call(reference: str) -> Any:
    function = import_callable(reference)
    with _user_code(reference):
        return function()


class _user_code:
    """Turns an exception of the user's code into a DataError that names the callable and the line."""

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, (TfmobileError, StopIteration)):
            return
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""
        raise DataError(
            f"'{self.reference}' failed.",
            why=f"{type(error).__name__}: {error}{where}",
            fixes=["Correct the function; it is called without arguments."],
        ) from error


@dataclass(frozen=True)
class ItemSource:
    """A Source over a Python sequence."""

    name: str
    items: Sequence[Any]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    concurrent: bool = True

    def __len__(self) -> int:
        return len(self.items)

    def read(self, index: int) -> Sample:
        """Item ``index`` as a sample."""
        with _user_code(self.name):
            item = self.items[index]
        return as_sample(item, f"{self.name}[{index}]", self.class_names)


@dataclass
class IteratorSource:
    """A Source over an iterator: its length is found by one pass, and going back calls the callable again."""

    name: str
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = (
        "The samples come from a Python iterator, which one process reads; return a list for more.",
    )
    concurrent: bool = False
    _first: Iterator[Any] | None = None
    _length: int = -1
    _stream: Iterator[Any] = field(default_factory=lambda: iter(()))
    _next: int | None = None

    def __len__(self) -> int:
        if self._length < 0:
            with _user_code(self.name):
                self._length = sum(1 for _ in self._first or iter(_call(self.name)))
            self._first = None
        return self._length

    def read(self, index: int) -> Sample:
        """Item ``index``, after passing over those before it."""
        if self._next is None or self._next > index:
            with _user_code(self.name):
                self._stream = iter(_call(self.name))
            self._next = 0
        item: Any = None
        while self._next <= index:
            with _user_code(self.name):
                item = next(self._stream, _END)
            if item is _END:
                raise _ended(self.name, self._next, len(self))
            self._next += 1
        return as_sample(item, f"{self.name}[{index}]", self.class_names)


_END = object()


def _ended(name: str, got: int, expected: int) -> DataError:
    return DataError(
        f"'{name}' gave {expected} samples when first called and {got} when called again.",
        why="It is called once to count the samples and again to read them.",
        fixes=["Make a new iterator on every call, always of the same samples.", "Return a list."],
    )


def as_sample(item: Any, name: str, class_names: tuple[str, ...]) -> Sample:
    """array | (array, label) | {key: array} | ({key: array}, label) → Sample; raises DataError naming the sample."""
    values, label = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
    number = label_of(label, class_names, f"'{name}'")
    if isinstance(values, Mapping):
        return Sample(name, {str(key): _array(value, name) for key, value in values.items()}, number)
    return Sample(name, (_array(values, name),), number)


def _array(value: Any, name: str) -> Array:
    try:
        array = np.asarray(value)
    except Exception as cause:
        raise DataError(f"'{name}' is no array.", why=str(cause), fixes=["Return numpy arrays."]) from cause
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"'{name}' is no array of numbers but {type(value).__name__}.",
            fixes=["Return arrays, (array, label) pairs, or dictionaries of arrays by the model's input names."],
        )
    return array
