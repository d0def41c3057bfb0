"""tfmobile.toml and options make one plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfmobile.errors import PlanError, UsageError
from tfmobile.plan import make_plan


def write(folder: Path, text: str) -> str:
    path = folder / "tfmobile.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_sets_what_options_do_not(tmp_path: Path) -> None:
    config = write(tmp_path, '[optimize]\nrecipe = "float16"\n[preprocessing]\nmean = 127.5\nresize = "224x192"\n')
    plan = make_plan(config, {"std": "58.4,57.1,57.4", "io": None})
    assert plan.optimize.recipe == "float16"
    assert plan.preprocessing.mean == (127.5,)
    assert plan.preprocessing.std == (58.4, 57.1, 57.4)
    assert plan.preprocessing.resize == (224, 192)


def test_an_option_wins_over_the_file(tmp_path: Path) -> None:
    config = write(tmp_path, '[optimize]\nrecipe = "float16"\n')
    assert make_plan(config, {"recipe": "int8"}).optimize.recipe == "int8"


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    config = write(tmp_path, '[model]\npath = "m.keras"\n[data]\ncalibrate-with = "random"\ndata = "pkg.mod:make"\n')
    plan = make_plan(config, {})
    assert plan.model.path == str(tmp_path / "m.keras")
    assert (plan.data.calibrate_with, plan.data.data) == ("random", "pkg.mod:make")


def test_a_folder_stands_for_the_file_in_it(tmp_path: Path) -> None:
    write(tmp_path, '[optimize]\nrecipe = "float16"\n')
    assert make_plan(str(tmp_path), {}).optimize.recipe == "float16"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[optimise]\n", "optimize"),
        ('[optimize]\nrecpie = "int8"\n', "recipe"),
        ("[optimize]\nrecipe = 8\n", "recipe"),
        ("recipe = 'int8'\n", "section"),
        ("[optimize\n", "TOML"),
        ("[model]\ntrust = true\n", "trust"),
        ("[benchmark]\nxnnpack = 'maybe'\n", "xnnpack"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_named(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(PlanError) as caught:
        make_plan(write(tmp_path, text), {})
    assert caught.value.fixes
    assert word in f"{caught.value.what} {caught.value.why} {caught.value.fixes}"


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"threads": (0,)}, {"latency_budget": -1.0}, {"workers": 0}, {"std": "0"}, {"resize": "big"}],
)
def test_values_no_command_can_use_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        make_plan(None, options)
    assert caught.value.fixes
