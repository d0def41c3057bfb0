"""report.html: self-contained, safe with hostile names, complete."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import itertools
import re
from html.parser import HTMLParser

import pytest

from tests.reporting import build
from tfmobile.artifacts import Report
from tfmobile.reporting import formatting, to_html

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; background:url(https://evil.example/x)",
    "{{ 7*7 }}",
]
NAMES = ["realistic", "minimal", "slower", "ten_classes"]
_VOID = {"meta", "img", "br", "input", "link", "hr"}


def report(name: str) -> Report:
    found: Report = getattr(build, name)()
    return found


class Page(HTMLParser):
    """Tags with their attributes, and whether they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_loaded_from_anywhere(name: str) -> None:
    page = to_html(report(name))
    for tag, attributes in Page(page).tags:
        for key in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(key, "#")[:1] == "#" or attributes[key].startswith("data:image/"), (tag, attributes)
    assert not re.search(r"url\(\s*['\"]?(?!data:)", page)
    assert "@import" not in page
    assert not re.search(r"(src|href)\s*=\s*['\"]?(https?:)?//", page)


@pytest.mark.parametrize("name", NAMES)
def test_every_tag_is_closed_in_order_and_no_attribute_holds_style_or_script(name: str) -> None:
    page = Page(to_html(report(name)))
    assert page.open == []
    assert not any(key == "style" or key.startswith("on") for _, attributes in page.tags for key in attributes)


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_text_stays_text(attack: str) -> None:
    page = to_html(build.hostile(attack))
    clean = Page(to_html(build.realistic()))
    tags = Page(page)
    assert tags.open == []
    assert sum(tag == "script" for tag, _ in tags.tags) == 1
    assert not any(tag == "img" for tag, _ in tags.tags), "a thumbnail that is no plain picture is dropped"
    assert {tag for tag, _ in tags.tags} <= {tag for tag, _ in clean.tags}
    assert not any(key.startswith("on") for _, attributes in tags.tags for key in attributes)
    assert html.escape(attack, quote=False)[:8] in page or attack in tags.text


def test_the_policy_names_exactly_the_pages_own_style_and_script() -> None:
    page = to_html(build.realistic())
    policy = next(attributes["content"] for _, attributes in Page(page).tags if "http-equiv" in attributes)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_is_small() -> None:
    assert len(to_html(build.realistic()).encode()) < 1_500_000


def shown(page: str) -> str:
    return Page(page).text.replace("\u00a0", " ")


def test_every_fact_of_the_run_is_on_the_page() -> None:
    found = build.realistic()
    assert found.rewrite is not None
    assert found.evaluation is not None
    assert found.latency is not None
    assert found.calibration is not None
    text = shown(to_html(found))
    facts = [
        found.command,
        found.created,
        found.target,
        found.source.sha256,
        found.source.summary,
        "int8",
        *found.notes,
    ]
    facts += [f"{name}{version}" for name, version in found.versions.items()]
    for step in found.rewrite.steps:
        facts += [step.name, *step.changed, *step.skipped, formatting.small(step.max_abs)]
    facts += ["refused", "First differing node: MobilenetV1/Logits/Squeeze"]
    facts += [one.what for one in found.differences] + [step.name for step in found.steps]
    for row in found.latency.rows:
        facts += [
            formatting.milliseconds(value) for value in (row.p50_ms, row.p90_ms, row.p99_ms, row.mean_ms, row.init_ms)
        ]
        facts += [formatting.size(row.peak_memory_bytes), formatting.size(row.model_memory_bytes)]
    facts += [*found.latency.host.values(), *found.latency.notes, found.latency.inputs]
    facts += [one.name for one in found.evaluation.comparisons[0].changed] + [*found.evaluation.notes]
    facts += ["−0.4 points", "−1.6 to +0.8", "95.2 %", "McNemar", "0.52", "24.3 dB", "0.99812", "64.6 %", "85.0 %"]
    facts += [one.name for one in found.layer_errors] + [formatting.decibels(one.snr_db) for one in found.layer_errors]
    facts += [op.reason for op in found.optimized.left_float] + [op.op for op in found.optimized.ops]
    facts += [tensor.name for tensor in (*found.optimized.inputs, *found.optimized.outputs)] + ["0.0078125", "−1"]
    facts += ["1 × 224 × 224 × 3", "(x − 127.5) / 127.5", "87.5 %", *found.calibration.notes, found.calibration.source]
    facts += ["500 samples", "3.40 ms", "8 invocations", *found.optimized.notes, *found.source.notes]
    missing = [fact for fact in facts if fact not in text]
    assert missing == []


def test_all_plots_are_drawn_and_described() -> None:
    labels = [
        attributes["aria-label"]
        for tag, attributes in Page(to_html(build.realistic())).tags
        if tag == "svg" and "aria-label" in attributes
    ]
    starts = (
        "Bytes of weights by layer",
        "Distribution of the time",
        "Signal-to-noise ratio",
        "Change of correct answers",
        "Operators by",
    )
    for start in starts:
        assert sum(label.startswith(start) for label in labels) == 2, start
    ten = to_html(build.ten_classes())
    assert ten.count("Confusion matrix of the") == 4
    assert "Confusion matrix" not in to_html(build.realistic()), "100 classes are too many to draw"


def test_what_was_not_measured_is_named_and_random_calibration_is_an_alert() -> None:
    page = Page(to_html(build.minimal()))
    text = page.text.replace("\u00a0", " ")
    assert "Accuracy was not measured: no --data was given." in text
    assert "random numbers, not your data" in text
    assert any(attributes.get("role") == "alert" for _, attributes in page.tags)
    assert not any(attributes.get("id") in ("accuracy", "latency") for _, attributes in page.tags)


def test_marks_say_right_and_wrong_in_words() -> None:
    text = shown(to_html(build.realistic()))
    for words in ("now wrong", "now right", "both wrong"):
        assert words in text
    assert "✓ right" in text
    assert "✕ wrong" in text


def test_headings_never_skip_a_level_and_ids_are_unique() -> None:
    page = Page(to_html(build.ten_classes()))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_report_with_hardly_anything_still_renders() -> None:
    found = build.minimal()
    empty = {"calibration": None, "notes": (), "versions": {}, "steps": (), "recipe": {}}
    models = {name: dataclasses.replace(getattr(found, name), ops=()) for name in ("original", "optimized")}
    bare = dataclasses.replace(found, **empty, **models)
    assert Page(to_html(bare)).open == []


def _luminance(color: str) -> float:
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_and_bars_can_be_seen(theme: int) -> None:
    style = re.search(r"<style>(.*?)</style>", to_html(build.minimal()), re.DOTALL)
    assert style is not None
    block = re.findall(r"\{[^{}]*--page[^{}]*\}", style.group(1))[theme]
    colors = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
    for ink, ground in (
        ("text", "page"),
        ("text", "surface"),
        ("muted", "page"),
        ("muted", "surface"),
        ("optimized", "surface"),
    ):
        assert _contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    for tone in ("good", "caution", "bad", "neutral"):
        assert _contrast(colors[tone], colors[f"{tone}-soft"]) >= 4.5, tone
        assert _contrast(colors["surface"], colors[tone]) >= 4.5, f"icon on {tone}"
    assert _contrast(colors["original"], colors["surface"]) >= 3


def test_a_pass_that_found_nothing_says_so_and_an_unmeasured_one_is_not_called_verified() -> None:
    found = build.realistic()
    assert found.rewrite is not None
    idle = dataclasses.replace(found.rewrite.steps[0], nodes_before=7, nodes_after=7, changed=())
    unmeasured = dataclasses.replace(found.rewrite.steps[1], max_abs=None, max_rel=None, reason="no sample inputs")
    steps = dataclasses.replace(found.rewrite, steps=(idle, unmeasured))
    text = shown(to_html(dataclasses.replace(found, rewrite=steps)))
    assert "nothing to do" in text
    assert "not verified" in text
    assert "No sample inputs." in text


def test_an_iso_time_is_written_for_people() -> None:
    page = to_html(dataclasses.replace(build.minimal(), created="2026-11-24T06:53:36+00:00"))
    assert "2026-11-24 06:53 UTC" in page


def test_improvements_are_shown_with_what_they_did_on_held_back_samples() -> None:
    text = shown(to_html(build.realistic()))
    assert "2 of 3 improvements kept, fitted on 375 samples and judged on 125 others." in text
    assert "The divergence from the float answers falls from 0.39 to 0.031 nats." in text
    assert "83.2 % → 95.2 %" in text
    assert "'conv' ends in Relu6." in text
    assert "Improvements" not in shown(to_html(build.minimal()))
