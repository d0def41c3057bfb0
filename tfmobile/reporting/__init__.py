"""What came out, for people and for programs: terminal tables, ``report.json`` and the self-contained ``report.html``.

Input is ``artifacts.Report`` (or one ``Evaluation`` or ``Latency``); nothing here measures or changes anything.
"""

from __future__ import annotations

from tfmobile.reporting.evaluation_table import print_evaluation
from tfmobile.reporting.html_report import to_html
from tfmobile.reporting.json_report import evaluation_json, latency_json, to_json
from tfmobile.reporting.latency_table import print_latency
from tfmobile.reporting.table import print_table
from tfmobile.reporting.verdict import verdicts

__all__ = [
    "evaluation_json",
    "latency_json",
    "print_evaluation",
    "print_latency",
    "print_table",
    "to_html",
    "to_json",
    "verdicts",
]
