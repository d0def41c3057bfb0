"""tfmobile.toml and options to one Plan. A key is the option without its dashes; an option given in the call wins.

Paths in the file are relative to the file. ``trust`` is not a key on purpose: it has to be typed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfmobile.datafiles import read_toml, row
from tfmobile.datasets.spec import DataSpec, Preprocessing
from tfmobile.errors import PlanError, UsageError
from tfmobile.registry import unknown

FILE_NAME = "tfmobile.toml"


@dataclass(frozen=True)
class ModelOptions:
    """Which model, and how it is opened."""

    path: str | None = None
    format: str | None = None
    signature: str | None = None
    tags: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    input_shape: tuple[str, ...] = ()
    graph: str | None = None


@dataclass(frozen=True)
class DataOptions:
    """Which samples. ``calibrate_with`` defaults to ``data``; the word ``random`` stands for random numbers."""

    data: str | None = None
    calibrate_with: str | None = None
    labels: str | None = None
    label_offset: int = 0
    limit: int | None = None
    x_key: str = "x"
    y_key: str = "y"


@dataclass(frozen=True)
class OptimizeOptions:
    """What is made of it, and where it goes. ``io`` empty means the recipe's own input and output type.

    ``bake_preprocessing``: the model takes pixels, and does ``mean``, ``std`` and ``color`` itself.
    """

    recipe: str = "int8"
    target: str = "cpu"
    io: Literal["", "float32", "int8", "uint8", "int16"] = ""
    out: str = "build"
    passes: tuple[str, ...] = ()
    bake_preprocessing: bool = False


@dataclass(frozen=True)
class EvaluateOptions:
    """How accuracy is measured. ``workers`` None means one a core."""

    task: Literal["auto", "classification", "regression", "outputs"] = "auto"
    metric: str | None = None
    workers: int | None = None


@dataclass(frozen=True)
class BenchmarkOptions:
    """How latency is measured. ``latency_budget`` is in seconds, for all models together."""

    threads: tuple[int, ...] = (1,)
    xnnpack: Literal["on", "off", "both"] = "on"
    latency_budget: float = 20.0


@dataclass(frozen=True)
class SearchOptions:
    """How much may be lost, and what is looked for within that; without an allowance there is no search.

    ``max_drop``: points of accuracy at most (65.0 to 64.5 % is 0.5), or an amount of ``metric``, which then needs
    ``better``. ``min_agreement``: the fraction of equal answers at least; needs no labels. ``objective``: latency is
    that on this machine. ``time_budget``: seconds, or ``90s``, ``5m``, ``1h``.
    """

    max_drop: float | None = None
    min_agreement: float | None = None
    objective: Literal["size", "latency"] = "size"
    time_budget: float = 600.0
    better: Literal["", "higher", "lower"] = ""

    @property
    def wanted(self) -> bool:
        """Whether a search was asked for."""
        return self.max_drop is not None or self.min_agreement is not None


@dataclass(frozen=True)
class Plan:
    """Everything one run needs to know."""

    model: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    optimize: OptimizeOptions = field(default_factory=OptimizeOptions)
    evaluate: EvaluateOptions = field(default_factory=EvaluateOptions)
    benchmark: BenchmarkOptions = field(default_factory=BenchmarkOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    file: str | None = None

    def data_spec(self, path: str) -> DataSpec:
        """The data set at ``path``, read with this plan's preprocessing and labels."""
        options = self.data
        return DataSpec(
            path=path,
            preprocessing=self.preprocessing,
            labels=options.labels,
            label_offset=options.label_offset,
            limit=options.limit,
            x_key=options.x_key,
            y_key=options.y_key,
        )

    @property
    def calibration_path(self) -> str | None:
        """Where calibration samples come from, if from anywhere."""
        return self.data.calibrate_with or self.data.data


SECTIONS: Mapping[str, type[Any]] = {
    "model": ModelOptions,
    "data": DataOptions,
    "preprocessing": Preprocessing,
    "optimize": OptimizeOptions,
    "evaluate": EvaluateOptions,
    "benchmark": BenchmarkOptions,
    "search": SearchOptions,
}
_PATH_KEYS = {
    "model": ("path", "graph"),
    "data": ("data", "calibrate-with", "labels"),
    "optimize": ("out",),
}


def make_plan(config: str | None, options: Mapping[str, Any], *, discover: bool = True) -> Plan:
    """The plan from ``config`` (or ./tfmobile.toml when ``discover``), overridden by the options that are given.

    An option is "not given" when it is None or an empty tuple. Raises PlanError, UsageError, UnknownNameError.
    """
    given = {key: value for key, value in options.items() if value is not None and value != ()}
    plan = _read(_find(config, discover))
    sections = {name: _override(getattr(plan, name), given) for name in SECTIONS}
    model = given.pop("model", None)
    if model is not None:
        sections["model"] = dataclasses.replace(sections["model"], path=str(model))
    return _check(Plan(**sections, file=plan.file))


def _find(config: str | None, discover: bool) -> Path | None:
    if config is not None:
        path = Path(config)
        return path / FILE_NAME if path.is_dir() else path
    here = Path(FILE_NAME)
    return here if discover and here.is_file() else None


def _read(path: Path | None) -> Plan:
    if path is None:
        return Plan()
    table = read_toml(path)
    sections: dict[str, Any] = {}
    for name, values in table.items():
        if name not in SECTIONS:
            error = unknown("section", name, SECTIONS)
            raise PlanError(f"{path}: {error.what}", why=error.why, fixes=error.fixes)
        if not isinstance(values, dict):
            raise PlanError(
                f"{path}: '{name}' is not a section.",
                why="A value stands outside any section.",
                fixes=[f"Write it as a table: [{name}]."],
            )
        normal = _normal({key: _anchored(path, name, key, value) for key, value in values.items()})
        sections[name] = row(SECTIONS[name], normal, f"{path}, [{name}]")
    return Plan(**sections, file=str(path))


def _anchored(file: Path, section: str, key: str, value: Any) -> Any:
    """Make a path relative to the file's folder; names like ``random`` and ``module:callable`` stay."""
    if key.replace("_", "-") not in _PATH_KEYS.get(section, ()) or not isinstance(value, str):
        return value
    if value == "random" or (":" in value and not Path(value).exists()):
        return value
    return str(file.parent / value)


def _normal(values: Mapping[str, Any]) -> dict[str, Any]:
    """One value where several are allowed becomes a list of one; ``224x224`` becomes two numbers."""
    from tfmobile.datasets.preprocessing import parse_channels, parse_size

    normal = dict(values)
    for key, value in values.items():
        name = key.replace("-", "_")
        if name == "resize" and isinstance(value, str):
            normal[key] = parse_size(value)
        elif name in ("mean", "std") and isinstance(value, str):
            normal[key] = parse_channels(value)
        elif name == "time_budget":
            normal[key] = duration(value)
        elif (name in ("mean", "std", "threads") and isinstance(value, (int, float))) or (
            name in ("tags", "input", "output", "input_shape", "passes") and isinstance(value, str)
        ):
            normal[key] = (value,)
        if name == "passes":
            normal[key] = _calls(normal[key])
    return normal


def duration(value: Any) -> Any:
    """Seconds of ``90``, ``90s``, ``5m`` or ``1h``; raises UsageError for other text, and leaves what is no text."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([smh]?)", value.strip())
    if found is None:
        raise UsageError(f"'{value}' is no duration.", why="It is a number with s, m or h.", fixes=["--time-budget 5m"])
    return float(found[1]) * {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]


def _calls(texts: Sequence[str]) -> tuple[str, ...]:
    """One text a pass, of a list written in any way; a wrong one is refused here, where its column is known."""
    from tfmobile.passes import plan_passes

    return tuple(planned.call for planned in plan_passes(texts))


def _override(section: Any, given: Mapping[str, Any]) -> Any:
    names = {item.name for item in dataclasses.fields(section)} - {"path"}
    chosen = _normal({key: value for key, value in given.items() if key in names})
    if not chosen:
        return section
    merged = {item.name: getattr(section, item.name) for item in dataclasses.fields(section)}
    return row(type(section), {**merged, **_tuples(chosen)}, "the options")


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _check(plan: Plan) -> Plan:
    """Refuse values that no command can use, before any work is done."""
    from tfmobile.datasets.preprocessing import validate

    validate(plan.preprocessing)
    if plan.data.limit is not None and plan.data.limit < 1:
        raise UsageError(
            "--limit must be at least 1.",
            why=f"It is {plan.data.limit}.",
            fixes=["Leave it out to use all samples."],
        )
    if any(count < 1 for count in plan.benchmark.threads):
        raise UsageError("--threads must be at least 1.", why=f"It is {plan.benchmark.threads}.", fixes=["--threads 1"])
    if plan.benchmark.latency_budget <= 0:
        raise UsageError(
            "--latency-budget must be above 0 seconds.",
            why=f"It is {plan.benchmark.latency_budget}.",
            fixes=["--latency-budget 20"],
        )
    _check_search(plan.search)
    if plan.evaluate.workers is not None and plan.evaluate.workers < 1:
        raise UsageError(
            "--workers must be at least 1.",
            why=f"It is {plan.evaluate.workers}.",
            fixes=["Leave it out to use all cores."],
        )
    return plan


def _check_search(search: SearchOptions) -> None:
    if search.max_drop is not None and search.max_drop < 0:
        raise UsageError(
            "--max-drop must not be below 0.",
            why=f"It is {search.max_drop}.",
            fixes=["--max-drop 1.0 allows one point."],
        )
    if search.min_agreement is not None and not 0 < search.min_agreement <= 1:
        raise UsageError(
            "--min-agreement is a fraction above 0 and up to 1.",
            why=f"It is {search.min_agreement}.",
            fixes=["--min-agreement 0.98 asks for 98 % the same answers."],
        )
    if search.time_budget <= 0:
        raise UsageError(
            "--time-budget must be above 0.", why=f"It is {search.time_budget:g} s.", fixes=["--time-budget 5m"]
        )
