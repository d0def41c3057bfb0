from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime import tiny
from tfmobile.errors import ModelError, TfmobileError, ToolError
from tfmobile.runtime import (
    associated_files,
    describe,
    flatbuffer,
    read_metadata,
    restore_float,
    tables,
    tflite_schema,
)
from tfmobile.runtime.arithmetic import reasons


def mixed() -> bytes:
    """Float input → EXP (float) → QUANTIZE → RELU (integer) → DEQUANTIZE → COS (float) → output."""
    build = tiny.Builder()
    x, e = build.tensor("x", [1, 4]), build.tensor("e", [1, 4])
    q, r = (build.tensor(name, [1, 4], "int8", scale=0.1, zero_point=-1) for name in "qr")
    d, y = build.tensor("d", [1, 4]), build.tensor("y", [1, 4])
    for name, source, made in (
        ("EXP", x, e),
        ("QUANTIZE", e, q),
        ("RELU", q, r),
        ("DEQUANTIZE", r, d),
        ("COS", d, y),
    ):
        build.operator(name, [source], [made])
    return flatbuffer.write(build.model([x], [y]))


def test_operators_are_sorted_by_their_arithmetic() -> None:
    kinds = [op.kind for op in describe(mixed()).ops]
    assert kinds == ["float", "boundary", "integer", "boundary", "float"]


def test_what_stayed_float_in_an_integer_model_has_a_reason() -> None:
    first, last = describe(mixed(), recipe="int8", backend="mlir").left_float
    assert "float input" in first.reason
    assert "no integer kernel" in last.reason


def test_the_reason_depends_on_the_back_end() -> None:
    assert "litert-quantizer" in describe(mixed(), recipe="int8", backend="litert-quantizer").left_float[0].reason


def test_a_float_model_needs_no_reasons() -> None:
    assert {op.reason for op in describe(tiny.add_one()).ops} == {""}


def test_float16_weights_count_for_the_operator_that_uses_them() -> None:
    restore, dense = describe(tiny.dense_half(), recipe="float16").ops
    assert (restore.kind, restore.weight_bytes) == ("boundary", 0)
    assert (dense.kind, dense.weight_bytes) == ("weight-only", 16)


def test_inputs_are_named_by_signature_or_tensor() -> None:
    assert describe(tiny.add_one()).inputs[0].name == "x"
    assert describe(tiny.add_one(({"image": 0}, {"score": 2}))).outputs[0].name == "score"


def test_quantization_of_inputs_is_read() -> None:
    fact = describe(tiny.quantized_relu(0.25)).inputs[0]
    assert (fact.dtype, fact.scale, fact.zero_point) == ("int8", 0.25, 3)


def test_the_parts_of_the_size_add_up() -> None:
    size = describe(tiny.dense_half()).size
    parts = size.weight_bytes + size.quantization_bytes + size.metadata_bytes + size.other_bytes
    assert parts == size.total_bytes
    assert size.weight_bytes == 16
    assert 0 < size.zipped_bytes < size.total_bytes


def test_a_scale_that_is_nan_is_noted() -> None:
    assert any("NaN" in note for note in describe(tiny.quantized_relu(float("nan"))).notes)


def test_every_reason_is_reachable_by_a_known_condition() -> None:
    places = {"", "weights", "no-weights", "float-input", "float-output", "float-neighbours"}
    assert {row.where for row in reasons()} <= places
    assert all(row.text for row in reasons())
    assert not reasons()[-1].ops


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 100, b"\x1c\x00\x00\x00TFL3" + b"\xff" * 60])
def test_what_is_no_tflite_is_a_model_error_with_a_fix(content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        describe(content)
    assert caught.value.fixes


SOURCES = [
    tiny.add_one(({"image": 0}, {"score": 2})),
    tiny.dense_half(),
    tiny.quantized_relu(),
    mixed(),
    tiny.endless(),
]


def read_all(content: bytes) -> None:
    for reader in (describe, read_metadata, associated_files, restore_float):
        with contextlib.suppress(TfmobileError):
            reader(content)


@pytest.mark.parametrize("source", SOURCES)
def test_a_file_cut_anywhere_never_crashes_a_reader(source: bytes) -> None:
    for size in range(0, len(source), 7):
        read_all(source[:size])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_never_crash_a_reader(source: bytes, edits: list[tuple[int, int]]) -> None:
    content = bytearray(source)
    for position, value in edits:
        content[position % len(content)] = value
    read_all(bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_crash_a_reader(tail: bytes) -> None:
    read_all(tail)
    read_all(b"\x10\x00\x00\x00TFL3" + tail)


def test_writing_what_was_read_changes_nothing() -> None:
    for source in SOURCES:
        assert flatbuffer.write(flatbuffer.read(source)) == flatbuffer.write(
            flatbuffer.read(flatbuffer.write(flatbuffer.read(source)))
        )


def test_constants_read_in_their_shape() -> None:
    model = flatbuffer.read(tiny.dense_half())
    weights = flatbuffer.tensor_data(model, model.subgraphs[0].tensors[1])
    assert weights is not None
    assert weights.dtype == np.float16
    assert weights.shape == (2, 4)


def test_the_view_and_the_editable_model_agree() -> None:
    for source in SOURCES:
        seen, read = flatbuffer.view(source), flatbuffer.read(source)
        assert flatbuffer.signatures(seen) == flatbuffer.signatures(read)
        for one, other in zip(seen.subgraphs, read.subgraphs, strict=True):
            assert [flatbuffer.text(tensor.name) for tensor in one.tensors] == [
                flatbuffer.text(tensor.name) for tensor in other.tensors
            ]
            assert [list(op.inputs) for op in one.operators] == [list(op.inputs) for op in other.operators]


def test_the_names_of_operators_and_types_are_those_of_the_installed_schema() -> None:
    schema = flatbuffer.schema()
    for enumeration, known in ((schema.BuiltinOperator, "operators"), (schema.TensorType, "tensor-types")):
        expected = {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}
        ours = dict(enumerate(tflite_schema.names(known)))
        # A newer runtime may know more; what both know must be the same.
        assert {number: expected[number] for number in expected.keys() & ours.keys()} == ours


def test_describing_needs_no_installed_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "SCHEMAS", ("no_such_schema.x",))
    assert [op.op for op in describe(SOURCES[1]).ops] == ["DEQUANTIZE", "FULLY_CONNECTED"]
    assert read_metadata(SOURCES[1]) == {}
    with pytest.raises(ToolError, match="changed"):
        restore_float(SOURCES[1])


def test_tables_that_refer_to_themselves_without_end_are_damage() -> None:
    schema = {"Loop": (("next", "Loop"),)}
    # A table at 8 with vtable at 4 whose only field is an offset that wraps back to the table itself.
    content = bytes.fromhex("080000000600040004000000fcffffff")
    with pytest.raises(tables.Damaged):
        tables.decode(content, schema, "Loop")
