"""The passes by name. A new pass is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

PASSES: Mapping[str, str] = {
    "strip-unused": "tfmobile.passes.strip_unused:StripUnused",
    "remove-training-nodes": "tfmobile.passes.remove_training_nodes:RemoveTrainingNodes",
    "fold-constants": "tfmobile.passes.fold_constants:FoldConstants",
    "fold-batch-norms": "tfmobile.passes.fold_batch_norms:FoldBatchNorms",
}
"""In the order in which they are run by default."""

DEFAULT_PASSES: tuple[str, ...] = tuple(PASSES)
