"""What ``diff`` prints."""

from __future__ import annotations

import io

from rich.console import Console

from tests.differences.models import NETWORK, changed_to, of_graph, of_text, of_tflite
from tests.differences.test_tflite import GRAPH, dense
from tfmobile.differences import ModelDiff, ModelFact, diff_models, identical, print_diff, to_dict
from tfmobile.graph.text_parser import parse_graph


def printed(diff: ModelDiff, width: int = 120) -> str:
    stream = io.StringIO()
    print_diff(diff, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_the_summary_comes_first_and_names_the_divergence() -> None:
    text = printed(changed_to(("(0.5, 0.25)", "(0.5, 0.75)")))
    summary, _, tables = text.partition("Tensors that differ")
    for words in (
        "model.pb (frozen-graph, 0.0 kB, 9 nodes)",
        "9 nodes in both, 1 of them changed",
        "differ: moved by up to",
        "'bias' (BiasAdd): moved by up to 0.5",
        "It reads the constant 'b', which moved by up to 0.5",
        "2 random samples; 4 tensors compared",
    ):
        assert words in summary, words
    assert "value: float32[2] (0.5, 0.25) → float32[2] (0.5, 0.75) (up to 0.5)" in tables


def test_agreement_is_said_in_one_line_each() -> None:
    text = printed(changed_to())
    assert "the same: 9 nodes" in text
    assert "exactly the same" in text
    assert "none: 4 tensors compared, which agree to 0.0001" in text
    assert "Changed" not in text


def test_long_tables_are_cut_and_say_where_the_rest_is() -> None:
    extra = "\n".join(f"z{index} = Relu(act) {{T=float32}}" for index in range(25))
    text = printed(changed_to(("act = Tanh(bias) {T=float32}", f"act = Tanh(bias) {{T=float32}}\n{extra}")))
    assert "Only in B (25)" in text
    assert "z19" in text
    assert "z20" not in text
    assert "5 more with --json." in text


def test_operators_of_which_there_are_more_or_fewer_are_counted() -> None:
    text = printed(changed_to(("= Tanh(bias)", "= Relu(bias)")))
    assert "Relu 0 → 1" in text
    assert "Tanh 1 → 0" in text
    assert "op: Tanh → Relu" in text


def test_numbers_that_were_not_compared_say_why() -> None:
    other = of_text(("x: float32[?,2]", "x: float32[?,5]"), ("shape=[?,2]", "shape=[?,5]"))
    text = printed(diff_models(of_text(), other))
    assert "Not run: the inputs are not the same" in text
    assert "First divergence" not in text


def test_names_of_a_tflite_are_shown_by_the_node_they_end_with() -> None:
    text = printed(diff_models(of_graph(parse_graph(GRAPH)), of_tflite(dense(weight=2.0))))
    assert "2 operators in both" in text
    assert "'net/Relu' (FULLY_CONNECTED)" in text
    assert ";" not in text.partition("Tensors that differ")[2].partition("Notes")[0]


def test_a_narrow_terminal_keeps_the_numbers() -> None:
    name = "a/very/long/scope/that/fills/the/whole/line/of/a/terminal/bias"
    diff = changed_to(("(0.5, 0.25)", "(0.5, 0.75)"), text=NETWORK.replace("bias", name))
    lines = printed(diff, width=80).splitlines()
    assert any(line.rstrip().endswith("dB") and "…" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_identical_files_need_no_more_words() -> None:
    fact = ModelFact("a.pb", "frozen-graph", "A graph", "0", 9, 0, (), ())
    diff = identical(fact, fact, 1e-4)
    assert diff.outputs_agree
    assert "identical" in printed(diff)
    assert to_dict(diff)["identical"] is True


def test_json_has_everything_and_a_version() -> None:
    found = to_dict(changed_to(("(0.5, 0.25)", "(0.5, 0.75)")))
    assert found["schema_version"] == 1
    assert found["outputs_agree"] is False
    assert found["numbers"]["first"]["tensor"]["name"] == "bias"
    assert [gap["name"] for gap in found["numbers"]["tensors"]] == ["dense", "bias", "act", "y"]
    assert found["structure"]["changed"][0]["fields"][0]["max_abs"] == 0.5
