"""Track how far each layer's mean output is from the float one, and take the shift away while it is measured.

All layers at once, in one run a batch: what a layer reads has the shifts before it taken away already, so each layer's
own shift is measured (sequentially, as Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
Correction", do it layer by layer).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.quantization.simulation.kernel import Adjust
from tfmobile.quantization.simulation.layers import SimulatedLayer
from tfmobile.quantization.simulation.network import Adjuster
from tfmobile.quantization.simulation.running import Session, open_session

FENCE = 2.0
"""A few broken samples must not move a mean: see ``robust_mean``."""


class ShiftTracker(Adjuster):
    """Adds to each layer with weights: its mean shift by channel, as a running mean, subtracted from its sums."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the tensors of another graph."""
        self.shifts: dict[str, Any] = {}
        """Layer name → the tensor of its shift, [channels]."""
        self.steps: dict[str, Array] = {}
        self.nothing: dict[str, Array] = {}
        """Layer name → zeros, [channels]."""
        self._before: dict[str, Any] = {}
        self._shared: dict[str, Any] = {}

    def settings(self) -> dict[str, Array]:
        """``samples`` in the batch, ``weight`` of the batch in the running mean; the shifts so far, by layer."""
        usual: dict[str, Array] = {"samples": np.array(1, np.int32), "weight": np.array(0, np.float32)}
        found = {tensor.op.name: usual[name] for name, tensor in self._shared.items()}
        return {**found, **{tensor.op.name: self.nothing[name] for name, tensor in self._before.items()}}

    def setting(self, samples: int, weight: float, shifts: Mapping[str, Array]) -> dict[str, Array]:
        """The settings for one run."""
        values = {"samples": np.array(samples, np.int32), "weight": np.array(weight, np.float32)}
        found = {self._shared[name].op.name: value for name, value in values.items() if name in self._shared}
        return {**found, **{tensor.op.name: shifts[name] for name, tensor in self._before.items()}}

    def adjust(self, tf: Any, layer: SimulatedLayer, float_sums: Any) -> Adjust | None:
        """Measure the shift of the layer's sums, and take it away."""
        channels = float_sums.shape[-1]
        if channels is None:
            return None
        if not self._shared:
            self._shared["samples"] = tf.compat.v1.placeholder(tf.int32, (), "samples")
            self._shared["weight"] = tf.compat.v1.placeholder(tf.float32, (), "weight")
        before = tf.compat.v1.placeholder(tf.float32, (channels,), f"shift_{len(self._before)}")

        def shifted(sums: Any, step: Array) -> Any:
            each = [self._shared["samples"], -1, channels]
            # The difference of two means takes less memory and time than the mean of all differences.
            whole, exact = (tf.reduce_mean(tf.reshape(one, each), 1) for one in (sums, float_sums))
            new = robust_mean(tf, whole * step - exact, self._shared["samples"])
            shift = before + self._shared["weight"] * (new - before)
            self._before[layer.name], self.shifts[layer.name] = before, shift
            self.nothing[layer.name], self.steps[layer.name] = np.zeros(channels, np.float32), step
            return sums - shift / step

        return shifted


def robust_mean(tf: Any, values: Any, count: Any) -> Any:
    """The mean over the first axis of [samples, channels], far-out values clipped first, channel by channel.

    Of 8 equal parts of the samples, the middle 6 say how wide values lie; clipped is what lies further out than FENCE
    times that width: of normally distributed values none. Fewer than 8 samples are not clipped.
    """
    ordered = tf.sort(values, axis=0)
    cut = count // 8
    low, high = ordered[cut], ordered[count - 1 - cut]
    reach = tf.where(cut > 0, FENCE * (high - low), np.float32(np.inf))
    return tf.reduce_mean(tf.clip_by_value(ordered, low - reach, high + reach), 0)


class ShiftSession:
    """A session that measures shifts batch by batch."""

    def __init__(self, graph: Graph, quantized: bytes) -> None:
        self._tracker = ShiftTracker()
        self._session: Session = open_session(graph, quantized, switched=False, adjuster=self._tracker)
        self.batch = self._session.batch
        self.layers = tuple(layer for layer in self._session.network.layers if layer.name in self._tracker.shifts)
        self.steps: Mapping[str, Array] = self._tracker.steps
        self.shifts = dict(self._tracker.nothing)

    def see(self, feeds: Mapping[str, Array], weight: float) -> None:
        """Measure on a batch, which has ``weight`` in the running mean: 1 forgets what was before."""
        refs = {name: TensorRef(tensor.op.name) for name, tensor in self._tracker.shifts.items()}
        count = len(next(iter(feeds.values())))
        found = self._session.run(feeds, list(refs.values()), self._tracker.setting(count, weight, self.shifts))
        self.shifts = {name: found[str(ref)] for name, ref in refs.items()}

    def close(self) -> None:
        """Free the session."""
        self._session.close()
