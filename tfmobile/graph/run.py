"""Run a Graph under TensorFlow: the yardstick that every pass, and the .tflite, is measured against."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from tfmobile.errors import DataError, ModelError, UnsupportedError, VerificationError
from tfmobile.graph.attributes import QUANTIZED
from tfmobile.graph.graphdef import to_graph_def
from tfmobile.graph.large_constants import lifted
from tfmobile.graph.model import Array, Graph, Node, Shape, TensorRef


def run(graph: Graph, feeds: Mapping[str, Array], fetches: Sequence[TensorRef] | None = None) -> dict[str, Array]:
    """Run once; see Runner."""
    with Runner(graph, fetches) as runner:
        return runner.run(feeds)


class Runner:
    """A graph in a TensorFlow session, to run many times. A context manager; it leaves no eager state behind.

    ``feeds`` go by input key. Results come by output key or, when ``fetches`` are named, by ``str(ref)``. The graph
    runs as it is written; ``optimized`` lets TensorFlow rewrite it first, as a user's program would. ``threads`` 0 is
    all. Channels-first (NCHW) layers, which a CPU cannot run, are turned by TensorFlow's layout optimizer.

    Raises UnsupportedError for an op this TensorFlow does not have, ModelError for a graph it does not accept,
    DataError for inputs that do not fit, VerificationError when the run fails.
    """

    def __init__(
        self,
        graph: Graph,
        fetches: Sequence[TensorRef] | None = None,
        *,
        optimized: bool = False,
        threads: int = 0,
    ) -> None:
        import tensorflow as tf

        check_ops(graph)
        # TensorFlow's own rewrites need to see constants as such.
        rest, constants = (graph, {}) if optimized else lifted(graph)
        self._constants = {f"{name}:0": value for name, value in constants.items()}
        self._size = len(rest)
        self._tf_graph: Any = tf.Graph()
        import_graph(rest, self._tf_graph)
        wanted = [(spec.key, spec.ref) for spec in graph.outputs]
        if fetches is not None:
            wanted = [(str(ref), ref) for ref in fetches]
        self._turned = any(_is_channels_first(node) for node in graph)
        self._fetches = self._fetched(wanted)
        self._feeds = {spec.key: self._tensor(spec.ref) for spec in graph.inputs}
        self._session: Any = tf.compat.v1.Session(
            graph=self._tf_graph, config=_config(optimized, self._turned, threads)
        )

    def type_of(self, ref: TensorRef) -> tuple[Shape, str]:
        """The shape and dtype of a tensor, as TensorFlow infers them."""
        return type_of(self._tensor(ref))

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[TensorRef] | None = None) -> dict[str, Array]:
        """The outputs for one set of inputs, or ``fetches`` this once; strings as objects of bytes."""
        import tensorflow as tf

        self._check_keys(feeds)
        wanted = self._fetches if fetches is None else self._fetched([(str(ref), ref) for ref in fetches])
        values = {self._feeds[key].name: _fitted(key, value, self._feeds[key]) for key, value in feeds.items()}
        try:
            results = self._session.run(wanted, {**self._constants, **values})
        except (tf.errors.OpError, ValueError, TypeError) as cause:
            raise VerificationError(
                "The graph does not run on this input.",
                why=_first_lines(cause),
                fixes=["Check the shape and values of the input, or choose other ones with --input and --output."],
            ) from cause
        return {key: _typed(np.asarray(value), wanted[key].dtype) for key, value in results.items()}

    def close(self) -> None:
        """Free the session, and let go of the graph and the weights."""
        self._session.close()
        self._session = self._tf_graph = None
        self._fetches, self._feeds, self._constants = {}, {}, {}
        collect(self._size)

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fetched(self, wanted: Sequence[tuple[str, TensorRef]]) -> dict[str, Any]:
        import tensorflow as tf

        tensors = {key: self._tensor(ref) for key, ref in wanted}
        if not self._turned:
            return tensors
        with self._tf_graph.as_default():  # the layout optimizer leaves what is fetched alone
            return {key: tf.identity(tensor) for key, tensor in tensors.items()}

    def _tensor(self, ref: TensorRef) -> Any:
        try:
            return self._tf_graph.get_tensor_by_name(f"{ref.node}:{ref.index}")
        except (KeyError, ValueError) as cause:
            raise ModelError(
                f"The model has no tensor '{ref}'.",
                why=_first_lines(cause),
                fixes=["Run `tfmobile inspect MODEL` for the names, and give one with --input or --output."],
            ) from cause

    def _check_keys(self, feeds: Mapping[str, Array]) -> None:
        missing = sorted(self._feeds.keys() - feeds.keys())
        extra = sorted(feeds.keys() - self._feeds.keys())
        if missing or extra:
            wrong = f"missing: {', '.join(missing)}" if missing else f"not an input: {', '.join(extra)}"
            raise DataError(
                f"The samples do not fit the model's inputs ({wrong}).",
                why=f"The inputs are: {', '.join(self._feeds)}.",
                fixes=["Give one array for each input, under its name."],
            )


def check_ops(graph: Graph) -> None:
    """Raise UnsupportedError, naming node and op, when TensorFlow does not have an op of ``graph``."""
    from tensorflow.python.framework import op_def_registry

    functions = _functions(graph.library)
    for node in graph:
        if node.op not in functions and op_def_registry.get(node.op) is None:
            raise UnsupportedError(
                f"TensorFlow has no op '{node.op}' (node '{node.name}').",
                why="It is a custom op, or belongs to a package such as tensorflow_text or tensorflow_addons.",
                fixes=["Choose inputs and outputs that leave it out, with --input and --output."],
            )


def _functions(library: bytes) -> frozenset[str]:
    from tensorflow.core.framework import function_pb2

    return frozenset(item.signature.name for item in function_pb2.FunctionDefLibrary.FromString(library).function)


def import_graph(graph: Graph, tf_graph: Any) -> None:
    """Import into a tf.Graph, under the same names; ModelError when TensorFlow does not accept it."""
    import tensorflow as tf

    proto = to_graph_def(graph)
    for item in proto.node:
        item.device = ""  # where it would run elsewhere; here there is one CPU
    with tf_graph.as_default():
        try:
            tf.import_graph_def(proto, name="")
        except (ValueError, TypeError, tf.errors.OpError) as cause:
            raise ModelError(
                "TensorFlow does not accept the graph.",
                why=_first_lines(cause),
                fixes=["Export the model again, with this TensorFlow if possible."],
            ) from cause


def collect(nodes: int) -> None:
    """A tf.Graph is full of reference cycles: one of many ``nodes`` must not wait until Python looks for them."""
    if nodes >= _MANY_NODES:
        gc.collect()


_MANY_NODES = 4096


def type_of(tensor: Any) -> tuple[Shape, str]:
    """The shape and dtype of a tf.Tensor."""
    shape = tensor.shape
    return None if shape.rank is None else tuple(shape.as_list()), str(tensor.dtype.base_dtype.name)


def _is_channels_first(node: Node) -> bool:
    layout = node.attrs.get("data_format")
    return isinstance(layout, bytes) and layout.startswith(b"NC")


def _config(optimized: bool, turned: bool, threads: int) -> Any:
    import tensorflow as tf
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

    config = tf.compat.v1.ConfigProto(
        allow_soft_placement=True,
        device_count={"GPU": 0},
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=1 if threads else 0,
    )
    rewrites = config.graph_options.rewrite_options
    if turned:
        rewrites.layout_optimizer = RewriterConfig.ON
        rewrites.cpu_layout_conversion = RewriterConfig.NCHW_TO_NHWC
        rewrites.min_graph_nodes = -1
    if optimized:
        return config
    config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    if not turned:
        rewrites.disable_meta_optimizer = True
    for field in _REWRITES if turned else ():
        setattr(rewrites, field, RewriterConfig.OFF)
    return config


_REWRITES = (
    "constant_folding",
    "shape_optimization",
    "remapping",
    "arithmetic_optimization",
    "dependency_optimization",
    "loop_optimization",
    "common_subgraph_elimination",
)
"""TensorFlow's own rewrites that would change which sums are formed."""


def _fitted(key: str, value: Array, tensor: Any) -> Array:
    array = np.asarray(value)
    if not tensor.shape.is_compatible_with(array.shape):
        raise DataError(
            f"The sample for input '{key}' has shape {list(array.shape)}; the model wants {tensor.shape}.",
            fixes=["Check the preprocessing (--resize, --color, --layout), or the --input-shape."],
        )
    wanted = tensor.dtype.as_numpy_dtype
    return array if array.dtype == wanted else array.astype(wanted)


def _typed(value: Array, dtype: Any) -> Array:
    """A session hands out quantized values as plain integers."""
    return value.view(QUANTIZED[dtype.name]) if dtype.name in QUANTIZED and value.dtype.names is None else value


def _first_lines(cause: Exception) -> str:
    text = getattr(cause, "message", None) or str(cause)
    text = text.removeprefix("Graph execution error:").split("\n\nOriginal stack trace")[0]
    return " ".join(text.split())[:400]
