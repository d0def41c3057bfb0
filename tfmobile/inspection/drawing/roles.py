"""What an op does in a drawing; the rows are in roles.toml."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from tfmobile import datafiles

LAYERS = frozenset({"convolution", "depthwise", "dense"})
INPUT, OUTPUT, OTHER, SCOPE = "input", "output", "other", "scope"

LEGEND: Mapping[str, str] = {
    "convolution": "Convolution",
    "depthwise": "Depthwise convolution",
    "dense": "Dense, recurrent, embedding",
    "norm": "Normalization, scale, shift",
    "join": "Sum, product, concatenation",
    "activation": "Activation",
    "pool": "Pooling, reduction",
    "shape": "Shape, resizing",
    "convert": "Conversion of numbers",
    "control": "Control flow",
    SCOPE: "Several nodes of one scope",
    OTHER: "Other",
    INPUT: "Input, output",
}
"""Colours by their name, in the order of the legend."""

_COLOURS = {
    "affine": "norm",
    "quantizer": "convert",
    "softmax": "activation",
    "pad": "shape",
    "unpad": "shape",
    "resize": "shape",
    "output": INPUT,
}
_NAMES = {
    "DepthwiseConv2dNative": "DepthwiseConv2D",
    "Conv2DBackpropInput": "Conv2DTranspose",
    "Conv3DBackpropInputV2": "Conv3DTranspose",
    "BatchNormWithGlobalNormalization": "BatchNorm",
    "FusedBatchNorm": "BatchNorm",
    "FakeQuantWithMinMaxArgs": "FakeQuant",
    "FakeQuantWithMinMaxVars": "FakeQuant",
    "FakeQuantWithMinMaxVarsPerChannel": "FakeQuant",
    "_FusedConv2D": "FusedConv2D",
    "_FusedMatMul": "FusedMatMul",
}


def role(op: str) -> str:
    """The role of an op, ``other`` when it has none."""
    return _table().get(op, OTHER)


def colour(role: str) -> str:
    """The key of LEGEND under which a role is drawn."""
    found = _COLOURS.get(role, role)
    return found if found in LEGEND else OTHER


def short(op: str) -> str:
    """The op's name as people say it: without its version, and FusedBatchNormV3 as BatchNorm."""
    bare = re.sub(r"(?<=[a-zA-Z])V\d$", "", op) if not op.isupper() else op
    return _NAMES.get(op, _NAMES.get(bare, bare))


@functools.cache
def _table() -> Mapping[str, str]:
    rows = datafiles.read_toml(Path(__file__).with_name("roles.toml"))["roles"]
    return {op: name for name, ops in rows.items() for op in ops}
