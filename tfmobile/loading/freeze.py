"""From a GraphDef with its ends to a frozen Graph: prune, inline, cut, check, variables to constants, fix shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfmobile.errors import ModelError, TfmobileError
from tfmobile.graph.model import Graph, Shape, TensorRef, TensorSpec
from tfmobile.loading import operations
from tfmobile.loading.edges import cut, edge, needed
from tfmobile.loading.endpoints import resolve
from tfmobile.loading.guess import guess_inputs, guess_outputs, phase_value
from tfmobile.loading.inline import has_calls, inline, output_type
from tfmobile.loading.options import End, Options
from tfmobile.loading.quiet import tensorflow
from tfmobile.loading.shapes import InputShapes, fixed
from tfmobile.loading.variables import Checkpoint, to_constants


def freeze(
    graph_def: Any,
    path: str,
    options: Options,
    *,
    inputs: Sequence[End] | None = None,
    outputs: Sequence[End] | None = None,
    checkpoint: Callable[[], Checkpoint] | None = None,
) -> tuple[Graph, tuple[str, ...]]:
    """The frozen graph between the ends, and notes for the user.

    ``inputs`` and ``outputs`` are those of the signature; None means that they are guessed. ``options`` override both.
    ``checkpoint`` opens the values of the variables, when there are any. Raises ModelError and UnsupportedError.
    """
    tensorflow()
    before = sum(1 for _ in operations.all_nodes(graph_def))
    guessed = outputs is None and not options.outputs
    flat, inputs, outputs = _flat(graph_def, path, options, inputs, outputs)
    flat = needed(flat, [end.ref.node for end in outputs], path)
    asked = resolve(options.inputs, flat, inputs or (), "input", path)
    inputs = asked or list(guess_inputs(flat) if inputs is None else inputs)
    notes = guess_notes(inputs if not asked else [], outputs, guessed)
    flat, inputs, facts = _cut_at_inputs(flat, inputs, path)
    flat = needed(flat, [end.ref.node for end in (*outputs, *inputs)], path)
    notes += settle_phases(flat, inputs)
    _check(flat, inputs, outputs, path, options, asked=bool(asked))
    if checkpoint is not None and any(node.op in ("Variable", "VariableV2", "VarHandleOp") for node in flat.node):
        flat = to_constants(flat, checkpoint(), path)
    operations.check_stateless_variables(flat, path)
    specs, shape_notes = _fix_inputs(flat, inputs, facts, path, options)
    graph = _graph(flat, specs, outputs, path)
    return graph, (*notes, *shape_notes, *_dropped(before, graph))


def _flat(
    graph_def: Any, path: str, options: Options, inputs: Sequence[End] | None, outputs: Sequence[End] | None
) -> tuple[Any, list[End] | None, list[End]]:
    """The graph without function calls, the declared inputs that are in it, and the outputs."""
    names = {node.name for node in graph_def.node}
    asked = [TensorRef.parse(name) for name in (*options.outputs, *options.inputs)]
    asked = [ref for ref in asked if ref.node in names]
    if outputs is None and not (options.outputs and asked):
        outputs = guess_outputs(graph_def, path)
    declared = list(outputs or ())
    ends = [*declared, *(End(str(ref), ref) for ref in asked)]
    targets = [end.ref.node for end in (*ends, *(inputs or ()))]
    _check_ends([*ends, *(inputs or ())], names, path)
    flat = needed(graph_def, targets, path)
    if has_calls(flat):
        operations.check_known(flat, path)
        flat, refs = inline(flat, [end.ref for end in ends], path)
        declared = [replace(end, ref=ref) for end, ref in zip(declared, refs, strict=False)]
    wanted = resolve(options.outputs, flat, declared, "output", path)
    return flat, None if inputs is None else list(inputs), wanted or declared


def _check_ends(ends: Sequence[End], names: set[str], path: str) -> None:
    for end in ends:
        if end.ref.node not in names:
            raise ModelError(
                f"The signature of '{path}' does not fit its graph.",
                why=f"Its '{end.key}' is tensor '{end.ref}', which is not in the graph.",
                fixes=["Name the ends yourself: --input NODE --output NODE."],
            )


def guess_notes(inputs: Sequence[End], outputs: Sequence[End], guessed: bool) -> tuple[str, ...]:
    """What was guessed, in a sentence."""
    if not guessed:
        return ()
    ins = ", ".join(f"'{end.key}'" for end in inputs) or "as asked"
    outs = ", ".join(f"'{end.key}'" for end in outputs)
    return (f"The graph has no signature; guessed input: {ins}; output: {outs}. --input and --output name others.",)


def _cut_at_inputs(graph_def: Any, inputs: Sequence[End], path: str) -> tuple[Any, list[End], list[tuple[int, Shape]]]:
    """The graph with a Placeholder at every input, the inputs there, and (DataType, shape) of each as far as known."""
    from tensorflow.core.framework import types_pb2

    nodes = {node.name: node for node in graph_def.node}
    facts: list[tuple[int, Shape]] = []
    inner = any(nodes[end.ref.node].op != "Placeholder" for end in inputs)
    inferred = _infer_safely(graph_def, [end.ref for end in inputs]) if inner else None
    for number, end in enumerate(inputs):
        node = nodes[end.ref.node]
        if node.op == "Placeholder":
            facts.append((node.attr["dtype"].type, placeholder_shape(node, end, graph_def.versions.producer)))
        elif inferred is not None:
            facts.append(inferred[number])
        else:
            facts.append((output_type(node, end.ref.index, {}) or types_pb2.DT_FLOAT, None))
        if facts[-1][0] in (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT, types_pb2.DT_INVALID):
            raise ModelError(
                f"The graph in '{path}' cannot be cut at '{end.key}'.",
                why=f"Node '{end.ref.node}' ({node.op}) yields no tensor of numbers.",
                fixes=["Cut at a node behind it: --input NODE."],
            )
    flat, refs = cut(graph_def, [end.ref for end in inputs], [kind for kind, _ in facts])
    return flat, [replace(end, ref=ref) for end, ref in zip(inputs, refs, strict=True)], facts


def placeholder_shape(node: Any, end: End, producer: int) -> Shape:
    """The shape that a Placeholder says, else the signature's."""
    shape = node.attr["shape"].shape
    if "shape" not in node.attr or shape.unknown_rank:
        return end.shape
    if not shape.dim and producer < 24 and node.attr["dtype"].type != 7:
        # Before TensorFlow 1.0 an empty shape meant an unknown one (a string is one file's content even then).
        return end.shape
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)


def _infer_safely(graph_def: Any, refs: Sequence[TensorRef]) -> list[tuple[int, Shape]] | None:
    """Shape inference over the uncut graph, unless that graph holds something TensorFlow should not even look at."""
    if operations.reaching_outside(graph_def):
        return None
    try:
        return infer(graph_def, refs)
    except Exception:
        # An operation upstream of the cut may be unknown: the user then says the shape.
        return None


def infer(graph_def: Any, refs: Sequence[TensorRef]) -> list[tuple[int, Shape]]:
    """(DataType, shape) of edges by TensorFlow's shape inference; raises what TensorFlow raises for a wrong graph."""
    tf = tensorflow()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        tensors = [graph.get_tensor_by_name(f"{ref.node}:{ref.index}") for ref in refs]
        return [
            (tensor.dtype.as_datatype_enum, None if tensor.shape.rank is None else tuple(tensor.shape.as_list()))
            for tensor in tensors
        ]


def settle_phases(graph_def: Any, inputs: Sequence[End]) -> tuple[str, ...]:
    """Placeholders that only tell the training phase become constants of inference."""
    tf = tensorflow()
    kept = {end.ref.node for end in inputs}
    notes = []
    for node in graph_def.node:
        value = phase_value(node)
        if node.name in kept or value is None:
            continue
        kind = node.attr["dtype"].type
        name = node.name
        node.Clear()
        node.name, node.op = name, "Const"
        node.attr["dtype"].type = kind
        constant = np.asarray(value).astype(tf.as_dtype(kind).as_numpy_dtype)
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(constant))
        notes.append(f"Placeholder '{name}' only tells training from inference; it is fixed to {value:g}.")
    return tuple(notes)


def _check(
    graph_def: Any, inputs: Sequence[End], outputs: Sequence[End], path: str, options: Options, *, asked: bool
) -> None:
    kept = {end.ref.node for end in inputs}
    left = [node.name for node in graph_def.node if node.op == "Placeholder" and node.name not in kept]
    if left:
        raise ModelError(
            f"The inputs named for '{path}' are not enough.",
            why=f"The outputs still depend on {', '.join(repr(name) for name in left[:4])}.",
            fixes=["Add " + " ".join(f"--input {name}" for name in left[:4])],
        )
    if asked:
        reached = {node.name for node in needed(graph_def, [end.ref.node for end in outputs], path).node}
        for end in inputs:
            if end.ref.node not in reached:
                raise ModelError(
                    f"No output of '{path}' depends on '{end.key}'.",
                    why=f"The outputs are {', '.join(repr(out.key) for out in outputs)}.",
                    fixes=[f"Leave out --input {end.key}, or name an output behind it: --output NODE."],
                )
    operations.check_known(graph_def, path)
    operations.check_trusted(graph_def, path, trust=options.trust)
    operations.check_pure(graph_def, path)


def _fix_inputs(
    graph_def: Any, inputs: Sequence[End], facts: Sequence[tuple[int, Shape]], path: str, options: Options
) -> tuple[list[TensorSpec], tuple[str, ...]]:
    tf = tensorflow()
    nodes = {node.name: node for node in graph_def.node}
    wanted = InputShapes(options.input_shape).take([(end.key, end.ref.node, str(end.ref)) for end in inputs])
    specs, notes = [], []
    for end, (kind, shape), ask in zip(inputs, facts, wanted, strict=True):
        dims, note = fixed(end.key, shape, ask, path)
        attribute = nodes[end.ref.node].attr["shape"].shape
        attribute.Clear()
        attribute.SetInParent()
        for dim in dims:
            attribute.dim.add().size = dim
        specs.append(TensorSpec(end.key, end.ref, tf.as_dtype(kind).name, dims))
        notes += [note] if note else []
        if tf.as_dtype(kind) == tf.string:
            notes.append(_string_note(graph_def, end))
    return specs, tuple(notes)


def _string_note(graph_def: Any, end: End) -> str:
    """Advice for an input that is a file's content or text: where the numbers begin."""
    node = end.ref.node
    while True:
        readers = [item for item in graph_def.node if any(edge(text)[0].node == node for text in item.input)]
        if len(readers) != 1 or not operations.DECODERS.match(readers[0].op):
            break
        node = readers[0].name
    advice = f"--input {node}" if node != end.ref.node else "--input NODE"
    return f"Input '{end.key}' is a string (a file or text). To start at numbers, cut the graph behind it: {advice}."


def _graph(graph_def: Any, inputs: Sequence[TensorSpec], outputs: Sequence[End], path: str) -> Graph:
    from tfmobile.graph.graphdef import from_graph_def

    tf = tensorflow()
    try:
        facts = infer(graph_def, [end.ref for end in outputs])
        specs = [
            TensorSpec(end.key, end.ref, tf.as_dtype(kind).name, shape)
            for end, (kind, shape) in zip(outputs, facts, strict=True)
        ]
        return from_graph_def(graph_def, inputs, specs)
    except TfmobileError:
        raise
    except Exception as cause:
        raise ModelError(
            f"The graph in '{path}' contradicts itself.",
            why=(str(cause).splitlines() or [type(cause).__name__])[0][:400],
            fixes=["Check --input, --output and --input-shape if you gave them; else export the model again."],
        ) from cause


def _dropped(before: int, graph: Graph) -> tuple[str, ...]:
    gone = before - len(graph)
    if gone <= 0:
        return ()
    return (f"{gone} of {before} nodes were dropped: the outputs do not need them (saving, starting up, training).",)
