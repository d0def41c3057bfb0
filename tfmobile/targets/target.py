"""One target a TOML row. Reading their names costs nothing but a folder listing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfmobile.datafiles import read_toml, row
from tfmobile.registry import unknown

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Target:
    """What a device or its runtime asks of a .tflite.

    ``recipes``: the ones it can run, empty for all; ``recommended`` is the one to start with. ``io``: types of inputs
    and outputs that need no conversion, empty for any. ``ops``: operators it has, by their TFLite names, empty for all
    builtin ones. ``inner_dims``: only so many innermost dimensions may be larger than 1; 0 is no limit.
    ``prediction``: the rules are read from documents and only a compiler can tell.
    """

    name: str
    summary: str
    recommended: str
    recipes: tuple[str, ...] = ()
    io: tuple[str, ...] = ()
    integer_only: bool = False
    static_shapes: bool = False
    inner_dims: int = 0
    ops: tuple[str, ...] = ()
    prediction: bool = False
    notes: tuple[str, ...] = ()


def target_names() -> tuple[str, ...]:
    """Names of all targets, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def target(name: str) -> Target:
    """The target called ``name``; raises UnknownNameError."""
    if name not in target_names():
        raise unknown("target", name, target_names())
    return row(Target, {"name": name, **read_toml(FOLDER / f"{name}.toml")}, f"target {name}")
