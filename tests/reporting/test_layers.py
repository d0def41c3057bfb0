"""Layers of the original beside those of the optimized model."""

from __future__ import annotations

import dataclasses

from tests.targets.test_preflight import model
from tfmobile.artifacts import OpFact, TFLiteModel
from tfmobile.reporting.layers import layer_sizes


def weighted(*layers: tuple[str, int]) -> TFLiteModel:
    """A model of layers with these outputs and bytes of weights."""
    ops = tuple(OpFact(i, "CONV_2D", name, "integer", weight_bytes=size) for i, (name, size) in enumerate(layers))
    return dataclasses.replace(model(), ops=ops)


def rows(before: TFLiteModel, after: TFLiteModel) -> list[tuple[str, int | None, int | None]]:
    return [(one.name.split(";")[0], one.original_bytes, one.optimized_bytes) for one in layer_sizes(before, after)]


def test_layers_are_paired_whatever_was_fused_into_them() -> None:
    before = weighted(("a/Relu;a/BatchNorm;a/Conv", 400), ("b/Relu;b/biases", 200), ("gone", 8))
    after = weighted(("a/Relu;a/Conv/folded", 100), ("b/Relu", 50))
    assert rows(before, after) == [("a/Relu", 400, 100), ("b/Relu", 200, 50), ("gone", 8, None)]


def test_layers_of_one_name_are_paired_in_order() -> None:
    before, after = weighted(("a;x", 400), ("a;y", 200)), weighted(("a", 100), ("a", 50))
    assert rows(before, after) == [("a", 400, 100), ("a", 200, 50)]


def test_where_names_have_changed_their_order_pairs_them() -> None:
    before, after = weighted(("a", 400), ("b", 200)), weighted(("c", 100), ("d", 50))
    assert rows(before, after) == [("a", 400, 100), ("b", 200, 50)]


def test_a_layer_that_is_new_comes_last() -> None:
    before, after = weighted(("a", 400)), weighted(("new", 4), ("a", 100))
    assert rows(before, after) == [("a", 400, 100), ("new", None, 4)]
