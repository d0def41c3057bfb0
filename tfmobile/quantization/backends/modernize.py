"""Write an old .tflite the way today's back ends read it, without changing what it computes."""

from __future__ import annotations

import copy
from typing import Any

from tfmobile.runtime import flatbuffer


def modernize(content: bytes) -> bytes:
    """``content`` itself, or with the operator codes that today's back ends understand.

    Before schema 3a an operator's code stood in one byte, now called ``deprecatedBuiltinCode``; litert-quantizer reads
    only the wide field. Codes that no operator uses, left over by a rewrite, make the runtime look for their kernels.
    """
    model = flatbuffer.read(content)
    used = sorted({int(operator.opcodeIndex) for operator in _operators(model)})
    codes = [copy.copy(model.operatorCodes[index]) for index in used]
    for code in codes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    if len(codes) == len(model.operatorCodes) and all(
        new.builtinCode == old.builtinCode for new, old in zip(codes, model.operatorCodes, strict=True)
    ):
        return content
    place = {index: position for position, index in enumerate(used)}
    for operator in _operators(model):
        operator.opcodeIndex = place[int(operator.opcodeIndex)]
    model.operatorCodes = codes
    return flatbuffer.write(model)


def _operators(model: Any) -> list[Any]:
    return [operator for subgraph in model.subgraphs for operator in subgraph.operators or ()]
