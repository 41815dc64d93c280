"""A dot node shown as its products and their sum, while the picture stays small.

`nn` computes w . x in one node, because that is fast; a reader wants to see the multiplications.
"""

from __future__ import annotations

from dataclasses import replace

from autograd_engine import primitives
from autograd_engine.graph import Graph, Node

__all__ = ["READABLE", "expanded"]

READABLE = 200  # values in a picture that shows products


def expanded(graph: Graph) -> Graph:
    """The graph with every `dot` expanded, or as it is where that makes more than READABLE values.

    Products are nodes without a label, in the scope of their dot; the sum of them takes the dot's
    place, label and numbers. Local derivatives stay those of the forward pass.
    """
    dots = [node for node in graph.nodes if node.primitive is primitives.dot]
    products = sum(_products_of(node) for node in dots)
    if not dots or len(graph.nodes) + products > READABLE:
        return graph
    nodes: list[Node] = []
    derivatives: list[tuple[float, ...]] = []
    place: list[int] = []  # of each old node among the new
    for node in graph.nodes:
        operands = tuple([place[x] if isinstance(x, int) else x for x in node.operands])
        own = tuple([edge.derivative for edge in graph.edges_into(node)])
        if node.primitive is primitives.dot:
            terms = _expand(node, operands, own, nodes, derivatives)
            own = (1.0,) * sum(isinstance(x, int) for x in terms)
            node = replace(node, primitive=primitives.sum, symbol="+")
            operands = terms
        place.append(len(nodes))
        nodes.append(replace(node, index=len(nodes), operands=operands))
        derivatives.append(own)
    outputs = [place[i] for i in graph.outputs]
    return graph.replaced(nodes=nodes, derivatives=derivatives, outputs=outputs)


def _products_of(node: Node) -> int:
    n = len(node.operands) // 2
    pairs = zip(node.operands[:n], node.operands[n:], strict=True)
    return sum(isinstance(w, int) or isinstance(x, int) for w, x in pairs)


def _expand(
    dot: Node,
    operands: tuple[int | float, ...],
    derivatives: tuple[float, ...],
    nodes: list[Node],
    all_derivatives: list[tuple[float, ...]],
) -> tuple[int | float, ...]:
    """Append a dot's products to the new nodes; returns the operands of their sum."""
    n, terms = len(operands) // 2, list[int | float]()
    positions = [i for i, x in enumerate(operands) if isinstance(x, int)]
    slope = dict(zip(positions, derivatives, strict=True))
    for i, (w, x) in enumerate(zip(operands[:n], operands[n:], strict=True)):
        factors = [y if isinstance(y, float) else nodes[y].data for y in (w, x)]
        data = primitives.mul.evaluate(factors)
        if isinstance(w, float) and isinstance(x, float):
            terms.append(data)
            continue
        terms.append(len(nodes))
        all_derivatives.append(tuple([slope[j] for j in (i, n + i) if j in slope]))
        nodes.append(
            Node(
                len(nodes), "", dot.scope, "*", data, dot.grad, dot.adjoint, (w, x), False,
                primitives.mul,
            )
        )  # fmt: skip
    return tuple(terms)
