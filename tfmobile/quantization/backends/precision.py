"""Layers of an int8 model that compute in float: finding them by name, proof that they do, float16 weights.

A layer is an operator of the float .tflite, called by the first ``;`` part of its output's name. There is no ``int16``:
activations of 16 bits between two int8 layers gain nothing, since what comes in and goes out has 8 bits and weights
keep 8 bits; and the runtime's 16-bit kernels are not optimized. Measured on MobileNet V1 0.25 (x86-64, one thread,
ai-edge-litert 2.3): with three of its 31 layers in 16 bits the model took 8.7 ms, with the same three in float 1.6 ms
(all int8: 1.7 ms), and answered like the float model in no more pictures.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Collection, Mapping

from tfmobile.artifacts import OpFact, TFLiteModel
from tfmobile.errors import UnknownNameError, UnsupportedError, VerificationError
from tfmobile.quantization.backends.half_weights import store_half
from tfmobile.registry import unknown
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.arithmetic import classify
from tfmobile.runtime.operator_names import layer_of, operators_by_tensor

FLOAT32, FLOAT16 = "float32", "float16"
PRECISIONS = (FLOAT32, FLOAT16)
IN_FLOAT = ("float", "weight-only")
SHOWN = 4
ASKED_FOR = "the recipe's precision says"
"""How the reason of an operator that a recipe keeps in float starts."""

_FOLLOWS = "it follows its neighbours: beside an integer layer it shares the scale of its input, so float gains nothing"
FIXED = {
    "AVERAGE_POOL_2D": _FOLLOWS,
    "MAX_POOL_2D": _FOLLOWS,
    "STRIDED_SLICE": _FOLLOWS,
    "SPLIT": _FOLLOWS,
    "SPLIT_V": _FOLLOWS,
    "TRANSPOSE_CONV": "TensorFlow's quantizer does not leave it float",
}
"""Operators that cannot be named, with the reason."""


def layer_names(floating: bytes) -> tuple[str, ...]:
    """The layers of a float .tflite that can be named, in execution order."""
    return tuple(dict.fromkeys(layer_of(op.output) for op in _layers(floating) if op.op not in FIXED))


def nodes(floating: bytes, precision: Mapping[str, str]) -> dict[str, str]:
    """Precision by the full name of the output, which TensorFlow's quantizer wants, from that by layer.

    Raises UnknownNameError for a name that no layer has and for an unknown precision, UnsupportedError for an operator
    that cannot be named.
    """
    operators = {layer_of(op.output): op for op in reversed(_layers(floating))}
    for name, kind in precision.items():
        if kind not in PRECISIONS:
            raise unknown("precision", kind, PRECISIONS)
        if name not in operators:
            raise _no_layer(name, layer_names(floating))
        if operators[name].op in FIXED:
            raise UnsupportedError(
                f"The layer '{name}' cannot be given another precision.",
                why=f"It is {operators[name].op}: {FIXED[operators[name].op]}.",
                fixes=["Name the layers before and after it instead.", "Take it out of the recipe's precision."],
            )
    return {op.output: precision[layer_of(op.output)] for op in _layers(floating) if layer_of(op.output) in precision}


def followers(floating: bytes, wanted: Collection[str]) -> set[str]:
    """Full names of the operators in FIXED that lie between layers in ``wanted`` only, and so are best left float."""
    main = flatbuffer.view(floating).subgraphs[0]
    facts = {op.output: op for op in _layers(floating)}
    makers = {int(index): op.output for op in facts.values() for index in main.operators[op.index].outputs}
    neighbours: dict[str, set[str]] = {name: set() for name in facts}
    for name, op in facts.items():
        for index in main.operators[op.index].inputs:
            if int(index) in makers:
                neighbours[name].add(makers[int(index)])
                neighbours[makers[int(index)]].add(name)
    found = {name for name, op in facts.items() if FIXED.get(op.op) == _FOLLOWS and len(neighbours[name]) > 1}
    while alone := {name for name in found if not neighbours[name] <= found | set(wanted)}:
        found -= alone
    return found


def store_float16(content: bytes, wanted: Mapping[str, str]) -> bytes:
    """The quantized model with float16 weights in the layers that ``wanted`` (a result of ``nodes``) says."""
    halved = {name for name, kind in wanted.items() if kind == FLOAT16}
    if not halved:
        return content
    model = flatbuffer.read(content)
    changed = store_half(model, {op.index for name, op in operators_by_tensor(content).items() if name in halved})
    return flatbuffer.write(model) if changed else content


def check_precision(content: bytes, wanted: Mapping[str, str], plain: Callable[[], bytes]) -> None:
    """Prove that the layers in ``wanted`` compute in float, and no layer that is integer without them.

    ``plain`` makes the model without them; it is called only when there is doubt. Raises VerificationError.
    """
    found = operators_by_tensor(content)
    for name in wanted:
        op = found.get(name)
        if op is None or op.kind not in IN_FLOAT:
            raise VerificationError(
                f"The layer '{layer_of(name)}' does not compute in float, as the recipe's precision says it should.",
                why=f"TensorFlow's quantizer made it {op.kind}." if op else "It is not in the quantized model.",
                fixes=["Take it out of the recipe's precision."],
            )
    named = {found[name].index for name in wanted}
    others = {
        name: op for name, op in found.items() if op.kind in IN_FLOAT and op.index not in named and op.op not in FIXED
    }
    before = operators_by_tensor(plain()) if others else {}
    integer = {name for name, op in before.items() if op.kind == "integer"}
    lost = list({op.index: layer_of(name) for name, op in others.items() if name in integer}.values())
    if lost:
        shown = ", ".join(f"'{name}'" for name in lost[:SHOWN])
        raise VerificationError(
            f"{len(lost)} layers would become float that the recipe's precision does not name.",
            why=f"They are {shown}{' and more' if len(lost) > SHOWN else ''}; without the named layers they are int8.",
            fixes=["Name them too, or choose other layers."],
        )


def with_reasons(model: TFLiteModel, precision: Mapping[str, str]) -> TFLiteModel:
    """``model`` where the operators that ``precision`` keeps in float say so."""
    named = {
        op.index: precision[layer_of(name)]
        for name, op in operators_by_tensor(model.content).items()
        if layer_of(name) in precision
    }
    ops = [
        dataclasses.replace(op, reason=f"{ASKED_FOR} {named[op.index]}")
        if op.index in named and op.kind in IN_FLOAT
        else op
        for op in model.ops
    ]
    return dataclasses.replace(model, ops=tuple(ops))


def _layers(content: bytes) -> list[OpFact]:
    """The operators of the main subgraph that make a float."""
    model = flatbuffer.view(content)
    main = model.subgraphs[0]

    def first_output(op: OpFact) -> str:
        used = [int(index) for index in flatbuffer.sequence(main.operators[op.index].outputs) if index >= 0]
        return flatbuffer.dtype_name(main.tensors[used[0]].type) if used else ""

    return [op for op in classify(model) if op.kind in IN_FLOAT and first_output(op) == "float32"]


def _no_layer(name: str, known: tuple[str, ...]) -> UnknownNameError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    return UnknownNameError(
        f"The model has no layer called '{name}'.",
        why=f"A layer is called by the first part of its output's name; {len(known)} can be named.",
        fixes=[f"Did you mean '{near[0]}'?" if near else f"The first ones are {', '.join(known[:SHOWN])}."],
    )
