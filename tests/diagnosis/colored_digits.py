"""Handwritten digits in warm ink on blue paper, and a small network trained on them in a few seconds."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from tests.passes.freezing import freeze
from tfmobile.artifacts import Sample, TensorFact
from tfmobile.conversion import convert
from tfmobile.diagnosis.answers import Answer, answer_of, first_answers, probabilities
from tfmobile.graph.model import Array
from tfmobile.runtime import describe

DIGITS = Path(__file__).resolve().parents[2] / "sample_models" / "digits" / "test.npz"
SIDE = 14
TRAINED_ON = 700


@functools.cache
def pictures() -> tuple[Array, Array]:
    """1,000 pictures, uint8 [1000, 14, 14, 3], and their digits; ink and paper differ a little from one to the next."""
    with np.load(DIGITS) as stored:
        ink = stored["x"].reshape(-1, SIDE, 2, SIDE, 2).mean(axis=(2, 4))[..., None] / 255
        labels = stored["y"].astype(np.int64)
    generator = np.random.default_rng(5)
    count = len(ink)
    warm = np.array([225.0, 150.0, 40.0]) + generator.normal(0, 12, (count, 1, 1, 3))
    paper = np.array([35.0, 80.0, 190.0]) + generator.normal(0, 12, (count, 1, 1, 3))
    mixed = ink * warm + (1 - ink) * paper + generator.normal(0, 6, (count, SIDE, SIDE, 3))
    return np.clip(mixed, 0, 255).round().astype(np.uint8), labels


def held_out(count: int = 48) -> list[Sample]:
    """Pictures that the network was not trained on, with labels."""
    x, y = pictures()
    return [Sample(f"{index}.png", (x[index],), int(y[index])) for index in range(TRAINED_ON, TRAINED_ON + count)]


@functools.cache
def _trained() -> Any:
    """A Keras model of pixels scaled to −1…1."""
    import keras

    keras.utils.set_random_seed(2)
    model = _built(keras)
    x, y = pictures()
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", jit_compile=False)
    scaled = x[:TRAINED_ON].astype(np.float32) / 127.5 - 1
    model.fit(scaled, y[:TRAINED_ON], batch_size=35, epochs=10, verbose=0)
    return model


@functools.cache
def network(mean: float, std: float) -> bytes:
    """The float .tflite of a network that wants (pixel − mean) / std."""
    model = _trained()

    def function(batch: Any) -> Any:
        return model((batch * std + mean) / 127.5 - 1, training=False)

    return convert(freeze(function, (1, SIDE, SIDE, 3)))


def _built(keras: Any) -> Any:
    layers = keras.layers
    x = start = keras.Input((SIDE, SIDE, 3))
    for channels, stride in ((12, 1), (24, 2), (32, 2)):
        x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.8)(x))
    return keras.Model(start, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def inputs(mean: float, std: float) -> tuple[TensorFact, ...]:
    return describe(network(mean, std)).inputs


def answer(mean: float, std: float) -> Answer:
    return answer_of(network(mean, std))


@functools.cache
def predictions(mean: float, std: float) -> Array:
    """What the network says to all 1,000 pictures, fed as it was trained."""
    key = inputs(mean, std)[0].name
    feeds = [{key: ((x.astype(np.float32) - mean) / std)[None]} for x in pictures()[0]]
    found = probabilities(answer(mean, std)(feeds))
    assert found is not None
    return first_answers(found)
