"""A recipe with improvements: each is tried, kept only when it helps, stored, and told in the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfmobile
from tests.end_to_end.running import Sample
from tfmobile.artifacts import Improvement, ImprovementStep, Report
from tfmobile.errors import PlanError, UnknownNameError
from tfmobile.graph.edit import GraphEditor
from tfmobile.quantization.improvements import table
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.recipe import FOLDER, Recipe, recipe

HERE = "tests.end_to_end.test_improvements"
FITTED: list[tuple[str, ...]] = []


def halve_ranges(draft: Draft, samples: Samples, progress: object) -> Improved:
    """Clips what the model computes: never helps."""
    FITTED.append(samples.names)
    return Improved(ranges={key: (low / 4, high / 4) for key, (low, high) in draft.ranges.items()}, changed=("All.",))


def find_nothing(draft: Draft, samples: Samples, progress: object) -> Improved:
    """There is nothing to do in this model."""
    return Improved(skipped=("'dense' is no convolution.",))


def restore_ranges(draft: Draft, samples: Samples, progress: object) -> Improved:
    """The ranges as they were measured, for a recipe that starts with bad ones."""
    return Improved(ranges={key: one.range for key, one in draft.statistics.tensors.items()}, changed=("All.",))


def shift_a_bias(draft: Draft, samples: Samples, progress: object) -> Improved:
    """A graph with another constant under the same name."""
    editor = GraphEditor(draft.graph)
    bias = next(node for node in draft.graph if node.value is not None and node.value.shape == (8,))
    editor.update(bias.name, attrs={**bias.attrs, "value": np.asarray(bias.value + 5e-3, np.float32)})
    return Improved(graph=editor.finish(), changed=("One bias.",))


Run = Callable[..., Report]


@pytest.fixture
def run(small: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``optimize`` with a recipe that names the improvements above."""
    for improve in (halve_ranges, find_nothing, restore_ranges, shift_a_bias):
        monkeypatch.setitem(table.IMPROVEMENTS, improve.__name__, f"{HERE}:{improve.__name__}")  # type: ignore[arg-type]

    def optimize(*names: str, gate: str = "held-back", ranges: str = "min-max", **options: Any) -> Report:
        text = (FOLDER / "int8-fast.toml").read_text()
        more = f'improve = [{", ".join(map(repr, names))}]\ngate = "{gate}"\nranges = "{ranges}"\n'
        (tmp_path / "mine.toml").write_text(text + more)
        settings: dict[str, Any] = {
            "recipe": str(tmp_path / "mine.toml"),
            "calibrate_with": str(small.calibration),
            "std": 255,
            "out": str(tmp_path / "build"),
            "benchmark": False,
            **options,
        }
        return tfmobile.optimize(small.model, **settings)

    return optimize


def only(found: Improvement | None) -> ImprovementStep:
    assert found is not None
    (step,) = found.steps
    return step


def test_what_makes_answers_worse_is_dropped(run: Run) -> None:
    found, untouched = run("halve_ranges"), run("find_nothing")
    step = only(found.improvement)
    assert not step.kept
    assert step.reason
    assert step.before is not None
    assert step.after is not None
    assert step.after.sqnr_db < step.before.sqnr_db
    assert found.optimized.content == untouched.optimized.content


def test_what_helps_is_kept(run: Run) -> None:
    step = only(run("halve_ranges", gate="none").improvement)
    assert step.kept
    assert step.before is None, "nothing was judged"
    found = run("restore_ranges", ranges="percentile-99.9").improvement
    assert found is not None
    assert found.held_back == 8
    assert found.fitted_on == 22


def test_held_back_samples_are_not_fitted_on(run: Run) -> None:
    FITTED.clear()
    found = run("halve_ranges").improvement
    assert found is not None
    (names,) = FITTED
    assert len(set(names)) == found.fitted_on
    assert found.fitted_on + found.held_back == 30


def test_nothing_to_change_is_said(run: Run) -> None:
    step = only(run("find_nothing").improvement)
    assert (step.kept, step.changed, step.skipped) == (False, (), ("'dense' is no convolution.",))
    assert step.reason == "There was nothing to change."


def test_a_changed_graph_is_converted_again_and_keeps_its_ranges(run: Run) -> None:
    before, after = run("find_nothing"), run("shift_a_bias", gate="none")
    assert before.optimized.content != after.optimized.content
    assert before.calibration is not None
    assert after.calibration is not None
    assert sorted(before.calibration.ranges.values()) == sorted(after.calibration.ranges.values())
    assert after.calibration.ranges.keys() != before.calibration.ranges.keys(), "names follow constants"
    assert not after.optimized.left_float


def test_the_simulation_answers_like_the_file(run: Run) -> None:
    found = run("find_nothing").improvement
    assert found is not None
    assert found.simulation_agreement == 1.0


def test_a_second_run_reuses_every_step(run: Run) -> None:
    first, second = (run("halve_ranges", "find_nothing") for _ in range(2))
    assert first.optimized.content == second.optimized.content
    assert first.improvement == second.improvement
    assert {step.name for step in second.steps if not step.reused} == set()


def test_the_order_of_samples_means_nothing(run: Run, small: Sample, tmp_path: Path) -> None:
    pictures = np.load(small.calibration)["x"]
    np.savez(tmp_path / "turned.npz", x=pictures[::-1])
    first = run("shift_a_bias", "halve_ranges", ranges="mse")
    second = run("shift_a_bias", "halve_ranges", ranges="mse", calibrate_with=str(tmp_path / "turned.npz"))
    assert first.optimized.content == second.optimized.content


def test_unknown_improvements_and_rules_are_refused_with_the_nearest_name(run: Run) -> None:
    with pytest.raises(UnknownNameError) as caught:
        run("corect-bias")
    assert "correct-bias" in caught.value.fixes[0]
    with pytest.raises(UnknownNameError) as caught:
        run(ranges="percentile-99")
    assert "percentile-99.9" in caught.value.fixes[0]


def test_only_one_back_end_takes_improvements(tmp_path: Path) -> None:
    text = (FOLDER / "float16.toml").read_text()
    (tmp_path / "mine.toml").write_text(text + 'improve = ["correct-bias"]\n')
    with pytest.raises(PlanError, match="contradicts itself"):
        recipe(str(tmp_path / "mine.toml"))


def test_every_recipe_names_improvements_that_exist() -> None:
    rows: list[Recipe] = [recipe(file.stem) for file in FOLDER.glob("*.toml")]
    assert {name for row in rows for name in row.improve} <= set(table.IMPROVEMENTS)
    assert recipe("int8-fast").improve == ()
