"""Put the preprocessing into the model: its input then takes pixels, as a camera gives them."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfmobile.artifacts import SourceModel
from tfmobile.datasets.spec import Preprocessing
from tfmobile.errors import UnsupportedError, UsageError
from tfmobile.graph.model import Graph
from tfmobile.steps.context import VERIFY_SAMPLES, Context, data_key, input_facts, some_feeds
from tfmobile.steps.model import dump_source, read_source
from tfmobile.workspace import Product, Step


def bake(context: Context, source: SourceModel, loaded: Step) -> tuple[SourceModel, Step]:
    """The model with the plan's mean, std and colour order in front, verified; ``context.plan`` is left without them.

    Everything after this step, also the model called the original, takes pixels. Raises UsageError when there is
    nothing to bake, UnsupportedError for a .tflite, VerificationError when the answer would change.
    """
    plan = context.plan
    settings = plan.preprocessing
    graph = _check(source, settings)
    call = baking_call(settings)
    path = plan.calibration_path
    feeds = some_feeds(plan, path, input_facts(source), VERIFY_SAMPLES)

    def compute() -> Product:
        from tfmobile.passes import rewrite

        result = rewrite(graph, call, feeds, strict=True, progress=context.progress)
        return dump_source(dataclasses.replace(source, graph=result.graph))

    key: dict[str, Any] = {"load": loaded.key, "pass": call, "samples": data_key(plan, path), "count": VERIFY_SAMPLES}
    step = context.step("bake", key, compute)
    context.note(f"The model does its own preprocessing ({_words(settings)}); it takes pixels from 0 to 255.")
    context.asked = context.asked or plan
    color = "rgb" if settings.color == "bgr" else settings.color
    rest = dataclasses.replace(settings, mean=(), std=(), color=color)
    context.plan = dataclasses.replace(plan, preprocessing=rest)
    return read_source(step), step


def baking_call(settings: Preprocessing) -> str:
    """The pass that bakes ``settings``."""
    arguments = {
        "mean": ",".join(f"{value!r}" for value in settings.mean),
        "std": ",".join(f"{value!r}" for value in settings.std),
        "color": "bgr" if settings.color == "bgr" else "",
        "layout": settings.layout if settings.layout != "nhwc" else "",
    }
    inside = ", ".join(f'{key}="{value}"' for key, value in arguments.items() if value)
    return f"bake-preprocessing({inside})"


def _check(source: SourceModel, settings: Preprocessing) -> Graph:
    if not settings.mean and not settings.std and settings.color != "bgr":
        raise UsageError(
            "There is no preprocessing to bake.",
            why="--bake-preprocessing puts --mean, --std and --color bgr into the model; none of them is given.",
            fixes=["Add them: --mean 127.5 --std 127.5.", "Leave --bake-preprocessing out."],
        )
    if source.graph is None:
        raise UnsupportedError(
            "The preprocessing cannot be baked into a .tflite.",
            why="Only a TensorFlow graph can be rewritten.",
            fixes=["Start from the TensorFlow model that it was made of."],
        )
    return source.graph


def _words(settings: Preprocessing) -> str:
    from tfmobile.datasets.preprocessing import describe

    baked = Preprocessing(mean=settings.mean, std=settings.std, color="bgr" if settings.color == "bgr" else None)
    return describe(baked).rstrip(".")
