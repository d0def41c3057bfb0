"""Operators that only move values about: the integers stay what they are."""

from __future__ import annotations

from tfmobile.quantization.simulation.kernel import Call, Computed, NotConstantError


def reshape(call: Call) -> Computed:
    """RESHAPE, SQUEEZE, EXPAND_DIMS."""
    return Computed(call.tf.reshape(call.grids[0], call.shape()))


def pad(call: Call) -> Computed:
    """PAD, with the zero point."""
    sizes = call.constant(1)
    return Computed(call.tf.pad(call.grids[0], sizes))


def transpose(call: Call) -> Computed:
    """TRANSPOSE."""
    order = call.constant(1)
    return Computed(call.tf.transpose(call.grids[0], order))


def concatenate(call: Call) -> Computed:
    """CONCATENATION of tensors of one scale."""
    for tensor in call.operator.inputs:
        if tensor is None or tensor.scales.tolist() != call.output.scales.tolist():
            raise NotConstantError
    return Computed(call.tf.concat(list(call.grids), int(call.option("axis", 0))))


def split(call: Call) -> Computed:
    """SPLIT into equal parts along a constant axis."""
    parts = call.tf.split(call.grids[1], len(call.operator.outputs), int(call.constant(0)))
    return Computed(parts[0], others=tuple(parts[1:]))
