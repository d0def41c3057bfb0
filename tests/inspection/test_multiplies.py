"""Multiply-accumulates from shapes."""

from __future__ import annotations

from typing import Any

import pytest

from tfmobile.graph.model import Shape
from tfmobile.inspection.multiplies import TENSORFLOW, TFLITE, count


@pytest.mark.parametrize(
    ("op", "inputs", "output", "attrs", "macs"),
    [
        ("Conv2D", [(1, 8, 8, 4), (3, 3, 2, 6)], (1, 8, 8, 6), {}, 8 * 8 * 6 * 3 * 3 * 2),  # two groups
        ("Conv3D", [(1, 4, 4, 4, 2), (2, 2, 2, 2, 5)], (1, 3, 3, 3, 5), {}, 27 * 5 * 8 * 2),
        ("MatMul", [(4, 7), (7, 3)], (4, 3), {}, 84),
        ("MatMul", [(7, 4), (7, 3)], (4, 3), {"transpose_a": True}, 84),
        ("BatchMatMulV2", [(2, 4, 7), (2, 7, 3)], (2, 4, 3), {}, 168),
        ("BatchMatMulV2", [(2, 7, 4), (2, 7, 3)], (2, 4, 3), {"adj_x": True}, 168),
        ("Einsum", [(2, 5, 8), (8, 3, 4)], (2, 5, 3, 4), {"equation": b"abc,cde->abde"}, 2 * 5 * 8 * 3 * 4),
        ("Einsum", [(2, 5), (5,)], (2,), {"equation": b"...a,a->..."}, None),
        ("Relu", [(1, 8)], (1, 8), {}, 0),
        ("Conv2D", [(None, 8, 8, 3), (3, 3, 3, 6)], (None, 8, 8, 6), {}, None),
        ("MatMul", [None, None], (4, 3), {}, None),
    ],
)
def test_tensorflow_ops(op: str, inputs: list[Shape], output: Shape, attrs: dict[str, Any], macs: int | None) -> None:
    assert count(TENSORFLOW, op, inputs, output, attrs) == macs


@pytest.mark.parametrize(
    ("op", "inputs", "output", "macs"),
    [
        ("CONV_2D", [(1, 8, 8, 2), (6, 3, 3, 2), (6,)], (1, 8, 8, 6), 8 * 8 * 6 * 18),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 2), (1, 3, 3, 4), (4,)], (1, 8, 8, 4), 8 * 8 * 4 * 9),
        ("FULLY_CONNECTED", [(1, 20), (5, 20), ()], (1, 5), 100),
        ("TRANSPOSE_CONV", [(4,), (6, 2, 2, 3), (1, 8, 8, 3)], (1, 16, 16, 6), 8 * 8 * 3 * 2 * 2 * 6),
        ("BATCH_MATMUL", [(2, 4, 7), (2, 7, 3)], (2, 4, 3), 168),
        ("BATCH_MATMUL", [(2, 7, 4), (2, 3, 7)], (2, 4, 3), 168),
        ("RELU", [(1, 8)], (1, 8), 0),
    ],
)
def test_tflite_operators(op: str, inputs: list[Shape], output: Shape, macs: int) -> None:
    assert count(TFLITE, op, inputs, output, {}) == macs
