"""Adaptive rounding: weights are rounded so that a layer's sums keep what they were, not each weight by itself.

Rounding every weight to the nearest step gives the least error of the weights, but not of their sums: errors of weights
whose inputs rise and fall together add up. Layer by layer, with all layers before it rounded already, weights go up or
down such that the mean squared error of the layer's sums is least on samples (AdaRound's objective, Nagel et al. 2020,
https://arxiv.org/abs/2004.10568; solved as Optimal Brain Compression and GPTQ do, see ``rounding_solver``). Then the
layer's bias takes away the mean error that is left, of rounding as well as of the activations before it.
"""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.layer_rounding import Rounding
from tfmobile.quantization.improvements.rounding_frontier import Frontier, stops
from tfmobile.quantization.improvements.weight_grids import OUTPUT_AXIS, check_grid
from tfmobile.quantization.simulation.reading import read
from tfmobile.quantization.simulation.running import open_session

__all__ = ["check_grid", "improve"]

NAME = "round-weights"
MOST_SAMPLES = 200
BATCH = 25
MEMORY = 2**30
"""Bytes for what is kept of the samples between layers; fewer samples are used where they would need more."""
ROWS = 16384
"""Positions looked at in each layer, over all samples."""


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Round the weights of all layers that one integer operator computes, and correct their biases.

    ``graph`` of the result has weights on the grid that the back end will find, so that it makes exactly these whole
    numbers of them: ``check_grid`` compares. Uses at most MOST_SAMPLES of those that the draft's statistics did not set
    aside, in the order of their content, so the order of ``samples`` does not matter.
    """
    session = open_session(draft.target, draft.quantized, switched=False)
    network, batch = session.network, session.batch
    session.close()
    feeds = _feeds(draft, samples, batch)
    work = Rounding(draft.graph)
    if feeds:
        total = len(stops(network))
        for done, (stop, passage) in enumerate(Frontier(network, feeds)):
            progress(NAME, done, total)
            work.visit(stop, passage, ROWS)
        progress(NAME, total, total)
    return work.finish()


def _feeds(draft: Draft, samples: Samples, batch: bool) -> list[dict[str, Array]]:
    """Batches of the samples to use."""
    known = {name: place for place, name in enumerate(samples.names)}
    places = [known[name] for name in draft.statistics.samples if name in known] or list(range(len(samples)))
    sizes = sorted(_output_sizes(draft.quantized))
    # Two layers at a time are kept, 2 bytes a number of the quantized path and 4 of the other.
    most = max(BATCH, min(MOST_SAMPLES, MEMORY // (6 * sum(sizes[-2:]) + 1)))
    size = BATCH if batch else 1
    groups = [places[start : start + size] for start in range(0, min(most, len(places)), size)]
    return [_joined([samples.feed(place) for place in group]) for group in groups]


def _joined(feeds: list[dict[str, Array]]) -> dict[str, Array]:
    return {key: np.concatenate([feed[key] for feed in feeds]) for key in feeds[0]}


def _output_sizes(quantized: bytes) -> list[int]:
    """Numbers in the outputs of layers with weights, for one sample."""
    operators = [one for one in read(quantized).operators if one.op in OUTPUT_AXIS]
    return [int(np.prod([abs(size) for size in one.outputs[0].shape])) for one in operators]
