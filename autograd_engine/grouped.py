"""The storyboard of a large graph: a card for each group, a frame for each stretch of work.

A stretch is the longest run of operations of one group whose operands are all there. Of several
orders that topology allows, the one that stays in a group as long as it can is taken: a batch goes
through layer 0 with all its samples, then through layer 1.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import NamedTuple

from autograd_engine.folding import ELSEWHERE, Folded, Group, fold, summary
from autograd_engine.graph import Graph, Node
from autograd_engine.storyboard import Card, Frame, Storyboard, outdated, titled
from autograd_engine.wording import number, printable, signed

__all__ = ["group_by_group"]

OUT, GRAD, INNER = 0, 1, 2  # the rows of a group's card
SHOWN = 8  # lines of a table
LONGEST_TITLE = 28

MOST_FLOWS = 1000  # arrows; more make a large page, in which none can be followed


class _Stretch(NamedTuple):
    """Operations of one group in an order that they can be done in; `results` are used later."""

    group: int
    nodes: list[Node]
    results: list[Node]


def group_by_group(graph: Graph, most: int) -> Storyboard:
    """A frame for each stretch and pass, folded by neuron where that fits, else by layer, depth."""
    scoped = ("neuron", "layer") if any(node.scope for node in graph.nodes) else ()
    for by in (*scoped, "depth"):
        folded = fold(graph, by)
        working = sum(any(not node.is_leaf for node in group.nodes) for group in folded.groups)
        if 2 * working + 1 > most or len(folded.flows) > MOST_FLOWS:
            continue  # each group has at least one stretch
        stretches = _stretches(folded)
        if 2 * len(stretches) + 1 <= most:
            return _Drafter(folded, stretches, by).storyboard()
    raise AssertionError("bands of depth are few")


def _stretches(folded: Folded) -> list[_Stretch]:
    """The operations in an order that leaves a group as seldom as it can."""
    graph, group_of = folded.graph, folded.group_of
    waiting = [0] * len(graph.nodes)
    users: list[list[int]] = [[] for _ in graph.nodes]
    ready: list[list[int]] = [[] for _ in folded.groups]
    for node in graph.nodes:
        operands = {x for x in node.operands if x.__class__ is int}
        inner = [x for x in operands if not graph.nodes[x].is_leaf]
        waiting[node.index] = len(inner)
        for x in inner:
            users[x].append(node.index)
        if not inner and not node.is_leaf:
            heapq.heappush(ready[group_of[node.index]], node.index)
    stretches: list[_Stretch] = []
    while any(ready):
        group = min((heap[0], g) for g, heap in enumerate(ready) if heap)[1]
        done: dict[int, Node] = {}
        while ready[group]:
            i = heapq.heappop(ready[group])
            done[i] = graph.nodes[i]
            for user in users[i]:
                waiting[user] -= 1
                if not waiting[user]:
                    heapq.heappush(ready[group_of[user]], user)
        results = [
            node
            for i, node in done.items()
            if graph.is_output(node) or any(user not in done for user in users[i])
        ]
        stretches.append(_Stretch(group, list(done.values()), results))
    return stretches


class _Drafter:
    """Draws up cards and frames from a folded graph."""

    def __init__(self, folded: Folded, stretches: list[_Stretch], by: str) -> None:
        self.folded, self.stretches, self.by = folded, stretches, by
        self.graph = folded.graph
        used_outside = {node.index for nodes in folded.flows.values() for node in nodes}
        used_outside |= set(self.graph.outputs)
        self.exits = [
            [node for node in group.nodes if node.index in used_outside] for group in folded.groups
        ]
        self.leaves = [group.leaves for group in folded.groups]
        self.links = {pair: i for i, pair in enumerate(folded.flows)}
        self.computed = {leaf.index for leaves in self.leaves for leaf in leaves}
        self.grads = [0.0] * len(self.graph.nodes)

    def storyboard(self) -> Storyboard:
        """The whole of it."""
        cards = [self._card(group, i) for i, group in enumerate(self.folded.groups)]
        frames = [self._forward(stretch) for stretch in self.stretches]
        last = self.graph.output
        for i in self.graph.outputs:
            self.grads[i] += 1.0
        name = self._name(last)
        start = Frame(
            "start",
            [self.folded.group_of[last.index]],
            f"The backward pass starts: d {name} / d {name} = 1",
        )
        group = self.folded.group_of[last.index]
        start.texts[group, GRAD] = _size([self.grads[node.index] for node in self.exits[group]])
        frames.append(start)
        frames += [self._backward(stretch) for stretch in reversed(self.stretches)]
        note = (
            f"{len(self.graph.nodes):,} values, folded by {self.by}: a step is all work in a card"
        )
        notes = [note, remark] if (remark := outdated(self.graph)) else [note]
        return Storyboard(
            titled(self.graph, name), cards, list(self.links), frames, "; ".join(notes)
        )

    def _name(self, node: Node) -> str:
        numbered = "the result" if self.graph.is_output(node) else f"v{node.index}"
        return printable(node.label) or numbered

    def _title(self, group: int) -> str:
        """A group's name; of what is in no scope, that of the output, where that is among it."""
        found = self.folded.groups[group]
        if found.name == ELSEWHERE and self.folded.group_of[self.graph.output.index] == group:
            return self._name(self.graph.output)
        return printable(found.name, LONGEST_TITLE)

    def _card(self, group: Group, i: int) -> Card:
        leaves, operations, exits = self.leaves[i], group.operations, self.exits[i]
        out = self._span(exits) if not operations else ""
        kind = (
            "output" if any(map(self.graph.is_output, group.nodes))
            else "parameter" if operations and leaves
            else "interior" if operations else "input"
        )  # fmt: skip
        word = "output" if operations else "value"
        rows = [(word if len(exits) == 1 else _plural(word, len(exits)), out)]
        rows.append(("grad", number(0.0)))
        if operations and leaves:
            rows.append((f"max |grad|, {_plural('leaf', len(leaves))}", number(0.0)))
        tip = f"{self._title(i)}: {len(leaves):,} leaves, {len(operations):,} operations"
        if operations:
            tip += f": {printable(summary(operations), 100)}"
        return Card(self._title(i), kind, tuple(rows), tip)

    def _span(self, nodes: Sequence[Node]) -> str:
        data = [node.data for node in nodes]
        if not data or any(map(math.isnan, data)):
            return number(math.nan) if data else ""
        low, high = min(data), max(data)
        return number(low) if low == high else f"{number(low)} to {number(high)}"

    def _forward(self, stretch: _Stretch) -> Frame:
        group, nodes, results = stretch
        operands = {x for node in nodes for x in node.operands if isinstance(x, int)}
        sources = sorted({self.folded.group_of[x] for x in operands} - {group})
        work = f"{_plural('operation', len(nodes))} ({printable(summary(nodes), 80)})"
        frame = Frame("forward", sources, f"{self._title(group)}: {work}", receiving=[group])
        frame.links = {self.links[s, group]: "" for s in sources}
        frame.table = [("result", "value")]
        frame.table += [(self._name(node), number(node.data)) for node in results[:SHOWN]]
        frame.table += _more(len(results))
        self.computed |= {node.index for node in nodes}
        known = [node for node in self.exits[group] if node.index in self.computed]
        frame.texts[group, OUT] = self._span(known)
        return frame

    def _backward(self, stretch: _Stretch) -> Frame:
        """All contributions of a stretch; those to other groups make the table."""
        group, nodes, results = stretch
        received: dict[int, dict[int, float]] = {}
        for node in sorted(nodes, key=lambda node: -node.index):
            for edge in self.graph.edges_into(node):
                product = edge.derivative * self.grads[node.index]
                self.grads[edge.source] += product
                target = self.folded.group_of[edge.source]
                sums = received.setdefault(target, {})
                sums[edge.source] = sums.get(edge.source, 0.0) + product
        gradients = _size([self.grads[node.index] for node in results])
        frame = Frame(
            "backward",
            [group],
            f"{self._title(group)}: the gradient of what it gave on, {gradients}, is complete; "
            f"back through {_plural('operation', len(nodes))}",
        )
        frame.table = [("receives", "values", "contributions", "grad so far")]
        for target, sums in received.items():
            self._received(frame, group, target, sums)
        frame.table[SHOWN + 1 :] = _more(len(frame.table) - 1)
        return frame

    def _received(self, frame: Frame, group: int, target: int, sums: dict[int, float]) -> None:
        """Note what one group got: in the table, and on its card."""
        exits, leaves = self.exits[target], self.leaves[target]
        if any(node.index in sums for node in exits):
            frame.texts[target, GRAD] = _size([self.grads[node.index] for node in exits])
        if self._has_inner(target) and any(leaf.index in sums for leaf in leaves):
            every = [self.grads[leaf.index] for leaf in leaves]
            frame.texts[target, INNER] = number(_largest(every))
        if target == group:
            self._received_inside(frame, group, sums)
            return
        frame.receiving.append(target)
        one = len(sums) == 1
        gets = signed(*sums.values()) if one else _plural("value", len(sums))
        frame.links[self.links[target, group]] = gets
        frame.table.append(
            (
                self._title(target),
                f"{len(sums):,}",
                _size(list(sums.values())),
                _size([self.grads[i] for i in sums]),
            )
        )

    def _received_inside(self, frame: Frame, group: int, sums: dict[int, float]) -> None:
        """The leaves of the group itself, in a layer its parameters."""
        leaves = [i for i in sums if self.graph.nodes[i].is_leaf]
        if leaves:
            one = self._name(self.graph.nodes[leaves[0]])
            received, total = [sums[i] for i in leaves], [self.grads[i] for i in leaves]
            name = one if len(leaves) == 1 else f"its own {_plural('leaf', len(leaves))}"
            frame.table.append((name, f"{len(leaves):,}", _size(received), _size(total)))

    def _has_inner(self, group: int) -> bool:
        """Whether its card has a row for leaves: it has operations, too."""
        return 0 < len(self.leaves[group]) < len(self.folded.groups[group].nodes)


def _size(numbers: list[float]) -> str:
    """One number with its sign, of several how large they are at most."""
    if len(numbers) == 1:
        return signed(numbers[0])
    return f"up to ±{number(_largest(numbers))}"


def _largest(numbers: list[float]) -> float:
    """The largest size; nan where there is one, which `max` may pass over."""
    return math.nan if any(map(math.isnan, numbers)) else max(map(abs, numbers), default=0.0)


def _more(count: int) -> list[tuple[str, ...]]:
    return [(f"and {count - SHOWN:,} more",)] if count > SHOWN else []


def _plural(word: str, count: int) -> str:
    many = "leaves" if word == "leaf" else f"{word}s"
    return f"{count:,} {word if count == 1 else many}"
