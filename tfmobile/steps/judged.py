"""How close a quantized model is to the float one, on samples that nothing was fitted on."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from tfmobile.artifacts import Fidelity
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import Progress
from tfmobile.steps.samples import CalibrationSamples
from tfmobile.workspace import sha256

STAGE = "judge"
Outputs = Sequence[dict[str, Array]]


class Judge:
    """Runs models on the held-back samples, each model once."""

    def __init__(self, floating: bytes, samples: CalibrationSamples, progress: Progress) -> None:
        self.key = sha256(floating)
        self._floating, self._samples, self._progress = floating, samples, progress
        self._known: dict[str, Outputs] = {}

    @functools.cached_property
    def _feeds(self) -> list[dict[str, Array]]:
        return [self._samples.held.feed(index) for index in range(len(self._samples.held))]

    def outputs(self, content: bytes) -> Outputs:
        """Answers by output key, as real values, one a sample."""
        from tfmobile import runtime

        key = sha256(content)
        if key not in self._known:
            self._progress(STAGE, 0, None)
            self._known[key] = runtime.run(content, self._feeds)
        return self._known[key]

    def fidelity(self, content: bytes) -> Fidelity:
        """Of the model, against the float one."""
        from tfmobile.quantization.fidelity import fidelity

        return fidelity(self.outputs(self._floating), self.outputs(content), self._samples.held.labels)

    def helps(self, before: bytes, after: bytes) -> tuple[bool, str]:
        """Whether ``after`` is closer to the float model than ``before``, and the sentence that says why."""
        from tfmobile.quantization.fidelity import helps

        floating = self.outputs(self._floating)
        return helps(self.outputs(before), self.outputs(after), floating, self._samples.held.labels)

    def simulation_agreement(self, graph: Graph | None, content: bytes) -> float | None:
        """How often the integer simulation of ``graph`` answers like the .tflite; None when it cannot be simulated."""
        from tfmobile.errors import UnsupportedError
        from tfmobile.quantization.simulation import open_simulation

        if graph is None or not self._feeds:
            return None
        try:
            with open_simulation(graph, content) as simulation:
                simulated = [simulation.outputs(feed) for feed in self._feeds]
        except UnsupportedError:
            return None
        return _agreement(simulated, self.outputs(content))


def _agreement(ours: Outputs, theirs: Outputs) -> float:
    """The fraction of equal top-1 over samples and outputs; of equal values, where there is nothing to rank."""
    same = []
    for one, two in zip(ours, theirs, strict=True):
        for key in two:
            first, second = np.asarray(one[key]).ravel(), np.asarray(two[key]).ravel()
            same.append(float(first.argmax() == second.argmax()) if second.size > 1 else float(first[0] == second[0]))
    return float(np.mean(same))
