"""Open a model for measuring: a .tflite as it is, any other format converted to a float .tflite first."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from tfmobile.artifacts import NamedModel, SourceModel
from tfmobile.codec import decode
from tfmobile.datasets.spec import Preprocessing
from tfmobile.plan import ModelOptions, Plan
from tfmobile.workspace import sha256


def open_source(path: str, options: ModelOptions, trust: bool, *, verbatim: bool = False) -> SourceModel:
    """Load ``path`` as the plan's [model] section says, ``verbatim`` for editing; raises the errors of loading."""
    from tfmobile.loading import load

    return load(
        path,
        format=options.format,
        signature=options.signature,
        tags=options.tags,
        input=options.input,
        output=options.output,
        input_shape=options.input_shape,
        graph=options.graph,
        trust=trust,
        verbatim=verbatim,
    )


def open_model(path: str, plan: Plan, trust: bool) -> NamedModel:
    """The model at ``path`` by its file name; raises the errors of loading and conversion.

    How a model is opened (signature, inputs, shapes) holds for each that is not a .tflite.
    """
    source = open_source(path, plan.model if not path.endswith(".tflite") else ModelOptions(), trust)
    if source.tflite is not None:
        return NamedModel(_name(path), source.tflite)
    from tfmobile.conversion import convert

    assert source.graph is not None
    return NamedModel(_name(path), convert(source.graph))


def card_preprocessing(plan: Plan) -> Plan:
    """Take the preprocessing from the card.json beside the model, if it is of this very file and none was given."""
    if plan.preprocessing != Preprocessing() or plan.model.path is None:
        return plan
    model, card = Path(plan.model.path), Path(plan.model.path).with_name("card.json")
    if model.suffix != ".tflite" or not card.is_file() or not model.is_file():
        return plan
    try:
        facts = json.loads(card.read_text(encoding="utf-8"))
        if facts["model"]["sha256"] != sha256(model.read_bytes()):
            return plan
        found = decode(Preprocessing, {key: value for key, value in facts["preprocessing"].items() if key != "summary"})
    except (OSError, ValueError, KeyError, TypeError):
        return plan
    return dataclasses.replace(plan, preprocessing=found)


def _name(path: str) -> str:
    """The file's name, or with its folder's where the name alone says little."""
    found = Path(path)
    return f"{found.parent.name}/{found.name}" if found.name == "model.tflite" and found.parent.name else found.name
