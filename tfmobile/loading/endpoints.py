"""The user's ``--input`` and ``--output``: keys, node names and tensor names looked up in a graph."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.graph.model import TensorRef
from tfmobile.loading.options import End


def resolve(names: Sequence[str], graph_def: Any, declared: Sequence[End], what: str, path: str) -> list[End]:
    """The ends that ``names`` stand for; raises ModelError with near names for one that is not there."""
    nodes = {node.name for node in graph_def.node}
    return [_one(name, nodes, declared, what, path) for name in names]


def _one(name: str, nodes: set[str], declared: Sequence[End], what: str, path: str) -> End:
    for end in declared:
        if name == end.key:
            return end
    ref = TensorRef.parse(name)
    if ref.node not in nodes:
        raise unknown_node(ref.node, nodes, [end.key for end in declared], what, path)
    return next((end for end in declared if end.ref == ref), End(str(ref), ref))


def unknown_node(name: str, nodes: Iterable[str], keys: Sequence[str], what: str, path: str) -> ModelError:
    """The error for a name that is no node; suggests keys, near names, and nodes with it in their path."""
    everything = [*keys, *nodes]
    folded = {item.lower(): item for item in everything}
    inside = [item for item in everything if name.lower() in item.lower().split("/")]
    near = [folded[item] for item in difflib.get_close_matches(name.lower(), list(folded), n=3, cutoff=0.6)]
    tails = {item.lower().rsplit("/", 1)[-1]: item for item in everything}
    near += [tails[item] for item in difflib.get_close_matches(name.lower(), list(tails), n=2, cutoff=0.75)]
    options = list(dict.fromkeys([*near, *inside[-2:], *keys]))[:4]
    return ModelError(
        f"There is no node called '{name}' in '{path}'.",
        why=f"--{what} must name a node or tensor of the graph, or a key of the signature.",
        fixes=[f"--{what} {option}" for option in options]
        or [f"`tfmobile inspect {path}` lists the nodes of the graph."],
    )
