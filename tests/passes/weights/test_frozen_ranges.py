"""freeze-requantization-ranges: from what the graph printed to constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfmobile.errors import DataError, TfmobileError, UnsupportedError
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import make_pass

TEXT = """
input x: float32[4] = x
output y: float32[4] = y
x = Placeholder {dtype=float32, shape=[4]}
low = Const float32[] (-8.0)
high = Const float32[] (8.0)
eight = QuantizeV2(x, low, high) {T=qint32, axis=-1, mode="SCALED", narrow_range=false}
range = RequantizationRange(eight, eight:1, eight:2) {Tinput=qint32}
small = Requantize(eight, eight:1, eight:2, range, range:1) {Tinput=qint32, out_type=quint8}
y = Dequantize(small, small:1, small:2) {T=quint8, mode="MIN_FIRST"}
"""


def _graph() -> Graph:
    return parse_graph(TEXT)


def _frozen(log: Path, rest: str = "") -> tuple[float, float]:
    nodes = make_pass(f'freeze_requantization_ranges(min_max_log_file="{log}"{rest})').apply(_graph()).graph.nodes
    low, high = nodes["range/frozen_min"].value, nodes["range/frozen_max"].value
    assert low is not None
    assert high is not None
    return float(low), float(high)


def test_what_insert_logging_prints_is_understood(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = 'insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:")'
    logging = make_pass(call).apply(_graph()).graph
    answers = []
    for scale in (1.0, 2.0):
        feeds = {"x": scale * np.array([-0.5, 0.0, 1.0, 1.5], np.float32)}
        answers.append(run(logging, feeds)["y"])
    log = tmp_path / "log.txt"
    log.write_text(capfd.readouterr().err, encoding="utf-8")
    low, high = _frozen(log)
    assert low == pytest.approx(-1.0, abs=0.01)
    assert high == pytest.approx(3.0, abs=0.02)
    frozen = make_pass(f'freeze_requantization_ranges(min_max_log_file="{log}")').apply(_graph()).graph
    np.testing.assert_allclose(run(frozen, feeds)["y"], answers[-1], atol=0.02)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", (-19.0, 19.0)),
        (", min_percentile=0, max_percentile=0", (-20.0, 19.0)),
        (", min_percentile=50, max_percentile=50", (-10.0, 10.0)),
        (", min_percentile=100, max_percentile=100", (-1.0, 0.0)),
    ],
)
def test_percentiles_count_as_in_the_original(tmp_path: Path, rest: str, expected: tuple[float, float]) -> None:
    log = tmp_path / "log.txt"
    log.write_text("\n".join(f"x ;range__print__;__requant_min_max:[{-n - 1}][{n}]" for n in range(20)), "utf-8")
    assert _frozen(log, rest) == expected


@pytest.mark.parametrize(
    ("lines", "kind", "says"),
    [
        (None, DataError, "cannot be read"),
        ("nothing to see\n;range__print__;other:[1][2]", DataError, "no ranges"),
        (";gone__print__;__requant_min_max:[0][1]", DataError, "'gone'"),
        (";eight__print__;__requant_min_max:[0][1]", UnsupportedError, "QuantizeV2"),
        (";range__print__;__requant_min_max:[nan][1]", DataError, "no number"),
    ],
)
def test_a_log_that_does_not_fit(tmp_path: Path, lines: str | None, kind: type[TfmobileError], says: str) -> None:
    log = tmp_path / "log.txt"
    if lines is not None:
        log.write_text(lines, encoding="utf-8")
    with pytest.raises(kind, match=says) as found:
        _frozen(log)
    assert found.value.fixes


@pytest.mark.parametrize("rest", [", min_percentile=-1", ", max_percentile=101"])
def test_a_percentile_is_refused(rest: str) -> None:
    with pytest.raises(TfmobileError, match="percentile"):
        make_pass(f"freeze_requantization_ranges(min_max_log_file=log{rest})")


def test_a_log_is_needed() -> None:
    with pytest.raises(TfmobileError, match="min_max_log_file"):
        make_pass("freeze_requantization_ranges")
    with pytest.raises(TfmobileError, match="min_max_log_file"):
        make_pass('freeze_requantization_ranges(min_max_log_file="")')
