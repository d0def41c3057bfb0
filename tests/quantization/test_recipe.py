from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tfmobile.errors import PlanError, UnknownNameError
from tfmobile.quantization import recipe, recipe_names

NAMES = (
    "dynamic-int8",
    "float16",
    "float32",
    "int16x8",
    "int8",
    "int8-best",
    "int8-fast",
    "int8-per-tensor",
    "int8-per-tensor-best",
    "int8-per-tensor-fast",
    "weight-int4",
)


def test_the_recipes_are_the_files_in_the_folder() -> None:
    assert recipe_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_a_valid_row(name: str) -> None:
    found = recipe(name)
    assert found.name == name
    assert found.summary.endswith(".")
    assert found.io in found.io_allowed


def test_only_integer_activations_need_calibration() -> None:
    assert {name for name in NAMES if not recipe(name).needs_calibration} == {
        "dynamic-int8",
        "float16",
        "float32",
        "weight-int4",
    }


def test_an_unknown_recipe_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as caught:
        recipe("int-8")
    assert "int8" in caught.value.fixes[0]


def test_a_recipe_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'summary = "Mine."\nbackend = "mlir-quantize"\nweights = "int8"\ngranularity = "channel"\n'
        'activations = "int8"\nneeds-calibration = true\nio-allowed = ["float32"]\nleft-float = "refuse"\n'
    )
    assert recipe(str(file)).name == "mine"
    assert recipe(str(file)).left_float == "refuse"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('activations = "int8"', "needs-calibration"),
        ('weights = "int4"\nactivations = "float32"', "int4 weights"),
        ('weights = "int3"', "int3"),
        ("colour = 1", "colour"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(tmp_path: Path, line: str, word: str) -> None:
    file = tmp_path / "wrong.toml"
    rows = {
        "summary": '"Wrong."',
        "backend": '"none"',
        "weights": '"float32"',
        "granularity": '"none"',
        "activations": '"float32"',
        "io-allowed": '["float32"]',
    }
    for part in line.splitlines():
        key, _, value = part.partition(" = ")
        rows[key] = value
    file.write_text("\n".join(f"{key} = {value}" for key, value in rows.items()))
    with pytest.raises(PlanError) as caught:
        recipe(str(file))
    assert word in f"{caught.value.what} {caught.value.why}"
    assert caught.value.fixes


def test_a_recipe_file_that_is_missing_is_refused() -> None:
    with pytest.raises(PlanError):
        recipe("no/such/file.toml")


def test_naming_the_recipes_imports_no_heavy_package() -> None:
    code = (
        "import sys; from tfmobile.quantization import recipe_names, recipe; recipe(recipe_names()[0]);"
        "print(sorted({'numpy', 'tensorflow', 'litert_quantizer', 'ai_edge_litert'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
