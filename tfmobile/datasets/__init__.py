"""Data sets: detected by what is there, streamed, preprocessed by one definition.

``open_dataset(spec)`` gives the samples as they are stored, ``feed`` makes of one what a model's inputs want.
"""

from __future__ import annotations

from tfmobile.datasets.feeding import feed as feed
from tfmobile.datasets.preprocessing import describe as describe
from tfmobile.datasets.preprocessing import parse_channels as parse_channels
from tfmobile.datasets.preprocessing import parse_size as parse_size
from tfmobile.datasets.preprocessing import preprocess as preprocess
from tfmobile.datasets.preprocessing import to_dict as to_dict
from tfmobile.datasets.preprocessing import validate as validate
from tfmobile.datasets.recognition import SOURCES as SOURCES
from tfmobile.datasets.recognition import recognise
from tfmobile.datasets.source import select
from tfmobile.datasets.spec import Dataset as Dataset
from tfmobile.datasets.spec import DataSpec as DataSpec
from tfmobile.datasets.spec import Preprocessing as Preprocessing
from tfmobile.datasets.thumbnails import thumbnail as thumbnail


def open_dataset(spec: DataSpec) -> Dataset:
    """The data set at ``spec.path``.

    Raises DataError (missing, empty, damaged, bad labels) or UsageError (options that fit no sample).
    """
    validate(spec.preprocessing)
    return select(recognise(spec.path).open(spec), spec)
