"""JSON: all that the view knows, read back by a reader of JSON that takes no nan."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from autograd_engine import Graph, Value, compile, draw, interchange, named_scope, tanh
from autograd_engine.errors import RenderError
from autograd_engine.expansion import expanded
from nn import MLP


def read(subject: Any, **options: Any) -> Any:
    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    text = draw(subject, "graph.json", **options).read_text("utf-8")
    return json.loads(text, parse_constant=refuse)


def test_nodes_and_edges_are_those_of_the_view() -> None:
    output = MLP(2, [2, 1], activation="tanh", rng=0)([Value(0.5, label="x"), Value(-1.0)])
    output.backward()
    graph, data = expanded(Graph(output)), read(output)
    assert (data["format"], data["version"]) == ("autograd_engine.graph", 1)
    assert data["outputs"] == list(graph.outputs)
    assert [n["index"] for n in data["nodes"]] == list(range(len(graph.nodes)))
    for node, found in zip(graph.nodes, data["nodes"], strict=True):
        numbers = [found[key] for key in ("data", "grad", "adjoint")]
        assert numbers == [node.data, node.grad, node.adjoint]
        assert (found["label"], tuple(found["scope"])) == (node.label, node.scope)
        assert found["operation"] == (node.primitive.name if node.primitive else None)
        assert [x["node"] for x in found["operands"]] == list(node.operands)
    keys = ("source", "target", "position", "derivative", "contribution")
    edges = [tuple(edge[key] for key in keys) for edge in data["edges"]]
    assert edges == [tuple(edge) for edge in graph.edges]
    assert len({n["name"] for n in data["nodes"]}) == len(graph.nodes)
    assert ["layer 0", "neuron 1"] in data["scopes"]


def test_edges_carry_the_formula_of_their_derivative() -> None:
    x = Value(2.0, label="x")
    data = read(tanh(x) * (x**3))
    by_operation: dict[str, list[str]] = {}
    for edge in data["edges"]:
        operation = data["nodes"][edge["target"]]["operation"]
        by_operation.setdefault(operation, []).append(edge["formula"])
    assert by_operation.pop("tanh") == ["1 - tanh(x)*tanh(x)"]
    assert by_operation == {"pow": ["3*x**2"], "mul": ["x**3", "tanh(x)"]}


def test_constants_are_told_from_nodes() -> None:
    data = read(3.0 - Value(2.0))
    assert data["nodes"][1]["operands"] == [{"constant": 3.0}, {"node": 0}]
    assert data["edges"][0]["position"] == 1


@pytest.mark.parametrize(("number", "text"), [(math.nan, "nan"), (math.inf, "inf")])
def test_numbers_that_json_has_no_word_for_are_strings(number: float, text: str) -> None:
    data = read(Value(number) * -1.0)
    assert data["nodes"][0]["data"] == text
    assert data["nodes"][1]["data"] == str(-number)


def test_structure_has_null_for_numbers() -> None:
    @compile
    def f(x: Any) -> Any:
        return tanh(x)

    f(0.5)
    data = read(f)
    assert not data["numbers"]
    assert [n["data"] for n in data["nodes"]] == [None, None]
    assert data["edges"][0]["derivative"] is None
    assert read(f, example=[0.0])["edges"][0]["derivative"] == 1.0


@pytest.mark.parametrize(
    "label", ['"', "\\", "\n", "\0", "\ud800", "</script>", "\u202e", "x" * 9999]
)
def test_any_label_comes_back_as_it_was(label: str) -> None:
    with named_scope(label):
        y = Value(1.0, label=label) * 2.0
    data = read(y)
    assert data["nodes"][0]["label"] == label
    assert data["scopes"] == [[label]]


def test_kinds_and_differentiation_are_said() -> None:
    x, w = Value(1.0, label="x"), Value(2.0, label="w")
    y = x * w + 1.0
    assert not read(y)["differentiated"]
    y.backward()
    data = read(y)
    assert data["differentiated"]
    assert [n["kind"] for n in data["nodes"]] == ["input", "parameter", "interior", "output"]


def test_large_graphs_are_written_without_formulas() -> None:
    y = Value(1.0)
    for _ in range(10_000):
        y = y + 1.0
    data = read(y)
    assert len(data["nodes"]) == 10_001
    assert {edge["formula"] for edge in data["edges"]} == {""}


def test_a_dot_is_its_products_while_the_graph_is_small() -> None:
    small, large = (MLP(n, [1], rng=0)([Value(1.0)] * n) for n in (2, 150))
    operations = [{n["operation"] for n in read(y)["nodes"]} for y in (small, large)]
    assert operations == [{None, "mul", "sum", "add"}, {None, "dot", "add"}]


def test_options_of_a_look_change_nothing() -> None:
    x = Value(2.0, label="x")
    y = x * x + 1.0
    assert read(y, theme="dark", fold="depth", max_nodes=1, values=False) == read(y)


def test_very_large_graphs_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interchange, "MOST_OPERANDS", 3)
    x = Value(1.0)
    assert read(x * x)["outputs"] == [1]
    with pytest.raises(RenderError, match=r"4 operands .* the limit is 3; write a smaller part"):
        read(x * x * x)
