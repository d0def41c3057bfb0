"""inline-functions: calls of functions become the nodes of the function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.functions import Library, needed_library
from tfmobile.graph.inlining import Body, Callee, callee, inline, read_body
from tfmobile.graph.model import Graph, Node
from tfmobile.passes.dead_branches import conditional_nodes

_LARGEST = 1_000_000
_SHOWN = 3


@dataclass(frozen=True)
class InlineFunctions:
    """Replace each ``PartitionedCall``, ``StatefulPartitionedCall`` and node whose op is a function of the library by
    the nodes of the function, named ``call/node``, and calls in these in turn. Attributes that the function leaves open
    (``T``) get the values of the call. Then functions that nothing calls any more leave the library.

    What waited for the call waits for what must run in the function; nodes of the function without inputs of their own
    wait for what the call waited for. In a branch or loop of TF1 all nodes of the function are tied to the inputs of
    the call, so that they live and die with it. A call that is a model output stays as an Identity.

    Left alone: functions that call themselves, are marked ``_noinline``, or stand for an op that a converter replaces
    as a whole (``_implements``); calls that would become more than a million nodes. The bodies of While, If and Case
    stay functions, as they are. What runs in a function only for its side effect is kept when something waits for it.

    ``inline_partitionedcall`` of the Graph Transform Tool did one level of PartitionedCall, and lost control edges.
    """

    name: ClassVar[str] = "inline-functions"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence for each function that was inlined, and one for each call left."""
        if not graph.library and not any(node.op in ("PartitionedCall", "StatefulPartitionedCall") for node in graph):
            return PassResult(graph)
        work = _Inlining(GraphEditor(graph), Library(graph.library))
        work.run()
        result = work.editor.finish()
        kept = needed_library(result, work.library)
        gone = sum(name not in kept for name in work.library)
        changed = [_told(name, calls) for name, calls in work.done.items()]
        if gone:
            result = work.editor.finish(library=work.library.only(kept))
            changed.append(f"Removed {gone} {'function' if gone == 1 else 'functions'} that nothing calls.")
        return PassResult(result if changed else graph, tuple(changed), tuple(work.skipped))


@dataclass
class _Inlining:
    """The calls of one graph, one after the other."""

    editor: GraphEditor
    library: Library
    done: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    _bodies: dict[tuple[str, int], Body | str] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Inline what can be inlined."""
        waiting = [node.name for node in self.editor if callee(node, self.library) is not None]
        conditional = conditional_nodes(self.editor) if waiting else set()
        waiting.reverse()
        while waiting:
            node = self.editor[waiting.pop()]
            found = callee(node, self.library)
            if found is None:
                continue
            reason = self._why_not(node, found.name)
            body = reason or self._body(found, len(node.inputs))
            if isinstance(body, str):
                self.skipped.append(f"Left '{node.name}' ({node.op}): {body}.")
                continue
            anchored = node.name in conditional
            names = inline(self.editor, node, body, node.inputs, anchored=anchored)
            conditional.update(names if anchored else ())
            self.done.setdefault(found.name, []).append(node.name)
            waiting.extend(reversed(names))

    def _body(self, found: Callee, count: int) -> Body | str:
        """The function's nodes; read once where all its calls are alike."""
        if found.attrs:
            return read_body(self.library, found, count)
        key = (found.name, count)
        if key not in self._bodies:
            self._bodies[key] = read_body(self.library, found, count)
        return self._bodies[key]

    def _why_not(self, node: Node, name: str) -> str:
        if node.name in self.editor.inputs:
            return "it is a model input"
        if name not in self.library:
            return f"the library has no function '{name}'"
        if name not in self._reasons:
            self._reasons[name] = self._refusal(name)
        return self._reasons[name]

    def _refusal(self, name: str) -> str:
        marks = self.library.definition(name).attr
        if name in self.library.reached(self.library.calls(name)):
            return f"the function '{name}' calls itself"
        if "_noinline" in marks and marks["_noinline"].b:
            return f"the function '{name}' is marked as not to be inlined"
        if "_implements" in marks:
            return f"the function '{name}' stands for an op that converters know ({_text(marks['_implements'].s)})"
        if self._size(name) > _LARGEST:
            return f"the function '{name}' would become more than {_LARGEST:,} nodes"
        return ""

    def _size(self, name: str) -> int:
        """How many nodes a call becomes when all is inlined."""
        waiting = [] if name in self._sizes else [name]
        while waiting:
            current = waiting[-1]
            inner = self.library.calls(current)
            unknown = [other for other in inner if other not in self._sizes]
            if unknown:
                self._sizes[current] = 0  # ends a circle, which is not inlined anyway
                waiting.extend(unknown)
                continue
            own = len(self.library.definition(current).node_def)
            self._sizes[current] = min(own + sum(self._sizes[other] for other in inner), _LARGEST + 1)
            waiting.pop()
        return self._sizes[name]


def _told(name: str, calls: list[str]) -> str:
    shown = ", ".join(f"'{call}'" for call in calls[:_SHOWN])
    where = f"of {shown}" if len(calls) <= _SHOWN else f"of {len(calls)} calls ({shown}, …)"
    return f"Put the nodes of the function '{name}' in the place {where}."


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")[:60]
