"""Rewrite a graph so that it is smaller and faster and answers the same: a table of passes, each one verified."""

from tfmobile.passes.calls import make_pass, plan_passes
from tfmobile.passes.rewriting import rewrite
from tfmobile.passes.table import ALIASES, BAKED_PASSES, DEFAULT_PASSES, PASSES

__all__ = ["ALIASES", "BAKED_PASSES", "DEFAULT_PASSES", "PASSES", "make_pass", "plan_passes", "rewrite"]
