"""report.html: all facts of a run on one page."""

from __future__ import annotations

from datetime import datetime

from tfmobile.artifacts import Report
from tfmobile.reporting.html_page import model_title, render
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


def to_html(report: Report) -> str:
    """The whole page as text; open it from a file, without a network."""
    words = verdicts(report)
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
    }
    return render("report.html.j2", context, styles=["report.css"], scripts=["page.js", "copy.js"])


def moment(text: str) -> str:
    """``2026-11-24 06:53 UTC`` from an ISO time; other text stays."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found:%Y-%m-%d %H:%M} {found.tzname() or ''}".strip()
