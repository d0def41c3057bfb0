"""One self-contained page: styles, script, plots and pictures inside; nothing is fetched, no text is trusted.

All text is escaped by the template engine, and a Content-Security-Policy names the page's own style and script by hash,
so that even a hole in the escaping could run nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from tfmobile.reporting.selection import setting

if TYPE_CHECKING:
    import jinja2

SHARED = Path(__file__).with_name("templates")
_INTERVAL = re.compile(r"\([−+]?[\d.,]+ to [−+]?[\d.,]+[^()]{0,3}\)")
_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|B|kB|MB|GB|dB|points?|samples?|threads?)\b|%)")
ICONS = {"good": "✓", "neutral": "=", "caution": "!", "bad": "✕", "unknown": "–"}
TONE_WORDS = {"good": "Good", "neutral": "Unchanged", "caution": "Caution", "bad": "Problem", "unknown": "Not measured"}


def render(
    template: str, context: Mapping[str, Any], *, styles: Sequence[str], scripts: Sequence[str], folder: Path = SHARED
) -> str:
    """The whole page as text. ``template``, ``styles`` and ``scripts`` are files of ``folder`` or of SHARED."""
    style, script = ("\n".join(_read(folder, name) for name in names) for names in (styles, scripts))
    page = {"style": Markup(style), "script": Markup(script), "policy": _policy(style, script)}
    return _environment(folder).get_template(template).render({**context, **page})


def model_title(path: str) -> str:
    """The last two parts of the path: ``mobilenet_v1/frozen.pb`` says more than ``frozen.pb``."""
    return "/".join(part for part in Path(path).parts[-2:] if part not in ("/", "..", "."))


def together(text: object) -> Markup:
    """Escaped text in which no line breaks between a number and its unit, nor within an interval."""
    kept = _INTERVAL.sub(lambda found: found.group().replace(" ", "\u00a0"), str(escape(text)))
    return Markup(_UNIT.sub("\u00a0", kept))


def _policy(style: str, script: str) -> str:
    """Only this style, this script, and pictures inside the page."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(folder: Path, name: str) -> str:
    path = folder / name
    return (path if path.exists() else SHARED / name).read_text(encoding="utf-8").strip()


@functools.cache
def _environment(folder: Path) -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(list(dict.fromkeys((folder, SHARED)))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, Any] = {"icons": ICONS, "tone_words": TONE_WORDS, "setting": setting}
    environment.globals.update(shared)
    environment.filters["together"] = together
    return environment
