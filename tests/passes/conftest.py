"""What tests of several passes need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def dataflow_control() -> Iterator[None]:
    """TF1 conditionals: Switch and Merge."""
    import tensorflow as tf

    tf.compat.v1.disable_control_flow_v2()
    yield
    tf.compat.v1.enable_control_flow_v2()
