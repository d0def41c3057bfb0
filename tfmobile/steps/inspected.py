"""``inspect``, with what it needs of other stages: the graph as its file has it, and its batch norms folded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfmobile.artifacts import PassResult, SourceModel
from tfmobile.errors import ModelError, TfmobileError, UnsupportedError
from tfmobile.graph.model import Graph
from tfmobile.plan import Plan
from tfmobile.steps import transformed
from tfmobile.steps.choices import need_model
from tfmobile.steps.opening import open_source
from tfmobile.workspace import write_file

if TYPE_CHECKING:
    from tfmobile.inspection import GraphInspection, TFLiteInspection, WrittenFacts

_FROZEN = "frozen-graph"


@dataclass(frozen=True)
class Opened:
    """A model as it is converted, and the facts of its graph as the file has it, where the file holds a graph."""

    source: SourceModel
    written: WrittenFacts | None = None


def inspect(plan: Plan, *, trust: bool, structure: bool, draw: str | None) -> GraphInspection | TFLiteInspection:
    """Inspect the model of the plan, and draw it to the file ``draw``; raises OutputError, and as loading does."""
    from tfmobile.inspection import check_ending, inspect_graph, inspect_tflite
    from tfmobile.inspection import draw as drawing

    if draw is not None:
        check_ending(draw)
    opened = open_for_inspection(plan, trust)
    source = opened.source
    found: GraphInspection | TFLiteInspection
    if source.tflite is not None:
        found = inspect_tflite(source.tflite, source.path, structure=structure)
    else:
        folding = None if source.graph is None else folded(source.graph)
        found = inspect_graph(source, written=opened.written, folded=folding, structure=structure)
    if draw is not None:
        write_file(Path(draw), drawing(source, found, draw).encode())
    return found


def open_for_inspection(plan: Plan, trust: bool) -> Opened:
    """Open the model of the plan; raises the errors of loading.

    A frozen graph that cannot be converted (an op that TensorFlow does not have, a lookup table, an open shape) is
    inspected as it is written.
    """
    from tfmobile.inspection import written_facts
    from tfmobile.loading import identify

    path = need_model(plan)
    if (plan.model.format or identify(path).format) != _FROZEN:
        return Opened(open_source(path, plan.model, trust))
    # The graph itself is not kept: its weights need not be held twice.
    facts = written_facts(transformed.need_graph(_as_written(path, plan, trust), "inspect"))
    try:
        return Opened(open_source(path, plan.model, trust), facts)
    except (ModelError, UnsupportedError) as error:
        written = _as_written(path, plan, trust)
        words = " ".join(filter(None, (error.what, error.why, *error.fixes[:1])))
        note = f"It does not convert as it is, and is shown as it is written. {words}"
        return Opened(dataclasses.replace(written, notes=(*written.notes, note)), facts)


def _as_written(path: str, plan: Plan, trust: bool) -> SourceModel:
    return open_source(path, plan.model, trust, verbatim=True)


def folded(graph: Graph) -> PassResult | None:
    """What fold-batch-norms makes of the graph as optimize would meet it; None when the passes fail on it."""
    from tfmobile.passes.fold_batch_norms import FoldBatchNorms
    from tfmobile.passes.remove_training_nodes import RemoveTrainingNodes

    try:
        return FoldBatchNorms().apply(RemoveTrainingNodes().apply(graph).graph)
    except TfmobileError:
        return None
