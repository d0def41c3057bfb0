"""freeze-requantization-ranges: ranges that were logged take the place of ranges computed at run time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.errors import DataError, UnsupportedError
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.passes.weights.range_log import Range, read_ranges

_OP = "RequantizationRange"
_HOW_TO_LOG = 'Log with insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:").'


@dataclass(frozen=True)
class FreezeRequantizationRanges:
    """Put two constants, ``<name>/frozen_min`` and ``<name>/frozen_max``, in the place of the two outputs of every
    RequantizationRange that ``min_max_log_file`` has lines for. The lines are those that insert-logging makes the graph
    print to standard error, one a run, with anything before them:

        ;<name>__print__;__requant_min_max:[-1.5][3.25]

    Of the ``n`` sorted minima of a node, number ``round(n · min_percentile / 100)`` is taken, counted from 0; of its
    sorted maxima, number ``round(n · (1 − max_percentile / 100))``; each at most the last. So a few runs with an
    outlier do not widen the range.

    Left alone, and said: a RequantizationRange without a line in the log, and one that is a model output.

    Such nodes are in graphs that the original tool's quantize_nodes made; today's quantize-nodes places FakeQuant,
    whose ranges are constants from the start. As in the original, a name in the log that is no RequantizationRange of
    the graph is an error: the log is of another model. Here a range that holds no number is one, too.
    """

    name: ClassVar[str] = "freeze-requantization-ranges"
    keeps_answer: ClassVar[bool] = False
    min_max_log_file: str
    min_percentile: float = 5.0
    max_percentile: float = 5.0

    def __post_init__(self) -> None:
        if not self.min_max_log_file:
            raise ValueError("min_max_log_file is the name of a file.")
        for name in ("min_percentile", "max_percentile"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValueError(f"{name} lies between 0 and 100, and is not {getattr(self, name):g}.")

    def apply(self, graph: Graph) -> PassResult:
        """One sentence for each node. Raises DataError for a log that cannot be read or is of another model."""
        nodes = [node for node in graph if node.op == _OP]
        logged = read_ranges(self.min_max_log_file, _HOW_TO_LOG)
        _check(graph, logged, self.min_max_log_file)
        editor = GraphEditor(graph)
        changed: list[str] = []
        skipped: list[str] = []
        for node in nodes:
            ranges = logged.get(node.name)
            if ranges is None:
                skipped.append(f"Left '{node.name}' ({_OP}): the log has no range for it.")
            elif editor.is_boundary(node.name):
                skipped.append(f"Left '{node.name}' ({_OP}): it is a model input or output.")
            else:
                low, high = self._chosen(ranges)
                _freeze(editor, node, low, high)
                runs = f"{len(ranges)} logged {'run' if len(ranges) == 1 else 'runs'}"
                changed.append(f"Froze '{node.name}' ({_OP}) at {low:g} to {high:g}, from {runs}.")
        return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))

    def _chosen(self, ranges: Sequence[Range]) -> Range:
        lows = sorted(low for low, _ in ranges)
        highs = sorted(high for _, high in ranges)
        return (
            _at(lows, len(lows) * self.min_percentile / 100),
            _at(highs, len(highs) * (1 - self.max_percentile / 100)),
        )


def _at(values: Sequence[float], place: float) -> float:
    return values[min(math.floor(place + 0.5), len(values) - 1)]


def _freeze(editor: GraphEditor, node: Node, low: float, high: float) -> None:
    for index, (what, value) in enumerate((("min", low), ("max", high))):
        name, end = f"{node.name}/frozen_{what}", np.asarray(value, np.float32)
        ref = editor.add_constant(name, end, beside=node.name, controls=node.controls, device=node.device)
        editor.redirect(TensorRef(node.name, index), ref)
    editor.redirect_controls(node.name, node.controls)
    editor.remove(node.name)


def _check(graph: Graph, logged: Mapping[str, Sequence[Range]], file: str) -> None:
    for name in logged:
        node = graph.nodes.get(name)
        if node is None and f"{name}/frozen_min" in graph.nodes:
            continue  # done before
        if node is None:
            raise DataError(
                f"The log {file} is of another model: it has a range for '{name}', which the graph does not have.",
                fixes=[_HOW_TO_LOG, "Give the log of this very graph, before other passes change its names."],
            )
        if node.op != _OP:
            raise UnsupportedError(
                f"The log {file} has a range for '{name}', which is no {_OP} but a {node.op}.",
                fixes=[_HOW_TO_LOG, f"Take the lines of '{name}' out of the log."],
            )
