"""One small trained-like model with its data, made once for all end-to-end tests."""

from __future__ import annotations

import numpy as np
import pytest

from tests.end_to_end.running import Sample


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    import keras

    folder = tmp_path_factory.mktemp("small")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="picture"),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shapes = [weight.shape for weight in layer.weights]
            random = np.random.default_rng(1)
            layer.set_weights([random.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes])
    model.save(folder / "model.keras")
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    labels = model.predict(pictures.astype(np.float32) / 255, verbose=0).argmax(-1).astype(np.int64)
    labels[::10] = (labels[::10] + 1) % 4
    np.savez_compressed(folder / "calibration.npz", x=pictures[:30])
    np.savez_compressed(folder / "test.npz", x=pictures[30:], y=labels[30:])
    return Sample(folder / "model.keras", folder / "calibration.npz", folder / "test.npz")
