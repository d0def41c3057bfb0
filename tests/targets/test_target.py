from __future__ import annotations

import pytest

from tfmobile.errors import UnknownNameError
from tfmobile.targets import target, target_names

NAMES = ("android", "cpu", "edge-tpu", "ios", "microcontroller", "raspberry-pi", "raspberry-pi-32")


def test_the_targets_are_the_files_in_the_folder() -> None:
    assert target_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_target_is_a_valid_row_and_recommends_a_recipe_it_runs(name: str) -> None:
    from tfmobile.quantization import recipe_names

    found = target(name)
    assert found.name == name
    assert found.summary.endswith(".")
    assert set(found.recipes) <= set(recipe_names())
    assert found.recommended in (found.recipes or recipe_names())


def test_an_unknown_target_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as caught:
        target("edge_tpu")
    assert "edge-tpu" in caught.value.fixes[0]
