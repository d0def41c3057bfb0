"""SavedModel of TF1 and TF2: one MetaGraph by tags, one signature of it, its variables from variables/.

Both kinds go the same way. A TF2 SavedModel also stores its signatures as plain graph nodes that call functions, and
its restore function says which variable is which tensor of the checkpoint; so nothing of the file is executed to load
it (``tf.saved_model.load`` runs initializers and restore functions that come from the file).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmobile.errors import ModelError, UnsupportedError
from tfmobile.graph.model import Shape, TensorRef
from tfmobile.loading import checkpoint_files
from tfmobile.loading.files import members, read_bytes
from tfmobile.loading.freeze import freeze
from tfmobile.loading.frozen_graph import damaged, parse_binary, parse_text
from tfmobile.loading.options import End, Loaded, Options
from tfmobile.loading.quiet import tensorflow
from tfmobile.loading.variables import Checkpoint, restore_keys

_DEFAULT = "serving_default"
_INIT = "__saved_model_init_op"


def open_model(root: Path, options: Options) -> Loaded:
    """Load the SavedModel folder ``root``: one signature of the MetaGraph that ``options.tags`` choose."""
    meta = _meta_graph(_read(root), root, options.tags)
    names = tuple(name for name in meta.signature_def if name != _INIT)
    signature, note = _choose(names, options, root)
    graph_def = meta.graph_def

    def checkpoint() -> Checkpoint:
        prefix = root / "variables" / "variables"
        checkpoint_files.check_complete(prefix)
        return Checkpoint(prefix, restore_keys(graph_def))

    ends = meta.signature_def[signature] if signature else None
    graph, notes = freeze(
        graph_def,
        str(root),
        options,
        inputs=_ends(ends.inputs, root) if ends is not None else None,
        outputs=_ends(ends.outputs, root) if ends is not None else None,
        checkpoint=checkpoint,
    )
    return Loaded(_summary(meta), members(root), graph, None, signature, names, (*note, *notes))


def _read(root: Path) -> Any:
    tensorflow()
    from tensorflow.core.protobuf import saved_model_pb2

    binary, text = root / "saved_model.pb", root / "saved_model.pbtxt"
    if binary.is_file():
        return parse_binary(read_bytes(binary), saved_model_pb2.SavedModel(), binary)
    return parse_text(read_bytes(text), saved_model_pb2.SavedModel(), text)


def _meta_graph(model: Any, root: Path, tags: tuple[str, ...]) -> Any:
    found = [(tuple(sorted(meta.meta_info_def.tags)), meta) for meta in model.meta_graphs]
    if not found:
        raise damaged(root / "saved_model.pb", "it holds no graph")
    wanted = tuple(sorted(tags)) or ("serve",)
    for own, meta in found:
        if own == wanted:
            return meta
    if not tags and len(found) == 1:
        return found[0][1]
    listed = [", ".join(own) or "(none)" for own, _ in found]
    raise ModelError(
        f"'{root}' has no graph with the tags {', '.join(wanted)}.",
        why="It has graphs with the tags: " + "; ".join(listed) + ".",
        fixes=[" ".join(f"--tags {tag}" for tag in own) or "Leave out --tags." for own, _ in found],
    )


def _choose(names: tuple[str, ...], options: Options, root: Path) -> tuple[str | None, tuple[str, ...]]:
    """The signature to take, and a note when it was not the default."""
    wanted = options.signature or _DEFAULT
    if wanted in names:
        return wanted, ()
    if options.signature is None and len(names) == 1:
        return names[0], (f"The model has no signature '{_DEFAULT}'; its only one, '{names[0]}', is used.",)
    if not names and options.outputs:
        return None, ()
    if not names:
        raise ModelError(
            f"'{root}' has no signature.",
            why="It does not say which of its tensors are inputs and outputs.",
            fixes=[
                "Save it with one: tf.saved_model.save(model, folder, signatures=function.get_concrete_function(…)).",
                "Name the ends: --input NODE --output NODE.",
            ],
        )
    raise ModelError(
        f"'{root}' has no signature '{wanted}'.",
        why="Its signatures are: " + ", ".join(names) + ".",
        fixes=[f"--signature {name}" for name in names[:6]],
    )


def _ends(infos: Mapping[str, Any], root: Path) -> list[End]:
    return [_end(key, infos[key], root) for key in sorted(infos)]


def _end(key: str, info: Any, root: Path) -> End:
    if not info.name:
        raise UnsupportedError(
            f"'{key}' of '{root}' is no plain tensor.",
            why=f"It is stored as {info.WhichOneof('encoding') or 'nothing'} (sparse, ragged or composite).",
            fixes=[
                "Export a signature that takes and gives dense tensors, or name the ends: --input NODE --output NODE."
            ],
        )
    return End(key, TensorRef.parse(info.name), _shape(info.tensor_shape))


def _shape(proto: Any) -> Shape:
    return None if proto.unknown_rank else tuple(None if dim.size < 0 else dim.size for dim in proto.dim)


def _summary(meta: Any) -> str:
    era = "TF2" if meta.object_graph_def.nodes else "TF1"
    info = meta.meta_info_def
    version = f", written by TensorFlow {info.tensorflow_version}" if info.tensorflow_version else ""
    return f"{era} SavedModel{version}, tags {', '.join(info.tags) or '(none)'}"
