"""The Python API: one function a command, with the command's name and options."""

from tfmobile.pipeline.diagnosing import diagnose
from tfmobile.pipeline.graphs import diff, freeze, inspect, transform
from tfmobile.pipeline.line import optimize
from tfmobile.pipeline.lists import list_passes, list_recipes, list_targets
from tfmobile.pipeline.measuring import benchmark, evaluate

__all__ = [
    "benchmark",
    "diagnose",
    "diff",
    "evaluate",
    "freeze",
    "inspect",
    "list_passes",
    "list_recipes",
    "list_targets",
    "optimize",
    "transform",
]
