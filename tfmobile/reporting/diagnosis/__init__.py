"""A diagnosis for people and for programs: terminal, JSON, and one self-contained page with plots."""

from __future__ import annotations

from tfmobile.reporting.diagnosis.json_form import to_json
from tfmobile.reporting.diagnosis.page import to_html
from tfmobile.reporting.diagnosis.terminal import print_diagnosis

__all__ = ["print_diagnosis", "to_html", "to_json"]
