"""A diagnosis on the terminal, as JSON, and as a page that loads nothing."""

from __future__ import annotations

import dataclasses
import io
import json
import re

from rich.console import Console

from tfmobile.artifacts import Diagnosis, Fidelity, Finding, LayerDiagnosis, ScalingTrial
from tfmobile.reporting.diagnosis import print_diagnosis, to_html, to_json

ATTACK = '"><script>alert(1)</script>'


def layer(name: str, share: float, sqnr: float = 20.0) -> LayerDiagnosis:
    return LayerDiagnosis(
        name, "CONV_2D", sqnr, 0.99, 1.2, Fidelity(8, 0.9, 0.01, 20.0), None,
        range=(0.0, 6.0), scale=6 / 255, zero_point=-128, channel_lows=(0.0,) * 8,
        channel_highs=(6.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.01, 0.0),
        weight_maxima=(1.0, 0.1, 3.0, 0.0, 2.0, 1.0, 1.0, 1.0),
        held=(0.0, 6.0), histogram=tuple(range(64)), histogram_range=(0.0, 5.0), outside=(0, 3), share=share,
    )  # fmt: skip


def diagnosis(count: int = 12) -> Diagnosis:
    layers = tuple(layer(f"net/conv_{place}/Relu", 0.6 if place == 3 else 0.02) for place in range(count))
    findings = (
        Finding("outlier-channel", "layer", "net/conv_3/Relu", "Channel 0 reaches 6.", "Equalize.", 0.8),
        Finding("repeated-samples", "data", "", "2 samples are repeated.", "Give others.", 0.1),
        *(Finding(f"cause-{place}", "model", "", "It is so.", "Do so.", 0.05) for place in range(8)),
    )
    trial = ScalingTrial("as stored", (0.0,), (1.0,), "rgb", 0.9, 2.0, None, present=True)
    return Diagnosis(
        "models/net.keras", "a net", "int8", "pictures", 100, 50, 0, Fidelity(50, 0.8, 0.1, 15.0), findings, layers,
        (trial,), ("A note.",), 12.0, "int8 loses. Do something.", 32, 16,
    )  # fmt: skip


def printed(found: Diagnosis, *, width: int = 100, everything: bool = False) -> str:
    stream = io.StringIO()
    print_diagnosis(found, Console(file=stream, width=width), everything=everything)
    return stream.getvalue()


def test_the_terminal_shows_the_sentence_the_findings_and_the_worst_layers() -> None:
    shown = printed(diagnosis())
    places = [
        shown.index(text) for text in ("int8 loses.", "outlier channel", "Worst layers", "conv_3/Relu", "A note.")
    ]
    assert places[0] < places[1] < places[2]
    assert "4 more findings with --all." in shown
    assert "Ranges from 100 samples; answers on 50 others" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_all_shows_every_layer_in_order_of_execution() -> None:
    shown = printed(diagnosis(), everything=True, width=80)
    places = [shown.index(f"conv_{place}/Relu ") for place in (0, 4, 11)]
    assert places == sorted(places)
    assert "more findings" not in shown


def test_json_has_all_under_the_names_of_the_artifact() -> None:
    document = json.loads(json.dumps(to_json(diagnosis()), allow_nan=False))
    assert document["schema_version"] == 1
    assert document["findings"][0]["cause"] == "outlier-channel"
    assert document["layers"][3]["channel_highs"][0] == 6.0


def test_numbers_that_are_not_finite_become_null() -> None:
    found = dataclasses.replace(diagnosis(), fidelity=Fidelity(1, None, None, float("inf")))
    assert to_json(found)["fidelity"]["sqnr_db"] is None


def test_the_page_is_complete_in_itself() -> None:
    page = to_html(diagnosis())
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "Content-Security-Policy" in page
    assert page.count("<svg") >= 2 * (1 + 3)
    for text in ("outlier channel", "Channel 0 reaches 6.", "All 12 layers", "as stored (as it is now)", "A note."):
        assert text in page


def test_names_cannot_break_out_of_the_page() -> None:
    found = diagnosis()
    hostile = tuple(dataclasses.replace(one, name=ATTACK) for one in found.layers[:2])
    finding = Finding("outlier-channel", "layer", ATTACK, ATTACK, ATTACK, 0.9)
    page = to_html(dataclasses.replace(found, model=ATTACK, headline=ATTACK, layers=hostile, findings=(finding,)))
    assert "<script>alert" not in page


def test_a_diagnosis_without_layers_or_findings_has_a_page() -> None:
    page = to_html(dataclasses.replace(diagnosis(), layers=(), findings=(), scalings=(), notes=(), fidelity=None))
    assert "nothing stands out" in page
