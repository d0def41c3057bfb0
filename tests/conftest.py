"""Shared fixtures: where the real models and data lie, when this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and data: $TFMOBILE_SHARED, else ../shared beside the project. Skips when absent."""
    folder = Path(os.environ.get("TFMOBILE_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real models and data are not on this machine ({folder}); set TFMOBILE_SHARED")
    return folder
