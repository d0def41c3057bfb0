"""Sentences about what a pass was asked for and the graph does not have, with the nearest that it has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from tfmobile.graph.model import Graph


def absent_op(graph: Graph, op: str) -> str:
    """The sentence for an op that no node has."""
    return f"No node is of op '{op}'{near(op, {node.op for node in graph})}"


def absent_attribute(graph: Graph, attribute: str, op: str) -> str:
    """The sentence for an attribute that no node has; ``op`` is "*" where every node was meant."""
    meant = [node for node in graph if op in ("*", node.op)]
    if not meant and op != "*":
        return absent_op(graph, op)
    whose = "No node" if op == "*" else f"No {op} node"
    return f"{whose} has an attribute '{attribute}'{near(attribute, {key for node in meant for key in node.attrs})}"


def near(name: str, known: Iterable[str]) -> str:
    """The end of such a sentence: the known name that is most alike, if one is."""
    found = difflib.get_close_matches(name, sorted(set(known) - {name}), n=1)
    return f"; did you mean '{found[0]}'?" if found else "."
