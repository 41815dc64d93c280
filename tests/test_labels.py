"""Labels: the names of the variables that hold a Value."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from autograd_engine import Graph, Value
from autograd_engine.contents import kind_of_group
from autograd_engine.folding import fold
from autograd_engine.kinds import kind_of
from autograd_engine.labels import names_in
from nn import Module


def test_variables_name_their_values() -> None:
    x, w = Value(1.0), Value(2.0)
    assert names_in({"x": x, "w": w, "lr": 0.1, "text": "x"}) == {id(x): "x", id(w): "w"}


def test_elements_are_named_by_their_place() -> None:
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    names = names_in({"w": [a, 5.0], "p": {"bias": b}, "layers": ([c],)})
    assert [names[id(x)] for x in (a, b, c)] == ["w[0]", "p['bias']", "layers[0][0]"]


def test_own_name_comes_before_a_place_in_a_list() -> None:
    x = Value(1.0)
    assert names_in({"inputs": [x], "x": x}) == {id(x): "x"}


def test_first_of_two_names_is_taken() -> None:
    x = Value(1.0)
    assert names_in({"x": x, "y": x}) == {id(x): "x"}


def test_equal_values_keep_their_own_names() -> None:
    x, y = Value(1.0), Value(1.0)
    assert names_in({"x": x, "y": y}) == {id(x): "x", id(y): "y"}


def test_names_of_a_notebook_are_left_alone() -> None:
    shown, x = Value(1.0), Value(2.0)
    out = {3: shown}
    assert names_in({"_": shown, "_3": shown, "_oh": out, "Out": out, "x": x}) == {id(x): "x"}
    assert names_in({"Out": out}) == {id(shown): "Out[3]"}  # here it is a variable like any other


def test_containers_that_hold_themselves_come_to_an_end() -> None:
    x = Value(1.0)
    loop: list[Any] = [x]
    loop.append(loop)
    assert names_in({"loop": loop})[id(x)] == "loop[0]"


@pytest.mark.parametrize("wrong", [["x"], "x", 3, None, Value(1.0)])
def test_only_a_mapping_has_names(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"names must be a mapping .* locals\(\)"):
        names_in(wrong)


def test_labels_of_values_come_first() -> None:
    x, w = Value(2.0, label="input"), Value(3.0)
    y = x * w
    assert [node.label for node in Graph(y, names=locals()).nodes] == ["input", "w", "y"]


class Line(Module):
    """A module of one's own: its parameters have neither labels nor scopes."""

    def __init__(self) -> None:
        self.w, self.b = [[Value(2.0), Value(3.0)]], Value(1.0)

    def __call__(self, x: Any) -> Any:
        return self.w[0][0] * x[0] + self.w[0][1] * x[1] + self.b


PATHS = ["w[0][0]", "w[0][1]", "b"]


def labels_of_parameters(graph: Graph) -> list[str]:
    return sorted(n.label for n in graph.nodes if kind_of(n, graph) == "parameter")


def test_parameters_of_a_called_model_have_their_paths() -> None:
    graph = Graph.of(Line(), [1.0, 2.0])
    assert labels_of_parameters(graph) == sorted(PATHS)
    inputs = [node.label for node in graph.nodes if kind_of(node, graph) == "input"]
    assert sorted(inputs) == ["x0", "x1"]


def test_names_look_into_models_and_variables_come_first() -> None:
    m = Line()
    bias, y = m.b, m([Value(1.0), Value(2.0)])
    names = {"layers": [m], "bias": bias}
    graph = Graph(y, names=names)
    assert labels_of_parameters(graph) == ["bias", "layers[0].w[0][0]", "layers[0].w[0][1]"]
    assert labels_of_parameters(Graph(y, names={"m": m})) == sorted(f"m.{p}" for p in PATHS)
    called = Graph.of(m, [1.0, 2.0], names=names)
    assert labels_of_parameters(called) == labels_of_parameters(graph)


def test_a_module_in_a_list_is_written_by_its_place() -> None:
    class Two(Module):
        def __init__(self) -> None:
            self.parts = [Line(), Line()]

    names = names_in({"": (two := Two())}).values()
    assert list(names) == [f"parts[{i}].{path}" for i in (0, 1) for path in PATHS]
    assert len(two.parameters()) == 6


def test_classes_and_objects_that_answer_to_any_name_are_no_models() -> None:
    assert names_in({"Line": Line, "mock": Mock(), "x": Value(1.0)}).popitem()[1] == "x"


def test_only_a_mapping_goes_with_a_model() -> None:
    with pytest.raises(TypeError, match="names must be a mapping"):
        Graph.of(Line(), [1.0, 2.0], names=["x"])  # type: ignore[arg-type]


def test_folded_parameters_without_scopes_are_a_card_of_their_own() -> None:
    folded = fold(Graph.of(Line(), [1.0, 2.0]))
    assert [g.name for g in folded.groups if not g.operations] == ["parameters", "inputs"]
    kinds = {group.name: kind_of_group(group, folded) for group in folded.groups}
    assert kinds == {"parameters": "parameter", "inputs": "input", "outside any scope": "output"}
