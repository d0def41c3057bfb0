"""backport-tensor-array-v3: TensorArrays as they were before version 3."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.match import CONTROL_FLOW, attr_dtype
from tfmobile.graph.model import DType, Graph, Node, TensorRef

_MADE = {"TensorArrayV3": "TensorArrayV2", "TensorArrayGradV3": "TensorArrayGradV2"}
_USED = {
    f"TensorArray{what}V3": f"TensorArray{what}V2"
    for what in ("Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size", "Close")
}
_HANDED_ON = CONTROL_FLOW | {"Identity"}
_LAST_PRODUCER = 25
"""TensorFlow refuses TensorArray*V2 in graphs of a producer version above this."""


@dataclass(frozen=True)
class BackportTensorArrayV3:
    """Turn every TensorArray…V3 op into its …V2, for runtimes older than TensorFlow 1.2.

    The first output, the handle, becomes a string: Enter, Identity and the like that hand it on get that type. The
    second output (flow) is not there in V2; what read it reads a Const 1.0 called ``NODE/replacement_flow_node``, which
    waits for the node. The attribute ``identical_element_shapes``, unknown to V2, goes. As TensorFlow refuses the V2
    ops in newer graphs, the graph's producer version becomes 25 when it is above.

    Left alone: all of it, when a handle or flow is an input or output of the model. The original kept the handle's
    type, the attribute and the version, and its Const waited for nothing: its graphs loaded in few cases.
    """

    name: ClassVar[str] = "backport-tensor-array-v3"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes, and says so when the version changed."""
        made = [node for node in graph if node.op in _MADE]
        used = [node for node in graph if node.op in _USED]
        if not made and not used:
            return PassResult(graph)
        editor = GraphEditor(graph)
        ends = next((node.name for node in made if editor.is_boundary(node.name)), None)
        if ends is not None:
            return PassResult(graph, (), (f"Left all TensorArrays: '{ends}' is an input or output of the model.",))
        for node in made:
            _backport(editor, node)
        for node in used:
            editor.update(node.name, op=_USED[node.op])
        changed = [f"Turned {len(made) + len(used)} TensorArray ops of version 3 into version 2."]
        result = editor.finish(prune=False)
        if result.producer > _LAST_PRODUCER:
            result = dataclasses.replace(result, producer=_LAST_PRODUCER)
            changed.append(f"Set the graph's producer version to {_LAST_PRODUCER}; it was {graph.producer}.")
        return PassResult(result, tuple(changed))


def _backport(editor: GraphEditor, node: Node) -> None:
    flow = TensorRef(node.name, 1)
    if editor.readers(flow):
        name = editor.fresh(f"{node.name}/replacement_flow_node")
        one = constant(name, np.array(1.0, np.float32))
        editor.add(dataclasses.replace(one, controls=(node.name,)), beside=editor.readers(flow)[0].name)
        editor.redirect(flow, TensorRef(name))
    attrs = {key: value for key, value in node.attrs.items() if key != "identical_element_shapes"}
    editor.update(node.name, op=_MADE[node.op], attrs=attrs)
    _retype(editor, node.name)


def _retype(editor: GraphEditor, start: str) -> None:
    """Make the handle a string wherever it is handed on."""
    waiting = [start]
    while waiting:
        name = waiting.pop()
        for reader in editor.consumers(name):
            reads = any(ref.node == name for ref in reader.inputs)
            if reads and reader.op in _HANDED_ON and attr_dtype(reader) == "resource":
                editor.update(reader.name, attrs={**reader.attrs, "T": DType("string")})
                waiting.append(reader.name)
