"""The one door to a TFLite runtime: ai-edge-litert, else tflite-runtime, else the one inside TensorFlow.

Everything here runs in the calling process: a broken model can take it down with it. Give a file that nobody has
tried yet to ``tfmobile.runtime.load_test`` first, which uses a child process.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.errors import DataError, ToolError, VerificationError
from tfmobile.graph.model import Array

# Package to look for, module of its interpreter, distribution whose version is reported. First found wins.
RUNTIMES = (
    ("ai_edge_litert", "ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime", "tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow", "tensorflow.lite.python.interpreter", "tensorflow"),
)


def find_runtime() -> tuple[str, str, str]:
    """The first row of RUNTIMES that is installed; raises ToolError when none is."""
    for row in RUNTIMES:
        if importlib.util.find_spec(row[0]) is not None:
            return row
    raise ToolError(
        "No TFLite runtime is installed.",
        why="None of ai-edge-litert, tflite-runtime and tensorflow can be imported.",
        fixes=["pip install ai-edge-litert", "On a 32-bit Raspberry Pi: pip install tflite-runtime"],
    )


def runtime_name_version() -> str:
    """Name and version of the runtime that is used, such as ``ai-edge-litert 2.3.0``; raises ToolError."""
    from importlib import metadata  # slow to import, and only needed to report

    distribution = find_runtime()[2]
    try:
        return f"{distribution} {metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        return distribution


def quantize(values: Array, scale: float, zero_point: int, dtype: str) -> Array:
    """Real values to integers of ``dtype``: round(x / scale) + zero_point, clipped; halves away from zero.

    That is the rounding of the runtime's QUANTIZE kernel. It matters: pixels scaled to −1…1 fall on halves.
    """
    kind = np.iinfo(dtype)
    scaled = np.asarray(values, np.float32) / np.float32(scale)
    scaled += np.copysign(np.float32(0.5), scaled)
    np.trunc(scaled, out=scaled)
    scaled += np.float32(zero_point)
    if np.isnan(scaled).any():
        raise DataError(
            "An input holds NaN, which no integer stands for.",
            fixes=["Remove the sample, or correct its preprocessing (mean and std)."],
        )
    np.clip(scaled, kind.min, kind.max, out=scaled)
    return scaled.astype(dtype)


def dequantize(values: Array, scale: float, zero_point: int) -> Array:
    """Integers to real values, float32: (q − zero_point) · scale."""
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


class Interpreter:
    """A loaded model with its tensors allocated, for one thread of the caller.

    ``inputs`` and ``outputs`` are keyed by the key of the signature when the model has one, else by tensor name.
    ``raw`` is the runtime's own object, for what is not here.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._inputs = {name: dict(detail) for name, detail in _keyed(raw, "inputs").items()}
        self._outputs = {name: dict(detail) for name, detail in _keyed(raw, "outputs").items()}
        self.inputs: dict[str, TensorFact] = {key: fact(detail, key) for key, detail in self._inputs.items()}
        self.outputs: dict[str, TensorFact] = {key: fact(detail, key) for key, detail in self._outputs.items()}

    def set_inputs(self, feed: Mapping[str, Array]) -> None:
        """Copy ``feed`` (by input key) into the model. Raises DataError.

        Real values are quantized for a quantized integer input; an array that already has that integer type is
        taken as quantized.
        """
        missing = [key for key in self.inputs if key not in feed]
        unknown = [key for key in feed if key not in self.inputs]
        if missing or unknown:
            raise DataError(
                f"The sample does not name the model's inputs: {', '.join(missing or unknown)}.",
                why=f"The model has {', '.join(self.inputs)}; the sample has {', '.join(feed) or 'none'}.",
                fixes=["Name the arrays like the inputs of the model."],
            )
        arrays = {key: np.asarray(feed[key]) for key in self.inputs}
        self._fit(arrays)
        for key, array in arrays.items():
            self.raw.set_tensor(self._inputs[key]["index"], _encode(array, self.inputs[key]))

    def _fit(self, arrays: Mapping[str, Array]) -> None:
        resized = False
        for key, array in arrays.items():
            detail = self._inputs[key]
            if tuple(array.shape) == tuple(detail["shape"]):
                continue
            allowed = self.inputs[key].shape
            if not _fits(tuple(int(size) for size in array.shape), allowed):
                raise DataError(
                    f"Input '{key}' has the wrong shape.",
                    why=f"Found {list(array.shape)}, the model wants {list(allowed)}.",
                    fixes=["Resize the data (--resize HxW), or convert the model for this shape (--input-shape)."],
                )
            self.raw.resize_tensor_input(detail["index"], list(array.shape))
            detail["shape"] = array.shape
            resized = True
        if resized:
            self.raw.allocate_tensors()

    def invoke(self) -> None:
        """Run once on what ``set_inputs`` left there; raises VerificationError."""
        try:
            self.raw.invoke()
        except (RuntimeError, ValueError) as cause:
            raise _broken("The model loads but does not run.", cause) from cause

    def get_outputs(self) -> dict[str, Array]:
        """Copies of the outputs by key: real values for quantized ones, integers without a scale as they are."""
        return {
            key: _decode(self.raw.get_tensor(self._outputs[key]["index"]), self.outputs[key]) for key in self.outputs
        }

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """``set_inputs``, ``invoke``, ``get_outputs``."""
        self.set_inputs(feed)
        self.invoke()
        return self.get_outputs()

    def tensors(self) -> dict[str, Array]:
        """Every named tensor that an operator of the main subgraph made in ``invoke``, as real values.

        In execution order. Needs ``preserve_all``. Of tensors that share a name the last one is given.
        """
        details = {int(detail["index"]): detail for detail in self.raw.get_tensor_details()}
        found: dict[str, Array] = {}
        for operation in self.raw._get_ops_details():
            for index in operation["outputs"]:
                detail = details.get(int(index))
                if detail is not None and detail["name"]:
                    found[detail["name"]] = _decode(self.raw.get_tensor(int(index)), fact(detail))
        return found


def fact(detail: Mapping[str, Any], key: str = "") -> TensorFact:
    """One row of the runtime's tensor details as a TensorFact, named ``key``; a dimension that may change reads −1."""
    scale, zero_point = detail["quantization"]
    shape = detail.get("shape_signature", ())
    shape = shape if len(shape) else detail["shape"]
    return TensorFact(
        name=key or str(detail["name"]),
        shape=tuple(int(size) for size in shape),
        dtype=np.dtype(detail["dtype"]).name if detail["dtype"] not in (bytes, np.bytes_) else "string",
        scale=float(scale),
        zero_point=int(zero_point),
    )


def open_interpreter(
    model: bytes | str | Path, *, threads: int = 1, xnnpack: bool = True, preserve_all: bool = False
) -> Interpreter:
    """Load a .tflite (its bytes or its path) and allocate its tensors.

    ``preserve_all`` keeps intermediate tensors readable and turns XNNPACK off. Raises ToolError without a runtime
    and VerificationError when the model does not load.
    """
    module = importlib.import_module(find_runtime()[1])
    options: dict[str, Any] = {"num_threads": threads, "experimental_preserve_all_tensors": preserve_all}
    if preserve_all or not xnnpack:
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    source = {"model_content": bytes(model)} if isinstance(model, (bytes, bytearray)) else {"model_path": str(model)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = module.Interpreter(**source, **options)
            raw.allocate_tensors()
    except (RuntimeError, ValueError, TypeError, MemoryError) as cause:
        raise _broken("The TFLite runtime does not load the model.", cause) from cause
    return Interpreter(raw)


def _keyed(raw: Any, side: str) -> dict[str, Any]:
    details = raw.get_input_details() if side == "inputs" else raw.get_output_details()
    by_index = {int(detail["index"]): detail for detail in details}
    signatures = raw._get_full_signature_list()
    names = ["serving_default"] if "serving_default" in signatures else sorted(signatures)
    for name in names:
        keys = {key: int(index) for key, index in signatures[name][side].items()}
        if keys and set(keys.values()) == set(by_index):
            # In the model's own order: "the first output" is the same with and without a signature.
            order = [int(detail["index"]) for detail in details]
            return {key: by_index[keys[key]] for key in sorted(keys, key=lambda one: order.index(keys[one]))}
    return {str(detail["name"]): detail for detail in details}


def _fits(found: tuple[int, ...], allowed: tuple[int, ...]) -> bool:
    """Whether a shape is allowed; −1 stands for any size."""
    return len(found) == len(allowed) and all(w in (-1, f) for f, w in zip(found, allowed, strict=True))


def _encode(array: Array, wanted: TensorFact) -> Array:
    if wanted.dtype == "string" or array.dtype.name == wanted.dtype:
        return array
    if wanted.scale and np.issubdtype(np.dtype(wanted.dtype), np.integer):
        return quantize(array, wanted.scale, wanted.zero_point, wanted.dtype)
    return array.astype(wanted.dtype)


def _decode(array: Array, found: TensorFact) -> Array:
    if found.scale and array.dtype.kind in "iu":
        return dequantize(array, found.scale, found.zero_point)
    return array


def _broken(what: str, cause: BaseException) -> VerificationError:
    why = " ".join(str(cause).split())[:600]
    if "Select TensorFlow op" in why or "Flex" in why:
        fixes = ["Convert the model again without ops outside the TFLite builtins (see 'why' for their names)."]
    elif "custom op" in why or "Encountered unresolved" in why:
        fixes = ["The model needs custom operators this runtime does not have; use the runtime it was made for."]
    else:
        fixes = ["Check that the file is complete, and that the runtime is as new as the converter that wrote it."]
    return VerificationError(what, why=why, fixes=fixes)
