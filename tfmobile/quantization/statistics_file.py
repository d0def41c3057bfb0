"""Statistics as the bytes of one .npz file, for the workspace: equal ones give equal bytes, and nothing is pickled."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from tfmobile.artifacts import Statistics, TensorStatistics
from tfmobile.errors import ToolError
from tfmobile.graph.model import Array

_ARRAYS = ("lows", "highs", "counts", "channel_lows", "channel_highs", "channel_means")


def dump(statistics: Statistics) -> bytes:
    """The statistics as bytes: a JSON index, and one array after another."""
    arrays: dict[str, Any] = {}
    tensors = []
    for place, (key, tensor) in enumerate(sorted(statistics.tensors.items())):
        tensors.append({"key": key, "edges": tensor.edges, "below": tensor.below, "above": tensor.above})
        arrays.update((f"{place}/{name}", value) for name in _ARRAYS if (value := getattr(tensor, name)) is not None)
    index = {"tensors": tensors, "samples": statistics.samples, "set_aside": statistics.set_aside}
    index["notes"] = statistics.notes
    arrays["index"] = np.frombuffer(json.dumps(index).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def load(content: bytes) -> Statistics:
    """What ``dump`` was given. Raises ToolError for anything else."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays: dict[str, Array] = dict(stored)
        index = json.loads(arrays["index"].tobytes())
        tensors = {entry["key"]: _tensor(place, entry, arrays) for place, entry in enumerate(index["tensors"])}
        return Statistics(tensors, tuple(index["samples"]), tuple(index["set_aside"]), tuple(index["notes"]))
    except Exception as cause:  # the zip and npy readers answer damage with any exception at all
        raise ToolError(
            "The stored statistics of the calibration samples cannot be read.",
            why=f"{type(cause).__name__}: {cause}",
            fixes=["Measure them again: --fresh"],
        ) from cause


def _tensor(place: int, entry: dict[str, Any], arrays: dict[str, Array]) -> TensorStatistics:
    low, high = entry["edges"]
    found = {name: arrays.get(f"{place}/{name}") for name in _ARRAYS}
    lows, highs, counts = (arrays[f"{place}/{name}"] for name in _ARRAYS[:3])
    return TensorStatistics(
        lows,
        highs,
        (low, high),
        counts,
        entry["below"],
        entry["above"],
        found["channel_lows"],
        found["channel_highs"],
        found["channel_means"],
    )
