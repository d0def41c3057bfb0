"""The exact command that reproduces a run: every setting spelled out, so that no tfmobile.toml is needed."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from tfmobile.plan import Plan

_SKIPPED = {"path"}


def reproduce(plan: Plan, trust: bool, evaluated: bool, benchmarked: bool) -> str:
    """One shell line; options at their default are left out, but for the recipe."""
    words = ["tfmobile", "optimize", str(plan.model.path), "--recipe", plan.optimize.recipe]
    sections = (plan.data, plan.preprocessing, plan.model, plan.optimize, plan.evaluate, plan.benchmark, plan.search)
    for section in sections:
        for item in dataclasses.fields(section):
            value = getattr(section, item.name)
            if item.name in _SKIPPED or item.name in ("recipe", "out") or value == _default(item):
                continue
            words += _option(item.name, value)
    if trust:
        words.append("--trust")
    if not evaluated and plan.data.data:
        words.append("--no-evaluate")
    if not benchmarked:
        words.append("--no-benchmark")
    words += ["-o", plan.optimize.out]
    return " ".join(shlex.quote(word) for word in words)


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is True:
        return [flag]
    if name == "resize":
        return [flag, "x".join(str(side) for side in value)]
    if name in ("mean", "std"):
        return [flag, ",".join(_number(channel) for channel in value)]
    if isinstance(value, tuple):
        return [word for item in value for word in (flag, str(item))]
    return [flag, str(value)]


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
