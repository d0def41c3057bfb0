"""Fold the scales and shifts that follow layers, or joined layers, into their weights and biases."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS, LINEAR_OPS, scaled
from tfmobile.graph.match import Constants
from tfmobile.graph.model import Array, Node, TensorRef
from tfmobile.passes.convolutions.chains import (
    Chain,
    Link,
    Wanted,
    constant_weights,
    follow,
    join,
    joined_inputs,
    layer_chain,
    shares,
    through,
)
from tfmobile.passes.convolutions.moves import POSITIVE_ONLY
from tfmobile.passes.convolutions.rebuilding import bias_node, new_weights, rebuilt, rounded

_BEFORE_BIAS = frozenset({"BatchToSpaceND", "Squeeze"})
"""Nodes after which a bias may stand and still be fused with the layer."""


@dataclass
class _Share:
    """What the start of a chain takes: ``scale`` and ``offset`` of its channels; for a layer, its new weights."""

    chain: Chain
    name: str
    """The name of what stands at the end of the chain, which is kept, or a new one."""
    scale: Array
    offset: Array
    weights: Array | None = None
    bias: Array | None = None


class AfterLayers:
    """Folds chains with a step that is ``wanted``. ``changed`` tells what was done, ``reasons`` why a node was left.

    With ``whole``, what follows the last step that is wanted is folded too.
    """

    def __init__(self, editor: GraphEditor, constants: Constants, wanted: Wanted, *, whole: bool) -> None:
        self.changed: list[str] = []
        self.reasons: dict[str, str] = {}
        self._editor = editor
        self._constants = constants
        self._wanted = wanted
        self._whole = whole
        self._waiting: dict[str, dict[TensorRef, Chain]] = {}

    def run(self) -> None:
        """Fold all there are."""
        for node in self._editor:
            if node.op not in LINEAR_OPS:
                continue
            weights = constant_weights(self._editor, self._constants, node)
            if weights is None:
                self._blame(TensorRef(node.name), f"the weights of '{node.name}' are not constant")
            else:
                self._grow(layer_chain(node, weights))
        for name, branches in self._waiting.items():
            self._alone(self._editor[name], list(branches.values()))

    def _grow(self, chain: Chain) -> None:
        """Follow the chain; where it is joined with others, wait for them and go on together."""
        while True:
            reader = follow(self._editor, self._constants, chain)
            if reader is not None and chain.stop:
                self.reasons[reader.name] = chain.stop
            refs = joined_inputs(reader) if reader is not None and not chain.stop else ()
            if reader is None or chain.data not in refs:
                self._close(chain)
                return
            branches = self._waiting.setdefault(reader.name, {})
            branches[chain.data] = chain
            if len(branches) < len(refs):
                return
            del self._waiting[reader.name]
            together = join(self._editor, reader, tuple(branches[ref] for ref in refs))
            if together is None:
                self._alone(reader, list(branches.values()))
                return
            chain = together

    def _alone(self, node: Node, branches: list[Chain]) -> None:
        """Close the branches one by one: not all that ``node`` joins can be folded into."""
        ours = {branch.data for branch in branches}
        other = next((ref for ref in joined_inputs(node) if ref not in ours), None)
        if other is None:
            reason = f"it follows '{node.name}' ({node.op}), whose inputs have their channels on different axes"
        else:
            found = self._editor[other.node]
            reason = f"it follows '{node.name}' ({node.op}), which also takes '{other}' ({found.op})"
        self._blame(TensorRef(node.name), reason)
        for branch in branches:
            self._close(branch)

    def _close(self, chain: Chain) -> None:
        """Fold the chain or, when nothing on it asks for that, each of its branches by itself."""
        waiting = [chain]
        while waiting:
            one = waiting.pop()
            last = self._last(one)
            if last is None:
                self._blame(TensorRef(one.start.name), one.stop)
                waiting.extend(reversed(one.branches))
                continue
            name = one.links[last].node.name
            problem = self._fold(dataclasses.replace(one, links=one.links[: last + 1]), name)
            if problem:
                self.reasons[name] = problem
                waiting.append(dataclasses.replace(one, links=_before_pooling(one.links[:last]), stop=""))

    def _last(self, chain: Chain) -> int | None:
        """The place of the last link that is to be folded."""
        found = [at for at, link in enumerate(chain.links) if link.step is not None]
        wanted = [at for at in found if self._wanted(chain.links[at].step)]  # type: ignore[arg-type]
        return (found if self._whole else wanted)[-1] if wanted else None

    def _fold(self, chain: Chain, name: str) -> str:
        """Do it; the reason when it cannot be done."""
        shared = self._shared(chain, name)
        if isinstance(shared, str):
            return shared
        results: dict[TensorRef, TensorRef] = {}
        for share in reversed(shared):  # branches before what joins them
            results[share.chain.data] = self._rebuild(share, results)
        steps = ", ".join(f"'{step.node.name}' ({step.node.op})" for step in chain.steps)
        layers = ", ".join(f"'{layer.name}' ({layer.op})" for layer in chain.layers())
        self.changed.append(f"Folded {steps} into {layers}.")
        return ""

    def _shared(self, chain: Chain, name: str) -> list[_Share] | str:
        """What each layer and each joining node takes, from the end to the layers; or why it cannot be."""
        one, none = np.ones(chain.end.channels), np.zeros(chain.end.channels)
        shared: list[_Share] = []
        waiting = [_Share(chain, name, one, none)]
        while waiting:
            share = waiting.pop()
            reached = through(share.chain, share.scale, share.offset)
            if isinstance(reached, str):
                return reached
            share.scale, share.offset = reached
            shared.append(share)
            for branch, part in zip(share.chain.branches, shares(self._editor, share.chain, *reached), strict=False):
                waiting.append(_Share(branch, self._editor.fresh(f"{branch.data.node}/scaled"), *part))
            if not share.chain.branches and not self._compute(share):
                return "the folded weights would not be finite"
        return shared

    def _compute(self, share: _Share) -> bool:
        """The new weights and bias of a layer; False when they are not finite."""
        layer = share.chain.start
        weights = constant_weights(self._editor, self._constants, layer)
        assert weights is not None
        with np.errstate(all="ignore"):
            share.weights = rounded(layer, scaled(layer, weights.astype(np.float64), share.scale))
            share.bias = share.offset.astype(share.weights.dtype)
        return bool(np.isfinite(share.weights).all() and np.isfinite(share.bias).all())

    def _rebuild(self, share: _Share, results: dict[TensorRef, TensorRef]) -> TensorRef:
        """The start with its new weights or inputs, the bias, and the moves; the last one has the share's name."""
        chain = share.chain
        nodes = [(self._start(share, results), chain.start.name)]
        moves = [link for link in chain.links if link.step is None]
        early = 0
        while early < len(moves) and moves[early].node.op in _BEFORE_BIAS:
            early += 1
        nodes.extend((link.node, link.node.name) for link in moves[:early])
        if share.bias is not None and share.bias.any():
            layout = moves[early - 1].layout if early else chain.layout
            nodes.append((bias_node(chain.start, layout.first), nodes[-1][1]))
        nodes.extend((link.node, link.node.name) for link in moves[early:])
        controls = tuple(dict.fromkeys(item for step in chain.steps for item in step.node.controls))
        return rebuilt(self._editor, nodes, share.name, controls, share.bias)

    def _start(self, share: _Share, results: dict[TensorRef, TensorRef]) -> Node:
        start = share.chain.start
        if share.weights is None:
            return dataclasses.replace(start, inputs=tuple(results.get(ref, ref) for ref in start.inputs))
        place = LINEAR_OPS[start.op].weights
        ref = new_weights(self._editor, start, share.weights)
        inputs = tuple(ref if at == place else item for at, item in enumerate(start.inputs))
        return dataclasses.replace(start, inputs=inputs)

    def _blame(self, data: TensorRef, reason: str) -> None:
        """Give ``reason`` to the batch norms that read ``data``, also behind a bias."""
        if not reason:
            return
        for reader in self._editor.readers(data):
            if reader.op in BATCH_NORMS or reader.op == "Mul":
                self.reasons.setdefault(reader.name, reason)
            elif reader.op in ("BiasAdd", "Add", "AddV2"):
                for next_reader in self._editor.readers(TensorRef(reader.name)):
                    if next_reader.op in BATCH_NORMS or next_reader.op == "Mul":
                        self.reasons.setdefault(next_reader.name, reason)


def _before_pooling(links: list[Link]) -> list[Link]:
    """The links before the last that only positive scales can pass: without it, the others may be folded."""
    places = [at for at, link in enumerate(links) if link.node.op in POSITIVE_ONLY]
    return links[: places[-1]] if places else []
