"""TFLite metadata: what a .tflite says about itself to the program that feeds it.

The flatbuffer ``ModelMetadata`` (identifier M001) in the buffer named TFLITE_METADATA, and files attached behind the
model. https://ai.google.dev/edge/litert/models/metadata, metadata_schema.fbs 1.0.0 of tflite-support; written here by
hand because that package has no build for current Pythons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.runtime import attachments, flatbuffer, tables

ENTRY = "TFLITE_METADATA"
IDENTIFIER = b"M001"
MIN_PARSER_VERSION = "1.0.0"

COLOR_SPACES = {"rgb": 1, "gray": 2}
AXIS_LABELS, DESCRIPTIONS = 2, 1

SCHEMA: tables.Schema = {
    "ModelMetadata": (
        ("name", "string"),
        ("description", "string"),
        ("version", "string"),
        ("subgraph_metadata", "[SubGraphMetadata]"),
        ("author", "string"),
        ("license", "string"),
        ("associated_files", "[AssociatedFile]"),
        ("min_parser_version", "string"),
    ),
    "SubGraphMetadata": (
        ("name", "string"),
        ("description", "string"),
        ("input_tensor_metadata", "[TensorMetadata]"),
        ("output_tensor_metadata", "[TensorMetadata]"),
        ("associated_files", "[AssociatedFile]"),
    ),
    "TensorMetadata": (
        ("name", "string"),
        ("description", "string"),
        ("dimension_names", "[string]"),
        ("content", "Content"),
        ("process_units", "[ProcessUnit]"),
        ("stats", "Stats"),
        ("associated_files", "[AssociatedFile]"),
    ),
    "Content": (("content_properties", "union:ContentProperties"), ("range", "ValueRange")),
    "FeatureProperties": (),
    "ImageProperties": (("color_space", "int8"), ("default_size", "ImageSize")),
    "BoundingBoxProperties": (("index", "[uint32]"), ("box_type", "int8"), ("coordinate_type", "int8")),
    "ImageSize": (("width", "uint32"), ("height", "uint32")),
    "ValueRange": (("min", "int32"), ("max", "int32")),
    "ProcessUnit": (("options", "union:ProcessUnitOptions"),),
    "NormalizationOptions": (("mean", "[float32]"), ("std", "[float32]")),
    "ScoreCalibrationOptions": (("score_transformation", "int8"), ("default_score", "float32")),
    "ScoreThresholdingOptions": (("global_score_threshold", "float32"),),
    "Stats": (("max", "[float32]"), ("min", "[float32]")),
    "AssociatedFile": (("name", "string"), ("description", "string"), ("file_type", "int8"), ("locale", "string")),
}
UNIONS: tables.Unions = {
    "ContentProperties": ("NONE", "FeatureProperties", "ImageProperties", "BoundingBoxProperties"),
    "ProcessUnitOptions": (
        "NONE",
        "NormalizationOptions",
        "ScoreCalibrationOptions",
        "ScoreThresholdingOptions",
    ),
}


def read_metadata(content: bytes) -> dict[str, Any]:
    """The model's metadata as nested dictionaries of plain values, by the field names of the schema; {} without any.

    Raises ModelError when the file, or its metadata, is damaged.
    """
    found = flatbuffer.metadata(flatbuffer.view(content)).get(ENTRY)
    if not found:
        return {}
    try:
        plain = _plain(tables.decode(found, SCHEMA, "ModelMetadata", UNIONS))
    except tables.Damaged as cause:
        raise ModelError(
            "The metadata in the .tflite is damaged.",
            why=str(cause),
            fixes=["Make the model again: the metadata is no use, the model itself may run."],
        ) from cause
    return dict(plain)


def associated_files(content: bytes) -> dict[str, bytes]:
    """The files attached to the model, such as labels.txt, by name."""
    return attachments.attached(content)


def add(content: bytes, metadata: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """The model with this metadata (as ``read_metadata`` gives it) and these attached files, replacing earlier ones."""
    model = flatbuffer.read(content)
    values = {**metadata, "min_parser_version": MIN_PARSER_VERSION}
    encoded = tables.encode(values, SCHEMA, "ModelMetadata", IDENTIFIER, UNIONS)
    flatbuffer.set_metadata(model, ENTRY, encoded)
    return attachments.attach(flatbuffer.write(model), files)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value
