from __future__ import annotations

import numpy as np

from tests.quantization.small_models import network, samples
from tfmobile.quantization import quantize, recipe
from tfmobile.quantization.backends.modernize import modernize
from tfmobile.runtime import flatbuffer, run

OLD_LIMIT = 127


def as_of_2019() -> bytes:
    """The network with one-byte operator codes only, and a code that nothing uses."""
    model = flatbuffer.read(network())
    for code in model.operatorCodes:
        assert code.builtinCode < OLD_LIMIT
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    unused = type(model.operatorCodes[0])()
    unused.deprecatedBuiltinCode, unused.version = 6, 99
    model.operatorCodes.insert(0, unused)
    for operator in model.subgraphs[0].operators:
        operator.opcodeIndex += 1
    return flatbuffer.write(model)


def test_a_model_of_today_is_left_alone() -> None:
    assert modernize(network()) == network()


def test_an_old_model_gets_wide_codes_loses_unused_ones_and_answers_the_same() -> None:
    content = modernize(as_of_2019())
    model = flatbuffer.read(content)
    assert all(code.builtinCode == code.deprecatedBuiltinCode for code in model.operatorCodes)
    assert all(code.version < 99 for code in model.operatorCodes)
    feeds = [feed for _, feed in samples(2)]
    for ours, theirs in zip(run(network(), feeds), run(content, feeds), strict=True):
        assert np.array_equal(ours["y"], theirs["y"])


def test_an_old_model_can_be_quantized() -> None:
    assert len(quantize(as_of_2019(), recipe("float16"), None)) < 0.7 * len(network())
