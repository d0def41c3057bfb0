"""Two models side by side: what changed in the structure, and where the numbers part first."""

from __future__ import annotations

from typing import Any

from tfmobile.codec import encode
from tfmobile.differences.comparison import RANDOM, diff_models, identical
from tfmobile.differences.facts import ModelDiff, ModelFact
from tfmobile.differences.rendering import print_diff

SCHEMA_VERSION = 1

__all__ = ["RANDOM", "ModelDiff", "ModelFact", "diff_models", "identical", "print_diff", "to_dict"]


def to_dict(diff: ModelDiff) -> dict[str, Any]:
    """JSON values; ``outputs_agree`` is what ``--check`` looks at."""
    return {"schema_version": SCHEMA_VERSION, "outputs_agree": diff.outputs_agree, **encode(diff)}
