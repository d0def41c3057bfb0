"""Nodes that inference does not need: of training and debugging, and copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tfmobile.graph.model import Node
from tfmobile.inspection.facts import NodeGroup

OPS: Mapping[str, str] = MappingProxyType(
    {
        "Dropout": "dropout does nothing at inference",
        "RandomUniform": "randomness of dropout or augmentation",
        "RandomStandardNormal": "randomness of noise layers",
        "StatelessRandomUniformV2": "randomness of dropout or augmentation",
        "StopGradient": "gradients only",
        "PreventGradient": "gradients only",
        "CheckNumerics": "debugging only",
        "CheckNumericsV2": "debugging only",
        "Assert": "debugging only",
        "Print": "debugging only",
        "PrintV2": "debugging only",
        "PlaceholderWithDefault": "a switch between training and inference, such as keep_prob or learning_phase",
        "ScalarSummary": "summaries for TensorBoard",
        "HistogramSummary": "summaries for TensorBoard",
        "ImageSummary": "summaries for TensorBoard",
        "AudioSummary": "summaries for TensorBoard",
        "MergeSummary": "summaries for TensorBoard",
        "SaveV2": "writing checkpoints",
        "RestoreV2": "reading checkpoints",
        "FakeQuantWithMinMaxVars": "quantization-aware training; the converter reads its ranges",
        "FakeQuantWithMinMaxVarsPerChannel": "quantization-aware training; the converter reads its ranges",
        "FakeQuantWithMinMaxArgs": "quantization-aware training; the converter reads its ranges",
        "Identity": "passes its input on",
    }
)


def group(nodes: Iterable[Node], reason: Callable[[str], str | None]) -> tuple[NodeGroup, ...]:
    """The nodes whose op has a reason, one group an op, the most frequent first."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if reason(node.op) is not None:
            found.setdefault(node.op, []).append(node.name)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(NodeGroup(op, len(names), str(reason(op)), names[0]) for op, names in ordered)
