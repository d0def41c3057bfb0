"""A graph rewritten by the passes asked for: the shell line of each step, and the file it is written to."""

from __future__ import annotations

import shlex
import zlib
from pathlib import Path

from tfmobile.artifacts import RewriteStep, SourceModel
from tfmobile.errors import UsageError
from tfmobile.graph.model import Graph
from tfmobile.plan import ModelOptions, Plan
from tfmobile.workspace import write_file


def need_graph(source: SourceModel, verb: str) -> Graph:
    """The graph of the source; raises UsageError for a .tflite."""
    if source.graph is None:
        raise UsageError(
            f"'{source.path}' is a .tflite, not a TensorFlow graph.",
            why=f"{verb} works on TensorFlow models: frozen graphs, SavedModels, Keras files and checkpoints.",
            fixes=["Give the model that it was made of.", f"tfmobile inspect {source.path}"],
        )
    return source.graph


def need_passes(plan: Plan) -> None:
    """At least one pass; raises UsageError before any work."""
    if not plan.optimize.passes:
        raise UsageError(
            "No pass was named.",
            why="transform does only what is asked for.",
            fixes=["--passes 'strip_unused fold_constants fold_batch_norms'", "`tfmobile list-passes` shows them all."],
        )


def write_graph(graph: Graph, path: str | Path) -> int:
    """Write a GraphDef, as text when the name ends in .pbtxt; its size in bytes. Raises OutputError."""
    from tfmobile.graph.graphdef import serialized_parts, to_graph_def

    if str(path).endswith(".pbtxt"):
        from google.protobuf import text_format

        write_file(Path(path), text_format.MessageToString(to_graph_def(graph)).encode())
    else:
        write_file(Path(path), serialized_parts(graph))
    return Path(path).stat().st_size


def zipped_bytes(path: str | Path) -> int:
    """The size of a file, or of the files in a folder, each deflated as zip does (level 6)."""
    root = Path(path)
    files = [item for item in sorted(root.rglob("*")) if item.is_file()] if root.is_dir() else [root]
    total = 0
    for file in files:
        squeezer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                total += len(squeezer.compress(block))
        total += len(squeezer.flush())
    return total


def transform_command(path: str, options: ModelOptions, passes: str, out: str) -> str:
    """The shell line that runs ``passes`` on the model ``path``, opened as it was here."""
    words = ["tfmobile", "transform", path]
    single = {"format": options.format, "signature": options.signature, "graph": options.graph}
    words += [word for key, value in single.items() if value for word in (f"--{key}", value)]
    many = {"tags": options.tags, "input": options.input, "output": options.output}
    words += [word for key, values in many.items() for value in values for word in (f"--{key}", value)]
    words += [word for value in options.input_shape for word in ("--input-shape", value)]
    return shlex.join([*words, "--passes", passes, "--out", out])


def ends_only(options: ModelOptions, source: SourceModel) -> ModelOptions:
    """How a graph that this run wrote is opened: by the ends it has."""
    graph = source.graph
    if graph is None:
        return options
    return ModelOptions(
        input=tuple(str(spec.ref) for spec in graph.inputs), output=tuple(str(spec.ref) for spec in graph.outputs)
    )


class KeptSteps:
    """Writes the graph after each step into ``folder``: ``01-strip-unused.pb``, ``02-…``; nothing without a folder."""

    def __init__(self, folder: str | None, source: str) -> None:
        self._folder = None if folder is None else Path(folder)
        self._before = source
        self._count = 0

    def keep(self, step: RewriteStep, graph: Graph) -> tuple[str, str]:
        """The file the step began with, and the one it ends with (empty without a folder)."""
        self._count += 1
        if self._folder is None:
            return self._before, ""
        path = self._folder / f"{self._count:02d}-{step.name}.pb"
        write_graph(graph, path)
        before, self._before = self._before, str(path)
        return before, str(path)
