"""Rewrite a graph so that it is smaller and faster and answers the same: a table of passes, each one verified."""

from tfmobile.passes.rewriting import rewrite
from tfmobile.passes.table import DEFAULT_PASSES, PASSES

__all__ = ["DEFAULT_PASSES", "PASSES", "rewrite"]
