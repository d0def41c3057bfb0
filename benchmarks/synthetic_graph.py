"""A convolutional network of any size, as freezing leaves it: what the passes have to clean up, again and again.

Each block is an inverted residual as in MobileNetV2: expand, depthwise, project, add. The first two layers are followed
by a fused batch norm and Relu6, the third by a decomposed batch norm; all variables are read through Identity nodes.
A Reshape gets its shape from shape arithmetic, every fourth block has dropout. One epsilon and one keep probability
serve all blocks, so that some nodes have thousands of readers.
"""

from __future__ import annotations

import numpy as np

from tfmobile.graph.edit import constant
from tfmobile.graph.model import Array, Attr, DType, Graph, Node, ShapeAttr, TensorRef, TensorSpec

FLOAT, INT = DType("float32"), DType("int32")
SIDE = 4
EXPANSION = 6
_CONV = {"T": FLOAT, "strides": (1, 1, 1, 1), "dilations": (1, 1, 1, 1), "padding": b"SAME", "data_format": b"NHWC"}


def build(blocks: int, channels: int = 96) -> Graph:
    """A network of ``blocks`` blocks, about 57 nodes and ``52 · channels²`` bytes of weights each."""
    network = _Network(channels)
    data = "input"
    for index in range(blocks):
        data = network.block(f"block_{index}", data, dropout=index % 4 == 0)
    network.add("output", "Relu6", data)
    inputs, outputs = ends(channels)
    return Graph(network.nodes, inputs, outputs, producer=2000)


def ends(channels: int = 96) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs and outputs of such a network."""
    shape = (1, SIDE, SIDE, channels)
    input_, output = (TensorSpec(name, TensorRef(name), "float32", shape) for name in ("input", "output"))
    return (input_,), (output,)


class _Network:
    """Nodes in the making."""

    def __init__(self, channels: int) -> None:
        self.nodes: dict[str, Node] = {}
        self.channels = channels
        self.random = np.random.default_rng(0)
        self.add("input", "Placeholder", dtype=FLOAT, shape=ShapeAttr((1, SIDE, SIDE, channels)))
        self.constant("epsilon", np.array(1e-3, np.float32))
        default = self.constant("keep_prob/default", np.array(1.0, np.float32))
        self.add("keep_prob", "PlaceholderWithDefault", default, dtype=FLOAT, shape=ShapeAttr(()))

    def add(self, name: str, op: str, *inputs: str, **attrs: Attr) -> str:
        kind = {} if "T" in attrs or "dtype" in attrs else {"T": FLOAT}
        self.nodes[name] = Node(name, op, tuple(map(TensorRef.parse, inputs)), attrs=kind | attrs)
        return name

    def constant(self, name: str, value: Array) -> str:
        self.nodes[name] = constant(name, value)
        return name

    def variable(self, name: str, value: Array) -> str:
        return self.add(f"{name}/read", "Identity", self.constant(name, value.astype(np.float32)))

    def block(self, name: str, data: str, *, dropout: bool) -> str:
        inner = self.channels * EXPANSION
        hidden = self.layer(f"{name}/expand", "Conv2D", data, (1, 1, self.channels, inner))
        hidden = self.layer(f"{name}/depthwise", "DepthwiseConv2dNative", hidden, (3, 3, inner, 1))
        weights = self.random.normal(0, inner**-0.5, (1, 1, inner, self.channels))
        hidden = self.add(f"{name}/project", "Conv2D", hidden, self.variable(f"{name}/project/w", weights), **_CONV)
        hidden = self.decomposed_norm(f"{name}/project/norm", hidden)
        hidden = self.reshaped(f"{name}/reshape", hidden)
        if dropout:
            hidden = self.dropout(f"{name}/dropout", hidden)
        return self.add(f"{name}/add", "AddV2", data, hidden)

    def layer(self, name: str, op: str, data: str, shape: tuple[int, ...]) -> str:
        fan_in = shape[0] * shape[1] * (shape[2] if op == "Conv2D" else 1)
        weights = self.variable(f"{name}/w", self.random.normal(0, fan_in**-0.5, shape))
        data = self.add(name, op, data, weights, **_CONV)
        size = shape[2] * shape[3] if op != "Conv2D" else shape[3]
        values = [self.variable(f"{name}/norm/{key}", value) for key, value in self.statistics(size).items()]
        attrs = {"epsilon": 1e-3, "is_training": False, "data_format": b"NHWC", "U": FLOAT}
        data = self.add(f"{name}/norm", "FusedBatchNormV3", data, *values, **attrs)
        return self.add(f"{name}/relu6", "Relu6", data)

    def statistics(self, size: int) -> dict[str, Array]:
        return {
            "gamma": self.random.uniform(0.5, 1.5, size),
            "beta": self.random.normal(0, 0.1, size),
            "mean": self.random.normal(0, 0.1, size),
            "variance": self.random.uniform(0.5, 1.5, size),
        }

    def decomposed_norm(self, name: str, data: str) -> str:
        gamma, beta, mean, variance = (
            self.variable(f"{name}/{key}", value * 0.1 if key == "gamma" else value)
            for key, value in self.statistics(self.channels).items()
        )
        scale = self.add(f"{name}/rsqrt", "Rsqrt", self.add(f"{name}/sum", "AddV2", variance, "epsilon"))
        scale = self.add(f"{name}/scale", "Mul", scale, gamma)
        shift = self.add(f"{name}/shift", "Sub", beta, self.add(f"{name}/mean_scaled", "Mul", mean, scale))
        return self.add(f"{name}/out", "AddV2", self.add(f"{name}/scaled", "Mul", data, scale), shift)

    def reshaped(self, name: str, data: str) -> str:
        shape = self.add(f"{name}/shape", "Shape", data, T=FLOAT, out_type=INT)
        ends = [self.constant(f"{name}/{key}", np.array([at], np.int32)) for key, at in (("a", 0), ("b", 1), ("c", 1))]
        masks = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 1}
        batch = self.add(f"{name}/batch", "StridedSlice", shape, *ends, T=INT, Index=INT, **masks)
        sizes = [self.constant(f"{name}/{at}", np.array(size, np.int32)) for at, size in enumerate(self.sizes())]
        wanted = self.add(f"{name}/pack", "Pack", batch, *sizes, T=INT, N=4, axis=0)
        return self.add(name, "Reshape", data, wanted, T=FLOAT, Tshape=INT)

    def sizes(self) -> tuple[int, int, int]:
        return SIDE, SIDE, self.channels

    def dropout(self, name: str, data: str) -> str:
        shape = self.constant(f"{name}/shape", np.array((1, *self.sizes()), np.int32))
        random = self.add(f"{name}/random", "RandomUniform", shape, T=INT, dtype=FLOAT, seed=1, seed2=1)
        mask = self.add(f"{name}/mask", "Floor", self.add(f"{name}/sum", "AddV2", random, "keep_prob"))
        return self.add(name, "Mul", self.add(f"{name}/div", "RealDiv", data, "keep_prob"), mask)
