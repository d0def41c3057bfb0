"""bake-preprocessing: the model takes pixels and does (x − mean) / std by itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tfmobile.artifacts import FeedChange, PassResult
from tfmobile.errors import UnsupportedError, UsageError
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef, TensorSpec
from tfmobile.graph.text_parser import np_dtype


@dataclass(frozen=True)
class BakePreprocessing:
    """Put ``(x − mean) / std`` and the order of colours in front of a model, so that its input takes raw pixels.

    The input keeps its name, its key and its shape, and takes pixels from 0 to 255 from now on, in RGB; what read it
    reads a new node. With ``color=bgr`` the channels are turned round first (ReverseV2), for a model that was trained
    on BGR. ``mean`` and ``std`` are one number, or one a channel with commas in between, in the order in which the
    model takes the channels: as ``--mean``, ``--std`` and ``--color`` mean it. The nodes are ReverseV2, Sub, and Mul by
    ``1/std``; those that would do nothing are left out. fold-input-scale moves them into the first layer.

    ``dtype=uint8``: the input takes whole pixels as bytes, and a Cast follows; else it takes them in the floating type
    it has. ``input`` is the key of the input; without it, the only input, or the only one of rank 4.
    ``layout=nchw``: the channels are axis 1.

    Verified on the samples of the model as it was: they are turned back into pixels (rounded to bytes for uint8), which
    is what the new model is asked; the old one is asked for what these pixels mean to it.

    Doing it twice would normalize twice: nothing in the graph tells pixels from other numbers.
    """

    name: ClassVar[str] = "bake-preprocessing"
    keeps_answer: ClassVar[bool] = True
    mean: str = ""
    std: str = ""
    color: Literal["rgb", "bgr"] = "rgb"
    dtype: Literal["float32", "uint8"] = "float32"
    input: str = ""
    layout: Literal["nhwc", "nchw"] = "nhwc"

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that cannot be meant."""
        mean, std = _numbers(self.mean, "mean"), _numbers(self.std, "std")
        if any(value == 0 for value in std):
            raise ValueError("std must not be zero.")
        if len(mean) > 1 and len(std) > 1 and len(mean) != len(std):
            raise ValueError(f"mean has {len(mean)} values and std has {len(std)}.")

    def apply(self, graph: Graph) -> PassResult:
        """The graph with a new meaning of one input, which ``feeds`` tells.

        Raises UsageError where the input is not clear or the numbers do not fit its channels, UnsupportedError for an
        input that cannot take pixels.
        """
        spec = self._input(graph)
        old = np_dtype(spec.dtype)
        wanted = "uint8" if self.dtype == "uint8" else spec.dtype
        steps = self._steps(spec)
        if not steps and wanted == spec.dtype:
            return PassResult(graph, (), (f"Nothing to bake in front of '{spec.key}': no mean, std or colour order.",))
        editor = GraphEditor(graph)
        placeholder = editor[spec.ref.node]
        editor.replace(dataclasses.replace(placeholder, attrs={**placeholder.attrs, "dtype": DType(wanted)}))
        readers = [reader.name for reader in editor.readers(spec.ref)]
        data = self._add(editor, spec, wanted, steps, readers[0] if readers else placeholder.name)
        for name in readers:
            node = editor[name]
            editor.update(name, inputs=tuple(data if ref == spec.ref else ref for ref in node.inputs))
        inputs = tuple(
            dataclasses.replace(item, dtype=wanted) if item.key == spec.key else item for item in graph.inputs
        )
        result = dataclasses.replace(editor.finish(), inputs=inputs)
        said = f"'{spec.key}' takes pixels as {wanted}; {self._words()} follows inside."
        return PassResult(result, (said,), (), {spec.key: self._change(spec, old, wanted)})

    def _input(self, graph: Graph) -> TensorSpec:
        """The input that takes pixels, checked."""
        spec = self._chosen(graph)
        if graph.nodes[spec.ref.node].op != "Placeholder" or spec.ref.index:
            raise UnsupportedError(
                f"The input '{spec.key}' lies inside the graph ({graph.nodes[spec.ref.node].op}).",
                why="Pixels can only be put in front of a placeholder.",
                fixes=["Cut the graph there first: strip_unused bake_preprocessing(…)."],
            )
        if spec.dtype not in ("float16", "float32", "float64", "bfloat16"):
            raise UnsupportedError(
                f"The input '{spec.key}' takes {spec.dtype}, not normalized pixels.",
                fixes=["Name another input with input=KEY.", "Leave bake_preprocessing out: it takes pixels already."],
            )
        if any(item.ref == spec.ref for item in graph.outputs):
            raise UnsupportedError(
                f"The input '{spec.key}' is an output of the model as well.",
                why="It would give pixels then.",
                fixes=["Choose other outputs with --output."],
            )
        return spec

    def _chosen(self, graph: Graph) -> TensorSpec:
        keys = ", ".join(item.key for item in graph.inputs)
        if self.input:
            found = [item for item in graph.inputs if item.key == self.input]
        else:
            pictures = [item for item in graph.inputs if item.shape is not None and len(item.shape) == 4]
            found = list(graph.inputs) if len(graph.inputs) == 1 else pictures
        if len(found) != 1:
            what = (
                f"The model has no input '{self.input}'." if self.input else "It is not clear which input is a picture."
            )
            raise UsageError(what, why=f"The inputs are: {keys}.", fixes=["Name it: bake_preprocessing(input=KEY)."])
        return found[0]

    def _steps(self, spec: TensorSpec) -> list[tuple[str, Array]]:
        """Ops and their constants, in order."""
        mean, scale = self._values(spec, self.mean, 0.0), np.reciprocal(self._values(spec, self.std, 1.0))
        rank = None if spec.shape is None else len(spec.shape)
        steps: list[tuple[str, Array]] = []
        if self.color == "bgr":
            if rank is None or rank < 2:
                raise UsageError(
                    f"The channels of the input '{spec.key}' cannot be turned round.",
                    why="Its rank is not known, or it has no channels.",
                    fixes=["Leave color=bgr out."],
                )
            steps.append(("ReverseV2", np.array([1 if self.layout == "nchw" else rank - 1], np.int32)))
        if mean.any():
            steps.append(("Sub", mean))
        if (scale != 1).any():
            steps.append(("Mul", np.asarray(scale)))
        return steps

    def _values(self, spec: TensorSpec, text: str, default: float) -> Array:
        """The numbers of ``text``, shaped to be broadcast against the input."""
        numbers = np.array(_numbers(text, "") or (default,), np.float64)
        if numbers.size == 1:
            return numbers.reshape(())
        axis = 1 if self.layout == "nchw" else -1
        channels = spec.shape[axis] if spec.shape is not None and len(spec.shape) > 1 else None
        if channels is not None and channels != numbers.size:
            raise UsageError(
                f"The input '{spec.key}' has {channels} channels, but {numbers.size} numbers are given: {text}.",
                fixes=["Give one number, or one a channel.", "Say layout=nchw when the channels are axis 1."],
            )
        if (numbers == numbers[0]).all():
            return np.array(numbers[0])
        rank = len(spec.shape) if spec.shape is not None else 4
        return numbers.reshape((-1,) + (1,) * (rank - 2)) if self.layout == "nchw" else numbers

    def _add(
        self, editor: GraphEditor, spec: TensorSpec, wanted: str, steps: list[tuple[str, Array]], beside: str
    ) -> TensorRef:
        """The new nodes, behind the input; what its readers read from now on."""
        name, kind = spec.ref.node, DType(spec.dtype)
        data = spec.ref
        if wanted != spec.dtype:
            attrs = {"SrcT": DType(wanted), "DstT": kind, "Truncate": False}
            node = Node(editor.fresh(f"{name}/as_{spec.dtype}"), "Cast", (data,), attrs=attrs)
            data = TensorRef(editor.add(node, beside=beside).name)
        for op, value in steps:
            what = {"ReverseV2": "bgr", "Sub": "minus_mean", "Mul": "by_std"}[op]
            constant = value if op == "ReverseV2" else value.astype(np_dtype(spec.dtype))
            ref = editor.add_constant(f"{name}/{what}/value", constant, beside=beside)
            attrs = {"T": kind, **({"Tidx": DType("int32")} if op == "ReverseV2" else {})}
            node = Node(editor.fresh(f"{name}/{what}"), op, (data, ref), attrs=attrs)
            data = TensorRef(editor.add(node, beside=beside).name)
        return data

    def _change(self, spec: TensorSpec, old: np.dtype[np.generic], wanted: str) -> FeedChange:
        mean, std = self._values(spec, self.mean, 0.0), self._values(spec, self.std, 1.0)
        axis = 1 if self.layout == "nchw" else -1

        def turned(value: Array) -> Array:
            return np.flip(value, axis) if self.color == "bgr" else value

        def forward(value: Array) -> Array:
            pixels = turned(value.astype(np.float64) * std + mean)
            return pixels.round().clip(0, 255).astype(np.uint8) if wanted == "uint8" else pixels.astype(old)

        def back(pixels: Array) -> Array:
            return ((turned(pixels).astype(np.float64) - mean) / std).astype(old)

        return FeedChange(forward, back)

    def _words(self) -> str:
        mean, std = (_shown(text) for text in (self.mean, self.std))
        parts = ["RGB to BGR"] if self.color == "bgr" else []
        if mean or std:
            parts.append(f"(x − {mean or '0'}) / {std or '1'}")
        return " and ".join(parts) or "a cast"


def _shown(text: str) -> str:
    return f"({', '.join(item.strip() for item in text.split(','))})" if "," in text else text


def _numbers(text: str, what: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(item) for item in text.split(",")) if text.strip() else ()
    except ValueError:
        raise ValueError(f"{what} is one number, or one a channel with commas in between, not '{text}'.") from None
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} must be finite.")
    return numbers
