"""A recipe written as TOML is the same recipe again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmobile.quantization import recipe, recipe_names
from tfmobile.search.recipe_text import recipe_text


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_with_tfmobile(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.toml"
    file.write_text(recipe_text(recipe(name)), encoding="utf-8")
    assert recipe(str(file)) == recipe(name)


@settings(deadline=None, max_examples=30)
@given(layers=st.lists(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1), max_size=4, unique=True))
def test_layers_of_any_name(layers: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("recipes") / "mixed.toml"
    mixed = dataclasses.replace(
        recipe("int8"), name="mixed", improve=("correct-bias",), gate="none", precision=dict.fromkeys(layers, "float16")
    )
    file.write_bytes(recipe_text(mixed).encode())
    assert recipe(str(file)) == mixed
