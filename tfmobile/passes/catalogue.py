"""What passes there are, for people: names, arguments, first sentence."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from dataclasses import dataclass
from typing import Any

from tfmobile import registry
from tfmobile.passes.calls import argument_name
from tfmobile.passes.table import ALIASES, DEFAULT_PASSES, PASSES


@dataclass(frozen=True)
class PassEntry:
    """A pass: ``arguments`` as they are written in a call, ``default`` whether optimize runs it by itself."""

    name: str
    aliases: tuple[str, ...]
    summary: str
    arguments: tuple[str, ...]
    default: bool
    keeps_answer: bool


def catalogue() -> tuple[PassEntry, ...]:
    """Every pass, in the order of the table."""
    return tuple(_entry(name) for name in PASSES)


def _entry(name: str) -> PassEntry:
    kind = registry.load("pass", PASSES, name)
    return PassEntry(
        name=name,
        aliases=tuple(alias for alias, meant in ALIASES.items() if meant == name),
        summary=first_sentence(inspect.getdoc(kind) or ""),
        arguments=tuple(_argument(kind, item) for item in dataclasses.fields(kind)),
        default=name in DEFAULT_PASSES,
        keeps_answer=kind.keeps_answer,
    )


def first_sentence(docstring: str) -> str:
    """Up to the first full stop that ends a sentence, on one line, without code quotes."""
    text = " ".join(docstring.split("\n\n")[0].split()).replace("``", "")
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _argument(kind: Any, item: dataclasses.Field[Any]) -> str:
    hint = typing.get_type_hints(kind)[item.name]
    repeats = ", …" if typing.get_origin(hint) is tuple else ""
    if item.default is dataclasses.MISSING or item.default in ((), "", None):
        return f"{argument_name(item)}=…{repeats}"
    value = str(item.default).lower() if isinstance(item.default, bool) else item.default
    return f"{argument_name(item)}={value}"
