"""The style sheets of a drawing, and its colours on a light and on a dark surface."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent
_THEMES = ("light", "dark")


def file(name: str) -> str:
    """The text of a file beside this one."""
    return (_FOLDER / name).read_text(encoding="utf-8").strip()


def picture_style() -> str:
    """For an SVG by itself: dark where the reader's system is."""
    light, dark = _palettes()
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{file('drawing.css')}"


def page_style() -> str:
    """For a page: the same, and as the page's own switch says."""
    light, dark = (f"{{ {palette} color-scheme: {name}; }}" for palette, name in zip(_palettes(), _THEMES, strict=True))
    return "\n".join(
        [
            f":root {light}",
            f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {dark} }}',
            f':root[data-theme="dark"] {dark}',
            file("drawing.css"),
            file("page.css"),
        ]
    )


def _palettes() -> tuple[str, str]:
    light, dark = re.findall(r"\{(.*?)\}", file("colours.css"), re.DOTALL)
    return " ".join(light.split()), " ".join(dark.split())
