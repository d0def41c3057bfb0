"""quantize-weights: large weights are stored in 8 bits and turned back into floats when the graph runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.attributes import QUANTIZED, compact
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.model import Array, DType, Graph, Node

_LEVELS = 255
"""The largest quint8."""


@dataclass(frozen=True)
class QuantizeWeights:
    """Turn every float32 Const of at least ``minimum_size`` values into a quint8 Const and a Dequantize (MIN_FIRST) of
    the old name, whose readers get the rounded weights as floats. The file takes about a quarter; speed and memory of
    a run stay.

    One range for the whole tensor, and it always holds 0, which stays exactly 0: ``w ≈ (q − z) · s`` with
    ``s = (max(w, 0) − min(w, 0)) / 255`` and ``z = round(−min(w, 0) / s)``. No weight moves by more than one step
    ``s``. The new constants are ``<name>_quantized_const``, ``_quantized_min`` and ``_quantized_max``.

    Left alone, and said: constants that hold NaN or infinities, fills of one value (the file holds that once), and
    model inputs. Run it after fold-constants, which would compute small weights back into floats.

    The file is for TensorFlow: the TFLite converter (2.21) computes small weights back into floats and refuses the
    Dequantize of others. For a small ``.tflite`` choose a recipe, such as ``--recipe dynamic-int8``, on the graph
    without this pass.

    One range for a whole tensor is coarse where channels differ much, as they do in depthwise layers with their batch
    norms folded. MobileNet V1 0.25: 0.29 of the size and the same class as before on 74 of 100 pictures; after
    fold-batch-norms, on none.

    The original tool stored minimum and maximum as they are, and TensorFlow moves them to the nearest multiples of
    ``s``; here they are stored moved, and mean the same on every machine.
    """

    name: ClassVar[str] = "quantize-weights"
    keeps_answer: ClassVar[bool] = False
    minimum_size: int = 1024

    def __post_init__(self) -> None:
        if self.minimum_size < 0:
            raise ValueError(f"minimum_size is 0 or more, not {self.minimum_size}.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` sums up what was stored in 8 bits; ``skipped`` names each large constant that was not."""
        editor = GraphEditor(graph)
        skipped: list[str] = []
        tensors = values = 0
        for node in editor:
            value = node.value
            if value is None or value.dtype != np.float32 or value.size < max(self.minimum_size, 1):
                continue
            reason = _why_not(editor, node, value)
            if reason:
                skipped.append(f"Left '{node.name}' (Const): {reason}.")
                continue
            _store(editor, node, value)
            tensors, values = tensors + 1, values + value.size
        if not tensors:
            return PassResult(graph, (), tuple(skipped))
        what = f"Stored {tensors} {'constant' if tensors == 1 else 'constants'} of {values:,} values in all in 8 bits."
        return PassResult(editor.finish(prune=False), (what,), tuple(skipped))


def _why_not(editor: GraphEditor, node: Node, value: Array) -> str:
    if node.name in editor.inputs:
        return "it is a model input"
    if value.size > 1 and not any(value.strides):
        return "it is one value, which the file holds once"
    return "" if np.isfinite(value).all() else "it holds NaN or infinite values"


def _store(editor: GraphEditor, node: Node, value: Array) -> None:
    """Put a Dequantize in the node's place. What the Const waited for, its parts wait for: a branch may be dead."""
    codes, low, high = quantized(value)
    parts = (("const", codes.view(QUANTIZED["quint8"])), ("min", np.float32(low)), ("max", np.float32(high)))
    refs = []
    for what, part in parts:
        name, stored = f"{node.name}_quantized_{what}", compact(np.asarray(part))
        refs.append(editor.add_constant(name, stored, beside=node.name, controls=node.controls, device=node.device))
    attrs = {"T": DType("quint8"), "mode": b"MIN_FIRST"}
    editor.replace(Node(node.name, "Dequantize", tuple(refs), (), attrs, node.device))


def quantized(value: Array) -> tuple[Array, float, float]:
    """The codes 0 to 255, and the values that 0 and 255 stand for: a range that holds 0 as a whole code."""
    exact = value.astype(np.float64)
    low, high = min(float(exact.min()), 0.0), max(float(exact.max()), 0.0)
    step = (high - low) / _LEVELS or 1.0
    zero = np.rint(-low / step)
    codes = np.clip(np.rint(exact / step) + zero, 0, _LEVELS).astype(np.uint8)
    return codes, float((0.0 - zero) * step), float((_LEVELS - zero) * step)
