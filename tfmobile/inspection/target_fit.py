"""What is known against a model on each target: of a graph before conversion, of a .tflite from its operators."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

from tfmobile.artifacts import OpFact, TFLiteModel
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.inspection.facts import NodeGroup, TargetFact
from tfmobile.inspection.known_shapes import Shapes
from tfmobile.inspection.not_convertible import builtins
from tfmobile.runtime import tflite_schema
from tfmobile.targets import Target, preflight, target, target_names

EDGE_TPU_OP = "edgetpu-custom-op"
_EDGE_TPU = "edge-tpu"
_TOO_WIDE = ("float64", "complex128")
_CUSTOM_IN_RUNTIMES = frozenset({"TFLite_Detection_PostProcess"})
"""Custom operators that the usual builds of the runtime have."""


def graph_targets(
    graph: Graph,
    nodes: Sequence[Node],
    constant: Collection[str],
    shapes: Shapes,
    not_convertible: Sequence[NodeGroup],
) -> tuple[TargetFact, ...]:
    """One fact a target; ``nodes`` are those the outputs need, ``not_convertible`` the ops without a builtin."""
    moving = [node for node in nodes if node.name not in constant]
    return tuple(_graph_on(target(name), graph, moving, shapes, not_convertible) for name in target_names())


def _graph_on(
    row: Target, graph: Graph, nodes: Sequence[Node], shapes: Shapes, not_convertible: Sequence[NodeGroup]
) -> TargetFact:
    found = list(not_convertible)
    problems = [
        f"Input '{spec.key}' is {spec.dtype}, and TFLite computes in float32: the model does not convert as it is."
        for spec in graph.inputs
        if spec.dtype in _TOO_WIDE
    ]
    if found:
        problems.append(f"{_listed(found)} {_is(found)} no TFLite builtin: the model does not convert as it is.")
    absent = _absent(row, nodes, {group.op for group in found})
    if absent:
        problems.append(f"It has no {_listed(absent)}; that and all that follows from it runs on the CPU.")
    open_ = _open_shapes(row, nodes, shapes)
    if open_:
        problems.append(f"Shapes must be fixed, and that of {_listed(open_)} is known only when it runs.")
    wide = _wide(row, graph)
    if wide:
        problems.append(f"Only the {row.inner_dims} innermost dimensions may be larger than 1, and {wide}.")
    return TargetFact(row.name, not problems, tuple(problems), (*found, *absent, *open_), row.prediction)


def _absent(row: Target, nodes: Iterable[Node], known: Collection[str]) -> list[NodeGroup]:
    """The ops that become builtin operators, one of which the target does not have."""
    if not row.ops:
        return []
    missing: dict[str, str] = {}
    for node in nodes:
        lacking = [one for one in builtins().get(node.op, ()) if one not in row.ops]
        if lacking and node.op not in known:
            missing[node.name] = f"becomes {', '.join(lacking)}, which {row.name} does not have"
    return _groups(nodes, missing)


def _open_shapes(row: Target, nodes: Iterable[Node], shapes: Shapes) -> list[NodeGroup]:
    if not row.static_shapes:
        return []
    unknown = TensorRef("")
    missing = {}
    for node in nodes:
        shape = shapes.get(TensorRef(node.name), unknown)
        if shape is None or (shape is not unknown and None in shape):
            missing[node.name] = "its output's shape is known only when it runs"
    return _groups(nodes, missing)


def _groups(nodes: Iterable[Node], why: Mapping[str, str]) -> list[NodeGroup]:
    found: dict[str, NodeGroup] = {}
    for node in nodes:
        if node.name in why:
            group = found.get(node.op, NodeGroup(node.op, 0, why[node.name], node.name))
            found[node.op] = dataclasses.replace(group, count=group.count + 1)
    return sorted(found.values(), key=lambda group: (-group.count, group.op))


def _wide(row: Target, graph: Graph) -> str:
    if not row.inner_dims:
        return ""
    wide = [
        f"'{spec.key}' is {list(spec.shape)}"
        for spec in (*graph.inputs, *graph.outputs)
        if spec.shape is not None and any((size or 1) > 1 for size in spec.shape[: -row.inner_dims])
    ]
    return ", ".join(wide[:3])


def _listed(groups: Sequence[NodeGroup], most: int = 5) -> str:
    words = [f"{group.op} ×{group.count}" if group.count > 1 else group.op for group in groups[:most]]
    return ", ".join(words) + (f" and {len(groups) - most} more" if len(groups) > most else "")


def _is(groups: Sequence[NodeGroup]) -> str:
    return "is" if len(groups) == 1 else "are"


def tflite_targets(model: TFLiteModel, scheme: str) -> tuple[TargetFact, ...]:
    """One fact a target, by its preflight; ``scheme`` is the quantization in words."""
    return tuple(_tflite_on(target(name), model, recipe_of(scheme)) for name in target_names())


def _tflite_on(row: Target, model: TFLiteModel, recipe: str) -> TargetFact:
    compiled = [fact for fact in model.ops if fact.op == EDGE_TPU_OP]
    if compiled and row.name == _EDGE_TPU:
        return TargetFact(row.name, True, prediction=row.prediction)
    found = preflight(model, row, recipe or row.recommended)
    ops = _operators(row, model.ops)
    custom = [group.op for group in ops if group.why == _CUSTOM]
    problems = found.problems
    if custom:
        problems += (f"{', '.join(custom)}: {_CUSTOM}.",)
    if compiled:
        problems += ("What is compiled for the Edge TPU runs with its delegate only.",)
    return TargetFact(row.name, not problems, problems, ops, row.prediction)


_CUSTOM = "a custom operator, which runs only where the app brings its kernel"


def _operators(row: Target, ops: Iterable[OpFact]) -> tuple[NodeGroup, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for fact in ops:
        why = _against(row, fact)
        if why:
            found.setdefault((fact.op, why), []).append(fact.output)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(NodeGroup(op, len(outputs), why, outputs[0]) for (op, why), outputs in ordered)


def _against(row: Target, fact: OpFact) -> str:
    if fact.op == EDGE_TPU_OP:
        return "compiled for the Edge TPU"
    if fact.op.startswith("Flex"):
        return "needs TensorFlow inside the runtime"
    if fact.op not in tflite_schema.names("operators") and fact.op not in _CUSTOM_IN_RUNTIMES:
        return _CUSTOM
    if fact.kind == "boundary":
        return ""
    if row.integer_only and fact.kind in ("float", "weight-only"):
        return "computes in float"
    return f"{row.name} does not have it" if row.ops and fact.op not in row.ops else ""


def recipe_of(scheme: str) -> str:
    """The recipe that makes a model of this quantization; empty where no one does."""
    if scheme.startswith(("full int16", "partly int16")):
        return "int16x8"
    if scheme.startswith(("full", "partly")):
        return "int8-per-tensor" if "per tensor" in scheme else "int8"
    if "int4" in scheme:
        return "weight-int4"
    starts = {"dynamic": "dynamic-int8", "float16": "float16", "float32": "float32", "int8 weights": "dynamic-int8"}
    return next((recipe for start, recipe in starts.items() if scheme.startswith(start)), "")
