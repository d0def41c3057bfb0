"""The command in a report says every setting that differs from its default."""

from __future__ import annotations

import shlex

from click.testing import CliRunner

from tfmobile.cli import group
from tfmobile.plan import make_plan
from tfmobile.steps.command import reproduce

OPTIONS = {
    "model": "my model.h5",
    "recipe": "int8",
    "io": "uint8",
    "data": "d.npz",
    "calibrate_with": "c.npz",
    "resize": "224x192",
    "mean": "123.675,116.28,103.53",
    "std": 127.5,
    "input": ("a", "b"),
    "passes": ("strip-unused",),
    "threads": (1, 2),
    "label_offset": 1,
    "out": "o",
}


def test_the_command_makes_the_same_plan_again() -> None:
    plan = make_plan(None, OPTIONS, discover=False)
    words = shlex.split(reproduce(plan, trust=True, evaluated=True, benchmarked=False))
    assert words[:3] == ["tfmobile", "optimize", "my model.h5"]
    command = group.get_command(None, "optimize")  # type: ignore[arg-type]
    assert command is not None
    parsed = command.make_context("optimize", words[2:]).params
    assert parsed["trust"] is True
    assert parsed["benchmark"] is False
    assert make_plan(None, parsed, discover=False) == plan


def test_defaults_are_left_out() -> None:
    plan = make_plan(None, {"model": "m.pb"}, discover=False)
    assert reproduce(plan, trust=False, evaluated=False, benchmarked=True) == (
        "tfmobile optimize m.pb --recipe int8 -o build"
    )


def test_the_group_itself_runs() -> None:
    assert CliRunner().invoke(group, ["--version"]).output.startswith("tfmobile ")
