"""A graph as JSON, for other tools: everything that the view knows, and the formulas.

One object::

    {"format": "autograd_engine.graph", "version": 1,
     "numbers": true,             // false: structure only, all numbers are null
     "differentiated": true,      // whether a backward pass has come through an output
     "outputs": [2],              // indices of nodes
     "nodes": [                   // in topological order: operands come first
       {"index": 2, "name": "x*w", "label": "", "kind": "output", "scope": ["layer 0"],
        "operation": "mul",       // the primitive's name; null for a leaf
        "symbol": "*",
        "operands": [{"node": 0}, {"constant": 3.0}],
        "data": 6.0, "grad": 1.0, "adjoint": 1.0,
        "outdated": false}],      // operands' data was set since the forward pass
     "edges": [                   // from operand to result
       {"source": 0, "target": 2,
        "position": 0,            // which of the target's operands, constants counted
        "derivative": 3.0,        // local: d target / d source
        "formula": "3",           // of the derivative; "" where there is none
        "contribution": 3.0}],    // derivative times the target's adjoint
     "scopes": [["layer 0"]]}

Above a million operands there is no JSON: it would take hundreds of megabytes.

A small graph shows the products of a dot and their sum as nodes of their own, as pictures do.
Numbers that JSON has no word for are the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from autograd_engine.errors import RenderError
from autograd_engine.expansion import expanded
from autograd_engine.formulas import derivatives_of, names_of
from autograd_engine.graph import Graph, Node
from autograd_engine.kinds import kind_of
from autograd_engine.notation import Formula

__all__ = ["as_data", "json_text"]

MOST_OPERANDS = 1_000_000  # of all nodes: 100 bytes and more each
MOST_FORMULAS = 10_000  # nodes: the formulas of more take many seconds, and are "" then


def as_data(graph: Graph) -> dict[str, Any]:
    """The object that this module describes, made of dicts, lists, strings and numbers.

    Raises
    ------
    RenderError
        Above MOST_OPERANDS.
    """
    count = sum(len(node.operands) for node in graph.nodes)
    if count > MOST_OPERANDS:
        raise RenderError(
            f"draw: JSON of {count:,} operands would be very large, the limit is "
            f"{MOST_OPERANDS:,}; write a smaller part of the graph, such as one sample's, "
            "or use Graph.of(...) in Python"
        )
    graph = expanded(graph)
    names = names_of(graph)
    return {
        "format": "autograd_engine.graph",
        "version": 1,
        "numbers": graph.numbers,
        "differentiated": graph.differentiated,
        "outputs": list(graph.outputs),
        "nodes": [_node(node, names, graph) for node in graph.nodes],
        "edges": list(_edges(graph, names)),
        "scopes": [list(scope) for scope in dict.fromkeys(n.scope for n in graph.nodes) if scope],
    }


def json_text(graph: Graph) -> str:
    """The object as JSON, one line for each node and edge."""
    parts = []
    for key, value in as_data(graph).items():
        if isinstance(value, list) and value and key in ("nodes", "edges"):
            text = "[\n  " + ",\n  ".join(map(_json, value)) + "\n ]"
        else:
            text = _json(value)
        parts.append(f" {_json(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(x: Any) -> str:
    return json.dumps(x, allow_nan=False)  # ASCII: a label may hold half a character


def _node(node: Node, names: Sequence[Formula], graph: Graph) -> dict[str, Any]:
    known = graph.numbers
    return {
        "index": node.index,
        "name": names[node.index].text,
        "label": node.label,
        "kind": kind_of(node, graph),
        "scope": list(node.scope),
        "operation": node.primitive.name if node.primitive else None,
        "symbol": node.symbol,
        "operands": [
            {"node": x} if isinstance(x, int) else {"constant": _number(x)} for x in node.operands
        ],
        "data": _number(node.data) if known else None,
        "grad": _number(node.grad) if known else None,
        "adjoint": _number(node.adjoint) if known else None,
        "outdated": node.outdated,
    }


def _edges(graph: Graph, names: Sequence[Formula]) -> Iterator[dict[str, Any]]:
    data = [node.data for node in graph.nodes]
    written = graph.numbers and len(graph.nodes) <= MOST_FORMULAS
    for node in graph.nodes:
        formulas = derivatives_of(node, names, data) if written else []
        for edge in graph.edges_into(node):
            yield {
                "source": edge.source,
                "target": edge.target,
                "position": edge.position,
                "derivative": _number(edge.derivative) if graph.numbers else None,
                "formula": formulas[edge.position].text if formulas else "",
                "contribution": _number(edge.contribution) if graph.numbers else None,
            }


def _number(x: float) -> float | str:
    return x if math.isfinite(x) else str(x)
