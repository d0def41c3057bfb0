"""Stage 1: any TensorFlow model to a frozen Graph (or, for a .tflite, its bytes). One file a format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfmobile import registry
from tfmobile.artifacts import SourceModel
from tfmobile.errors import ModelError, TfmobileError
from tfmobile.loading.files import fingerprint
from tfmobile.loading.identify import Identified, identify
from tfmobile.loading.options import Loaded, Options
from tfmobile.loading.quiet import quiet

__all__ = ["FORMATS", "Identified", "identify", "load"]

FORMATS = {
    "frozen-graph": "tfmobile.loading.frozen_graph:open_model",
    "saved-model": "tfmobile.loading.saved_model:open_model",
    "keras3": "tfmobile.loading.keras3:open_model",
    "keras2": "tfmobile.loading.keras2:open_model",
    "checkpoint": "tfmobile.loading.checkpoint:open_model",
    "tflite": "tfmobile.loading.tflite:open_model",
}


def load(
    path: str | Path,
    *,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | Path | None = None,
    trust: bool = False,
    verbatim: bool = False,
) -> SourceModel:
    """Load a model of any TensorFlow format and freeze it.

    ``format`` (a name of FORMATS) overrides what ``identify`` finds. ``signature`` and ``tags`` choose in a SavedModel.
    ``input`` and ``output`` name signature keys, nodes or tensors, also inside the graph: it is cut there.
    ``input_shape`` holds ``1x224x224x3`` or ``NAME=1x224x224x3``; an open batch size is fixed to 1 by itself.
    ``graph`` is the GraphDef or .meta of a checkpoint that has none. Without ``trust`` nothing that comes from the file
    is executed, and a model that needs that is refused. The file itself is never changed. ``verbatim``: a frozen graph
    is read as it is written, every node, device and control edge of it, for editing; other formats are frozen as ever.

    Raises ModelError (missing, damaged, no such node or signature), UntrustedModelError, UnsupportedError (operations
    that do not exist or cannot be frozen), UsageError and ToolError.
    """
    found = identify(path) if format is None else _forced(Path(path), format)
    options = Options(
        signature=signature,
        tags=tuple(tags),
        inputs=tuple(input),
        outputs=tuple(output),
        input_shape=tuple(input_shape),
        graph=None if graph is None else Path(graph),
        trust=trust,
        verbatim=verbatim,
    )
    open_model = registry.load("format", FORMATS, found.format)
    with quiet():
        loaded = _opened(open_model, found, options)
    return _source(Path(path), found, loaded)


def _forced(path: Path, format: str) -> Identified:
    if format not in FORMATS:
        raise registry.unknown("format", format, FORMATS)
    try:
        found = identify(path)
    except ModelError:
        return Identified(format, "", path)
    return found if found.format == format else Identified(format, "", path)


def _opened(open_model: object, found: Identified, options: Options) -> Loaded:
    assert callable(open_model)
    try:
        loaded = open_model(found.root, options)
    except TfmobileError:
        raise
    except MemoryError as cause:
        raise ModelError(
            f"'{found.root}' does not fit into memory.",
            why="The model, or what a damaged file claims to hold, is larger than the free memory.",
            fixes=["Close other programs, or load it on a machine with more memory."],
        ) from cause
    assert isinstance(loaded, Loaded)
    return loaded


def _source(path: Path, found: Identified, loaded: Loaded) -> SourceModel:
    root = found.root if found.root.is_dir() else found.root.parent
    sha256, size = fingerprint(loaded.files, root)
    return SourceModel(
        path=str(path),
        format=found.format,
        summary=loaded.summary,
        sha256=sha256,
        size_bytes=size,
        graph=loaded.graph,
        tflite=loaded.tflite,
        signature=loaded.signature,
        signatures=loaded.signatures,
        notes=loaded.notes,
    )
