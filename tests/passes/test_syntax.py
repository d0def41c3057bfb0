"""Lists of passes are read as the Graph Transform Tool read them, and errors point at the column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmobile.errors import PassSyntaxError, UnknownNameError
from tfmobile.passes import make_pass, plan_passes
from tfmobile.passes.syntax import Argument, Call, parse_calls

README_EXAMPLE = """\\
  strip_unused_nodes(type=float, shape="1,299,299,3") \\
  remove_nodes(op=Identity, op=CheckNumerics)
  fold_constants(ignore_errors=true) \\
  fold_batch_norms
  fold_old_batch_norms\\
"""


def _pairs(call: Call) -> list[tuple[str, str]]:
    return [(item.name, item.value) for item in call.arguments]


def test_the_documented_example_of_the_original_tool() -> None:
    calls = parse_calls(README_EXAMPLE)
    assert [call.name for call in calls] == [
        "strip-unused-nodes", "remove-nodes", "fold-constants", "fold-batch-norms", "fold-old-batch-norms",
    ]  # fmt: skip
    assert _pairs(calls[0]) == [("type", "float"), ("shape", "1,299,299,3")]
    assert _pairs(calls[1]) == [("op", "Identity"), ("op", "CheckNumerics")]


def test_white_space_commas_and_comments_stand_between_passes() -> None:
    text = "fold_constants,round-weights( num_steps=3 , ) # 12 → 9 nodes\n\tremove_device()"
    assert [str(call) for call in parse_calls(text)] == [
        "fold-constants",
        "round-weights(num_steps=3)",
        "remove-device",
    ]
    assert parse_calls(" \n ") == ()


def test_quotes_keep_commas_spaces_and_escaped_quotes() -> None:
    (call,) = parse_calls(r"""insert_logging(message="a, \"b\" \\", op='Relu 6')""")
    assert _pairs(call) == [("message", 'a, "b" \\'), ("op", "Relu 6")]


@given(st.text(min_size=0, max_size=12), st.sampled_from(["op", "message", "x_1"]))
def test_a_call_that_is_printed_reads_back_the_same(value: str, name: str) -> None:
    call = Call("insert-logging", (Argument(name, value, 0, 0),))
    (again,) = parse_calls(str(call))
    assert _pairs(again) == [(name, value)]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("fold_constants !", 16, "a pass's name should stand here, not '!'"),
        ("fold_constants(", 16, "an argument's name should stand here, not the end"),
        ("fold_constants(a)", 17, "'=' should follow the argument 'a', not ')'"),
        ("fold_constants(a=)", 18, "a value should follow 'a=', not ')'"),
        ('round_weights(num_steps="2)', 25, "this quote is never closed"),
        ("round_weights(num_steps=2 num_steps(", 36, "'=' should follow"),
        ("fold_constants round_weights(num_steps=many)", 40, "takes a whole number, not 'many'"),
        ("round_weights(steps=2)", 15, "has no argument 'steps'"),
        ("round_weights(num_steps=2, num_steps=3)", 38, "only once"),
        ("fold_constants(ignore_errors=maybe)", 30, "takes true or false, not 'maybe'"),
        ("strip_unused rename_op(old_op_name=Mul)", 14, "needs new_op_name"),
    ],
)
def test_errors_point_at_the_column(text: str, column: int, words: str) -> None:
    with pytest.raises(PassSyntaxError) as found:
        plan_passes(text)
    assert f"at column {column}:" in found.value.what
    assert words in found.value.what
    line, caret = found.value.why.splitlines()
    assert line == text
    assert caret == " " * (column - 1) + "^"
    assert found.value.fixes


def test_in_many_lines_the_line_is_told_too() -> None:
    with pytest.raises(PassSyntaxError) as found:
        plan_passes("fold_constants\n  remove_device\n  round_weights(num_steps=x)")
    assert "line 3, column 27" in found.value.what
    assert found.value.why.splitlines()[0] == "  round_weights(num_steps=x)"


def test_a_long_line_is_shown_around_the_place() -> None:
    with pytest.raises(PassSyntaxError) as found:
        plan_passes("fold_constants " * 40 + "round_weights(num_steps=x) " + "fold_constants " * 40)
    line, caret = found.value.why.splitlines()
    assert len(line) <= 100
    assert line[len(caret) - 1] == "x"


def test_hyphens_underscores_old_spellings_and_the_original_names() -> None:
    names = [planned.one.name for planned in plan_passes("obsfucate_names obfuscate-names strip_unused_nodes")]
    assert names == ["obfuscate-names", "obfuscate-names", "strip-unused"]


def test_arguments_become_fields() -> None:
    assert make_pass("round-weights(num-steps=16)").num_steps == 16
    assert make_pass("remove_nodes(op=Identity, op=CheckNumerics, max_inputs=2)").op == ("Identity", "CheckNumerics")
    assert make_pass("set_device(device=/cpu:0, if_default=TRUE)").if_default is True


def test_ignore_errors_is_for_every_pass() -> None:
    first, second = plan_passes("fold_constants(ignore_errors=true) remove_device")
    assert first.ignore_errors
    assert not second.ignore_errors
    assert first.call == "fold-constants(ignore_errors=true)"


def test_an_unknown_pass_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as found:
        plan_passes("fold_batch_norm")
    assert found.value.fixes == ("Did you mean 'fold-batch-norms'?",)
