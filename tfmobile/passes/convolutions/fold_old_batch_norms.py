"""fold-old-batch-norms: fold batch-norm ops, and nothing else, into the layers next to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.linear import BATCH_NORMS
from tfmobile.graph.model import Graph
from tfmobile.passes.fold_batch_norms import fold


@dataclass(frozen=True)
class FoldOldBatchNorms:
    """Fold BatchNormWithGlobalNormalization and FusedBatchNorm, V1 to V3, into the layers next to them.

    It is fold-batch-norms without what that does to products: a chain is folded up to its last batch-norm op, with all
    that stands between the layer and it, and chains without such an op stay as they are. Directly after a layer, after
    BatchToSpaceND, after a Concat or sum of layers, and before a layer where that is exact; of Conv2D,
    DepthwiseConv2dNative and the other layers with constant weights; NHWC and NCHW.

    The batch norm ``γ·(x − μ)/√(σ² + ε) + β`` becomes weights ``s·w`` and a BiasAdd of ``β − s·μ`` with
    ``s = γ/√(σ² + ε)``; BatchNormWithGlobalNormalization with scale_after_normalization=false has ``γ = 1``. The batch
    norm's name stays with its value.

    The original tool knew only V1, only Conv2D, nothing between layer and batch norm but BatchToSpaceND or a Concat of
    two, and stopped with an error where the constants did not fit. Here such a batch norm is left, with the reason:
    statistics of the batch (is_training), values that are not constant, an output that is read elsewhere.
    """

    name: ClassVar[str] = "fold-old-batch-norms"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each chain folded, one in ``skipped`` for each batch-norm op left."""
        return fold(
            graph,
            after=lambda step: step.node.op in BATCH_NORMS,
            before=lambda node, constants: node.op in BATCH_NORMS,
            whole=False,
        )
