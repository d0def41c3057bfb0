"""Function calls dissolve into the graph, which becomes flat; what loops and branches run stays in functions."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tfmobile.errors import ModelError, UnsupportedError
from tfmobile.graph.model import TensorRef
from tfmobile.loading.edges import edge

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_PREFIX = "tfmobile_kept_"
_CALL_NAME = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")


def has_calls(graph_def: Any) -> bool:
    """Whether nodes of the graph call functions (other than the branches and bodies of If, Case and While)."""
    functions = {function.signature.name for function in graph_def.library.function}
    return any(node.op in _CALLS or node.op in functions for node in graph_def.node)


def inline(graph_def: Any, kept: list[TensorRef], path: str) -> tuple[Any, list[TensorRef]]:
    """The graph without calls, by Grappler's function optimizer, and where the edges ``kept`` are now."""
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
    from tensorflow.python.grappler import tf_optimizer

    work = type(graph_def)()
    work.CopyFrom(graph_def)
    _keep_control_flow(work)
    _add_outlets(work, kept)
    meta = meta_graph_pb2.MetaGraphDef(graph_def=work)
    fetches = meta.collection_def["train_op"].node_list.value
    fetches.extend(f"{_PREFIX}{number}:0" for number in range(len(kept)))
    fetches.extend(f"{node.name}:0" for node in work.node if node.op.startswith("Placeholder"))
    config = config_pb2.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.min_graph_nodes = -1
    rewrite.optimizers.append("function")
    # A frozen graph has no state: calls may dissolve although their side effects lose their order.
    rewrite.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    try:
        flat = tf_optimizer.OptimizeGraph(config, meta)
    except Exception as cause:
        text = (str(cause).splitlines() or [type(cause).__name__])[0]
        raise ModelError(
            f"The functions in the graph of '{path}' do not fit together.",
            why=text[:300],
            fixes=["Export the model again; a part of it is damaged."],
        ) from cause
    if has_calls(flat):
        left = next(node for node in flat.node if node.op in _CALLS or node.op in _names(flat))
        raise UnsupportedError(
            f"'{path}' calls a function that cannot be made part of the graph.",
            why=f"It is called by node '{left.name}' ({left.op}).",
            fixes=["Export the model again from TensorFlow 2, for inference: tf.saved_model.save(model, folder)."],
        )
    _tidy(flat)
    nodes = {node.name: node for node in flat.node}
    return flat, [behind_identities(nodes, TensorRef(f"{_PREFIX}{number}")) for number in range(len(kept))]


def _tidy(graph_def: Any) -> None:
    """Take out the Identity nodes that inlining put at function borders, and the call's name in front of node names."""
    nodes = {node.name: node for node in graph_def.node}
    borders = {
        name: edge(node.input[0])[0]
        for name, node in nodes.items()
        if node.op == "Identity" and name.startswith("Func/")
    }
    short = {name: _CALL_NAME.sub("", name) or name for name in nodes}
    times = Counter(short.values())
    names = {name: short[name] if times[short[name]] == 1 else name for name in nodes}
    for node in graph_def.node:
        for position, text in enumerate(node.input):
            ref, control = edge(text)
            while ref.node in borders and not control:
                ref = borders[ref.node]
            node.input[position] = "^" * control + str(TensorRef(names[ref.node], ref.index))
    for node in graph_def.node:
        node.name = names[node.name]


def _names(graph_def: Any) -> set[str]:
    return {function.signature.name for function in graph_def.library.function}


def _keep_control_flow(graph_def: Any) -> None:
    # Lowered to Switch and Merge, a loop could no longer become a TFLite WHILE.
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if node.op in ("If", "StatelessIf", "While", "StatelessWhile", "Case", "StatelessCase"):
                node.attr["_lower_using_switch_merge"].b = False


def _add_outlets(graph_def: Any, kept: list[TensorRef]) -> None:
    """An Identity for each edge to keep: Grappler leaves a fetched call as it is, but not what an Identity reads."""
    from tensorflow.core.framework import types_pb2

    nodes = {node.name: node for node in graph_def.node}
    library = {function.signature.name: function for function in graph_def.library.function}
    for number, ref in enumerate(kept):
        outlet = graph_def.node.add(name=f"{_PREFIX}{number}", op="Identity", input=[str(ref)])
        kind = output_type(nodes[ref.node], ref.index, library)
        outlet.attr["T"].type = kind or types_pb2.DT_FLOAT


def output_type(node: Any, index: int, library: dict[str, Any]) -> int:
    """The DataType number of one output of a NodeDef, from its op's or function's signature; 0 when not known."""
    from tensorflow.python.framework import op_def_registry

    called = node.attr["f"].func.name if node.op in _CALLS else node.op
    signature = library[called].signature if called in library else op_def_registry.get(node.op)
    if signature is None:
        return 0
    kinds: list[int] = []
    for output in signature.output_arg:
        if output.type_list_attr:
            kinds.extend(node.attr[output.type_list_attr].list.type)
        else:
            kind = output.type or node.attr[output.type_attr].type
            kinds.extend([kind] * (node.attr[output.number_attr].i if output.number_attr else 1))
    return kinds[index] % 100 if index < len(kinds) else 0  # above 100 are reference types


def behind_identities(nodes: dict[str, Any], ref: TensorRef) -> TensorRef:
    """The edge that ``ref`` merely repeats through Identity nodes; an Identity of an input is left."""
    while nodes[ref.node].op == "Identity":
        source = edge(nodes[ref.node].input[0])[0]
        if nodes[source.node].op.startswith("Placeholder"):
            return ref
        ref = source
    return ref
