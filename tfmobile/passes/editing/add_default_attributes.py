"""add-default-attributes: write out what TensorFlow would assume."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.functions import function_names
from tfmobile.graph.model import Graph
from tfmobile.graph.ops import default_attributes


@dataclass(frozen=True)
class AddDefaultAttributes:
    """Give each node the attributes that its op has a default for and that the node lacks, with the default.

    So a reader without TensorFlow's op definitions, or with older ones, finds every attribute in the file. Attributes
    that are there stay as they are. The definitions are those of the installed TensorFlow. Left alone: nodes whose op
    this TensorFlow does not have, and nodes inside the function library.

    The original did the same. It stopped at an op that it did not know; here the other nodes get their defaults.
    """

    name: ClassVar[str] = "add-default-attributes"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` has a sentence for each op with the attributes set; ``skipped`` one for each op not known."""
        functions = function_names(graph.library)
        counts: dict[str, int] = {}
        added: dict[str, set[str]] = {}
        unknown: dict[str, int] = {}
        nodes = dict(graph.nodes)
        for node in graph:
            defaults = {} if node.op in functions else default_attributes(node.op)
            if defaults is None:
                unknown[node.op] = unknown.get(node.op, 0) + 1
                continue
            missing = {key: value for key, value in defaults.items() if key not in node.attrs}
            if missing:
                nodes[node.name] = dataclasses.replace(node, attrs={**node.attrs, **missing})
                counts[node.op] = counts.get(node.op, 0) + 1
                added.setdefault(node.op, set()).update(missing)
        changed = tuple(
            f"Set {', '.join(sorted(added[op]))} of {count} {op} {'node' if count == 1 else 'nodes'}."
            for op, count in sorted(counts.items())
        )
        skipped = tuple(
            f"Left {count} {op} {'node' if count == 1 else 'nodes'}: TensorFlow does not know the op, so no default."
            for op, count in sorted(unknown.items())
        )
        return PassResult(dataclasses.replace(graph, nodes=nodes) if changed else graph, changed, skipped)
