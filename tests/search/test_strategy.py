"""What is tried, in which order: the strategy is driven by hand, without any model."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tfmobile.quantization import recipe
from tfmobile.search.strategy import Candidate, Space, Tried, propose

LAYERS = tuple(f"layer_{index}" for index in range(20))
BASES = (recipe("int8-fast"), recipe("int8"), recipe("int8-best"))
FALLBACKS = ((recipe("dynamic-int8"), recipe("float16")), (recipe("float32"),))


def drive(
    within: Callable[[Candidate], bool], *, space: Space | None = None, layers: tuple[str, ...] = LAYERS
) -> list[list[str]]:
    """The names of every batch, when ``within`` decides."""
    proposals = propose(space or Space(BASES, FALLBACKS), lambda tried: layers)
    batches: list[list[str]] = []
    batch = next(proposals)
    try:
        while True:
            batches.append([one.name for one in batch])
            batch = proposals.send(tuple(outcome(one, within(one)) for one in batch))
    except StopIteration:
        return batches


def outcome(candidate: Candidate, within: bool) -> Tried:
    excess = -0.1 if within else {"int8-fast": 4.0, "int8": 2.0, "int8-best": 1.0}.get(candidate.name, 3.0)
    return Tried(candidate, "within" if within else "beyond", excess, candidate.recipe)


def test_what_is_within_at_once_ends_the_search() -> None:
    assert drive(lambda one: one.name == "int8") == [["int8-fast", "int8"]]


def test_more_work_comes_before_more_bits() -> None:
    assert drive(lambda one: one.name == "int8-best") == [["int8-fast", "int8"], ["int8-best"]]


def test_layers_grow_in_doubling_steps_on_the_best_recipe_and_shrink_again() -> None:
    batches = drive(lambda one: "layer_4" in one.higher)
    assert batches[2:4] == [
        ["int8-best-1-float16", "int8-best-2-float16"],
        ["int8-best-4-float16", "int8-best-8-float16"],
    ]
    assert batches[4:6] == [["int8-best-6-float16"], ["int8-best-5-float16"]]
    # Then one layer after the other goes back to 8 bits, the least useful first.
    assert [names[0] for names in batches[6:]] == [
        "int8-best-4-float16-2",
        "int8-best-3-float16",
        "int8-best-2-float16-2",
        "int8-best-1-float16-2",
    ]


def test_without_a_mixture_recipes_with_more_bits_are_tried_to_the_last() -> None:
    assert drive(lambda one: one.name == "float32", layers=())[-2:] == [["dynamic-int8", "float16"], ["float32"]]
    assert drive(lambda one: False)[-1] == ["float32"]


def test_a_mixture_of_many_layers_is_compared_with_whole_recipes_of_more_bits() -> None:
    batches = drive(lambda one: len(one.higher) >= 7 or one.name == "float16")
    assert ["dynamic-int8", "float16"] in batches
    assert ["float32"] not in batches


def test_layers_are_mixed_into_a_recipe_of_8_bit_activations_only() -> None:
    first = (*BASES[:2], recipe("weight-int4"))
    proposals = propose(Space(first, (), first=3), lambda tried: LAYERS)
    batch = next(proposals)
    tried = tuple(Tried(one, "beyond", -0.5 if one.name == "weight-int4" else 2.0, one.recipe) for one in batch)
    assert [one.name for one in proposals.send(tried)] == ["int8-fast-1-float16", "int8-fast-2-float16"]


def test_a_target_without_mixtures_goes_on_to_other_recipes() -> None:
    batches = drive(lambda one: one.name == "float16", space=Space(BASES, FALLBACKS, mixing=False))
    assert batches == [["int8-fast", "int8"], ["int8-best"], ["dynamic-int8", "float16"]]


def test_what_may_be_faster_is_tried_although_something_is_within() -> None:
    space = Space(BASES, FALLBACKS, rivals=(recipe("float16"),))
    assert drive(lambda one: one.name == "int8", space=space) == [["int8-fast", "int8"], ["float16"]]
    assert drive(lambda one: False, space=space, layers=())[-2:] == [["dynamic-int8", "float16"], ["float32"]]


def test_at_most_half_of_the_layers_get_more_bits() -> None:
    batches = drive(lambda one: one.name == "float16")
    assert max(len(name) for name in batches) <= 2
    assert ["int8-best-10-float16"] in batches


def test_when_all_8_bit_candidates_failed_there_is_nothing_to_mix() -> None:
    proposals = propose(Space(BASES[:2], FALLBACKS), lambda tried: LAYERS)
    batch = next(proposals)
    failed = tuple(Tried(one, "failed", float("inf"), one.recipe) for one in batch)
    assert [one.name for one in proposals.send(failed)] == ["dynamic-int8", "float16"]


@given(needed=st.sets(st.sampled_from(LAYERS[:10]), min_size=1, max_size=6), width=st.integers(1, 4))
def test_the_layers_that_are_needed_are_found_and_only_those(needed: set[str], width: int) -> None:
    last: dict[str, Candidate] = {}

    def within(one: Candidate) -> bool:
        found = needed <= set(one.higher)
        if found:
            last["within"] = min([one, *last.values()], key=lambda each: len(each.higher))
        return found

    batches = drive(within, space=Space(BASES[:1], (), width=width))
    assert set(last["within"].higher) == needed
    names = [name for batch in batches for name in batch]
    assert len(names) == len(set(names)), "two candidates have the same name"
    assert len(names) < 2 * len(LAYERS) + 4
