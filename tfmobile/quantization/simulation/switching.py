"""Switches: a layer is computed with integers, or in float, as a placeholder says; only that branch is computed.

TensorFlow 1's Switch and Merge do it without a function call, so the graph stays one that is built once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tfmobile.quantization.simulation.kernel import Grid, clipped, round_half_even
from tfmobile.quantization.simulation.reading import Tensor


@dataclass
class Switches:
    """One a layer, made by ``add``; a layer without one always computes with integers."""

    tf: Any
    by_layer: dict[str, Any] = field(default_factory=dict)

    def add(self, layer: str) -> None:
        """Make the switch of a layer."""
        name = f"floating_{len(self.by_layer)}"
        self.by_layer[layer] = self.tf.compat.v1.placeholder(self.tf.bool, (), name)

    def integer_branch(self, layer: str, value: Any) -> Any:
        """``value`` as the integer branch reads it."""
        return self._side(layer, value, "output_false")

    def float_branch(self, layer: str, value: Any) -> Any:
        """``value`` as the float branch reads it."""
        return self._side(layer, value, "output_true")

    def _side(self, layer: str, value: Any, side: str) -> Any:
        switch = self.by_layer.get(layer)
        return value if switch is None else getattr(self.tf.raw_ops.Switch(data=value, pred=switch), side)

    def join(self, layer: str, output: Tensor, floating: Any, grid: Grid) -> tuple[Any, Grid]:
        """The layer's output as real values, not rounded when it was computed in float; and on its grid."""
        if layer not in self.by_layer or floating is None:
            return grid * output.scale, grid
        exact, whole = self.float_branch(layer, floating), self.integer_branch(layer, grid)
        merge = self.tf.raw_ops.Merge
        real = merge(inputs=[exact, whole * output.scale]).output
        return real, merge(inputs=[to_grid(self.tf, exact, output), whole]).output


def to_grid(tf: Any, real: Any, output: Tensor) -> Grid:
    """Real values, rounded to the grid of ``output`` and clipped to its type."""
    return clipped(tf, round_half_even(tf, real * (1 / output.scale)), output)
