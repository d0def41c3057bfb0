"""One self-contained page: styles, script, plots and pictures inside; nothing is fetched, no text is trusted.

All text is escaped by the template engine, and a Content-Security-Policy names the page's own style and script by hash,
so that even a hole in the escaping could run nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from tfmobile.artifacts import Report
from tfmobile.reporting.selection import setting
from tfmobile.reporting.verdict import verdicts
from tfmobile.reporting.views.accuracy import accuracy_view
from tfmobile.reporting.views.cards import cards
from tfmobile.reporting.views.contract import contract_view
from tfmobile.reporting.views.improvement import improvement_view
from tfmobile.reporting.views.latency import latency_view
from tfmobile.reporting.views.pareto import search_view
from tfmobile.reporting.views.precision import precision_view
from tfmobile.reporting.views.size import size_view
from tfmobile.reporting.views.stages import stages_view
from tfmobile.reporting.views.table import table

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).with_name("templates")
_INTERVAL = re.compile(r"\([−+]?[\d.,]+ to [−+]?[\d.,]+[^()]{0,3}\)")
_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|B|kB|MB|GB|dB|points?|samples?|threads?)\b|%)")
ICONS = {"good": "✓", "neutral": "=", "caution": "!", "bad": "✕", "unknown": "–"}
TONE_WORDS = {"good": "Good", "neutral": "Unchanged", "caution": "Caution", "bad": "Problem", "unknown": "Not measured"}


def to_html(report: Report) -> str:
    """The whole page as text; open it from a file, without a network."""
    words = verdicts(report)
    style, script = (_read(name) for name in ("report.css", "report.js"))
    context = {
        "title": model_title(report.source.path),
        "words": words,
        "cards": cards(report, words),
        "accuracy": accuracy_view(report.evaluation, report.notes) if report.evaluation is not None else None,
        "latency": latency_view(report.latency, report.notes) if report.latency is not None else None,
        "size": size_view(report),
        "precision": precision_view(report),
        "search": search_view(report.search, report.notes) if report.search is not None else None,
        "improvement": improvement_view(report.improvement) if report.improvement is not None else None,
        "stages": stages_view(report),
        "contract": contract_view(report),
        "created": moment(report.created),
        "versions": table("Versions", ("", ""), [(key, str(value)) for key, value in report.versions.items()]),
        "recipe": str(report.recipe.get("name", report.optimized.recipe)),
        "recipe_summary": str(report.recipe.get("summary", "")),
        "source_notes": [note for note in report.source.notes if note not in report.notes],
        "report": report,
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
    }
    return _environment().get_template("report.html.j2").render(context)


def model_title(path: str) -> str:
    """The last two parts of the path: ``mobilenet_v1/frozen.pb`` says more than ``frozen.pb``."""
    return "/".join(part for part in Path(path).parts[-2:] if part not in ("/", "..", "."))


def moment(text: str) -> str:
    """``2026-11-24 06:53 UTC`` from an ISO time; other text stays."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found:%Y-%m-%d %H:%M} {found.tzname() or ''}".strip()


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


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, Any] = {"icons": ICONS, "tone_words": TONE_WORDS, "setting": setting}
    environment.globals.update(shared)
    environment.filters["together"] = together
    return environment
