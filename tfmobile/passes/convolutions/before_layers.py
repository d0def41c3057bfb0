"""Fold the scales and shifts that stand before layers into their weights and biases.

A layer that reads ``s·x + o`` reads ``x`` instead: ``w∗(s·x + o) = (s·w)∗x + Σ w·o``. The second term is a bias only
where each output sees the whole window. Where zeros are put around the input there are three ways: no shift
(``o = 0``); padding with the ``x`` for which ``s·x + o = 0``; or to leave ``x − (−o/s)`` and fold the scale alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import LINEAR_OPS, is_channel_first, output_channels
from tfmobile.graph.match import Constants
from tfmobile.graph.model import Array, DType, Node, TensorRef
from tfmobile.passes.affine import Layout, Step, read_step
from tfmobile.passes.convolutions.chains import constant_weights
from tfmobile.passes.convolutions.fronts import Front, Sunk
from tfmobile.passes.convolutions.input_side import data_place, response, weights_for
from tfmobile.passes.convolutions.rebuilding import bias_node, new_weights, rebuilt, rounded, waits_of
from tfmobile.passes.convolutions.windows import Pads


@dataclass
class _Plan:
    """A layer and what becomes of it; with ``padding``, the input is padded outside, with ``value``."""

    layer: Node
    weights: Array | None
    """None where they stay as they are."""
    bias: Array
    padding: Pads = ()


def fold_front(
    editor: GraphEditor,
    constants: Constants,
    front: Front,
    sunk: Sunk,
    *,
    padding: Mapping[str, Pads] | None = None,
    pad_value: float = 0.0,
    shift_stays: bool = False,
) -> str:
    """Let the layers of the front read its top; the reason when they cannot.

    ``padding``: the layers, by name, whose zeros are put around the input before, as ``pad_value``. With
    ``shift_stays``, only the scale is folded, and a subtraction stays.
    """
    offset = np.zeros_like(sunk.offset) if shift_stays else sunk.offset
    plans = [
        _plan(constants, editor, layer, sunk, offset, (padding or {}).get(layer.name, ())) for layer in front.layers
    ]
    if any(isinstance(plan, str) for plan in plans):
        return next(plan for plan in plans if isinstance(plan, str))
    data = _moves(editor, front, sunk)
    if shift_stays:
        data = _subtraction(editor, front, sunk, data)
    controls = tuple(dict.fromkeys(item for step in front.steps for item in step.node.controls))
    for plan in plans:
        assert isinstance(plan, _Plan)
        _absorb(editor, constants, plan, _padded(editor, plan, data, front.layout, pad_value), controls)
    return ""


def _plan(
    constants: Constants, editor: GraphEditor, layer: Node, sunk: Sunk, offset: Array, padding: Pads
) -> _Plan | str:
    weights = constant_weights(editor, constants, layer)
    assert weights is not None
    wide = weights.astype(np.float64)
    with np.errstate(all="ignore"):
        bias = response(layer, wide, offset)
        if bias is None:
            return f"its shift is not the same number for all that '{layer.name}' ({layer.op}) gives"
        new = rounded(layer, weights_for(layer, wide, sunk.scale, sunk.order))
    if not (np.isfinite(new).all() and np.isfinite(bias).all()):
        return "the folded weights would not be finite"
    stays = (sunk.scale == 1).all() and (np.diff(sunk.order) == 1).all()
    return _Plan(layer, None if stays else new, bias, padding)


def _moves(editor: GraphEditor, front: Front, sunk: Sunk) -> TensorRef:
    """The moves of the front, reading its top; where they end."""
    data, waits = front.top, waits_of(editor, front.layers[0])
    for node in front.moves:
        inputs, op = (data, *node.inputs[1:]), node.op
        value = sunk.pads.get(node.name, 0.0)
        if value:
            op = "PadV2"
            filler = rounded(front.layers[0], np.array(value))
            inputs = (*inputs[:2], editor.add_constant(f"{node.name}/value", filler, beside=node.name, controls=waits))
        elif op == "PadV2":
            op, inputs = "Pad", inputs[:2]
        named = dataclasses.replace(node, name=editor.fresh(f"{node.name}/unscaled"), op=op, inputs=inputs)
        data = TensorRef(editor.add(named, beside=node.name).name)
    return data


def _subtraction(editor: GraphEditor, front: Front, sunk: Sunk, data: TensorRef) -> TensorRef:
    """``x + o/s``, by channel of ``x``."""
    layer, last = front.layers[0], front.bottom.node
    zeros = np.take(-sunk.offset / sunk.scale, np.argsort(sunk.order))
    if front.layout.first:
        zeros = zeros.reshape((-1,) + (1,) * ((front.layout.rank or 2) - 2))
    ref = editor.add_constant(f"{last}/mean", rounded(layer, zeros), beside=last, controls=waits_of(editor, layer))
    node = Node(
        editor.fresh(f"{last}/unscaled"), "Sub", (data, ref), attrs={"T": layer.attrs.get("T", DType("float32"))}
    )
    return TensorRef(editor.add(node, beside=last).name)


def _padded(editor: GraphEditor, plan: _Plan, data: TensorRef, layout: Layout, value: float) -> TensorRef:
    if not plan.padding:
        return data
    layer = plan.layer
    amounts = np.zeros((layout.rank or 4, 2), np.int32)
    first = 2 if layout.first else 1
    amounts[first : first + len(plan.padding)] = plan.padding
    kind, waits = layer.attrs.get("T", DType("float32")), waits_of(editor, layer)
    filler = rounded(layer, np.array(value))
    inputs = (
        data,
        editor.add_constant(f"{layer.name}/paddings", amounts, beside=layer.name, controls=waits),
        editor.add_constant(f"{layer.name}/padding_value", filler, beside=layer.name, controls=waits),
    )
    attrs = {"T": kind, "Tpaddings": DType("int32")}
    node = Node(editor.fresh(f"{layer.name}/padded"), "PadV2", inputs, attrs=attrs, device=layer.device)
    return TensorRef(editor.add(node, beside=layer.name).name)


def _absorb(editor: GraphEditor, constants: Constants, plan: _Plan, data: TensorRef, controls: tuple[str, ...]) -> None:
    """The layer on ``data``, with the plan's weights and bias; a bias that follows already takes the new one up."""
    layer = plan.layer
    inputs = list(layer.inputs)
    inputs[data_place(layer)] = data
    if plan.weights is not None:
        place = LINEAR_OPS[layer.op].weights
        inputs[place] = new_weights(editor, layer, plan.weights)
    attrs = dict(layer.attrs)
    if plan.padding:
        attrs["padding"] = b"VALID"
        attrs.pop("explicit_paddings", None)
    new = dataclasses.replace(layer, inputs=tuple(inputs), attrs=attrs)
    follower = _bias_behind(editor, constants, layer) if plan.bias.any() else None
    bias = plan.bias if follower is None else plan.bias + follower.offset
    last = layer if follower is None else follower.node
    parts = [(new, layer.name)]
    value = rounded(layer, bias)
    if value.any():
        parts.append((bias_node(layer, is_channel_first(layer)), last.name))
    waits = controls if follower is None else (*controls, *follower.node.controls)
    rebuilt(editor, parts, last.name, waits, value)


def _bias_behind(editor: GraphEditor, constants: Constants, layer: Node) -> Step | None:
    """The constant that is added to the layer's output, and nothing else done with it."""
    data = TensorRef(layer.name)
    reader = editor.only_reader(data)
    weights = constant_weights(editor, constants, layer)
    if reader is None or weights is None or reader.op not in ("BiasAdd", "Add", "AddV2"):
        return None
    layout = Layout(output_channels(layer, weights), LINEAR_OPS[layer.op].rank, is_channel_first(layer))
    step = read_step(editor, constants, reader, data, layout)
    return step if isinstance(step, Step) else None
