"""Read the text form of a graph (see text.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np

from tfmobile.errors import ModelError
from tfmobile.graph.attributes import QUANTIZED, dtype_name
from tfmobile.graph.model import Array, Attr, DType, Graph, Node, RawAttr, Shape, ShapeAttr, TensorRef, TensorSpec

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\.\.\.|[][(){}=,@:?*]|[^\s\][(){}=,@"?*]+)')
_NAME_ONLY = re.compile(r"(input|output) (\S+): (\w+)(\[\S*\]) = (\S+)$")
_CONST = re.compile(r"(\w+)\[([\d,]*)\] ")
_WORDS: dict[str, Attr] = {"true": True, "false": False, "nan": float("nan"), "inf": float("inf")}


def parse_graph(text: str) -> Graph:
    """The graph written in ``text``; blank lines and lines that start with ``#`` are left out. Raises ModelError."""
    nodes: dict[str, Node] = {}
    specs: dict[str, list[TensorSpec]] = {"input": [], "output": []}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            found = _NAME_ONLY.match(line)
            if found:
                kind, key, dtype, shape, ref = found.groups()
                specs[kind].append(TensorSpec(key, TensorRef.parse(ref), dtype, _shape(shape)))
                continue
            node = _Line(line).node()
        except (ValueError, IndexError, TypeError) as cause:
            raise ModelError(
                f"Line {number} of the graph text cannot be read: {line[:80]}",
                why=str(cause),
                fixes=["Write it like: name = Op(input, input:1, ^control) {attr=value}."],
            ) from cause
        nodes[node.name] = node
    return Graph(nodes, tuple(specs["input"]), tuple(specs["output"]))


class _Line:
    """One node's line, read from left to right."""

    def __init__(self, line: str) -> None:
        self.name, _, rest = line.partition(" = ")
        head = re.match(r"\w+", rest)
        if not head:
            raise ValueError("an op is missing")
        self.op = head.group()
        self.rest = rest[head.end() :]

    def node(self) -> Node:
        attrs: dict[str, Attr] = {}
        edges: list[str] = []
        if self.rest.startswith("("):
            inner, _, self.rest = self.rest[1:].partition(")")
            edges = [item.strip() for item in inner.split(",") if item.strip()]
        self.rest = self.rest.strip()
        tokens = _Tokens(self.rest)
        if self.op == "Const" and _CONST.match(self.rest + " "):
            value = tokens.array()
            attrs = {"dtype": DType(dtype_name(value)), "value": value}
        if tokens.peek() == "{":
            attrs.update(tokens.attrs())
        device = ""
        if tokens.peek() == "@":
            tokens.take("@")
            device = json.loads(tokens.next())
        return Node(
            self.name,
            self.op,
            tuple(TensorRef.parse(edge) for edge in edges if not edge.startswith("^")),
            tuple(edge[1:] for edge in edges if edge.startswith("^")),
            attrs,
            device,
        )


class _Tokens:
    """The attributes' grammar."""

    def __init__(self, text: str) -> None:
        self.items = _TOKEN.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.items[self.at] if self.at < len(self.items) else ""

    def next(self) -> str:
        self.at += 1
        return str(self.items[self.at - 1])

    def take(self, wanted: str) -> None:
        found = self.next()
        if found != wanted:
            raise ValueError(f"'{wanted}' is expected, not '{found}'")

    def attrs(self) -> dict[str, Attr]:
        found: dict[str, Attr] = {}
        self.take("{")
        while self.peek() != "}":
            key = self.next()
            self.take("=")
            found[key] = self.value()
            if self.peek() == ",":
                self.next()
        self.take("}")
        return found

    def value(self) -> Attr:
        token = self.peek()
        if token == "(":
            return tuple(self.group(self.value))
        if token == "[":
            return ShapeAttr(self.shape())
        self.next()
        if token == "raw":
            self.take(":")
            return RawAttr(bytes.fromhex(self.next()))
        if token.startswith("raw:"):
            return RawAttr(bytes.fromhex(token[4:]))
        if self.peek() == "[":
            self.at -= 1
            return self.array()
        return _plain(token)

    def group(self, item: Callable[[], Attr]) -> list[Attr]:
        found: list[Attr] = []
        self.take("(")
        while self.peek() != ")":
            found.append(item())
            if self.peek() == ",":
                self.next()
        self.take(")")
        return found

    def shape(self) -> Shape:
        self.take("[")
        sizes: list[int | None] = []
        unknown = False
        while self.peek() != "]":
            token = self.next()
            unknown = unknown or token == "*"
            if token not in (",", "*"):
                sizes.append(None if token == "?" else int(token))
        self.take("]")
        return None if unknown else tuple(sizes)

    def array(self) -> Array:
        dtype = self.next()
        shape = [size or 0 for size in self.shape() or ()]
        if self.peek() != "(":
            raise ValueError("a constant is given by its hash only")
        values = self.group(lambda: "..." if self.peek() == "..." and self.next() else _plain(self.next()))
        kind = np.dtype(object) if dtype == "string" else np_dtype(dtype)
        fill = bool(values) and values[-1] == "..." and isinstance(values[-1], str)
        array = np.array(values[:1] if fill else values, kind)
        array = np.broadcast_to(array[0], shape) if fill else array.reshape(shape)
        return array


def np_dtype(name: str) -> np.dtype[np.generic]:
    """numpy's dtype of TensorFlow's name, bfloat16 and the quantized ones included."""
    if name == "bfloat16":
        import ml_dtypes

        brain: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
        return brain
    return QUANTIZED[name] if name in QUANTIZED else np.dtype(name)


def _plain(token: str) -> Attr:
    if token.startswith('"'):
        return json.loads(token).encode("latin-1")
    if token in _WORDS:
        return _WORDS[token]
    if token == "-inf":
        return -float("inf")
    if re.fullmatch(r"[a-z]\w*", token):
        return DType(token)
    if "j" in token:
        return complex(token)
    return int(token) if re.fullmatch(r"-?\d+", token) else float(token)


def _shape(text: str) -> Shape:
    return _Tokens(text).shape()
