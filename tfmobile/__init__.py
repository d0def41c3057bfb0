"""tfmobile: any trained TensorFlow model to a small, fast .tflite, proven on your data and device.

>>> import tfmobile
>>> report = tfmobile.optimize("model.h5", data="pictures/", mean=127.5, std=127.5)  # doctest: +SKIP

Importing this package imports neither TensorFlow nor numpy; a function imports what it needs when it is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmobile.pipeline import (
        benchmark,
        diagnose,
        diff,
        evaluate,
        freeze,
        inspect,
        list_passes,
        list_recipes,
        list_targets,
        optimize,
        transform,
    )

_API = (
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
)


def __getattr__(name: str) -> Any:
    if name in _API:
        return getattr(importlib.import_module("tfmobile.pipeline"), name)
    raise AttributeError(f"module 'tfmobile' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_API])


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
