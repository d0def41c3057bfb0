"""quantize-nodes: FakeQuant wherever TFLite's int8 scheme rounds, so that the converter makes an int8 model of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.model import Graph, TensorRef
from tfmobile.passes.weights.fake_quant import place_on_activation, place_on_weights, stored_range
from tfmobile.passes.weights.stored_in_8_bits import restored
from tfmobile.scheme.int8 import BOUNDS, FIXED, WITHIN, Range
from tfmobile.scheme.placement import Kind, Placement, Site, place

_WHY_UNKNOWN: Mapping[Kind, str] = {
    "input": "its range is not known; give input_min and input_max",
    "computed": "its range is not known; give fallback_min and fallback_max",
    "fixed": "the range of what it reads is not known",
    "joined": "the range of what it reads is not known",
    "placed": "its range is computed; run fold_constants first",
}
_EVERYTHING = (-math.inf, math.inf)


@dataclass(frozen=True)
class QuantizeNodes:
    """Place FakeQuantWithMinMaxVars on every tensor that TFLite's int8 scheme rounds to 8 bits, and on the weights of
    the layers between them. TensorFlow then answers as the int8 model will, and the converter makes that model, without
    calibration: ``TFLiteConverter`` with ``optimizations = [Optimize.DEFAULT]`` and no representative dataset.

    **Where.** Model inputs; the outputs of Conv2D, DepthwiseConv2dNative, Conv2DBackpropInput, MatMul and BatchMatMul,
    behind their bias and their Relu or Relu6; of Add, Sub, Mul and their like, behind their activation; of Mean, Sum,
    LeakyRelu, hard-swish and other arithmetic TFLite has int8 kernels for; and what an op that stays in float gives to
    one of those. Ops that move values about (pools, Reshape, Pad, Resize, …) have the range of their input and get
    none; those that put tensors together (Concat, Pack, Select) get one range for all. A model output keeps its name,
    and the value before rounding is called ``NAME/unrounded``. A FakeQuant that is there already stays.

    **Ranges.** A model input has ``input_min`` to ``input_max``. Softmax and Sigmoid have 0 to 255/256, Tanh −1 to
    127/128, LogSoftmax −255/16 to 0, as TFLite's kernels want; what ends in Relu6 has 0 to 6. Mean, Relu, LeakyRelu and
    hard-swish have the range of what they read, as far as they can fill it. All else has ``fallback_min`` to
    ``fallback_max``, from 0 on where it ends in Relu. 0 is part of every range.

    **Weights.** Symmetric, ±max|w|, in −127 to 127: for each output channel of Conv2D and DepthwiseConv2dNative, for
    the whole tensor elsewhere, as the converter refuses ranges by channel there. Those of a layer with a batch norm
    behind it stay as they are (run fold_batch_norms first); the converter rounds them once it has folded it.

    Weights that ``quantize_weights`` stored in 8 bits are read back as floats first: TFLite stores its own.

    Left in float, and said: an op whose range is not known, for want of ``fallback_min`` and ``fallback_max``; one that
    TFLite has no int8 form of; and what depends on TF1 control flow.

    The original tool put in Quantized* ops, which ran in 8 bits inside TensorFlow, and without a fallback computed
    ranges while the graph ran. TFLite has neither. One fallback for a whole model is coarse; ranges that were measured
    on data are better: ``tfmobile optimize --recipe int8``.
    """

    name: ClassVar[str] = "quantize-nodes"
    keeps_answer: ClassVar[bool] = False
    input_min: float | None = None
    input_max: float | None = None
    fallback_min: float | None = None
    fallback_max: float | None = None

    def __post_init__(self) -> None:
        for what in ("input", "fallback"):
            low, high = getattr(self, f"{what}_min"), getattr(self, f"{what}_max")
            if (low is None) != (high is None):
                raise ValueError(f"{what}_min and {what}_max go together.")
            if low is not None and not (low < high and math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"{what}_min is less than {what}_max, and both are finite: not {low:g} and {high:g}.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` sums up activations and weights; ``skipped`` names each op that stays in float."""
        given = graph
        graph, stored = restored(graph)
        placement = place(graph)
        own = self._own_ranges(graph, placement)
        ranges = _shared(placement, own)
        editor = GraphEditor(graph)
        skipped = [*placement.left, *_unknown(editor, placement, own)]
        placed = [site for site in placement.sites if site.kind != "placed" and site.tensor in ranges]
        layers = [one for one in placement.weights if own.get(one.data) and own.get(one.output)]
        for weights in layers:
            if weights.batch_norm:
                why = "a batch norm follows; run fold_batch_norms first"
                skipped.append(f"Left the weights of '{weights.node}' as they are: {why}.")
        changed = _sum_up(placed, place_on_weights(editor, [one for one in layers if not one.batch_norm]))
        for site in placed:
            place_on_activation(editor, site.tensor, ranges[site.tensor])
        if not changed:
            return PassResult(given, (), tuple(skipped))
        if stored:
            changed.insert(
                0, f"Read {stored} {'constant' if stored == 1 else 'constants'} stored in 8 bits back as floats."
            )
        return PassResult(editor.finish(), tuple(changed), tuple(skipped))

    def _own_ranges(self, graph: Graph, placement: Placement) -> dict[TensorRef, Range]:
        """The range of each site by itself, with 0 in it, where one is known."""
        found: dict[TensorRef, Range] = {}
        for site in placement.sites:
            sources = [found[ref] for ref in site.sources if ref in found]
            one = self._own_range(graph, site, sources if len(sources) == len(site.sources) else [])
            if one is not None and not (math.isinf(one[0]) or math.isinf(one[1])):
                found[site.tensor] = _with_zero(one)
        return found

    def _own_range(self, graph: Graph, site: Site, sources: list[Range]) -> Range | None:
        fallback = _range(self.fallback_min, self.fallback_max)
        if site.kind == "placed":
            return stored_range(graph, site.tensor)
        if site.kind == "fixed":
            return FIXED[site.op] if sources else None
        if site.kind == "input":
            return _range(self.input_min, self.input_max) or fallback
        if site.kind == "joined":
            return _hull(sources) if sources else None
        inside = sources[0] if sources and site.op in WITHIN else fallback or _EVERYTHING
        for bounds in (_bounds(graph, site), BOUNDS.get(site.activation, _EVERYTHING)):
            low, high = max(inside[0], bounds[0]), min(inside[1], bounds[1])
            inside = (low, high) if low < high else inside
        return inside


def _range(low: float | None, high: float | None) -> Range | None:
    return None if low is None or high is None else (low, high)


def _bounds(graph: Graph, site: Site) -> Range:
    """What the op of a site can give at all."""
    source = graph.nodes[site.tensor.node].attrs.get("SrcT") if site.op == "Cast" else None
    return (0.0, 255.0) if getattr(source, "name", "") == "uint8" else BOUNDS.get(site.op, _EVERYTHING)


def _with_zero(one: Range) -> Range:
    return min(one[0], 0.0), max(one[1], 0.0)


def _hull(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def _shared(placement: Placement, own: Mapping[TensorRef, Range]) -> dict[TensorRef, Range]:
    """The range of each site with those of its group: what is computed for a Concat has the range of all of it."""
    groups: dict[TensorRef, Range] = {}
    for site in placement.sites:
        known = [groups[site.group]] if site.group in groups else []
        known += [one for one in (own.get(site.tensor), site.constants) if one is not None]
        if known:
            groups[site.group] = _hull(known)
    return {
        site.tensor: groups[site.group] if site.kind in ("computed", "joined") else own[site.tensor]
        for site in placement.sites
        if site.tensor in own
    }


def _unknown(editor: GraphEditor, placement: Placement, own: Mapping[TensorRef, Range]) -> list[str]:
    """A sentence for each site without a range."""
    said = []
    for site in placement.sites:
        if site.tensor in own:
            continue
        said.append(f"Left '{site.tensor}' ({editor[site.tensor.node].op}) in float: {_WHY_UNKNOWN[site.kind]}.")
    return said


def _sum_up(placed: list[Site], layers: int) -> list[str]:
    changed = []
    if placed:
        what = "activation" if len(placed) == 1 else "activations"
        inputs = sum(site.kind == "input" for site in placed)
        of_inputs = f" ({inputs} model {'input' if inputs == 1 else 'inputs'})" if inputs else ""
        changed.append(f"Placed FakeQuant on {len(placed)} {what}{of_inputs}.")
    if layers:
        changed.append(f"Placed FakeQuant on the weights of {layers} {'layer' if layers == 1 else 'layers'}.")
    return changed
