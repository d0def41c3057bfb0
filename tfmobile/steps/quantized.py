"""Steps that make the .tflite: calibrate (resumable), quantize, metadata, load test, error by layer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from tfmobile.artifacts import Calibration, LayerError, LoadTest, TensorFact
from tfmobile.codec import decode, encode
from tfmobile.errors import DataError
from tfmobile.graph.model import Array
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.context import Context, data_key, feeds_at
from tfmobile.workspace import Product, Step, digest

CHECKPOINT_EVERY = 100


def calibrate(
    context: Context, recipe: Recipe, floating: bytes, inputs: tuple[TensorFact, ...], key: str
) -> tuple[Calibration, Step]:
    """Activation ranges over all calibration samples. A killed run goes on after its last checkpoint."""
    path = context.plan.calibration_path
    if path is None:
        raise no_data(recipe.name)
    options = {"model": key, "samples": data_key(context.plan, path)}
    partial = digest(options)

    def compute() -> Product:
        from tfmobile.quantization import calibrate as run_calibration

        saved = context.workspace.read_partial("calibrate", partial)
        start = decode(Calibration, saved) if saved else None
        total, feeds = feeds_at(context.plan, path, inputs)
        result = run_calibration(
            floating,
            ((name, feed) for name, _, feed in itertools.islice(feeds, start.samples if start else 0, None)),
            source=path,
            start=start,
            checkpoint=lambda done: context.workspace.write_partial("calibrate", partial, encode(done)),
            every=CHECKPOINT_EVERY,
            total=total,
            progress=context.progress,
        )
        context.workspace.drop_partial("calibrate", partial)
        return {}, encode(result)

    step = context.step("calibrate", options, compute)
    calibration = decode(Calibration, dict(step.facts))
    context.note(*calibration.notes)
    return calibration, step


def stand_in_feeds(context: Context, inputs: tuple[TensorFact, ...], count: int) -> list[Mapping[str, Array]]:
    """Seeded random samples for the checks that need some input when there is no data; said in the notes."""
    from tfmobile.quantization import random_feeds

    context.note("Without data, the model was verified and timed on random inputs.")
    return [feed for _, feed in random_feeds(inputs, count, 1)]


def no_data(recipe: str) -> DataError:
    """The refusal to calibrate without data."""
    return DataError(
        f"The recipe {recipe} needs calibration data, and none was given.",
        why="Activation ranges come from samples like those the model will meet; guessed ranges ruin accuracy.",
        fixes=[
            "Give 100 to 500 samples: --data DIR (labelled) or --calibrate-with DIR (no labels needed).",
            "Choose a recipe without calibration: --recipe dynamic-int8 or --recipe float16.",
            "To try the line out only: --calibrate-with random (the report will say so in red).",
        ],
    )


def quantize(
    context: Context, recipe: Recipe, floating: bytes, calibration: Calibration | None, io: str, key: Any
) -> tuple[bytes, Step]:
    """The .tflite by the recipe's back end."""

    def compute() -> Product:
        from tfmobile.quantization import quantize as run_back_end

        return {"model.tflite": run_back_end(floating, recipe, calibration, io=io)}, {"backend": recipe.backend}

    step = context.step("quantize", {"model": key, "recipe": encode(recipe), "io": io}, compute)
    return step.blobs["model.tflite"], step


def add_metadata(context: Context, content: bytes, name: str, description: str, key: str) -> tuple[bytes, Step]:
    """The .tflite with its preprocessing and labels inside."""
    labels = _labels(context)

    def compute() -> Product:
        from tfmobile.conversion import write_metadata

        written = write_metadata(
            content,
            preprocessing=context.plan.preprocessing,
            labels=labels,
            name=name,
            description=description,
        )
        return {"model.tflite": written}, {"labels": len(labels)}

    options = {
        "model": key,
        "preprocessing": encode(context.plan.preprocessing),
        "labels": labels,
        "name": name,
    }
    step = context.step("metadata", {**options, "description": description}, compute)
    return step.blobs["model.tflite"], step


def _labels(context: Context) -> tuple[str, ...]:
    from tfmobile.datasets import open_dataset
    from tfmobile.datasets.labels import read_class_names

    plan = context.plan
    if plan.data.labels is not None:
        return read_class_names(plan.data.labels)
    if plan.data.data is None:
        return ()
    return open_dataset(plan.data_spec(plan.data.data)).class_names


def load_test(context: Context, content: bytes, feeds: Sequence[Mapping[str, Array]], key: Any) -> LoadTest:
    """Load and run the result in a child process."""

    def compute() -> Product:
        from tfmobile.runtime import load_test as test_in_child

        return {}, encode(test_in_child(content, feeds))

    return decode(LoadTest, dict(context.step("load-test", {"model": key}, compute).facts))


def layer_errors(
    context: Context, floating: bytes, content: bytes, feeds: Sequence[Mapping[str, Array]], key: Any
) -> tuple[LayerError, ...]:
    """Signal to noise of every layer's output, quantized against float."""

    def compute() -> Product:
        from tfmobile.quantization import layer_errors as measure

        return {}, {"layers": encode(measure(floating, content, feeds))}

    step = context.step("layer-errors", {"model": key}, compute)
    return tuple(decode(LayerError, item) for item in step.facts["layers"])
