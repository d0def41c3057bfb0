"""The drawing of pipeline_scale.py: seconds over nodes, both logarithmic, and memory over the size of the file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.pipeline_scale import Run

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = (62, 430), (520, 740), 44, 330
COLOURS = {"load": "#8a6d1d", "all passes": "#1f5fa8", "verification": "#9a3a6b"}
STYLE = "text{font:12px sans-serif;fill:#222}.soft{fill:#666}.grid{stroke:#ddd}.bar{stroke:#b00;stroke-dasharray:5 4}"


class Axis:
    """A value's place between two ends in the drawing; logarithmic or from zero."""

    def __init__(self, low: float, high: float, start: float, end: float, *, logarithmic: bool = True) -> None:
        self._read = math.log10 if logarithmic else float
        self._low, self._high = self._read(low), self._read(high)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (self._read(value) - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)


def draw(runs: Sequence[Run]) -> str:
    """The SVG."""
    x_ends = runs[0].nodes * 0.8, runs[-1].nodes * 1.25
    body = [*_times(runs, x_ends), *_memory(runs, x_ends)]
    label = "Seconds of loading, passes and verification, and peak memory, for graphs of growing size"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">\n'
        f'<style>{STYLE}</style>\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _times(runs: Sequence[Run], x_ends: tuple[float, float]) -> list[str]:
    values = {
        "load": [run.load_s for run in runs],
        "all passes": [run.passes_s for run in runs],
        "verification": [run.verify_s for run in runs],
    }
    flat = [value for line in values.values() for value in line]
    powers = range(math.floor(math.log10(min(flat))), math.ceil(math.log10(max(flat))) + 1)
    x = Axis(*x_ends, *LEFT)
    y = Axis(10.0 ** powers[0], 10.0 ** powers[-1], BOTTOM, TOP)
    body = [_text(LEFT[0], 20, "Seconds (dotted: linear)")]
    for power in powers:
        body.append(_line(LEFT[0], y(10.0**power), LEFT[1], y(10.0**power), "grid"))
        body.append(_text(LEFT[0] - 6, y(10.0**power) + 4, f"{10.0**power:g}", "soft", "end"))
    body += _nodes(runs, x)
    middle = len(runs) // 2
    slope = values["all passes"][middle] / runs[middle].nodes
    first, last = (one.nodes for one in (runs[0], runs[-1]))
    body.append(
        f'<line x1="{x(first)}" y1="{y(slope * first)}" x2="{x(last)}" y2="{y(slope * last)}" '
        'stroke="#1f5fa8" stroke-dasharray="1 5" stroke-width="2"/>'
    )
    for name, line in values.items():
        body.append(_curve([(x(run.nodes), y(value)) for run, value in zip(runs, line, strict=True)], COLOURS[name]))
    for place, name in enumerate(COLOURS):
        body.append(
            f'<rect x="{LEFT[0] + 12}" y="{TOP + 8 + place * 18}" width="12" height="4" fill="{COLOURS[name]}"/>'
        )
        body.append(_text(LEFT[0] + 30, TOP + 14 + place * 18, name))
    return body


def _memory(runs: Sequence[Run], x_ends: tuple[float, float]) -> list[str]:
    top = max(4.0, *(run.memory_ratio for run in runs))
    x = Axis(*x_ends, *RIGHT)
    y = Axis(0, top, BOTTOM, TOP, logarithmic=False)
    body = [_text(RIGHT[0], 20, "Peak memory / file size")]
    for value in range(math.floor(top) + 1):
        body.append(_line(RIGHT[0], y(value), RIGHT[1], y(value), "bar" if value == 3 else "grid"))
        body.append(_text(RIGHT[0] - 6, y(value) + 4, str(value), "soft", "end"))
    body += _nodes(runs, x, every=2)
    body.append(_curve([(x(run.nodes), y(run.memory_ratio)) for run in runs], COLOURS["all passes"]))
    return body


def _nodes(runs: Sequence[Run], x: Axis, every: int = 1) -> list[str]:
    shown = list(runs)[::-1][::every]
    labels = [_text(x(run.nodes), BOTTOM + 18, f"{run.nodes / 1000:.1f}k", "soft", "middle") for run in shown]
    return [*labels, _text(x(runs[0].nodes), BOTTOM + 38, "nodes", "soft")]


def _curve(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{a},{b}" for a, b in points)
    dots = "".join(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>'


def _text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'
