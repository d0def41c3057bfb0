"""The common preprocessings of pictures, as the options that give them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets.spec import Preprocessing
from tfmobile.graph.model import Array

Channels: TypeAlias = tuple[float, ...]
Order: TypeAlias = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Scaling:
    """Real input = (pixel − mean) / std, with pixels 0 to 255; one value, or one for each of red, green and blue."""

    name: str
    mean: Channels
    std: Channels


@dataclass(frozen=True)
class Unit:
    """How pixels are stored: pixel = ``factor`` · stored + ``shift``."""

    name: str
    factor: float
    shift: float


@dataclass(frozen=True)
class Candidate:
    """One preprocessing to try; ``per_sample``: every sample by its own mean and deviation, which no option gives."""

    name: str
    preprocessing: Preprocessing
    per_sample: bool = False
    present: bool = False


SCALINGS: tuple[Scaling, ...] = (
    Scaling("0 to 255", (0.0,), (1.0,)),
    Scaling("0 to 1", (0.0,), (255.0,)),
    Scaling("−1 to 1", (127.5,), (127.5,)),
    Scaling("(x − 127) / 128", (127.0,), (128.0,)),
    Scaling("ImageNet mean and deviation", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    Scaling("ImageNet mean only", (123.68, 116.779, 103.939), (1.0,)),
)
"""What published networks were trained on: TF-Slim, torchvision, Keras applications (modes tf, torch and caffe)."""
PER_SAMPLE = "each picture by its own mean and deviation"
UNITS = {
    "bytes": Unit("0 to 255", 1.0, 0.0),
    "unit": Unit("0 to 1", 255.0, 0.0),
    "signed": Unit("−1 to 1", 127.5, 127.5),
}
SLACK = 0.02


def unit_of(samples: Iterable[Sample]) -> Unit | None:
    """How the pixels of the samples are stored, by their values; None when that is no usual way."""
    arrays = [np.asarray(value) for sample in samples for value in _arrays(sample) if np.asarray(value).size]
    if not arrays:
        return None
    if all(array.dtype == np.uint8 for array in arrays):
        return UNITS["bytes"]
    low, high = min(float(array.min()) for array in arrays), max(float(array.max()) for array in arrays)
    if low >= 0 and high <= 1 + SLACK:
        return UNITS["unit"]
    if low >= -1 - SLACK and high <= 1 + SLACK:
        return UNITS["signed"]
    return UNITS["bytes"] if low >= 0 and 16 < high <= 255 + SLACK else None


def _arrays(sample: Sample) -> tuple[Array, ...]:
    return sample.values if isinstance(sample.values, tuple) else tuple(sample.values.values())


def candidates(present: Preprocessing, unit: Unit | None, channels: int) -> tuple[Candidate, ...]:
    """The present preprocessing first, then the common scalings, each also with red and blue exchanged.

    ``channels``: of a picture, 0 where samples are none; then only the values as they are stored are tried.
    """
    tries = [Candidate(_name(present, unit), present, present=True)]
    orders: list[Order | None] = ["rgb", "bgr"] if channels == 3 else [None]
    if channels == 3:
        tries.append(_exchanged(present, unit))
    for scaling in SCALINGS if channels else ():
        if unit is None or (len(scaling.mean) > 1 and channels != 3):
            continue
        tries += [Candidate(_titled(scaling.name, order), _options(scaling, unit, order, present)) for order in orders]
    plain = dataclasses.replace(present, mean=(), std=())
    if unit is None or not channels:
        tries.append(Candidate("as stored", plain))
    if channels:
        orders = orders[:1]
        tries += [
            Candidate(PER_SAMPLE, dataclasses.replace(plain, color=order or plain.color), True) for order in orders
        ]
    return _distinct(tries)


def _titled(name: str, order: str | None) -> str:
    return f"{name}, {order.upper()}" if order else name


def _options(scaling: Scaling, unit: Unit, order: Order | None, present: Preprocessing) -> Preprocessing:
    """The scaling in stored units: (a·s + b − m) / d = (s − (m − b)/a) / (d/a); channels in the order they are fed."""
    step = -1 if order == "bgr" else 1
    mean = tuple(_short((value - unit.shift) / unit.factor) for value in scaling.mean[::step])
    std = tuple(_short(value / unit.factor) for value in scaling.std[::step])
    if not any(mean):
        mean = ()
    if set(std) == {1.0}:
        std = ()
    color = order if order == "bgr" or present.color == "bgr" else present.color
    return dataclasses.replace(present, mean=mean, std=std, color=color or present.color)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _exchanged(plan: Preprocessing, unit: Unit | None) -> Candidate:
    """The same with red and blue exchanged: every channel keeps its scaling, and the two change places."""
    order: Order = "rgb" if plan.color == "bgr" else "bgr"
    swapped = dataclasses.replace(plan, color=order, mean=plan.mean[::-1], std=plan.std[::-1])
    name = _name(swapped, unit)
    return Candidate(name if name.endswith(order.upper()) else f"{name}, {order.upper()}", swapped)


def _distinct(tries: list[Candidate]) -> tuple[Candidate, ...]:
    """Without those that do the same as an earlier one, whose name the earlier one takes if it is the present."""
    found: dict[tuple[object, ...], Candidate] = {}
    for one in tries:
        key = _key(one)
        if key not in found:
            found[key] = one
    return tuple(found.values())


def _key(one: Candidate) -> tuple[object, ...]:
    plan = one.preprocessing
    mean = plan.mean if any(plan.mean) else ()
    std = plan.std if set(plan.std) != {1.0} else ()
    return _single(mean), _single(std), "rgb" if plan.color is None else plan.color, one.per_sample


def _single(values: Channels) -> Channels:
    return values[:1] if len(set(values)) == 1 else values


def _name(present: Preprocessing, unit: Unit | None) -> str:
    """The common name of the present preprocessing, if it has one."""
    order: Order | None = present.color if present.color in ("rgb", "bgr") else None
    for scaling in SCALINGS if unit else ():
        assert unit is not None
        if _key(Candidate("", _options(scaling, unit, order, present))) == _key(Candidate("", present)):
            return _titled(scaling.name, order)
    return "as now" if present.mean or present.std else "as stored"


def typed(plan: Preprocessing) -> str:
    """The scaling and colour order as options: ``--mean 127.5 --std 127.5``; "" where none is set."""
    return " ".join(f"--{name} {value}" for name, value in _settings(plan).items())


def advice(best: Preprocessing, now: Preprocessing) -> str:
    """What to change in ``now`` to get the scaling and colour order of ``best``, as a sentence."""
    wanted, present = _settings(best), _settings(now)
    given = [f"--{name} {value}" for name, value in wanted.items() if present.get(name) != value]
    left = [f"--{name} {value}" for name, value in present.items() if name not in wanted]
    parts = [f"give {' '.join(given)}"] if given else []
    parts += [f"leave {' '.join(left)} out"] if left else []
    text = " and ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _settings(plan: Preprocessing) -> dict[str, str]:
    found = {name: _spell(values) for name, values in (("mean", plan.mean), ("std", plan.std)) if values}
    return {**found, "color": plan.color} if plan.color else found


def _spell(values: Channels) -> str:
    return ",".join(f"{value:g}" for value in _single(values))
