"""report.json: its form, its schema, and what must never be in it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.reporting import build
from tests.reporting.schema_check import problems
from tfmobile.artifacts import Difference, LayerError, Report, StepFact
from tfmobile.reporting import evaluation_json, latency_json, to_json
from tfmobile.reporting.schema import FILE, report_schema, text

DOCS = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"


@pytest.mark.parametrize("name", ["realistic", "minimal", "slower", "ten_classes"])
def test_every_report_has_the_form_of_the_schema(name: str) -> None:
    report: Report = getattr(build, name)()
    document = json.loads(json.dumps(to_json(report), allow_nan=False))
    schema = report_schema()
    assert problems(document, schema, schema) == []


def test_evaluation_and_latency_alone_have_the_form_of_their_definitions() -> None:
    schema = report_schema()
    for document, name in (
        (evaluation_json(build.evaluation()), "Evaluation"),
        (latency_json(build.latency()), "Latency"),
    ):
        assert document.pop("schema_version") == 1
        assert problems(json.loads(json.dumps(document, allow_nan=False)), schema["$defs"][name], schema) == []


def test_a_wrong_document_is_found() -> None:
    schema = report_schema()
    document = to_json(build.minimal())
    document["source"]["size_bytes"] = "many"
    del document["command"]
    document["surprise"] = 1
    assert len(problems(document, schema, schema)) == 3


def test_the_schema_files_are_up_to_date() -> None:
    fix = "run: python -m tfmobile.reporting.schema, and put its output into both files"
    assert FILE.read_text(encoding="utf-8") == text(), fix
    assert DOCS.read_text(encoding="utf-8") == text(), fix


def test_numbers_that_are_not_finite_become_null_and_numpy_values_plain() -> None:
    report = dataclasses.replace(
        build.realistic(),
        differences=(Difference("x", int(np.int64(3)), math.inf, float(np.float32(0.5)), math.nan),),
        layer_errors=(LayerError("a", "ADD", math.inf),),
        steps=(StepFact("s", np.float64(1.5), False, {"shape": np.zeros((2,), np.int32)}, {"n": np.int16(4)}),),
    )
    document = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert document["differences"][0]["max_abs"] is None
    assert document["differences"][0]["snr_db"] is None
    assert document["layer_errors"][0]["snr_db"] is None
    assert document["steps"][0]["options"] == {"shape": [0, 0]}
    assert document["steps"][0]["facts"] == {"n": 4}


def test_models_and_graphs_are_told_by_size_and_hash_and_pictures_are_left_out() -> None:
    document = to_json(build.realistic())
    assert set(document["optimized"]["content"]) == {"bytes", "sha256"}
    assert document["source"]["graph"]["nodes"] == 2
    assert document["source"]["graph"]["inputs"][0]["shape"] == [None, 224, 224, 3]
    assert "data:image" not in json.dumps(document)


def test_it_says_the_same_words_as_the_page() -> None:
    verdicts = to_json(build.realistic())["verdicts"]
    assert verdicts["headline"] == "3.3× smaller and 2.3× faster, with no measurable loss of accuracy."
    assert verdicts["latency"]["words"] == "2.3× faster"


def test_what_a_step_stored_for_reuse_is_not_repeated() -> None:
    step = StepFact("evaluate", 1.0, False, {}, {"samples": 500, "models": [{"times": [0.0] * 1000}]})
    document = to_json(dataclasses.replace(build.realistic(), steps=(step,)))
    assert document["steps"][0]["facts"] == {"samples": 500}
