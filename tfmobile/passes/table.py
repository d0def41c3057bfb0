"""The passes by name. A new pass is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

PASSES: Mapping[str, str] = {
    # What optimize runs, and its like: smaller and faster, the answer stays.
    "strip-unused": "tfmobile.passes.strip_unused:StripUnused",
    "inline-functions": "tfmobile.passes.simplify.inline_functions:InlineFunctions",
    "remove-training-nodes": "tfmobile.passes.remove_training_nodes:RemoveTrainingNodes",
    "fold-constants": "tfmobile.passes.fold_constants:FoldConstants",
    "remove-dead-branches": "tfmobile.passes.simplify.remove_dead_branches:RemoveDeadBranches",
    "merge-duplicate-nodes": "tfmobile.passes.simplify.merge_duplicate_nodes:MergeDuplicateNodes",
    "merge-reshapes": "tfmobile.passes.simplify.merge_reshapes:MergeReshapes",
    "remove-identity-resizes": "tfmobile.passes.simplify.remove_identity_resizes:RemoveIdentityResizes",
    "nchw-to-nhwc": "tfmobile.passes.layout.nchw_to_nhwc:NchwToNhwc",
    "cancel-transposes": "tfmobile.passes.layout.cancel_transposes:CancelTransposes",
    "fold-batch-norms": "tfmobile.passes.fold_batch_norms:FoldBatchNorms",
    "fold-old-batch-norms": "tfmobile.passes.convolutions.fold_old_batch_norms:FoldOldBatchNorms",
    "fold-scales": "tfmobile.passes.simplify.fold_scales:FoldScales",
    "fold-pads": "tfmobile.passes.convolutions.fold_pads:FoldPads",
    "flatten-atrous-conv": "tfmobile.passes.convolutions.flatten_atrous_conv:FlattenAtrousConv",
    "bake-preprocessing": "tfmobile.passes.convolutions.bake_preprocessing:BakePreprocessing",
    "fold-input-scale": "tfmobile.passes.convolutions.fold_input_scale:FoldInputScale",
    # Fused TensorFlow ops, for TensorFlow Mobile.
    "fuse-convolutions": "tfmobile.passes.convolutions.fuse_convolutions:FuseConvolutions",
    "fuse-resize-pad-and-conv": "tfmobile.passes.convolutions.fuse_convolutions:FuseResizePadAndConv",
    "fuse-resize-and-conv": "tfmobile.passes.convolutions.fuse_convolutions:FuseResizeAndConv",
    "fuse-pad-and-conv": "tfmobile.passes.convolutions.fuse_convolutions:FusePadAndConv",
    # The weights.
    "round-weights": "tfmobile.passes.weights.round_weights:RoundWeights",
    "quantize-weights": "tfmobile.passes.weights.quantize_weights:QuantizeWeights",
    "quantize-nodes": "tfmobile.passes.weights.quantize_nodes:QuantizeNodes",
    "freeze-requantization-ranges": ("tfmobile.passes.weights.freeze_requantization_ranges:FreezeRequantizationRanges"),
    "sparsify-gather": "tfmobile.passes.weights.sparsify_gather:SparsifyGather",
    # Names, attributes, devices, edges: what is asked for, to the letter.
    "add-default-attributes": "tfmobile.passes.editing.add_default_attributes:AddDefaultAttributes",
    "remove-attribute": "tfmobile.passes.editing.remove_attribute:RemoveAttribute",
    "rename-attribute": "tfmobile.passes.editing.rename_attribute:RenameAttribute",
    "rename-op": "tfmobile.passes.editing.rename_op:RenameOp",
    "rename-node": "tfmobile.passes.editing.rename_node:RenameNode",
    "obfuscate-names": "tfmobile.passes.editing.obfuscate_names:ObfuscateNames",
    "set-device": "tfmobile.passes.editing.set_device:SetDevice",
    "remove-device": "tfmobile.passes.editing.remove_device:RemoveDevice",
    "remove-control-dependencies": "tfmobile.passes.editing.remove_control_dependencies:RemoveControlDependencies",
    "remove-nodes": "tfmobile.passes.editing.remove_nodes:RemoveNodes",
    "sort-by-execution-order": "tfmobile.passes.editing.sort_by_execution_order:SortByExecutionOrder",
    "insert-logging": "tfmobile.passes.editing.insert_logging:InsertLogging",
    "backport-concatv2": "tfmobile.passes.editing.backport_concatv2:BackportConcatV2",
    "backport-tensor-array-v3": "tfmobile.passes.editing.backport_tensor_array_v3:BackportTensorArrayV3",
}

ALIASES: Mapping[str, str] = {
    "strip-unused-nodes": "strip-unused",
    "obsfucate-names": "obfuscate-names",
    "inline-partitionedcall": "inline-functions",
    "eliminate-common-subexpressions": "merge-duplicate-nodes",
}
"""Other names: those of the Graph Transform Tool (one of them its old spelling), and common ones."""

DEFAULT_PASSES: tuple[str, ...] = (
    "strip-unused",
    "inline-functions",
    "remove-training-nodes",
    "fold-constants",
    "remove-dead-branches",
    "merge-duplicate-nodes",
    "nchw-to-nhwc",
    "cancel-transposes",
    "merge-reshapes",
    "remove-identity-resizes",
    "fold-batch-norms",
    "fold-scales",
    "fold-pads",
)
"""What ``optimize`` runs, in this order."""

BAKED_PASSES: tuple[str, ...] = (*DEFAULT_PASSES, "fold-input-scale")
"""What ``optimize`` runs when the preprocessing was put into the model."""
