"""Options of a .tflite's operators (strides, padding, activation), where the generated schema is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tfmobile.errors import ModelError, ToolError
from tfmobile.runtime import flatbuffer

Options = Mapping[str, Any]
_NONE: Options = MappingProxyType({})
_ACTIVATIONS = ("", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
_PADDINGS = ("SAME", "VALID")
_NOT_OPTIONS = frozenset({"keepNumDims", "weightsFormat", "asymmetricQuantizeInputs", "quantizedBiasType"})


def operator_options(content: bytes, count: int) -> tuple[Options, ...]:
    """One mapping for each of the ``count`` operators of the main subgraph; empty ones where no schema is installed."""
    try:
        model = flatbuffer.read(content)
    except (ToolError, ModelError):
        return (_NONE,) * count
    return tuple(_options(operator.builtinOptions) for operator in flatbuffer.sequence(model.subgraphs[0].operators))


def _options(found: Any) -> Options:
    if found is None:
        return _NONE
    named = {_snake(key): _value(key, value) for key, value in vars(found).items() if key not in _NOT_OPTIONS}
    return {key: value for key, value in named.items() if value is not None and value != ""}


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


def _value(key: str, value: Any) -> Any:
    if key == "fusedActivationFunction":
        return _ACTIVATIONS[value] if 0 <= value < len(_ACTIVATIONS) else value
    if key == "padding" and value in (0, 1):
        return _PADDINGS[value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.tolist() if hasattr(value, "tolist") else value


def text(options: Options) -> str:
    """``padding=SAME, stride_w=2``."""
    return ", ".join(f"{key}={value}" for key, value in options.items())
