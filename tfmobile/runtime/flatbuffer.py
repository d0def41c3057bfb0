"""The .tflite file format (a flatbuffer, schema version 3) as plain objects, without TensorFlow: to view, or to edit.

The object classes (``ModelT``, ``TensorT`` …) are the ones generated from the schema, which ai-edge-litert and
TensorFlow both ship. https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfmobile.errors import ModelError, TfmobileError, ToolError
from tfmobile.graph.model import Array
from tfmobile.runtime import tables, tflite_schema

IDENTIFIER = b"TFL3"
SCHEMAS = ("ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated")
MAIN_SIGNATURE = "serving_default"


def schema() -> Any:
    """The module of generated schema classes; raises ToolError when none is installed."""
    for name in SCHEMAS:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            continue
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ToolError(
        "A .tflite file cannot be changed here.",
        why="Neither ai-edge-litert nor TensorFlow is installed, whose file schema is needed.",
        fixes=["pip install ai-edge-litert", "On a 32-bit board: do it on another machine."],
    )


def view(content: bytes) -> Any:
    """The file as objects to look at: those of ``read`` without operator options. Needs nothing but numpy.

    Raises ModelError for anything that is not a whole .tflite.
    """
    check(content)
    try:
        model = tflite_schema.view(content)
    except tables.Damaged as cause:
        raise damaged(str(cause)) from cause
    _inline_buffers(model, content)
    _verify(model)
    return model


def read(content: bytes) -> Any:
    """The file as a ``ModelT`` to edit and ``write``; buffer data are uint8 arrays that share its memory.

    Raises ModelError for anything that is not a whole .tflite.
    """
    module = schema()
    check(content)
    with sound():
        # The flatbuffers package follows offsets unchecked: damage shows as any exception at all.
        model = module.ModelT.InitFromPackedBuf(content, 0)
        _inline_buffers(model, content)
        _verify(model)
    return model


def write(model: Any) -> bytes:
    """The bytes of a ``ModelT``. Deterministic: equal objects give equal bytes."""
    import flatbuffers

    size = sum(len(buffer.data) for buffer in model.buffers or () if buffer.data is not None)
    builder = flatbuffers.Builder(size + 65536)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def check(content: bytes) -> None:
    """Raise ModelError unless ``content`` starts like a .tflite."""
    if not content:
        raise ModelError("The .tflite file is empty.", fixes=["Give a complete file."])
    if len(content) < 16 or content[4:8] != IDENTIFIER:
        raise ModelError(
            "This is not a .tflite file.",
            why=f"A .tflite has the letters TFL3 at byte 4; here are {content[4:8]!r}.",
            fixes=["Give a .tflite file, or convert the model first: tfmobile optimize MODEL"],
        )


@contextlib.contextmanager
def sound() -> Iterator[None]:
    """Turn any exception into ModelError: the tables are whole, yet what they say makes no sense together."""
    try:
        yield
    except TfmobileError:
        raise
    except Exception as cause:
        raise damaged(f"{type(cause).__name__}: {cause}") from cause


def damaged(why: str) -> ModelError:
    """The error for a file that starts like a .tflite and then makes no sense."""
    return ModelError(
        "The .tflite file is damaged.",
        why=f"It starts like a .tflite, but its tables cannot be followed ({' '.join(why.split())[:200]}).",
        fixes=["Get the file again: it may be truncated (compare its size with the source)."],
    )


def _inline_buffers(model: Any, content: bytes) -> None:
    """Files above 2 GB, and some below, keep buffers behind the flatbuffer, by offset in the file and size."""
    for buffer in model.buffers or ():
        offset, size = getattr(buffer, "offset", 0), getattr(buffer, "size", 0)
        if offset > 1:
            if offset + size > len(content):
                raise damaged("a buffer lies behind the end of the file")
            buffer.data = np.frombuffer(content, np.uint8, size, offset)
            buffer.offset = buffer.size = 0


def _verify(model: Any) -> None:
    if not model.subgraphs or not model.buffers:
        raise damaged("it has no subgraph or no buffers")
    for subgraph in model.subgraphs:
        tensors = len(subgraph.tensors if subgraph.tensors is not None else ())
        for indices in (subgraph.inputs, subgraph.outputs):
            _within(indices, tensors, "a tensor")
        for tensor in subgraph.tensors or ():
            _within([tensor.buffer], len(model.buffers), "a buffer")
            dtype_name(tensor.type)
        for operator in subgraph.operators or ():
            _within([operator.opcodeIndex], len(model.operatorCodes or ()), "an operator code")
            _within(operator.inputs, tensors, "a tensor", lowest=-1)
            _within(operator.outputs, tensors, "a tensor", lowest=-1)
    for entry in model.metadata or ():
        _within([entry.buffer], len(model.buffers), "a buffer")


def _within(indices: Any, count: int, what: str, lowest: int = 0) -> None:
    for index in indices if indices is not None else ():
        if not lowest <= index < count:
            raise damaged(f"{what} of number {index} is used, but there are {count}")


def sequence(values: Any) -> list[Any]:
    """A vector of the schema as a list; it is None when the file leaves it out."""
    return [] if values is None else list(values)


def text(value: Any) -> str:
    """A string of the schema, which reads as bytes, as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def dtype_name(tensor_type: int) -> str:
    """The name of a TensorType: numpy's where there is one (float32, bool), else in small letters (int4)."""
    known = tflite_schema.names("tensor-types")
    if not 0 <= tensor_type < len(known):
        raise damaged(f"tensor type {tensor_type} does not exist")
    return known[tensor_type].lower()


def tensor_data(model: Any, tensor: Any) -> Array | None:
    """The constant value of a tensor in its shape, None when it is computed. int4 stays packed, on one axis."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    array = np.asarray(data, np.uint8)
    name = dtype_name(tensor.type)
    try:
        kind = np.dtype(name)
        shape = [int(size) for size in tensor.shape] if tensor.shape is not None else []
        return array.view(kind).reshape(shape)
    except (TypeError, ValueError):
        return array


def tensor_bytes(model: Any, tensor: Any) -> int:
    """Bytes of the constant behind a tensor, 0 when it is computed."""
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else len(data)


def op_name(model: Any, operator: Any) -> str:
    """The builtin operator's name in capitals (CONV_2D), or the custom operator's own name."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    known = tflite_schema.names("operators")
    name = known[number] if 0 <= number < len(known) else f"BUILTIN_{number}"
    return text(code.customCode) or name if name == "CUSTOM" else name


def signatures(model: Any) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Signature key → (inputs, outputs), each key → tensor index, for signatures of the main subgraph."""
    found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for signature in model.signatureDefs or ():
        if signature.subgraphIndex == 0:
            found[text(signature.signatureKey)] = (
                _tensor_map(signature.inputs),
                _tensor_map(signature.outputs),
            )
    return found


def _tensor_map(entries: Any) -> dict[str, int]:
    return {text(entry.name): int(entry.tensorIndex) for entry in entries or ()}


def set_signature(model: Any, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> None:
    """Give the model exactly one signature, ``serving_default`` on the main subgraph; key → tensor index."""
    module = schema()

    def entries(keys: Mapping[str, int]) -> list[Any]:
        made = []
        for key, index in keys.items():
            entry = module.TensorMapT()
            entry.name, entry.tensorIndex = key, index
            made.append(entry)
        return made

    signature = module.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = MAIN_SIGNATURE, 0
    signature.inputs, signature.outputs = entries(inputs), entries(outputs)
    model.signatureDefs = [signature]


def metadata(model: Any) -> dict[str, bytes]:
    """Name → content of the file's metadata entries."""
    found = {}
    for entry in model.metadata or ():
        data = model.buffers[entry.buffer].data
        found[text(entry.name)] = b"" if data is None else bytes(data)
    return found


def set_metadata(model: Any, name: str, content: bytes) -> None:
    """Add a metadata entry, or replace the one of that name."""
    module = schema()
    buffer = module.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    for entry in model.metadata or ():
        if text(entry.name) == name:
            model.buffers[entry.buffer] = buffer
            return
    entry = module.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
