"""Judge a Keras configuration before anything is built from it: what code would its deserialization run?

Keras turns ``{"module": …, "class_name": …, "config": …}`` into objects by importing and calling. Only what is on the
lists below passes: Keras' own layers and their parts. Everything else (marshalled lambdas, classes of other packages,
layers that open files) is a reason to refuse the file unless it is trusted.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from typing import Any

# The parts of Keras that a network is made of; anything else (keras.utils, keras.saving, …) has no place in one.
_AREAS = (
    "layers|models|engine|initializers|regularizers|constraints|activations|ops|dtype_policies|mixed_precision|"
    "optimizers|losses|metrics|random|quantizers"
)
_MODULE = re.compile(rf"(tf_)?keras(\.src|\.api)?(\._v2|\._tf_keras)?(\.({_AREAS})(\.\w+)*)?\Z")
_FUNCTION_MODULE = re.compile(
    r"(builtins|(tf_)?keras(\.src)?\.(activations|initializers|regularizers|constraints|losses|metrics|ops)(\.\w+)*)\Z"
)
_CLASS = re.compile(r"_?[A-Z]\w*\Z")
_MARKER = re.compile(r"__\w+__\Z")

# Keras' own layers that run code or open files named in their configuration.
_CARRIERS = {
    "Lambda": "a Lambda layer (compiled Python code)",
    "__lambda__": "a lambda (compiled Python code)",
    "TFSMLayer": "a TFSMLayer (opens another SavedModel)",
    "TorchModuleWrapper": "a TorchModuleWrapper (opens a pickle)",
    "JaxLayer": "a JaxLayer (calls a Python function)",
    "FlaxLayer": "a FlaxLayer (calls a Python function)",
    "ClassMethod": "a ClassMethod layer (calls any TensorFlow class)",
}
# Public TensorFlow functions that a TFOpLambda layer may call: arithmetic on tensors only.
_TF_AREAS = ("math", "nn", "linalg", "image", "signal", "bitwise", "quantization", "__operators__", "strings")
_TF_FUNCTION = re.compile(
    r"(abs|add|add_n|argmax|argmin|argsort|boolean_mask|broadcast_to|cast|clip_by_norm|clip_by_value|"
    r"complex|concat|cos|cosh|cumsum|divide|einsum|equal|exp|expand_dims|eye|fill|floor|gather|gather_nd|"
    r"greater|greater_equal|identity|less|less_equal|linspace|logical_and|logical_not|logical_or|matmul|"
    r"maximum|meshgrid|minimum|multiply|negative|norm|not_equal|one_hot|ones|ones_like|pad|pow|range|rank|"
    r"realdiv|reduce_all|reduce_any|reduce_logsumexp|reduce_max|reduce_mean|reduce_min|reduce_prod|"
    r"reduce_sum|repeat|reshape|reverse|roll|round|rsqrt|scatter_nd|searchsorted|sequence_mask|shape|"
    r"sigmoid|sign|sin|sinh|size|slice|softmax|sort|space_to_batch|split|sqrt|square|squeeze|stack|"
    r"stop_gradient|strided_slice|subtract|tan|tanh|tensordot|tensor_scatter_nd_add|"
    r"tensor_scatter_nd_update|tile|transpose|truediv|unstack|where|zeros|zeros_like)\Z"
)
_RAW_OP = re.compile(r"\"?op\"?\s*[:=]\s*\"(\w*(?:PyFunc|File|Library|Save|Restore|Dataset|Print)\w*)\"", re.IGNORECASE)


def code_in(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What in the configuration would run code or open files, as phrases; empty when it is plain Keras.

    The top ``compile_config`` is not looked at: models are opened with ``compile=False``.
    """
    found: dict[str, None] = {}
    for item in _objects({key: value for key, value in config.items() if key != "compile_config"}):
        for reason in _reasons(item):
            found[reason] = None
    return tuple(found)


def class_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Every class name in the configuration, in order, each once."""
    names = (item.get("class_name") for item in _objects(config))
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in ``config``, at any depth."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _reasons(item: Mapping[str, Any]) -> Iterator[str]:
    if "class_name" in item:
        yield from _class_reasons(item, item["class_name"])
    elif "module" in item and ("config" in item or "registered_name" in item):
        yield f"an object of the module '{item['module']}'"
    vocabulary = item.get("vocabulary")
    if isinstance(vocabulary, str):
        yield f"a layer that opens another file, '{vocabulary}'"


def _class_reasons(item: Mapping[str, Any], name: Any) -> Iterator[str]:
    module = item.get("module")
    if not isinstance(name, str) or not isinstance(module, (str, type(None))):
        yield "an object without a readable class name"
    elif name in _CARRIERS:
        yield _CARRIERS[name]
    elif name in ("function", "builtin_function_or_method", "type", "module"):
        yield from _function_reasons(item, module)
    elif name == "TFOpLambda":
        yield from _tf_function_reasons(item)
    elif name in ("TensorFlowOpLayer", "TensorFlowOp"):
        match = _RAW_OP.search(str(item.get("config")).replace("'", '"').replace("\\", ""))
        if match:
            yield f"the operation {match.group(1)}"
    else:
        yield from _custom_reasons(item, name, module)


def _function_reasons(item: Mapping[str, Any], module: str | None) -> Iterator[str]:
    name = item.get("config")
    if item["class_name"] != "function" or not isinstance(name, str):
        yield "a Python function"
    elif (
        (module is not None and not _FUNCTION_MODULE.match(module))
        or hasattr(builtins, name)
        or not name.isidentifier()
    ):
        yield f"the Python function '{module}.{name}'"
    elif item.get("registered_name") not in (None, "function", name):
        yield f"the custom function '{item['registered_name']}'"


def _tf_function_reasons(item: Mapping[str, Any]) -> Iterator[str]:
    config = item.get("config")
    name = config.get("function") if isinstance(config, dict) else None
    if not isinstance(name, str):
        yield "a TFOpLambda layer without a function"
        return
    short = name.removeprefix("compat.v1.")
    area, dot, _ = short.partition(".")
    if not (area in _TF_AREAS if dot else _TF_FUNCTION.match(short)):
        yield f"a TFOpLambda layer that calls tf.{name}"


def _custom_reasons(item: Mapping[str, Any], name: str, module: str | None) -> Iterator[str]:
    registered = item.get("registered_name")
    if _MARKER.match(name):
        if module is not None and not _typespec(module):
            yield f"the class '{module}.{name}'"
    elif module is not None and not _MODULE.match(module):
        yield f"the class '{module}.{name}'"
    elif isinstance(registered, str) and registered not in ("", name):
        yield f"the custom class '{registered}'"
    elif not _CLASS.match(name):
        yield f"the custom object '{name}'"


def _typespec(module: str) -> bool:
    return module.startswith(("tensorflow.python.framework", "tensorflow.python.ops", "keras.", "tf_keras."))
