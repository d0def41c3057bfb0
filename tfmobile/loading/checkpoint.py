"""A checkpoint: its graph from PREFIX.meta (or a graph that is given), its variables from PREFIX.index and .data-…."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.loading import checkpoint_files
from tfmobile.loading.files import checked
from tfmobile.loading.freeze import freeze
from tfmobile.loading.frozen_graph import read_graph_def
from tfmobile.loading.options import Loaded, Options
from tfmobile.loading.variables import Checkpoint, restore_keys


def open_model(root: Path, options: Options) -> Loaded:
    """Load the checkpoint with the prefix ``root``; raises ModelError when a file of it, or the graph, is missing."""
    checkpoint_files.check_complete(root)
    source = checked(options.graph) if options.graph is not None else checkpoint_files.meta(root)
    if source is None:
        raise _no_graph(root)
    graph_def = read_graph_def(source)
    graph, notes = freeze(graph_def, str(root), options, checkpoint=lambda: _values(root, graph_def))
    files = checkpoint_files.parts(root)
    if options.graph is not None:
        files = (*files, options.graph)
        notes = (f"The graph comes from '{options.graph}'.", *notes)
    return Loaded(checkpoint_files.summary(root), files, graph=graph, notes=notes)


def _values(root: Path, graph_def: Any) -> Checkpoint:
    return Checkpoint(root, restore_keys(graph_def))


def _no_graph(root: Path) -> ModelError:
    if any("_CHECKPOINTABLE_OBJECT_GRAPH" in name for name in Checkpoint(root, {}).names):
        return ModelError(
            f"'{root}' holds weights without a network.",
            why="It is a TF2 training checkpoint (tf.train.Checkpoint, Keras save_weights): those hold no graph.",
            fixes=["Build the model, load the weights, and save it whole: `model.export('folder')`."],
        )
    return ModelError(
        f"The checkpoint '{root}' has no graph.",
        why=f"'{root.name}.meta' is not beside it.",
        fixes=["Put the .meta beside it, or give a GraphDef or .meta file: --graph GRAPH.pb"],
    )
