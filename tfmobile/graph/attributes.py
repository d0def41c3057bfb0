"""AttrValue and TensorProto to Python values and numpy, and back. What is not understood stays serialized (RawAttr)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmobile.graph.model import Array, Attr, DType, RawAttr, Shape, ShapeAttr

LARGE = 16384
"""Bytes from which on a constant is worth care: it is kept once, where TensorFlow reads it in place."""
_ALIGNMENT = 64
"""Addresses of tensors; TensorFlow copies what lies elsewhere."""
QUANTIZED = {
    name: np.dtype([(name, plain)])
    for name, plain in (("qint8", "i1"), ("quint8", "u1"), ("qint16", "i2"), ("quint16", "u2"), ("qint32", "i4"))
}
"""numpy's dtypes of TensorFlow's quantized ones: one field of that name, so that they stay apart from integers."""
_LIST_FIELDS = ("s", "i", "f", "b", "type", "shape", "tensor", "func")


def decode_attr(proto: Any) -> Attr:
    """The value of an AttrValue; what it can be is told at ``Attr`` in model.py."""
    kind = proto.WhichOneof("value")
    if kind in ("s", "i", "f", "b"):
        return getattr(proto, kind)
    if kind == "type":
        return _dtype(proto.type, proto)
    if kind == "shape":
        return ShapeAttr(decode_shape(proto.shape))
    if kind == "tensor":
        array = decode_tensor(proto.tensor)
        return _raw(proto) if array is None else array
    if kind == "list":
        return _decode_list(proto)
    return _raw(proto)


def encode_attr(value: Attr, proto: Any) -> None:
    """Write ``value`` into an AttrValue."""
    if isinstance(value, RawAttr):
        proto.ParseFromString(value.data)
    elif isinstance(value, np.ndarray):
        proto.tensor.CopyFrom(encode_tensor(value))
    elif isinstance(value, tuple):
        proto.list.SetInParent()
        for item in value:
            field, plain = _plain(item)
            if field == "shape":
                proto.list.shape.add().CopyFrom(plain)
            else:
                getattr(proto.list, field).append(plain)
    else:
        field, plain = _plain(value)
        if field == "shape":
            proto.shape.CopyFrom(plain)
        else:
            setattr(proto, field, plain)


def decode_shape(proto: Any) -> Shape:
    """A TensorShapeProto's dimensions; None for unknown rank, None in it for a dynamic dimension."""
    return None if proto.unknown_rank else tuple(None if dim.size < 0 else int(dim.size) for dim in proto.dim)


def decode_tensor(proto: Any) -> Array | None:
    """A TensorProto as a read-only array; strings as objects of bytes. None for dtypes numpy does not have.

    A value stored once for the whole tensor stays one value in memory (a broadcast view).
    """
    import tensorflow as tf

    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
        shape = tuple(int(dim.size) for dim in proto.tensor_shape.dim)
        array = _stored_bytes(proto, dtype, shape) if proto.tensor_content else _stored_values(proto, dtype, shape)
    except (TypeError, ValueError, KeyError):
        return None
    if array is not None:
        array.flags.writeable = False
    return array


def encode_tensor(array: Array) -> Any:
    """The TensorProto of ``array``; equal arrays always give equal protos, a constant fill is stored once."""
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    if array.dtype == object:
        values = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
        proto = tensor_pb2.TensorProto(dtype=tf.string.as_datatype_enum, string_val=values)
    else:
        array = np.asarray(array, dtype=array.dtype.newbyteorder("="))
        # A fill of one value is stored once: as a typed value, since raw content is never repeated.
        kept = array[(0,) * array.ndim] if array.size > 1 and _is_fill(array) else array
        proto = tf.make_tensor_proto(kept, dtype=tf.dtypes.as_dtype(array.dtype))
    del proto.tensor_shape.dim[:]
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.SetInParent()
    return proto


def dtype_name(array: Array) -> str:
    """TensorFlow's name of an array's dtype: float32, bfloat16, string, …"""
    if array.dtype.names:
        return array.dtype.names[0]
    return "string" if array.dtype.kind in "OSU" else array.dtype.name


def compact(array: Array) -> Array:
    """The array, read-only; a fill of one value becomes a broadcast view of it."""
    value = np.asarray(array)
    if value.dtype != object and value.size > 1 and _is_fill(value):
        value = np.broadcast_to(value[(0,) * value.ndim], value.shape)
    value = value.view()
    value.flags.writeable = False
    return value


def aligned(array: Array) -> Array:
    """The array where TensorFlow can use it as it is. A small one stays, since a copy of that costs nothing."""
    if array.nbytes < LARGE or not array.flags.c_contiguous or array.ctypes.data % _ALIGNMENT == 0:
        return array
    room = np.empty(array.nbytes + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    copy: Array = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _stored_bytes(proto: Any, dtype: Any, shape: tuple[int, ...]) -> Array | None:
    plain = np.dtype(dtype.as_numpy_dtype)
    if not _is_value(plain) or plain.itemsize * int(np.prod(shape, dtype=np.int64)) != len(proto.tensor_content):
        return None
    return aligned(np.frombuffer(proto.tensor_content, plain).reshape(shape))


def _stored_values(proto: Any, dtype: Any, shape: tuple[int, ...]) -> Array | None:
    from tensorflow.core.framework import tensor_pb2

    size = int(np.prod(shape, dtype=np.int64))
    one = tensor_pb2.TensorProto()
    one.CopyFrom(proto)
    count = _value_count(one)
    if size > 1 and count <= 1:
        del one.tensor_shape.dim[:]
        value = _read(one)
        return None if value is None else np.broadcast_to(value, shape).view()
    return _read(one)


def _read(proto: Any) -> Array | None:
    import tensorflow as tf

    array: Array = np.asarray(tf.make_ndarray(proto))
    return array if _is_value(array.dtype) else None


def _is_value(dtype: np.dtype[Any]) -> bool:
    """Whether it is that of a number, and not of the handle of a resource."""
    return dtype.names is None or dtype in QUANTIZED.values()


def _value_count(proto: Any) -> int:
    counts = [len(value) for field, value in proto.ListFields() if field.name.endswith("_val")]
    complex_values = proto.scomplex_val or proto.dcomplex_val
    return max(counts, default=0) // (2 if complex_values else 1)


def _is_fill(array: Array) -> bool:
    flat = array.reshape(-1) if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(-1)
    width = flat.dtype.itemsize
    raw = flat.view(np.uint8).reshape(-1, width)
    return bool((raw[0] == raw[-1]).all()) and bool((raw == raw[0]).all())


def _dtype(value: int, proto: Any) -> Attr:
    import tensorflow as tf

    try:
        return DType(tf.dtypes.as_dtype(value).name)
    except (TypeError, KeyError):
        return _raw(proto)


def _decode_list(proto: Any) -> Attr:
    filled = [field for field in _LIST_FIELDS if len(getattr(proto.list, field))]
    if not filled:
        return ()
    if len(filled) > 1 or filled[0] in ("tensor", "func"):
        return _raw(proto)
    values = getattr(proto.list, filled[0])
    if filled[0] == "shape":
        return tuple(ShapeAttr(decode_shape(item)) for item in values)
    if filled[0] == "type":
        kinds = tuple(_dtype(item, proto) for item in values)
        return _raw(proto) if any(isinstance(item, RawAttr) for item in kinds) else kinds
    return tuple(values)


def _plain(value: Attr) -> tuple[str, Any]:
    import tensorflow as tf

    if isinstance(value, (bool, np.bool_)):
        return "b", bool(value)
    if isinstance(value, (int, np.integer)):
        return "i", int(value)
    if isinstance(value, (float, np.floating)):
        return "f", float(value)
    if isinstance(value, (bytes, str)):
        return "s", value.encode() if isinstance(value, str) else value
    if isinstance(value, DType):
        return "type", tf.dtypes.as_dtype(value.name).as_datatype_enum
    if isinstance(value, ShapeAttr):
        return "shape", _shape_proto(value.dims)
    raise TypeError(f"no attribute can hold {value!r}")


def _shape_proto(dims: Shape) -> Any:
    from tensorflow.core.framework import tensor_shape_pb2

    if dims is None:
        return tensor_shape_pb2.TensorShapeProto(unknown_rank=True)
    return tensor_shape_pb2.TensorShapeProto(
        dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=-1 if size is None else size) for size in dims]
    )


def _raw(proto: Any) -> RawAttr:
    return RawAttr(proto.SerializeToString(deterministic=True))
