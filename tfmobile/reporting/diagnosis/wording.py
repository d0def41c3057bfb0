"""How the parts of a diagnosis read, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence

from tfmobile.artifacts import Diagnosis, Fidelity, Finding, LayerDiagnosis
from tfmobile.reporting import formatting
from tfmobile.reporting.judgement import Tone

SEVERE, NOTABLE = 0.5, 0.2
FLAGGED = 0.7
"""RMSE in steps from which a layer is marked; rounding alone gives 0.289."""
ABOUT = {"data": "Data", "model": "Model", "layer": "Layer"}


def tone(finding: Finding) -> Tone:
    """Severe, worth a look, or good to know."""
    return "bad" if finding.severity >= SEVERE else "caution" if finding.severity >= NOTABLE else "neutral"


def cause_words(finding: Finding) -> str:
    """``outlier-channel`` as ``outlier channel``."""
    return finding.cause.replace("-", " ")


def worst_layers(layers: Sequence[LayerDiagnosis], most: int) -> list[LayerDiagnosis]:
    """By their part of the damage, the largest first; those that do none are left out."""
    ranked = sorted(layers, key=lambda layer: (-layer.share, layer.sqnr_db))
    return [layer for layer in ranked if layer.share > 0][:most]


def layer_cells(layer: LayerDiagnosis) -> tuple[str, ...]:
    """Damage share, SQNR, RMSE in steps, and the answers with only it and all but it quantized."""
    return (
        formatting.percent(layer.share, 0),
        f"{layer.sqnr_db:.1f}".replace("-", "−"),
        f"{layer.rmse_per_scale:.2f}" if layer.scale else formatting.DASH,
        effect(layer.only_this),
        effect(layer.all_but_this),
    )


def layer_heads(found: Diagnosis) -> tuple[str, ...]:
    """Of ``layer_cells``, with the unit of the last two."""
    unit = "nats" if found.fidelity is not None and found.fidelity.kl is not None else "dB"
    return ("Damage", "SQNR dB", "RMSE", f"Only it {unit}", f"All but {unit}")


def effect(found: Fidelity | None) -> str:
    """Divergence in nats from the float answer, or signal to noise in dB where outputs are no probabilities."""
    if found is None:
        return formatting.DASH
    if found.kl is not None:
        return formatting.small(found.kl)
    return f"{found.sqnr_db:.1f}".replace("-", "−")


def answers(found: Fidelity | None, labelled: int) -> list[tuple[str, str]]:
    """What there is to say of a model's answers, ``labelled`` of which have a right one: name and number."""
    if found is None:
        return []
    rows = []
    if labelled and found.correct is not None and found.reference_correct is not None:
        before, after = (formatting.percent(count / labelled) for count in (found.reference_correct, found.correct))
        rows.append(("Top-1", f"{before} → {after}"))
    if found.agreement is not None:
        rows.append(("As in float", formatting.percent(found.agreement)))
    if found.kl is not None:
        rows.append(("Divergence", f"{formatting.small(found.kl)} nats"))
    rows.append(("Signal to noise", formatting.decibels(found.sqnr_db)))
    return rows


def measured_on(found: Diagnosis) -> str:
    """How many samples each number comes from."""
    words = f"Ranges from {formatting.count(found.samples, 'sample')}; answers on {found.held_back} others"
    if found.labelled:
        words += f" ({found.labelled} with labels)"
    words += f", layers compared on {found.layer_samples}"
    if found.effect_samples:
        words += f", quantized one by one on {found.effect_samples}"
    if found.simple is not None:
        words += ". Layers and findings are those of the model by smallest and largest values alone"
    return f"{words}. It took {formatting.seconds(found.seconds)}."


def overall(found: Diagnosis) -> Tone:
    """Of the worst finding."""
    return max((tone(one) for one in found.findings), key=("good", "neutral", "caution", "bad").index, default="good")
