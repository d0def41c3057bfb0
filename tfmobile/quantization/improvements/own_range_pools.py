"""Global average pooling with a range of its own: AVERAGE_POOL_2D becomes MEAN.

In int8, AVERAGE_POOL_2D must give the scale of what it reads. An average over a whole picture is much smaller than the
largest value in it, so most of the 256 steps are lost. MEAN has an output scale of its own, and the same answer.
"""

from __future__ import annotations

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import attr_dtype, attr_text
from tfmobile.graph.model import DType, Node, Shape, TensorRef
from tfmobile.graph.shapes import infer_types
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Every AvgPool whose one window holds the whole picture becomes a Mean over its height and width, which it equals.

    The node keeps its name, so its range stays known. The samples are not used.
    """
    editor = GraphEditor(draft.graph)
    pools = [node for node in draft.graph if node.op == "AvgPool" and attr_dtype(node) == "float32"]
    ends = {ref for node in pools for ref in (node.inputs[0], TensorRef(node.name))}
    shapes = {ref: shape for ref, (shape, _) in infer_types(draft.graph, ends).items()} if ends else {}
    changed: list[str] = []
    skipped: list[str] = []
    for node in pools:
        reason = _not_global(node, shapes[node.inputs[0]], shapes[TensorRef(node.name)])
        if reason:
            skipped.append(f"Left {node.name} a pool: {reason}.")
            continue
        axes = editor.add_constant(f"{node.name}/axes", np.array([1, 2], np.int32), beside=node.name)
        attrs = {"T": DType("float32"), "Tidx": DType("int32"), "keep_dims": True}
        editor.update(node.name, op="Mean", inputs=(node.inputs[0], axes), attrs=attrs)
        changed.append(f"{node.name} averages with a range of its own.")
    if not changed:
        return Improved(skipped=tuple(skipped))
    return Improved(editor.finish(), moves_activations=True, changed=tuple(changed), skipped=tuple(skipped))


def _not_global(node: Node, before: Shape, after: Shape) -> str:
    """Why the pool is not one average over all positions; "" when it is. Padding does not count in averages."""
    if attr_text(node, "data_format", "NHWC") != "NHWC":
        return "its channels are not the last axis"
    if before is None or after is None or len(before) != 4 or None in before[1:3]:
        return "its size is not known"
    window = node.attrs.get("ksize")
    if not isinstance(window, tuple):
        return "its window is not known"
    sizes = [int(size) for size in window[1:3] if isinstance(size, int)]
    covers = all(size >= (extent or 0) for size, extent in zip(sizes, before[1:3], strict=True))
    if not covers or tuple(after[1:3]) != (1, 1):
        return f"it averages over {sizes[0]}×{sizes[1]} of {before[1]}×{before[2]} positions"
    return ""
