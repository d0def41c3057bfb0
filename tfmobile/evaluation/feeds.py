"""What is fed to every model for one sample, preprocessed once for all of them.

8-bit pictures for a model with a quantized 8-bit input take a short cut: normalization and quantization map each of the
256 pixel values to one integer, so they are tables, made by the same functions that every other sample goes through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfmobile.artifacts import Sample, TensorFact
from tfmobile.datasets import Preprocessing, feed, preprocess
from tfmobile.datasets.preprocessing import preprocess_array
from tfmobile.graph.model import Array
from tfmobile.runtime.interpreter import quantize

_NOTHING = Preprocessing()


class Feeder:
    """Makes the feeds of the models whose inputs are ``inputs``, in their order."""

    def __init__(self, preprocessing: Preprocessing, inputs: Sequence[Sequence[TensorFact]]) -> None:
        self._plan = preprocessing
        self._inputs = [tuple(facts) for facts in inputs]
        self._geometry = dataclasses.replace(preprocessing, mean=(), std=())
        self._tables = [_tables(preprocessing, facts) for facts in self._inputs]

    def feeds(self, sample: Sample) -> list[dict[str, Array]]:
        """One feed a model, by input name; raises DataError as ``feed`` does."""
        picture = self._picture(sample)
        plain: Sample | None = None
        made: dict[tuple[object, ...], dict[str, Array]] = {}
        feeds = []
        for facts, tables in zip(self._inputs, self._tables, strict=True):
            looked_up = picture is not None and len(tables) in (1, picture.shape[2])
            key = _key(facts, looked_up)
            if key not in made and looked_up and picture is not None:
                values = _look_up(picture, tables, facts[0].dtype)
                raw = dataclasses.replace(facts[0], scale=0.0)
                made[key] = feed(Sample(sample.name, (values,)), _NOTHING, [raw])
            elif key not in made:
                if plain is None:
                    plain = dataclasses.replace(sample, values=preprocess(sample.values, self._plan, sample.name))
                made[key] = feed(plain, _NOTHING, facts)
            feeds.append(made[key])
        return feeds

    def _picture(self, sample: Sample) -> Array | None:
        """The 8-bit picture before normalization, when some model can look its input up."""
        values = sample.values
        if not any(self._tables) or not isinstance(values, tuple) or len(values) != 1:
            return None
        if values[0].dtype != np.uint8 or values[0].ndim != 3:
            return None
        return preprocess_array(values[0], self._geometry, sample.name)


def _key(facts: Sequence[TensorFact], looked_up: bool) -> tuple[object, ...]:
    """What a feed depends on: looked-up integers also on scale and zero point."""
    if looked_up:
        return (looked_up, *facts)
    return (looked_up, *((fact.name, fact.shape, fact.dtype, fact.scale == 0) for fact in facts))


def _tables(plan: Preprocessing, facts: Sequence[TensorFact]) -> list[bytes]:
    """For each channel (or for all) the 256 bytes that pixels become; none where the short cut does not apply."""
    if len(facts) != 1 or facts[0].dtype not in ("int8", "uint8") or facts[0].scale == 0 or plan.layout != "nhwc":
        return []
    fact = facts[0]
    channels = max(len(plan.mean), len(plan.std), 1)
    pixels = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], channels, axis=1)
    normalize = Preprocessing(mean=plan.mean, std=plan.std)
    real = preprocess_array(pixels, normalize).astype(np.float32)
    whole = quantize(real, fact.scale, fact.zero_point, fact.dtype)
    return [np.ascontiguousarray(whole[:, channel]).tobytes() for channel in range(channels)]


def _look_up(picture: Array, tables: Sequence[bytes], dtype: str) -> Array:
    if len(tables) == 1:
        return np.frombuffer(picture.tobytes().translate(tables[0]), dtype).reshape(picture.shape)
    values = np.empty(picture.shape, dtype)
    for channel, table in enumerate(tables):
        plane = picture[:, :, channel]
        values[:, :, channel] = np.frombuffer(plane.tobytes().translate(table), dtype).reshape(plane.shape)
    return values
