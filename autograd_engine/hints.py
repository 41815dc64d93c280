"""What is worth knowing about a graph besides its numbers: each hint is there only when it is true.

Above all it answers "why is my gradient 0" (or nan, or three times what it should be), by naming
the node or the edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from autograd_engine import primitives
from autograd_engine.formulas import arithmetic_of, derivatives_of, operation_of
from autograd_engine.graph import Edge, Graph, Node
from autograd_engine.notation import Formula, rounded
from autograd_engine.prose import Said, equal, listed
from autograd_engine.rows import Primitive

__all__ = ["Slopes", "hints"]

MOST = 3  # edges or nodes that one hint names
SATURATED = 0.01  # a slope of these rows below this
_SATURATING = (primitives.tanh, primitives.sigmoid)

_REASONS: dict[Primitive, str] = {
    primitives.relu: "relu is flat where its operand is not above 0",
    primitives.mul: "the other factor is 0",
    primitives.dot: "the other factor is 0",
    primitives.maximum: "the other operand is the larger one",
    primitives.minimum: "the other operand is the smaller one",
    primitives.where: "the other operand was chosen",
    primitives.sign: "it is flat on both sides of its jump",
    primitives.heaviside: "it is flat on both sides of its jump",
    primitives.tanh: "it is saturated, so far from 0 its curve is flat",
    primitives.sigmoid: "it is saturated, so far from 0 its curve is flat",
}


def hints(
    graph: Graph,
    names: Sequence[Formula],
    wrt: int | None,
    edges: Sequence[Edge],
    slopes: Slopes,
) -> list[Said]:
    """All hints about a graph, or about the gradient by one node, whose paths have these edges."""
    data = [node.data for node in graph.nodes]
    return [
        *_about_values(graph, names, data),
        *_about_infinities(graph, names, edges, slopes),
        *_about_flat_edges(graph, names, wrt, edges, slopes),
        *_about_gradients(graph, names, wrt),
    ]


class Slopes:
    """The local derivatives of a graph's edges, those of one node worked out together."""

    def __init__(self, graph: Graph, names: Sequence[Formula], data: Sequence[float]) -> None:
        self._graph, self._names, self._data = graph, names, data
        self._known: dict[int, list[Formula]] = {}

    def formula(self, edge: Edge) -> Formula:
        """The formula, empty where there is none."""
        if edge.target not in self._known:
            node = self._graph.nodes[edge.target]
            self._known[edge.target] = derivatives_of(node, self._names, self._data)
        return self._known[edge.target][edge.position]

    def equation(self, edge: Edge) -> Formula:
        """The formula and the number."""
        return equal(self.formula(edge), rounded(edge.derivative))


def _several(things: Sequence[Formula]) -> Said:
    more = len(things) - MOST
    shown = listed(things[:MOST])
    return Said(f"{{}} and {more:,} more", shown) if more > 0 else shown


def _about_values(graph: Graph, names: Sequence[Formula], data: Sequence[float]) -> Iterator[Said]:
    outdated = [names[node.index] for node in graph.nodes if node.outdated]
    if outdated:
        yield Said(
            "Data was set since the forward pass: {} would be something else now. Local "
            "derivatives are still those of the forward pass; compute the output again.",
            _several(outdated),
        )
    fused = [names[n.index] for n in graph.nodes if n.primitive is not None and n.primitive.opaque]
    if fused:
        yield Said(
            "{}: one node for all that a compiled function does. Its local derivatives are known "
            "as numbers, without formulas.",
            _several(fused),
        )
    for node in graph.nodes:
        below = [data[x] if isinstance(x, int) else x for x in node.operands]
        if not math.isfinite(node.data) and all(map(math.isfinite, below)):
            forms = [] if node.primitive is None else [arithmetic_of(node, data)]
            yield Said("{} is the first value that is not finite.", _valued(node, names, *forms))
            return


def _valued(node: Node, names: Sequence[Formula], *forms: Formula) -> Formula:
    return equal(names[node.index], operation_of(node, names), *forms, rounded(node.data))


def _about_infinities(
    graph: Graph, names: Sequence[Formula], edges: Sequence[Edge], slopes: Slopes
) -> Iterator[Said]:
    """Where, going backward, the first inf or nan comes from."""
    # where a contribution is finite, the local derivative is: very many are passed over quickly
    notable = [edge for edge in edges if not math.isfinite(edge.contribution)]
    for edge in sorted(notable, key=lambda edge: -edge.target):
        source, target = names[edge.source], names[edge.target]
        adjoint = graph.nodes[edge.target].adjoint
        if not math.isfinite(edge.derivative):
            yield Said(
                "The local derivative of {} by {} is not finite: {}.",
                target, source, slopes.equation(edge),
            )  # fmt: skip
        elif math.isfinite(edge.contribution) or not math.isfinite(adjoint):
            continue
        if math.isnan(edge.contribution) and not math.isnan(edge.derivative + adjoint):
            product = (rounded(edge.derivative), rounded(adjoint))
            yield Said("{} times {} is nan, and nan stays nan all the way back.", *product)
        return


def _about_flat_edges(
    graph: Graph,
    names: Sequence[Formula],
    wrt: int | None,
    edges: Sequence[Edge],
    slopes: Slopes,
) -> Iterator[Said]:
    dead = [edge for edge in edges if edge.derivative == 0.0]
    first = [edge for edge in dead if graph.nodes[edge.target].adjoint != 0.0]
    curved = {node.index for node in graph.nodes if node.primitive in _SATURATING}
    steep = [edge for edge in edges if edge.target in curved]
    flat = [edge for edge in steep if 0.0 < abs(edge.derivative) < SATURATED]
    if wrt is None:
        intro = "No gradient goes along {}"
    elif graph.nodes[wrt].adjoint != 0.0:
        first = []
    elif dead and not _is_connected(graph, wrt, edges):
        intro = (
            "This gradient is 0 because every path has a local derivative of 0 in it; look at {}"
        )
        first = first or dead
    else:
        first = []
        yield from _about_lost(graph, names, wrt, edges)
    for edge in first[:MOST]:
        yield Said(intro + "{}", _because(edge, graph, names, slopes), _more(first, edge))
    for edge in flat[:MOST]:
        yield Said("Little gradient goes along {}{}", _because(edge, graph, names, slopes),
                   _more(flat, edge))  # fmt: skip


def _more(edges: Sequence[Edge], edge: Edge) -> Said:
    """The end of the sentence about an edge; the last one says how many others there are."""
    left = len(edges) - MOST if edge is edges[:MOST][-1] else 0
    return Said(f". (And along {left:,} more.)" if left > 0 else ".")


def _is_connected(graph: Graph, wrt: int, edges: Iterable[Edge]) -> bool:
    """Whether a path leads to a node on which no local derivative is 0."""
    return bool(_live(graph, wrt, edges))


def _live(graph: Graph, wrt: int, edges: Iterable[Edge]) -> list[Edge]:
    """The edges of all paths to a node on which no local derivative is 0, from the output on."""
    above, below = {wrt}, {graph.output.index}
    upward = sorted([e for e in edges if e.derivative != 0.0], key=lambda edge: edge.target)
    for edge in upward:
        if edge.source in above:
            above.add(edge.target)
    live = []
    for edge in reversed(upward):
        if edge.target in below and edge.source in above:
            below.add(edge.source)
            live.append(edge)
    return live


def _about_lost(
    graph: Graph, names: Sequence[Formula], wrt: int, edges: Sequence[Edge]
) -> Iterator[Said]:
    """Where a gradient became 0 though no local derivative on some path is."""
    for edge in _live(graph, wrt, edges):
        adjoint = graph.nodes[edge.target].adjoint
        if graph.nodes[edge.source].adjoint != 0.0 or adjoint == 0.0:
            continue
        if all(other.contribution == 0.0 for other in graph.uses_of[edge.source]):
            yield Said(
                "This gradient is 0 because a product on its way is too small for a float: {} "
                "times {}, on the edge from {} back to {}.",
                rounded(edge.derivative), rounded(adjoint), names[edge.target], names[edge.source],
            )  # fmt: skip
        elif edge.source == wrt:
            yield Said("This gradient is 0 because what comes along its paths cancels.")
        else:
            yield Said(
                "This gradient is 0 because what comes along the paths cancels at {}.",
                names[edge.source],
            )
        return


def _because(edge: Edge, graph: Graph, names: Sequence[Formula], slopes: Slopes) -> Said:
    row = graph.nodes[edge.target].primitive
    reason = _REASONS.get(row, "") if row is not None else ""
    return Said(
        "the edge from {} back to {}, whose local derivative is {}" + (reason and f" ({reason})"),
        names[edge.target], names[edge.source], slopes.equation(edge),
    )  # fmt: skip


def _about_gradients(graph: Graph, names: Sequence[Formula], wrt: int | None) -> Iterator[Said]:
    """Where `.grad` holds something else than what is explained."""
    output, scale = graph.output, graph.output.grad
    nodes = [n for n in graph.nodes if n.is_leaf] if wrt is None else [graph.nodes[wrt]]
    if scale == 0.0 and not any(node.grad for node in nodes):
        yield Said(
            "`.grad` of {} is 0: `backward()` has not been called on it, or gradients were zeroed "
            "since.",
            names[output.index],
        )
        return
    if scale not in (0.0, 1.0):
        yield Said(
            "`.grad` of {} is {}: the last backward pass came from further on, or began with "
            "another gradient. The one explained here begins at 1.",
            names[output.index], rounded(scale),
        )  # fmt: skip
    yield from _about_others([node for node in nodes if not _holds(node, scale)], names, scale)


def _about_others(nodes: Sequence[Node], names: Sequence[Formula], scale: float) -> Iterator[Said]:
    """What each of them holds instead; those for which the reason is the same go together."""
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_held(node, names[node.index], scale).template, []).append(node)
    shown = list(groups.values())[:MOST]
    for first, *others in shown:
        said = _held(first, names[first.index], scale)
        if others:
            same = _several([names[node.index] for node in others])
            said = Said("{} The same of {}.", said, same)
        yield said
    left = len(nodes) - sum(map(len, shown))
    if left:
        leaves = "1 more leaf holds" if left == 1 else f"{left:,} more leaves hold"
        yield Said(f"`.grad` of {leaves} something else, too.")


def _holds(node: Node, scale: float) -> bool:
    expected = node.adjoint * scale
    both_nan = math.isnan(node.grad) and math.isnan(expected)
    return both_nan or math.isclose(node.grad, expected, rel_tol=1e-9)


def _held(node: Node, name: Formula, scale: float) -> Said:
    expected = node.adjoint * (scale or 1.0)
    held, here = rounded(node.grad), rounded(expected)
    if not node.is_leaf:
        return Said("`.grad` of {} holds {}, from a backward pass that did not come from this "
                    "output alone.", name, held)  # fmt: skip
    if node.grad == 0.0:
        return Said("`.grad` of {} is 0, not {}: it was zeroed since.", name, here)
    times = node.grad / expected if expected else math.nan
    if 1.5 < times < 1000.5 and math.isclose(times, round(times), rel_tol=1e-9):
        return Said(
            f"`.grad` of {{}} holds {{}}, which is {round(times)} times {{}}: backward passes add "
            "up until `zero_grad()`.",
            name, held, here,
        )  # fmt: skip
    return Said(
        "`.grad` of {} holds {} and not {}: it holds what other backward passes added to it, "
        "until `zero_grad()`.",
        name, held, here,
    )  # fmt: skip
