"""What the models are fed: the user's samples in turn, else seeded random values from the range of the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.errors import DataError
from tfmobile.graph.model import Array

MOST_SAMPLES = 16
RANDOM_SAMPLES = 8

Range = tuple[float, float]
Feeds = Sequence[Mapping[str, Array]]


@dataclass(frozen=True)
class Port:
    """An input as the child told it: ``fact.name`` is the signature's key, ``tensor`` the tensor's name."""

    fact: TensorFact
    tensor: str


def ports(rows: Sequence[Mapping[str, Any]]) -> tuple[Port, ...]:
    """The inputs in a runner's answer to ``load``, in the order of the model."""
    return tuple(
        Port(
            TensorFact(
                name=row["key"],
                shape=tuple(-1 if size is None else size for size in row["shape"] or ()),
                dtype=row["dtype"],
                scale=row.get("scale", 0.0),
                zero_point=row.get("zero_point", 0),
            ),
            row.get("name", row["key"]),
        )
        for row in rows
    )


def arrange(feeds: Feeds, wanted: Sequence[Port], model: str) -> list[list[Array]]:
    """The samples' arrays in the order of the model's inputs: by key, else by tensor name, else by position.

    Raises DataError when an array is missing or has another shape than the input.
    """
    return [[_fitting(feed, position, wanted, model) for position in range(len(wanted))] for feed in feeds]


def _fitting(feed: Mapping[str, Array], position: int, wanted: Sequence[Port], model: str) -> Array:
    port = wanted[position]
    keys, tensors = {one.fact.name for one in wanted}, {one.tensor for one in wanted}
    if keys <= feed.keys():
        array = np.asarray(feed[port.fact.name])
    elif tensors <= feed.keys():
        array = np.asarray(feed[port.tensor])
    elif len(feed) == len(wanted):
        array = np.asarray(list(feed.values())[position])
    else:
        raise DataError(
            f"The samples do not fit the inputs of {model}.",
            why=f"It has {', '.join(keys)}; the samples have {', '.join(feed) or 'none'}.",
            fixes=["Name the arrays of the data like the inputs of the model.", "Leave out --data."],
        )
    if len(array.shape) != len(port.fact.shape) or any(
        want not in (-1, have) for want, have in zip(port.fact.shape, array.shape, strict=True)
    ):
        raise DataError(
            f"A sample for input '{port.fact.name}' of {model} has the wrong shape.",
            why=f"Found {list(array.shape)}, the model wants {list(port.fact.shape)}.",
            fixes=["Resize the data: --resize HxW", "Leave out --data."],
        )
    return array


def ranges(models: Sequence[Sequence[Port]]) -> dict[str, Range]:
    """The range of random values by input key: what a quantized model's input can represent, else a convention."""
    found: dict[str, Range] = {}
    for port in (port for model in models for port in model):
        if port.fact.scale and port.fact.name not in found:
            limits = np.iinfo(port.fact.dtype)
            low, high = ((int(limit) - port.fact.zero_point) * port.fact.scale for limit in (limits.min, limits.max))
            found[port.fact.name] = (low, high)
    for port in (port for model in models for port in model):
        found.setdefault(port.fact.name, _convention(port.fact.dtype))
    return found


def _convention(dtype: str) -> Range:
    if dtype in ("uint8", "int8"):
        return (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if dtype in ("string", "bool") or np.dtype(dtype).kind in "iu":
        return (0, 1)  # token numbers, lengths, flags: larger ones may be out of bounds
    return (-1.0, 1.0)


def random_feeds(model: Sequence[Port], values: Mapping[str, Range], seed: int) -> list[list[Array]]:
    """Samples for one model; models with equal shapes get equal values."""
    return [
        [_random(port.fact, values[port.fact.name], np.random.default_rng((seed, sample, position)))
         for position, port in enumerate(model)]
        for sample in range(RANDOM_SAMPLES)
    ]  # fmt: skip


def _random(fact: TensorFact, span: Range, generator: np.random.Generator) -> Array:
    shape = tuple(max(size, 1) for size in fact.shape)
    if fact.dtype == "string":
        return np.full(shape, b"a", "S1")
    kind = np.dtype(fact.dtype)
    if kind.kind == "b":
        return generator.integers(0, 2, shape).astype(kind)
    if kind.kind in "iu" and not fact.scale:
        return generator.integers(int(span[0]), int(span[1]), shape, endpoint=True).astype(kind)
    real = generator.uniform(span[0], span[1], shape)
    return real.astype(kind if kind.kind in "fc" else np.float32)


def describe_random(values: Mapping[str, Range]) -> str:
    """``8 random samples, seeded (image: −1 to 1)``."""
    spans = ", ".join(f"{key}: {_number(low)} to {_number(high)}" for key, (low, high) in values.items())
    return f"{RANDOM_SAMPLES} random samples, seeded ({spans})"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def write(path: Path, samples: Sequence[Sequence[Array]]) -> None:
    """The file that ``feed`` of the runners reads: arrays named SAMPLE.INPUT."""
    named = {f"{n}.{k}": array for n, sample in enumerate(samples) for k, array in enumerate(sample)}
    np.savez(path, **named)  # type: ignore[arg-type]
