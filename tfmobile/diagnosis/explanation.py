"""The layers of a quantized model compared, switched on and off one by one, and explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tfmobile.artifacts import Fidelity, Finding, LayerDiagnosis, Statistics
from tfmobile.diagnosis.causes import find_causes
from tfmobile.diagnosis.effects import Effects, measure_effects
from tfmobile.diagnosis.evidence import LayerEvidence, gather
from tfmobile.diagnosis.impact import harm, impacts, shares, shares_by_noise
from tfmobile.diagnosis.layers import MOST_DB, LayerError, compare_layers
from tfmobile.diagnosis.structure import QuantizedLayer, movers, quantized_layers
from tfmobile.errors import UnsupportedError
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import Progress, silent
from tfmobile.quantization.recipe import Recipe

LAYER_SAMPLES = 32
"""Every value of every layer is compared: so many samples hold millions of them."""
MOST_EFFECT_SAMPLES, LEAST_EFFECT_SAMPLES = 48, 8
EFFORT = 1.2e12
"""Multiplications that switching layers may cost; some 60 seconds on two cores. Larger models use fewer samples."""
NOT_RUN = "The quantized model does not run, so nothing was measured: causes were looked for in its numbers alone."
DRAWN = 12
"""For so many of the worst layers channels and histograms are given."""


@dataclass(frozen=True)
class Explanation:
    """``harm`` 0 to 1: how unlike the float model the quantized one answers. ``rounding``: divergence in nats that the
    256 steps of the last softmax alone make.

    ``effect_samples`` 0: single layers were not switched, and ``notes`` says why.
    """

    layers: tuple[LayerDiagnosis, ...]
    findings: tuple[Finding, ...]
    harm: float
    rounding: float
    layer_samples: int
    effect_samples: int
    notes: tuple[str, ...] = ()


def explain(
    floating: bytes,
    quantized: bytes,
    statistics: Statistics,
    feeds: Sequence[Mapping[str, Array]],
    found: Fidelity | None,
    used: Recipe,
    *,
    kept: Collection[str] = (),
    graph: Graph | None = None,
    ties: float = 0.0,
    progress: Progress = silent,
) -> Explanation:
    """Layer by layer, what quantization does to the model and why.

    ``quantized`` was made of ``floating`` by ranges alone; ``used`` is the recipe that advice is given for, ``kept``
    the improvements of it that helped. ``graph`` is what ``floating`` was converted from,
    None when the source is a .tflite: then layers are not switched one by one. ``statistics`` of ``floating`` over
    calibration samples; ``feeds`` (arrays by input key, batch 1) other ones, on which the model answers as ``found``
    says, the two best answers being equal in the fraction ``ties``. ``found`` None: the quantized model does not run;
    causes are then looked for in its numbers alone. Raises VerificationError when a model crashes the runtime.
    """
    layers = quantized_layers(floating, quantized)
    compared = feeds[:LAYER_SAMPLES] if found is not None else ()
    errors: Mapping[str, LayerError] = {}
    effects, samples = None, 0
    notes: tuple[str, ...] = (NOT_RUN,)
    if found is not None:
        progress("compare layers", 0, None)
        errors = compare_layers(floating, quantized, layers, compared)
        effects, samples, notes = _effects(graph, quantized, layers, feeds, progress)
    part = _shares(layers, errors, effects) if found is not None else dict.fromkeys((one.name for one in layers), 1.0)
    whole = _harm(found, effects)
    evidence = gather(
        layers,
        statistics,
        errors,
        impacts(part, whole),
        only_this=effects.only_this if effects is not None else {},
        all_but_this=effects.all_but_this if effects is not None else {},
        ties=_ties(found, effects, ties),
    )
    findings = find_causes(evidence, whole, used, kept, improvable=graph is not None)
    worst = sorted(evidence, key=lambda one: -part.get(one.layer.name, 0.0))[:DRAWN]
    drawn = {one.layer.name for one in worst}
    return Explanation(
        layers=tuple(_diagnosis(one, part, one.layer.name in drawn) for one in evidence),
        findings=findings,
        harm=whole,
        rounding=_rounding(effects),
        layer_samples=len(compared),
        effect_samples=samples,
        notes=notes,
    )


def _shares(
    layers: Sequence[QuantizedLayer], errors: Mapping[str, LayerError], effects: Effects | None
) -> dict[str, float]:
    return shares(effects, layers) if effects is not None else shares_by_noise(layers, errors)


def _harm(found: Fidelity | None, effects: Effects | None) -> float:
    """Of the whole model; divergence without that of the last softmax, whose 256 steps any int8 model has."""
    if found is None:
        return 1.0
    if effects is None or effects.all_quantized.kl is None:
        return harm(found)
    return harm(dataclasses.replace(found, kl=effects.all_quantized.kl))


def _ties(found: Fidelity | None, effects: Effects | None, ties: float) -> float:
    """Of answers that are classes; those that the last softmax alone makes, where that is known."""
    if found is None or found.agreement is None:
        return 0.0
    return effects.ties if effects is not None and effects.outlets else ties


def _rounding(effects: Effects | None) -> float:
    alone = [effects.only_this[name].kl for name in effects.outlets] if effects is not None else []
    return max((kl for kl in alone if kl is not None), default=0.0)


def remaining(found: Fidelity | None, rounding: float) -> float:
    """Harm of another model of the same layers, without the ``rounding`` of its last softmax."""
    if found is None:
        return 1.0
    return harm(found if found.kl is None else dataclasses.replace(found, kl=max(0.0, found.kl - rounding)))


def effect_samples(layers: Sequence[QuantizedLayer], available: int) -> int:
    """How many samples each switched layer is measured on, so that large models do not take forever."""
    # Two paths, quantized and float, and each layer about once; smaller operators cost as much as many multiplications.
    one = 2 * sum(layer.multiplies for layer in layers) + 2e6 * len(layers)
    affordable = int(EFFORT / (one * len(layers) * 1.3))
    return min(available, max(LEAST_EFFECT_SAMPLES, min(MOST_EFFECT_SAMPLES, affordable)))


def _effects(
    graph: Graph | None,
    quantized: bytes,
    layers: Sequence[QuantizedLayer],
    feeds: Sequence[Mapping[str, Array]],
    progress: Progress,
) -> tuple[Effects | None, int, tuple[str, ...]]:
    from tfmobile.quantization.simulation import open_simulation

    if graph is None:
        why = "The source is a .tflite, without a TensorFlow graph"
        return None, 0, (f"{why}: the effect of single layers was not measured, but judged by the noise each adds.",)
    count = effect_samples(layers, len(feeds))
    try:
        with open_simulation(graph, quantized) as simulation:
            found = measure_effects(
                simulation, feeds[:count], moves=movers(layers), outlets=_outlets(layers), progress=progress
            )
            return found, count, tuple(simulation.notes)
    except UnsupportedError as error:
        return None, 0, (f"The effect of single layers was not measured: {error.what} {error.why}".strip(),)


def _outlets(layers: Sequence[QuantizedLayer]) -> tuple[str, ...]:
    return tuple(layer.name for layer in layers if layer.answer and layer.op == "SOFTMAX")


def _diagnosis(evidence: LayerEvidence, part: Mapping[str, float], drawn: bool) -> LayerDiagnosis:
    layer, error, found = evidence.layer, evidence.error, evidence.statistics
    low, high = evidence.held
    made = LayerDiagnosis(
        name=layer.name,
        op=layer.op,
        sqnr_db=error.sqnr_db if error is not None else MOST_DB,
        cosine=error.cosine if error is not None else 1.0,
        rmse_per_scale=error.rmse_per_scale if error is not None else 0.0,
        only_this=evidence.only_this,
        all_but_this=evidence.all_but_this,
        range=layer.grid.range,
        scale=layer.grid.scale,
        zero_point=layer.grid.zero_point,
        held=(low, high),
        clipped=error.clipped if error is not None else 0.0,
        shift_share=error.shift_share if error is not None else 0.0,
        share=float(min(max(part.get(layer.name, 0.0), 0.0), 1.0)),
        channel_lows=_numbers(found.channel_lows) if drawn and found is not None else (),
        channel_highs=_numbers(found.channel_highs) if drawn and found is not None else (),
        weight_maxima=_numbers(layer.weights.maxima) if drawn and layer.weights is not None else (),
        histogram=tuple(int(count) for count in _coarse(found.counts)) if drawn and found is not None else (),
        outside=(found.below, found.above) if drawn and found is not None else (0, 0),
        histogram_range=found.edges if drawn and found is not None else (0.0, 0.0),
    )
    return made


BINS = 128


def _coarse(counts: Array) -> Array:
    """At most 128 bins."""
    if counts.size <= BINS or counts.size % BINS:
        return counts
    grouped: Array = counts.reshape(BINS, -1).sum(1)
    return grouped


def _numbers(values: Array | None) -> tuple[float, ...]:
    return () if values is None else tuple(float(value) for value in values)
