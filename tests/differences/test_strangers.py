"""Which tensors that differ are no counterparts of each other."""

from __future__ import annotations

from tests.differences.models import NETWORK
from tfmobile.differences.facts import TensorGap
from tfmobile.differences.graph_side import GraphSide
from tfmobile.differences.strangers import strangers
from tfmobile.graph.model import TensorRef
from tfmobile.graph.text_parser import parse_graph

SIDE = GraphSide(parse_graph(NETWORK))


def gaps(**snr_db: float | None) -> dict[TensorRef, TensorGap]:
    """Tensors of the network that differ with this ratio, or agree (None); those in capitals had another name."""
    found = {}
    for key, noise in snr_db.items():
        name = key.lower()
        ours = f"old_{name}" if key.isupper() else name
        found[TensorRef(name)] = TensorGap(ours, name, "Op", (1,), (1,), 1.0, 0.5, noise, None, noise is not None)
    return found


def odd(*discrete: str, across: bool = False, **snr_db: float | None) -> set[str]:
    refs = {TensorRef(name) for name in discrete}
    return {ref.node for ref in strangers(SIDE, gaps(**snr_db), refs, across_kinds=across)}


def test_a_renamed_tensor_is_a_stranger_when_what_reads_it_agrees() -> None:
    assert odd(DENSE=3.0, bias=None, act=None) == {"dense"}


def test_one_of_the_same_name_never_is_in_two_graphs() -> None:
    assert odd(dense=3.0, bias=None) == set()
    assert odd(dense=3.0, bias=None, across=True) == {"dense"}


def test_what_is_read_by_one_that_differs_is_none() -> None:
    assert odd(DENSE=3.0, bias=3.0, act=None) == set()


def test_strangers_may_follow_each_other() -> None:
    assert odd(DENSE=3.0, BIAS=4.0, act=None) == {"dense", "bias"}


def test_the_last_one_is_none_because_nothing_proves_it() -> None:
    assert odd(DENSE=3.0, BIAS=4.0) == set()


def test_that_integers_agree_proves_nothing() -> None:
    assert odd("bias", DENSE=3.0, bias=None) == set()


def test_very_much_closer_is_as_good_as_agreeing_between_graphs_only() -> None:
    assert odd(DENSE=-10.0, bias=30.0) == {"dense"}
    assert odd(DENSE=-10.0, bias=10.0) == set()
    assert odd(DENSE=-10.0, bias=30.0, across=True) == set()
