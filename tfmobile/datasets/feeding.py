"""From a sample to what the inputs of a model want: names, batch dimension, dtype, shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfmobile.artifacts import Sample, TensorFact
from tfmobile.datasets.preprocessing import preprocess
from tfmobile.datasets.spec import Preprocessing
from tfmobile.errors import DataError
from tfmobile.graph.model import Array


def feed(sample: Sample, preprocessing: Preprocessing, inputs: Sequence[TensorFact]) -> dict[str, Array]:
    """The sample, preprocessed, as one array an input, by input name: float32, real values (the runtime quantizes); the
    input's own dtype where that is an unquantized integer or bool.

    Dimensions of size 1 (batch, a trailing channel) are added or dropped, and a flat list is given the input's shape;
    no value ever moves. Raises DataError that names the sample, the shape found, the shape wanted, and the fix.
    """
    values = preprocess(sample.values, preprocessing, sample.name)
    arrays = list(values.values()) if isinstance(values, dict) else list(values)
    names = [tensor.name for tensor in inputs]
    if isinstance(values, dict) and not (len(arrays) == 1 == len(inputs)):
        if set(names) - set(values):
            raise _wrong_keys(sample, list(values), names)
        arrays = [values[name] for name in names]
    if len(arrays) != len(inputs):
        raise _wrong_keys(sample, [], names)
    return {tensor.name: _fit(array, tensor, sample.name) for array, tensor in zip(arrays, inputs, strict=True)}


def _wrong_keys(sample: Sample, found: list[str], wanted: list[str]) -> DataError:
    has = f"'{sample.name}' has the arrays {', '.join(found)}" if found else _count(sample)
    fixes = ["Name the arrays like the inputs of the model, or choose them in order with --x-key first,second."]
    if len(wanted) == 1:
        fixes = ["Choose the input with --x-key KEY, and the label with --y-key KEY."]
    return DataError(f"{has}; the model has the inputs {', '.join(wanted)}.", fixes=fixes)


def _count(sample: Sample) -> str:
    number = len(sample.values)
    return f"'{sample.name}' has {number} array{'' if number == 1 else 's'}"


def _fit(array: Array, tensor: TensorFact, name: str) -> Array:
    return _typed(_shaped(array, tensor, name), tensor, name)


def _shaped(array: Array, tensor: TensorFact, name: str) -> Array:
    wanted = tensor.shape
    found = array.shape
    if _matches(found, wanted):
        return array
    if _matches((1, *found), wanted):
        return array[np.newaxis]
    fixed = all(size > 0 for size in wanted)
    same = [size for size in found if size != 1] == [size for size in wanted if size != 1]
    flat = array.ndim == 1 and math.prod(wanted) == array.size
    if fixed and (same or flat):
        return array.reshape(wanted)
    if _matches((1, *found, 1), wanted):
        return array.reshape(1, *found, 1)
    raise DataError(
        f"'{name}' has shape {list(found)}, but the model's input '{tensor.name}' wants {_spell(wanted)}.",
        why="After preprocessing the sizes must be equal; only dimensions of size 1 are added.",
        fixes=_fixes(found, wanted),
    )


def _matches(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Dimensions of the model that are not fixed are -1 and take any size."""
    return len(found) == len(wanted) and all(b < 0 or a == b for a, b in zip(found, wanted, strict=True))


def _spell(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join("any" if size < 0 else str(size) for size in shape) + "]"


def _fixes(found: tuple[int, ...], wanted: tuple[int, ...]) -> list[str]:
    if len(wanted) == len(found) + 1 and wanted[0] > 1 and found == wanted[1:]:
        return [f"Fix the batch to 1 when converting: --input-shape 1,{','.join(map(str, wanted[1:]))}"]
    fixes = []
    if len(wanted) == 4 and len(found) in (2, 3):
        fixes = _picture_fixes(found, wanted)
    return fixes or [f"Store samples of shape {_spell(wanted[1:] if len(wanted) > 1 else wanted)}."]


def _picture_fixes(found: tuple[int, ...], wanted: tuple[int, ...]) -> list[str]:
    height, width, channels = found if len(found) == 3 else (*found, 1)
    first = wanted[1] in (1, 3) and wanted[3] not in (1, 3)
    want_channels, want_height, want_width = wanted[1:] if first else (wanted[3], wanted[1], wanted[2])
    fixes = []
    if first and channels != wanted[3]:
        fixes.append("--layout nchw (the model wants channels first)")
    if channels != want_channels and want_channels in (1, 3) and channels in (1, 3):
        fixes.append(f"--color {'gray' if want_channels == 1 else 'rgb'}")
    if (height, width) != (want_height, want_width) and not (first and fixes and (channels, height) == wanted[1:3]):
        fixes.append(f"--resize {want_height}x{want_width}")
    return ["Add " + " ".join(fixes)] if fixes else []


def _typed(array: Array, tensor: TensorFact, name: str) -> Array:
    wanted = np.dtype(tensor.dtype) if tensor.dtype in _OWN_DTYPES and tensor.scale == 0 else np.dtype(np.float32)
    if wanted == array.dtype:
        typed = np.ascontiguousarray(array)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            typed = np.ascontiguousarray(array, wanted)
        if wanted.kind != "f" and not np.array_equal(typed, array):
            raise DataError(
                f"'{name}' has values that do not fit the {tensor.dtype} input '{tensor.name}'.",
                why=f"They are {array.dtype} from {array.min()} to {array.max()}.",
                fixes=["Store whole numbers in the range of that type.", "Leave --mean and --std out for this model."],
            )
    # The sum is finite unless a value is not (or it overflows): much faster than looking at every value.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = array.dtype.kind == "f" and not np.isfinite(typed.sum())
    if suspicious and not np.isfinite(typed).all():
        raise DataError(
            f"'{name}' has {int((~np.isfinite(typed)).sum())} values that are NaN or infinite.",
            fixes=["Remove the sample or correct its values."],
        )
    return typed


_OWN_DTYPES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"})
