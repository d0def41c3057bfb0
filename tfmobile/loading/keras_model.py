"""A Keras model object (2 or 3) to a frozen Graph: trace inference at fixed shapes, variables to constants."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfmobile.errors import ModelError, TfmobileError, UntrustedModelError
from tfmobile.graph.model import Graph, Shape, TensorRef
from tfmobile.loading.freeze import freeze
from tfmobile.loading.keras_config import code_in
from tfmobile.loading.keras_files import KerasFile
from tfmobile.loading.options import End, Loaded, Options
from tfmobile.loading.quiet import tensorflow
from tfmobile.loading.shapes import InputShapes, fixed

_MISSING = re.compile(r"Unknown \w+|Could not locate|[Cc]ustom (object|layer|class)")
_EXPORT = "Where the class is defined, export a SavedModel: `model.export('folder')`, and give the folder."


def check_trusted(file: KerasFile, path: Path, *, trust: bool) -> None:
    """Raises UntrustedModelError when building the model would run code from the file or open other files."""
    found = code_in(file.config)
    if found and not trust:
        raise UntrustedModelError(
            f"'{path}' carries code, and is not opened.",
            why="Its configuration holds " + "; ".join(found[:4]) + ("; …" if len(found) > 4 else "") + ".",
            fixes=[_EXPORT, "Type --trust if you know who made the file: its code then runs with your rights."],
        )


@contextlib.contextmanager
def named(path: Path, suffix: str) -> Iterator[Path]:
    """The file under a name with ``suffix``, which Keras goes by; a link in a temporary folder when it has another."""
    if path.suffix == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tfmobile-") as folder:
        link = Path(folder) / f"model{suffix}"
        link.symlink_to(path.resolve())
        yield link


def open_keras(
    keras: Callable[[], Any],
    root: Path,
    file: KerasFile,
    options: Options,
    explain: Callable[[Path, KerasFile, Exception], TfmobileError],
) -> Loaded:
    """Load and freeze a model with ``keras`` (2 or 3, imported only now); its configuration is judged before that."""
    check_trusted(file, root, trust=options.trust)
    package = keras()
    suffix = ".h5" if "HDF5" in file.container else ".keras"
    try:
        with named(root, suffix) as path:
            model = package.models.load_model(str(path), compile=False, safe_mode=not options.trust)
    except Exception as cause:
        raise explain(root, file, cause) from cause
    graph, notes = freeze_keras(model, root, options)
    return Loaded(file.summary, (root,), graph=graph, notes=notes)


def not_built(path: Path, file: KerasFile, cause: Exception) -> TfmobileError:
    """The error for a configuration or weights that Keras refuses."""
    text = _cause(cause)
    custom = code_in(file.config)
    if custom or _MISSING.search(str(cause)):
        return ModelError(
            f"'{path}' needs a class or function that is not in the file.",
            why="; ".join(custom[:4]) or text,
            fixes=[
                _EXPORT,
                "From Python, register the class (keras.saving.register_keras_serializable) before load().",
            ],
        )
    return ModelError(
        f"Keras cannot build the model in '{path}'.",
        why=text,
        fixes=["Save it again with the Keras that made it, or export a SavedModel: `model.export('folder')`."],
    )


def _cause(cause: Exception) -> str:
    """The sentence that matters in one of Keras' long messages."""
    text = str(cause).rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:300] if lines else type(cause).__name__


def freeze_keras(model: Any, path: Path, options: Options) -> tuple[Graph, tuple[str, ...]]:
    """The frozen graph of a built Keras model, and notes. Raises ModelError for open spatial dimensions."""
    tf = tensorflow()
    names, specs, notes = _inputs(model, path, options)
    call, output_names = _call(model, names)
    try:
        function = tf.function(call).get_concrete_function(*specs)
        graph_def = _constants(function)
    except Exception as cause:
        raise _not_traced(path, cause) from cause
    nodes = {node.name: node for node in graph_def.node}
    inputs = [
        End(name, TensorRef.parse(_tidy(tensor.name))) for name, tensor in zip(names, function.inputs, strict=False)
    ]
    outputs = [
        End(name, _behind(nodes, TensorRef.parse(_tidy(tensor.name))))
        for name, tensor in zip(_unique(output_names, len(function.outputs)), function.outputs, strict=False)
    ]
    shapes = options.input_shape if options.inputs else ()
    later = Options(inputs=options.inputs, outputs=options.outputs, input_shape=shapes, trust=options.trust)
    graph, more = freeze(graph_def, str(path), later, inputs=inputs, outputs=outputs)
    return graph, (*notes, *more)


def _inputs(model: Any, path: Path, options: Options) -> tuple[list[str], list[Any], tuple[str, ...]]:
    """Names, TensorSpecs with fixed shapes, and notes."""
    tf = tensorflow()
    found = _declared(model)
    shapes: Sequence[str] = () if options.inputs else options.input_shape
    wanted = InputShapes(shapes).take([(name,) for name, _, _ in found])
    names, specs, notes = [], [], []
    for (name, shape, dtype), ask in zip(found, wanted, strict=True):
        dims, note = fixed(name, shape, ask, str(path))
        names.append(name)
        specs.append(tf.TensorSpec(dims, dtype, name=_scope(name)))
        notes += [note] if note else []
    return names, specs, tuple(notes)


def _declared(model: Any) -> list[tuple[str, Shape, Any]]:
    """(name, shape, dtype) of every input; one float input of unknown shape for a model that was never built."""
    try:
        tensors = list(model.inputs or ())
    except (AttributeError, ValueError):
        tensors = []
    if not tensors:
        return [("input", None, "float32")]
    own = getattr(model, "input_names", None) or [tensor.name.split(":")[0] for tensor in tensors]
    return [
        (name, tuple(tensor.shape), tensor.dtype)
        for name, tensor in zip(_unique(own, len(tensors)), tensors, strict=True)
    ]


def _call(model: Any, names: Sequence[str]) -> tuple[Any, list[str]]:
    """A function of one tensor an input that gives a flat list of outputs, and the outputs' names."""
    tf = tensorflow()
    structure = getattr(model, "_inputs_struct", None)
    if structure is None:
        structure = getattr(model, "_nested_inputs", None)

    def call(*tensors: Any) -> list[Any]:
        fed = tf.nest.pack_sequence_as(structure, tensors) if structure is not None else tensors[0]
        return list(tf.nest.flatten(model(fed, training=False)))

    return call, list(getattr(model, "output_names", None) or ["output"])


def _unique(names: Sequence[str], count: int) -> list[str]:
    """``count`` different names: repeated ones get a number."""
    result: list[str] = []
    for number in range(count):
        name = names[number] if number < len(names) else f"output_{number}"
        base, tries = name, 1
        while name in result:
            name = f"{base}_{tries}"
            tries += 1
        result.append(name)
    return result


def _scope(name: str) -> str:
    clean = "".join(char if char.isascii() and (char.isalnum() or char in "_.-/") else "_" for char in name)
    return clean if clean[:1].isalnum() or clean[:1] == "." else f"input{clean}"


def _tidy(name: str) -> str:
    return name.removesuffix(":0")


def _behind(nodes: dict[str, Any], ref: TensorRef) -> TensorRef:
    from tfmobile.loading.inline import behind_identities

    return behind_identities(nodes, ref)


def _constants(function: Any) -> Any:
    """The function's GraphDef with constants for variables; loops and branches stay functions, as TFLite has them."""
    from tensorflow.python.framework import convert_to_constants as convert

    # The public convert_variables_to_constants_v2 does the same, and then builds a function of the result again.
    data = convert._FunctionConverterDataInEager(func=function, lower_control_flow=False, aggressive_inlining=False)
    return convert._replace_variables_by_constants(data)[0]


def _not_traced(path: Path, cause: Exception) -> ModelError:
    return ModelError(
        f"The model in '{path}' cannot be run at these input shapes.",
        why=_cause(cause),
        fixes=["Give its real input shape: --input-shape 1x224x224x3", _EXPORT],
    )
