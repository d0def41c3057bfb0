"""The one definition of preprocessing: calibration, evaluation, benchmark and the model card all mean exactly this.

In this order, each step only when it is set:

1. central crop: the middle ``fraction`` of each side, as tf.image.central_crop counts it;
2. resize to height × width: Pillow's bilinear filter with its antialiasing when shrinking (a triangle as wide as the
   scale), which is TensorFlow's ``resize(method="bilinear", antialias=True)``; 8-bit pixels are rounded to 8 bits;
3. colour order: ``rgb`` repeats a gray channel, ``bgr`` turns RGB round, ``gray`` is ITU-R 601 luma (L = 0.299 R +
   0.587 G + 0.114 B);
4. (x − mean) / std in float32, channel values in the order that step 3 gives;
5. layout: ``nchw`` moves the channels to the front.

Steps 1 to 3 and 5 are for pictures and arrays of rank 3 (a rank-2 array counts as one gray channel). Of a model with
several inputs only arrays of rank 3 are preprocessed. With nothing set, values are passed on as float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfmobile.datasets.spec import Preprocessing
from tfmobile.errors import DataError, UsageError
from tfmobile.graph.model import Array


def preprocess(
    values: Mapping[str, Array] | tuple[Array, ...], preprocessing: Preprocessing, name: str = "the sample"
) -> dict[str, Array] | tuple[Array, ...]:
    """The arrays of one sample after ``preprocessing``, float32, or as they are stored where nothing applies.

    Raises DataError naming the sample ``name`` when a step does not fit its shape.
    """
    arrays = list(values.values()) if isinstance(values, Mapping) else list(values)
    pictures_only = len(arrays) > 1 and preprocessing != Preprocessing()
    if pictures_only and all(array.ndim != 3 for array in arrays):
        raise DataError(
            f"'{name}' has {len(arrays)} inputs, none of which is a picture.",
            why="With several inputs only arrays of rank 3 are preprocessed.",
            fixes=["Leave the preprocessing options out and store the values as the model wants them."],
        )
    done = tuple(
        array if pictures_only and array.ndim != 3 else preprocess_array(array, preprocessing, name) for array in arrays
    )
    return dict(zip(values, done, strict=True)) if isinstance(values, Mapping) else done


def preprocess_array(array: Array, preprocessing: Preprocessing, name: str = "the sample") -> Array:
    """One array after ``preprocessing``: [H, W, C], [H, W], or any shape when only mean and std are set."""
    plan = preprocessing
    if plan.central_crop or plan.resize or plan.color or plan.layout == "nchw":
        array = _as_picture(array, name)
    if plan.central_crop:
        array = central_crop(array, plan.central_crop)
    if plan.resize:
        array = resize(array, plan.resize[0], plan.resize[1])
    if plan.color:
        array = order_colors(array, plan.color, name)
    if plan.mean or plan.std:
        array = _normalize(array, plan, name)
    if plan.layout == "nchw":
        array = np.ascontiguousarray(array.transpose(2, 0, 1))
    return array


def _as_picture(array: Array, name: str) -> Array:
    if array.ndim == 3:
        return array
    if array.ndim == 2:
        return array[:, :, np.newaxis]
    raise DataError(
        f"'{name}' is no picture: its shape is {list(array.shape)}.",
        why="Crop, resize, colour order and layout need height × width × channels.",
        fixes=["Leave --resize, --central-crop, --color and --layout out for this data."],
    )


def central_crop(picture: Array, fraction: float) -> Array:
    """The middle of [H, W, C]: ``fraction`` of each side; the margin is int((side − side · fraction) / 2)."""
    height, width = picture.shape[:2]
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    return picture[top : height - top, left : width - left]


def resize(picture: Array, height: int, width: int) -> Array:
    """[H, W, C] to [height, width, C], bilinear with antialiasing; uint8 stays uint8, all else becomes float32."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    bilinear = Image.Resampling.BILINEAR
    if picture.dtype == np.uint8 and picture.shape[2] == 3:
        return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), bilinear))
    kind = np.uint8 if picture.dtype == np.uint8 else np.float32
    planes = [np.ascontiguousarray(picture[:, :, index], kind) for index in range(picture.shape[2])]
    return np.stack([np.asarray(Image.fromarray(plane).resize((width, height), bilinear)) for plane in planes], axis=-1)


def order_colors(picture: Array, color: str, name: str) -> Array:
    """[H, W, 1 or 3] in the colour order ``color``; stored pictures are RGB or gray."""
    channels = picture.shape[2]
    if channels not in (1, 3):
        raise DataError(
            f"'{name}' has {channels} channels, so it has no colour order.",
            fixes=["Leave --color out.", "Store the samples as height × width × channels with 1 or 3 channels."],
        )
    if color == "gray":
        return picture if channels == 1 else _luma(picture)
    if channels == 1:
        return np.repeat(picture, 3, axis=2)
    return picture if color == "rgb" else picture[:, :, ::-1]


def _luma(picture: Array) -> Array:
    if picture.dtype != np.uint8:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        gray: Array = (picture.astype(np.float32) @ weights)[:, :, np.newaxis]
        return gray
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))[:, :, np.newaxis]


def _normalize(array: Array, plan: Preprocessing, name: str) -> Array:
    mean, std = np.array(plan.mean or (0.0,), np.float32), np.array(plan.std or (1.0,), np.float32)
    wanted = max(mean.size, std.size)
    if wanted > 1 and array.shape[-1:] != (wanted,):
        raise DataError(
            f"'{name}' has shape {list(array.shape)}, but --mean or --std has {wanted} values.",
            why="There is one value for all channels, or one for each; channels are the last dimension.",
            fixes=["Give a single value.", "Give as many values as the samples have channels."],
        )
    normalized = array.astype(np.float32)
    normalized -= mean
    normalized /= std
    return normalized


def validate(preprocessing: Preprocessing) -> None:
    """Raise UsageError for values that can fit no sample."""
    crop, size = preprocessing.central_crop, preprocessing.resize
    if crop is not None and not 0 < crop <= 1:
        raise UsageError(f"A central crop of {crop:g} is not possible.", fixes=["Give 0 < f ≤ 1: --central-crop 0.875"])
    if size and (len(size) != 2 or min(size) < 1):
        raise UsageError(
            f"A size of {'x'.join(map(str, size))} is not possible.",
            fixes=["Give height and width: --resize 224x224"],
        )
    if 0 in preprocessing.std or any(value < 0 for value in preprocessing.std):
        raise UsageError("A standard deviation must be above 0.", fixes=["Correct --std, for example --std 127.5"])
    if not np.isfinite([*preprocessing.mean, *preprocessing.std]).all():
        raise UsageError("--mean and --std must be finite numbers.", fixes=["For example: --mean 127.5 --std 127.5"])
    _validate_channels(preprocessing)


def _validate_channels(preprocessing: Preprocessing) -> None:
    counts = {len(values) for values in (preprocessing.mean, preprocessing.std) if len(values) > 1}
    if len(counts) > 1:
        raise UsageError(
            f"--mean has {len(preprocessing.mean)} values and --std {len(preprocessing.std)}.",
            fixes=["Give one value, or the same number of values, for both."],
        )
    channels = {"rgb": 3, "bgr": 3, "gray": 1}.get(preprocessing.color or "")
    if counts and channels and counts != {channels}:
        raise UsageError(
            f"--mean or --std has {counts.pop()} values, but --color {preprocessing.color} gives {channels} channels.",
            fixes=[f"Give one value, or {channels}."],
        )


def parse_size(text: str) -> tuple[int, int]:
    """``224x224`` or ``224`` → (height, width); raises UsageError."""
    parts = [part.strip() for part in text.lower().split("x")]
    if len(parts) in (1, 2) and all(part.isdecimal() and int(part) > 0 for part in parts):
        return int(parts[0]), int(parts[-1])
    raise UsageError(f"'{text}' is no size.", fixes=["Give height x width in pixels, for example 224x224."])


def parse_channels(text: str) -> tuple[float, ...]:
    """``127.5`` or ``123.7,116.8,103.9`` → one float, or one a channel; raises UsageError."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (float("nan"),)
    if not np.isfinite(values).all():
        raise UsageError(
            f"'{text}' is no number and no list of numbers.",
            fixes=["Give one value, or one a channel with commas: 127.5 or 123.7,116.8,103.9"],
        )
    return values


def describe(preprocessing: Preprocessing) -> str:
    """What is done, as one sentence for a person."""
    plan, parts = preprocessing, []
    if plan.central_crop:
        parts.append(f"cut to the central {plan.central_crop * 100:g} % of each side")
    if plan.resize:
        parts.append(f"resized to {plan.resize[0]}×{plan.resize[1]} (bilinear, antialiased)")
    if plan.color:
        parts.append(f"as {plan.color.upper() if plan.color != 'gray' else 'gray'}")
    if plan.mean or plan.std:
        parts.append(f"(x − {_spell(plan.mean or (0.0,))}) / {_spell(plan.std or (1.0,))}")
    if plan.layout == "nchw":
        parts.append("channels first")
    return (
        ", then ".join(parts)[:1].upper() + ", then ".join(parts)[1:] + "." if parts else "Values as they are stored."
    )


def _spell(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else "[" + ", ".join(f"{value:g}" for value in values) + "]"


def to_dict(preprocessing: Preprocessing) -> dict[str, Any]:
    """For card.json: every step by name, None or an empty list where it is not applied, and the sentence."""
    return {
        "central_crop": preprocessing.central_crop,
        "resize": list(preprocessing.resize),
        "resize_method": "bilinear-antialias" if preprocessing.resize else None,
        "color": preprocessing.color,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "layout": preprocessing.layout,
        "description": describe(preprocessing),
    }
