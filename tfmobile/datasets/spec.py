"""What a data set is, as data: picklable, so that worker processes open it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tfmobile.artifacts import Sample


@dataclass(frozen=True)
class Preprocessing:
    """From a stored sample to the model's real input: crop → resize → colour order → (x − mean)/std → layout.

    ``mean`` and ``std`` are in stored units (pixels 0..255): one value, or one per channel. Empty means not applied.
    ``resize`` is height, width. ``central_crop`` is the kept fraction of each side, 0 < f ≤ 1.
    """

    resize: tuple[int, ...] = ()
    central_crop: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    color: Literal["rgb", "bgr", "gray"] | None = None
    layout: Literal["nhwc", "nchw"] = "nhwc"


@dataclass(frozen=True)
class DataSpec:
    """Where samples come from and what is done to them.

    ``path``: a folder of class folders, a folder with ``labels.csv`` (file,label), a folder of pictures (``images/`` or
    flat, no labels), an ``.npz``/``.npy``, a TFRecord file of Examples, or ``module:callable``.
    ``labels``: a text file with one class name a line, in the order of the model's outputs.
    ``label_offset`` is added to every stored class number.
    ``limit``: use this many samples, evenly spread over the set.
    ``x_key`` and ``y_key`` name the arrays of an .npz or the features of an Example; ``x_key`` may list several, with
    commas, for a model with several inputs.
    """

    path: str
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    labels: str | None = None
    label_offset: int = 0
    limit: int | None = None
    x_key: str = "x"
    y_key: str = "y"


class Dataset(Protocol):
    """Samples in a fixed order, streamed; nothing holds the whole set as float."""

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about how the data was read."""
        ...

    @property
    def concurrent(self) -> bool:
        """Whether several processes may each read a part; False for a Python iterator, whose order may not repeat."""
        ...

    def __len__(self) -> int: ...

    def read(self, position: int) -> Sample:
        """The sample at ``position`` among the used ones, raw. Ascending positions are cheap for every source."""
        ...

    def iterate(self, shard: int = 0, shards: int = 1) -> Iterator[tuple[int, Sample]]:
        """(position, sample) for the samples whose position among the used ones ≡ shard (mod shards). Raw values."""
        ...
