"""Completion of recipe and target names: the files in their folders, without importing the packages."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

_PACKAGE = Path(__file__).parents[1]


class RowName(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic only in newer click
    """The name of a TOML row in ``folder``; a wrong one is refused later, with a suggestion."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.folder = _PACKAGE / folder

    def names(self) -> list[str]:
        return sorted(file.stem for file in self.folder.glob("*.toml"))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]


RECIPE = RowName("recipe", "quantization/recipes")
TARGET = RowName("target", "targets")
