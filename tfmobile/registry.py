"""Names to objects: visible tables of ``name -> "module:attribute"``, loaded when used; with suggestions."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from tfmobile.errors import UnknownNameError


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is in no table, with the nearest known one as the fix."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    fix = f"Did you mean '{near[0]}'?" if near else f"Choose one of: {', '.join(names)}."
    return UnknownNameError(
        f"There is no {kind} called '{name}'.",
        why=f"Known {kind} names are: {', '.join(names)}.",
        fixes=[fix],
    )


def load(kind: str, table: Mapping[str, str], name: str) -> Any:
    """Import and return what ``table[name]`` points to; raises UnknownNameError."""
    if name not in table:
        raise unknown(kind, name, table)
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
