"""The metadata of a converted model: how its inputs are prepared and what its outputs mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfmobile.artifacts import TensorFact
from tfmobile.datasets.spec import Preprocessing
from tfmobile.runtime import flatbuffer, metadata
from tfmobile.runtime.describe import facts

LABELS_FILE = "labels.txt"


def write_metadata(
    content: bytes,
    *,
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] = (),
    name: str = "",
    description: str = "",
    version: str = "1",
    author: str = "",
    license: str = "",
) -> bytes:
    """The .tflite with TFLite metadata: normalization and image properties of its inputs, labels of its output.

    ``labels`` become the attached file labels.txt, tied to the first output whose last dimension they fill; when there
    is none, the file is attached to the model alone. The result still loads in the runtime. Deterministic. Raises
    ModelError.
    """
    model = flatbuffer.read(content)
    outputs = facts(model, "outputs")
    labelled = _labelled(outputs, len(labels))
    subgraph = {
        "input_tensor_metadata": [_input(fact, preprocessing or Preprocessing()) for fact in facts(model, "inputs")],
        "output_tensor_metadata": [_output(fact, index == labelled) for index, fact in enumerate(outputs)],
    }
    values: dict[str, Any] = {
        "name": name,
        "description": description,
        "version": version,
        "subgraph_metadata": [subgraph],
    }
    values.update({key: text for key, text in (("author", author), ("license", license)) if text})
    if labels and labelled is None:
        values["associated_files"] = [
            _file("Class names of the data; no output has as many values.", metadata.DESCRIPTIONS)
        ]
    files = {LABELS_FILE: "".join(f"{label}\n" for label in labels).encode()} if labels else {}
    return metadata.add(content, values, files)


def _labelled(outputs: Sequence[TensorFact], count: int) -> int | None:
    if not count:
        return None
    return next((index for index, fact in enumerate(outputs) if fact.shape and fact.shape[-1] == count), None)


def _output(fact: TensorFact, labelled: bool) -> dict[str, Any]:
    values: dict[str, Any] = {"name": fact.name, "content": _content({"type": "FeatureProperties"})}
    if labelled:
        values["associated_files"] = [_file("One class name a line, in the order of the output.", metadata.AXIS_LABELS)]
    return values


def _file(description: str, kind: int) -> dict[str, Any]:
    return {"name": LABELS_FILE, "description": description, "file_type": kind}


def _input(fact: TensorFact, preprocessing: Preprocessing) -> dict[str, Any]:
    values: dict[str, Any] = {"name": fact.name, "description": _says(preprocessing)}
    if not fact.scale and fact.dtype not in ("float32", "float16"):
        return {"name": fact.name, "content": _content({"type": "FeatureProperties"})}
    image = _image(fact, preprocessing)
    values["content"] = _content(image or {"type": "FeatureProperties"})
    if image or preprocessing.mean or preprocessing.std:
        mean, std = preprocessing.mean or (0.0,), preprocessing.std or (1.0,)
        options = {"type": "NormalizationOptions", "mean": mean, "std": std}
        values["process_units"] = [{"options": options}]
        if image:
            values["stats"] = _pixel_range(mean, std)
    return values


def _content(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"content_properties": properties}


def _image(fact: TensorFact, preprocessing: Preprocessing) -> dict[str, Any] | None:
    """Image properties, for an input that is a channels-last picture; one channel counts only when the data say so."""
    if len(fact.shape) != 4 or preprocessing.layout != "nhwc" or fact.shape[3] not in (1, 3):
        return None
    pictures = preprocessing.color or preprocessing.resize or preprocessing.central_crop
    if fact.shape[3] == 1 and not pictures:
        return None
    color = preprocessing.color or ("rgb" if fact.shape[3] == 3 else "gray")
    found: dict[str, Any] = {"type": "ImageProperties", "color_space": metadata.COLOR_SPACES.get(color, 0)}
    if min(fact.shape[1:3]) > 0:
        found["default_size"] = {"height": fact.shape[1], "width": fact.shape[2]}
    return found


def _pixel_range(mean: Sequence[float], std: Sequence[float]) -> dict[str, list[float]]:
    """The normalized values of a black and a white pixel, by channel."""
    channels = max(len(mean), len(std))
    means, stds = (tuple(values) * channels if len(values) == 1 else tuple(values) for values in (mean, std))
    pairs = list(zip(means, stds, strict=True))
    return {"min": [(0.0 - m) / s for m, s in pairs], "max": [(255.0 - m) / s for m, s in pairs]}


def _says(preprocessing: Preprocessing) -> str:
    """The whole preprocessing in words: the schema has no place for crop and BGR."""
    steps = []
    if preprocessing.central_crop is not None:
        steps.append(f"central crop {preprocessing.central_crop:g}")
    if preprocessing.resize:
        steps.append("resize to " + "x".join(str(size) for size in preprocessing.resize))
    if preprocessing.color:
        steps.append(f"colour order {preprocessing.color}")
    if preprocessing.mean or preprocessing.std:
        mean = ", ".join(f"{value:g}" for value in preprocessing.mean or (0.0,))
        std = ", ".join(f"{value:g}" for value in preprocessing.std or (1.0,))
        steps.append(f"(value - [{mean}]) / [{std}]")
    if preprocessing.layout != "nhwc":
        steps.append(f"layout {preprocessing.layout}")
    return "Preprocessing: " + "; ".join(steps) if steps else ""
