"""Check what a back end made: the types of inputs and outputs, and that the weights are what the recipe says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmobile.errors import UnsupportedError, VerificationError
from tfmobile.quantization.backends.precision import ASKED_FOR, with_reasons
from tfmobile.quantization.recipe import Recipe
from tfmobile.runtime import describe, flatbuffer

# The operand that holds the weights, of the operators that have most of them.
WEIGHT_OPERAND = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
    "EMBEDDING_LOOKUP": 1,
    "BATCH_MATMUL": 1,
}
SHOWN = 8


def keep_signature(float_model: bytes, content: bytes) -> bytes:
    """Give the result the main signature of ``float_model`` if it was lost on the way."""
    before, after = flatbuffer.read(float_model), flatbuffer.read(content)
    known = flatbuffer.signatures(before).get(flatbuffer.MAIN_SIGNATURE)
    if known is None or flatbuffer.MAIN_SIGNATURE in flatbuffer.signatures(after):
        return content
    old, new = before.subgraphs[0], after.subgraphs[0]
    inputs = dict(zip(map(int, old.inputs), map(int, new.inputs), strict=True))
    outputs = dict(zip(map(int, old.outputs), map(int, new.outputs), strict=True))
    flatbuffer.set_signature(
        after,
        {key: inputs[index] for key, index in known[0].items()},
        {key: outputs[index] for key, index in known[1].items()},
    )
    return flatbuffer.write(after)


def check_result(float_model: bytes, content: bytes, recipe: Recipe, io: str) -> None:
    """Raises VerificationError when the result is not what was asked for, UnsupportedError for refused floats."""
    if recipe.precision and recipe.backend != "mlir-quantize":
        raise UnsupportedError(
            f"The recipe {recipe.name} cannot give single layers another precision.",
            why=f"The back end {recipe.backend} does not do that; mlir-quantize does.",
            fixes=["Take precision out of the recipe.", "Start from the recipe int8."],
        )
    _check_io(float_model, content, recipe, io)
    _check_weights(float_model, content, recipe)
    if recipe.left_float == "refuse":
        _refuse_float(content, recipe)


def _check_io(float_model: bytes, content: bytes, recipe: Recipe, io: str) -> None:
    before, after = describe(float_model), describe(content)
    for old, new in zip((*before.inputs, *before.outputs), (*after.inputs, *after.outputs), strict=True):
        wanted = io if old.dtype == "float32" else old.dtype
        if new.dtype != wanted:
            raise VerificationError(
                f"'{new.name}' is {new.dtype}, and {wanted} was asked for.",
                why=f"The back end {recipe.backend} could not give it that type.",
                fixes=["--io float32 keeps inputs and outputs as they are."],
            )


def _check_weights(float_model: bytes, content: bytes, recipe: Recipe) -> None:
    named = bool(recipe.precision)  # what those layers hold is checked where they are made, and may be all there is
    if named or recipe.weights == "float32" or not any(_weights(flatbuffer.read(float_model), {"float32"})):
        return
    model = flatbuffer.read(content)
    stored = {"float16": {"float16"}, "int8": {"int8"}, "int4": {"int4"}}[recipe.weights]
    least = recipe.min_weight_elements
    small = f" The recipe leaves weights of fewer than {least} numbers float." if least else ""
    if not any(_weights(model, stored)):
        raise VerificationError(
            f"The result has no {recipe.weights} weights at all.",
            why=f"The back end {recipe.backend} quantized none of the operators of this model.{small}",
            fixes=["Choose another recipe; `tfmobile list-recipes` lists them."],
        )


def _weights(model: Any, kinds: set[str]) -> Iterator[Any]:
    """The constant weight tensors of a type, of the operators in WEIGHT_OPERAND, also behind a DEQUANTIZE."""
    for subgraph in model.subgraphs:
        operators = subgraph.operators or ()
        makers = {int(index): operator for operator in operators for index in operator.outputs}
        for operator in operators:
            operand = WEIGHT_OPERAND.get(flatbuffer.op_name(model, operator))
            if operand is None or operand >= len(operator.inputs):
                continue
            index = int(operator.inputs[operand])
            maker = makers.get(index)
            if maker is not None and flatbuffer.op_name(model, maker) == "DEQUANTIZE":
                index = int(maker.inputs[0])
            tensor = subgraph.tensors[index]
            if flatbuffer.dtype_name(tensor.type) in kinds and flatbuffer.tensor_bytes(model, tensor):
                yield tensor


def _refuse_float(content: bytes, recipe: Recipe) -> None:
    found = with_reasons(describe(content, recipe=recipe.name, backend=recipe.backend), recipe.precision)
    left = tuple(op for op in found.left_float if not op.reason.startswith(ASKED_FOR))
    if not left:
        return
    named = [f"{op.op} '{op.output}'" for op in left[:SHOWN]]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    raise UnsupportedError(
        f"{len(left)} operators would stay float, which the recipe {recipe.name} refuses.",
        why=f"They are {', '.join(named)}{more}.",
        fixes=['Set left-float = "allow" in the recipe, or choose --recipe int8, which lists them in the report.'],
    )
