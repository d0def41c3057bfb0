"""The page of a diagnosis: one HTML file, complete in itself."""

from __future__ import annotations

from tfmobile.artifacts import Diagnosis


def to_html(found: Diagnosis) -> str:
    """The whole page as text; open it from a file, without a network."""
    return found.headline
