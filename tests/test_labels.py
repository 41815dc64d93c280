"""Labels: the names of the variables that hold a Value."""

from __future__ import annotations

from typing import Any

import pytest

from autograd_engine import Graph, Value
from autograd_engine.labels import names_in


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
