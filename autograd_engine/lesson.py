"""What an explanation says, in order: what, forward, backward, the paths, and what else is notable.

`Subject` knows the facts; each section is a function of it, and makes blocks of prose (`prose.py`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from autograd_engine.formulas import arithmetic_of, names_of, operation_of, recomputed
from autograd_engine.graph import Edge, Graph, Node
from autograd_engine.hints import Slopes, hints
from autograd_engine.notation import Formula, as_read, partial, rounded
from autograd_engine.prose import (
    MOST_PARTS,
    Block,
    Heading,
    Item,
    Said,
    Table,
    after,
    equal,
    equals,
    few,
    joined,
    listed,
    many,
    paths_in_words,
    product,
)
from autograd_engine.routes import Route, Routes, added, routes

__all__ = ["MOST_USES", "Subject", "lesson"]

MOST_STEPS = 40  # that are written out, forward and backward
MOST_PATHS = 12
MOST_USES = 6  # of one node
MOST_LEAVES = 12
SHORT = 24  # characters of d o / d o = 1, where it is written out
STEP = Formula("h", "h")
ROUNDED = "(the numbers before it are rounded)"
TOLERANCE = 0.02  # relative: of a result that rounded numbers do not give

Row = tuple[Said, ...]


class Subject:
    """The graph that is explained, with what is asked about it more than once."""

    def __init__(self, graph: Graph, wrt: int | None) -> None:
        self.graph, self.wrt = graph, wrt
        self.names = names_of(graph)
        self.output = self.names[graph.output.index]
        self.data = [node.data for node in graph.nodes]
        self.slopes = Slopes(graph, self.names, self.data)
        self.routes = Routes(0, (), 0.0, {}) if wrt is None else routes(graph, wrt, MOST_PATHS)

    @cached_property
    def edges(self) -> Sequence[Edge]:
        """Those that matter: on paths to `wrt`, where there is one."""
        if self.wrt is None:
            return self.graph.edges
        return [edge for edges in self.routes.ways.values() for edge in edges]

    @cached_property
    def uses(self) -> dict[int, list[Edge]]:
        """For each shown node the edges to those that use it, in the order of `backward`."""
        found: dict[int, list[Edge]] = {node.index: [] for node in self.backward}
        for edge in self.edges:
            if edge.source in found:
                found[edge.source].append(edge)
        latest = operator.attrgetter("target")
        return {i: sorted(edges, key=latest, reverse=True) for i, edges in found.items()}

    @cached_property
    def notes(self) -> list[Said]:
        """What else there is to say."""
        return hints(self.graph, self.names, self.wrt, self.edges, self.slopes)

    @cached_property
    def operations(self) -> list[Node]:
        """Those whose results a reader wants to see: of very many those that depend on `wrt`."""
        found = [node for node in self.graph.nodes if not node.is_leaf]
        if len(found) > MOST_STEPS and self.wrt is not None:
            return [node for node in found if node.index in self.routes.ways]
        return found

    @cached_property
    def forward(self) -> list[Node]:
        """The operations that are shown."""
        return self._shown(self.operations)

    @cached_property
    def reached(self) -> list[Node]:
        """The nodes with an adjoint that matters, from the output on."""
        found = {self.graph.output.index, *[edge.source for edge in self.edges]}
        return [self.graph.nodes[i] for i in sorted(found, reverse=True)]

    @cached_property
    def backward(self) -> list[Node]:
        """Those of them that are shown."""
        return self._shown(self.reached)

    def _shown(self, nodes: list[Node]) -> list[Node]:
        """All of them; of many those on the paths that are listed, and then the outer ones."""
        if len(nodes) > MOST_STEPS and self.wrt is not None:
            on_paths = {x for route in self.routes.heaviest for e in route.edges for x in e[:2]}
            nodes = [node for node in nodes if node.index in on_paths]
        half = MOST_STEPS // 2
        return nodes if len(nodes) <= MOST_STEPS else nodes[:half] + nodes[-half:]


def lesson(subject: Subject) -> Iterator[Block]:
    """All that is said."""
    yield from _what(subject)
    if not subject.graph.output.is_leaf:
        yield Heading("Forward: each value from its operands")
        yield from _forward(subject)
    yield Heading("Backward: from the output, what each node gets from those that use it")
    yield from _backward(subject)
    if subject.wrt is not None:
        yield from _paths(subject, subject.wrt)
    if subject.notes:
        yield Heading("Notes")
        yield from map(Item, subject.notes)


def _what(subject: Subject) -> Iterator[Block]:
    node = subject.graph.output
    yield Said(
        "{}",
        equal(subject.output, operation_of(node, subject.names), rounded(node.data)),
    )
    if subject.wrt is None:
        return
    name, adjoint = subject.names[subject.wrt], subject.graph.nodes[subject.wrt].adjoint
    if not math.isfinite(adjoint):
        yield Said("{}", equal(partial(subject.output, name), rounded(adjoint)))
    elif not math.isfinite(node.data):
        yield Said(
            "{} by the chain rule, but {} is {} here: no step in {} can be seen in it.",
            equal(partial(subject.output, name), rounded(adjoint)),
            subject.output, rounded(node.data), name,
        )  # fmt: skip
    else:
        yield Said(
            "{}: a small step {} in {} changes {} by {}.",
            equal(partial(subject.output, name), rounded(adjoint)),
            STEP, name, subject.output, joined([rounded(adjoint), STEP], "*", r" \cdot "),
        )  # fmt: skip


def _forward(subject: Subject) -> Iterator[Block]:
    leaves = [node for node in subject.graph.nodes if node.is_leaf]
    leaves.sort(key=lambda node: node.index != subject.wrt)  # among very many, that one is shown
    shown = [equal(subject.names[node.index], rounded(node.data)) for node in leaves[:MOST_LEAVES]]
    more = len(leaves) - len(shown)
    yield Said("Leaves: {}" + (f" and {more:,} more." if more else "."), listed(shown))
    operations, steps = subject.operations, subject.forward
    rows = [(node.index, _forward_row(subject, node)) for node in steps]
    yield Table(("value", "in numbers", "result"), tuple(_with_gaps(rows, operations)))
    others = sum(not node.is_leaf for node in subject.graph.nodes) - len(operations)
    if others:
        yield Said(
            f"{many(others, 'more step')}, in which {{}} has no part.",
            subject.names[subject.wrt or 0],
        )


def _forward_row(subject: Subject, node: Node) -> Row:
    operation = operation_of(node, subject.names)
    numbers = arithmetic_of(node, subject.data)
    found = node.data if node.outdated else recomputed(node, subject.data)
    result = _result(found, node.data)
    return (
        Said("{}", equal(subject.names[node.index], operation)),
        Said("{}", Formula(f"= {numbers.text}", f"= {numbers.latex}")),
        Said("{} (outdated)", result) if node.outdated else result,
    )


def _result(found: float, x: float) -> Said:
    """A number, and a remark where those before it give `found` as shown, as where they cancel."""
    seen = not math.isfinite(x) or math.isclose(found, x, rel_tol=TOLERANCE)
    return equals(x) if seen else Said(f"{{}} {ROUNDED}", equals(x))


def _with_gaps(rows: Iterable[tuple[int, Row]], everything: Sequence[Node]) -> Iterator[Row]:
    """The rows, each with its node's index, and lines that say how many nodes are left out."""
    rank, before = {node.index: i for i, node in enumerate(everything)}, -1
    for index, row in rows:
        yield from _gap(rank[index] - before - 1)
        before = max(before, rank[index])
        yield row
    yield from _gap(len(everything) - before - 1)


def _gap(count: int) -> Iterator[Row]:
    if count > 0:
        yield (Said(f"... {many(count, 'step')} left out ..."),)


def _backward(subject: Subject) -> Iterator[Block]:
    rows = [(node.index, row) for node in subject.backward for row in _backward_rows(subject, node)]
    header = ("node", "used by", "local derivative", "times its adjoint", "contribution")
    yield Table(header, tuple(_with_gaps(rows, subject.reached)))
    others = len(subject.graph.nodes) - len(subject.reached)
    if others:
        they = "node is" if others == 1 else f"{others:,} nodes are"
        yield Said(f"The other {they} on no path to {{}}.", subject.names[subject.wrt or 0])
    yield from _why_added(subject)
    yield from _why_order(subject)


def _backward_rows(subject: Subject, node: Node) -> Iterator[Row]:
    name, nothing = Said("{}", subject.names[node.index]), Said("")
    uses = subject.uses[node.index]
    if not uses:
        one = equal(partial(subject.output, subject.output), rounded(node.adjoint))
        one = one if len(one.text) <= SHORT else rounded(1.0)
        yield name, Said("the output"), Said("{}", one), nothing, equals(1.0)
    for i, edge in enumerate(uses[:MOST_USES]):
        yield (
            nothing if i else name,
            Said("{}", subject.names[edge.target]),
            Said("{}", subject.slopes.equation(edge)),
            Said("{}", after("*", r"\times", subject.graph.nodes[edge.target].adjoint)),
            equals(edge.contribution),
        )
    rest = [edge.contribution for edge in uses[MOST_USES:]]
    if rest:
        yield nothing, Said(f"{len(rest):,} more"), nothing, nothing, equals(added(rest))
    if len(uses) > 1:
        terms = joined(few([edge.contribution for edge in uses], rounded), " + ", " + ")
        parts = [as_read(edge.contribution) for edge in uses]
        result = _result(added(parts) if len(uses) <= MOST_PARTS else node.adjoint, node.adjoint)
        yield nothing, Said("added up"), Said("{}", terms), nothing, result


def _why_added(subject: Subject) -> Iterator[Said]:
    """Why +=, on the node that was asked about, else on the first that shows it."""
    for node in reversed(subject.backward):
        uses = subject.uses[node.index]
        whole, last = rounded(node.adjoint), rounded(uses[-1].contribution if uses else 1.0)
        if len(uses) < 2 or whole == last or not math.isfinite(node.adjoint):
            continue
        yield Said(
            f"Why `+=`: {{}} is used {'twice' if len(uses) == 2 else f'{len(uses):,} times'}. A "
            "step in it reaches {} through each of these uses, and the chain rule adds up what "
            "comes along them: {}. With = it would keep the last one only, {}.",
            subject.names[node.index], subject.output, whole, last,
        )  # fmt: skip
        return


def _why_order(subject: Subject) -> Iterator[Said]:
    """Why topological order, on an interior node that would hand on too little if it came early."""
    for node in subject.backward:
        uses = subject.uses[node.index]
        early = [edge for edge in uses if edge.target == uses[0].target]
        partly = added([edge.contribution for edge in early])
        below = subject.routes.ways.get(node.index) or list(subject.graph.edges_into(node))
        if (
            len(early) == len(uses)
            or not below
            or not math.isfinite(partly)
            or math.isclose(partly, node.adjoint)
        ):
            continue
        users = list(dict.fromkeys([edge.target for edge in uses]))
        child = below[0]
        yield Said(
            "Why this order: a node hands its adjoint on only when all nodes that use it have "
            "added their part. {} is used by {}. After {} alone its adjoint would be {} in place "
            "of {}, and {} would get {} from it in place of {}.",
            subject.names[node.index],
            listed(few(users, subject.names.__getitem__), " and "),
            subject.names[uses[0].target],
            rounded(partly),
            rounded(node.adjoint),
            subject.names[child.source],
            rounded(child.derivative * partly),
            rounded(child.contribution),
        )
        return


def _paths(subject: Subject, wrt: int) -> Iterator[Block]:
    found, name = subject.routes, subject.names[wrt]
    yield Heading("Paths: the product of the local derivatives along each")
    more = ", the heaviest first" if found.count > 1 else ""
    yield Said(f"{paths_in_words(found.count)} from {{}} to {{}}{more}.", subject.output, name)
    rows = [_path_row(subject, route) for route in found.heaviest]
    left = found.count - len(found.heaviest)
    if left:
        rows.append((equals(found.remaining), Said(""), Said(f"{paths_in_words(left)} more")))
    if found.count > 1:
        total = Said("added up: {}", partial(subject.output, name))
        rows.append((equals(subject.graph.nodes[wrt].adjoint), Said(""), total))
    yield Table(("product", "local derivatives", "path"), tuple(rows))


def _path_row(subject: Subject, route: Route) -> Row:
    nodes = [subject.graph.output.index, *[edge.source for edge in route.edges]]
    way = few(nodes, subject.names.__getitem__)
    names = Formula(" -> ".join([x.text for x in way]), r" \to ".join([x.latex for x in way]))
    factors = product([1.0, *[edge.derivative for edge in route.edges]])
    return equals(route.product), factors, Said("{}", names)
