"""What the runtime's integer kernels compute, by the operator's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfmobile.quantization.simulation import arithmetic_kernels as arithmetic
from tfmobile.quantization.simulation import moving_kernels as moving
from tfmobile.quantization.simulation.kernel import Call, Computed
from tfmobile.quantization.simulation.weighted_kernels import WEIGHTED

KERNELS: Mapping[str, Callable[[Call], Computed]] = {
    **WEIGHTED,
    "ADD": arithmetic.add,
    "SUB": arithmetic.subtract,
    "MUL": arithmetic.multiply,
    "BATCH_MATMUL": arithmetic.batch_matmul,
    "MEAN": arithmetic.mean,
    "AVERAGE_POOL_2D": arithmetic.average_pool,
    "MAX_POOL_2D": arithmetic.max_pool,
    "SOFTMAX": arithmetic.softmax,
    "QUANTIZE": arithmetic.requantize,
    "LEAKY_RELU": arithmetic.leaky_relu,
    "RESIZE_BILINEAR": arithmetic.resize_bilinear,
    "RESHAPE": moving.reshape,
    "SQUEEZE": moving.reshape,
    "EXPAND_DIMS": moving.reshape,
    "PAD": moving.pad,
    "TRANSPOSE": moving.transpose,
    "CONCATENATION": moving.concatenate,
    "SPLIT": moving.split,
}
"""Operators that compute with integers of their own. All others: in float, then rounded to the output's grid."""
