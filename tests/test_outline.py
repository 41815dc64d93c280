"""The tree of text: what a line says, what comes once, and graphs of any depth and width."""

from __future__ import annotations

import time

import pytest

from autograd_engine import Value, draw, named_scope, tanh
from autograd_engine import sum as sum_of
from autograd_engine.drawing import text_tree
from nn import MLP


def neuron() -> tuple[Value, Value]:
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(5.0, label="b")
    n = x * w + b
    n.label = "n"
    output = tanh(n)
    output.label = "o"
    return output, x


def test_a_line_says_name_operation_data_gradient_and_local_derivative() -> None:
    output, _ = neuron()
    output.backward()
    assert text_tree(output) == (
        "o = tanh(n) = -0.7616, grad +1.0000\n"
        "└── n = x*w + b = -1.0000, grad +0.4200  [0.4200]\n"
        "    ├── x*w = -6.0000, grad +0.4200  [1.0000]\n"
        "    │   ├── x = 2.0000, grad -1.2599  [-3.0000]\n"
        "    │   └── w = -3.0000, grad +0.8399  [2.0000]\n"
        "    └── b = 5.0000, grad +0.4200  [1.0000]\n"
        "\n"
        "[...]: local derivative of the result by that operand\n"
    )


def test_contributions_stand_behind_the_operand_that_gets_them() -> None:
    output, _ = neuron()
    output.backward()
    lines = text_tree(output, contributions=True).splitlines()
    assert lines[3].endswith("x = 2.0000, grad -1.2599  [-3.00 × +0.42 = -1.26]")


def test_numbers_can_be_left_out() -> None:
    output, _ = neuron()
    tree = text_tree(output, values=False, gradients=False, derivatives=False)
    assert tree.splitlines() == [
        "o = tanh(n)",
        "└── n = x*w + b",
        "    ├── x*w",
        "    │   ├── x",
        "    │   └── w",
        "    └── b",
    ]


def test_before_backward_the_tree_says_so_and_shows_no_gradients() -> None:
    tree = text_tree(neuron()[0])
    assert "no backward yet: call .backward() on the output" in tree
    assert "grad" not in tree


def test_shared_values_are_written_once_and_referred_to() -> None:
    a = Value(2.0, label="a")
    b = a * 3.0
    b.label = "b"
    lines = text_tree(b * b + a, derivatives=False, gradients=False).splitlines()
    assert lines[1:] == [
        "├── b*b = 36.0000",
        "│   ├── b = a*3 = 6.0000",
        "│   │   └── a = 2.0000",
        "│   └── b (see above)",
        "└── a (see above)",
    ]


def test_data_that_changed_since_forward_is_marked() -> None:
    output, x = neuron()
    x.data = 9.0
    marked = [line for line in text_tree(output).splitlines() if "data changed" in line]
    assert [line.split("── ")[-1].split(" ")[0] for line in marked] == ["x*w"]


def test_several_outputs_are_several_trees() -> None:
    x = Value(2.0, label="x")
    lines = text_tree([x * 2.0, x * 3.0], gradients=False, derivatives=False).splitlines()
    assert lines == ["x*2 = 4.0000", "└── x = 2.0000", "x*3 = 6.0000", "└── x (see above)"]


@pytest.mark.parametrize("n", [1_000, 100_000])
def test_a_deep_chain_is_cut_off_with_a_line(n: int) -> None:
    y = Value(1.0)
    for _ in range(n):
        y = y + 1.0
    start = time.perf_counter()
    lines = text_tree(y, derivatives=False, gradients=False).splitlines()
    assert time.perf_counter() - start < 10.0
    assert len(lines) == 501
    assert lines[-1] == f"⋯ {n - 499:,} more (max_nodes=500; None writes them all)"
    assert max(map(len, lines)) <= 150


def test_all_of_a_deep_chain_is_written_on_request() -> None:
    y = Value(1.0)
    for _ in range(20_000):
        y = y + 1.0
    lines = text_tree(y, max_nodes=None, derivatives=False, gradients=False).splitlines()
    assert len(lines) == 20_001
    assert max(map(len, lines)) <= 150


def test_lines_stay_narrow_where_names_and_formulas_are_long() -> None:
    values = [Value(float(i), label="x" * 10_000) for i in range(3)]
    y = values[0] * values[1] + values[2]
    assert max(map(len, text_tree(y).splitlines())) <= 170


@pytest.mark.parametrize(
    "label", ["\x1b[31mred", "two\nlines", "a\rb", "\u202eabc", "\x07", "\u2028"]
)
def test_control_characters_do_not_reach_the_terminal(label: str) -> None:
    with named_scope(label):
        x = Value(1.0, label=label)
    for tree in (text_tree(x * 2.0), text_tree(x * 2.0, fold="layer")):
        assert all(line.isprintable() for line in tree.split("\n"))


def test_folded_the_tree_is_one_of_groups() -> None:
    output = MLP(2, [3, 1], activation="tanh", rng=0)([Value(1.0, label="a"), Value(2.0)])
    lines = text_tree(output, fold="layer").splitlines()
    assert [line.split("── ")[-1].split(":")[0] for line in lines[:3]] == [
        "layer 1",
        "layer 0",
        "inputs",
    ]
    assert lines[1].endswith("[3 values]")
    assert lines[-1] == "no backward yet · 26 values, folded by layer"


def test_groups_that_use_one_another_end() -> None:
    x = Value(1.0)
    for i in range(6):
        with named_scope(f"part {i % 2}"):
            x = x * 2.0
    assert "(see above)" in text_tree(x, fold="layer")


def test_file_holds_the_tree() -> None:
    output, _ = neuron()
    assert draw(output, "graph.txt").read_text("utf-8") == text_tree(output)


def test_what_is_cut_off_is_counted_and_references_to_written_lines_are_not() -> None:
    x = Value(3.0, label="x")
    y = x * x
    lines = text_tree(y, max_nodes=2, derivatives=False, gradients=False).splitlines()
    assert lines == ["x*x = 9.0000", "├── x = 3.0000", "└── x (see above)"]
    lines = text_tree(y + x * 2.0, max_nodes=3, derivatives=False, gradients=False).splitlines()
    assert lines[-1] == "⋯ 1 more (max_nodes=3; None writes them all)"


def test_long_names_that_differ_at_their_ends_stay_different() -> None:
    stem = "a long name that goes on and on for ever and"
    values = [Value(1.0, label=f"{stem} {i}") for i in range(3)]
    tree = text_tree(values[0] * values[1] + values[2], derivatives=False, gradients=False)
    names = [line.split("── ")[-1].split(" = ")[0] for line in tree.splitlines()]
    assert len(set(names)) == 5


def test_a_leaf_is_its_name_without_a_formula() -> None:
    x = Value(1.0, label="y" * 60)
    (line,) = text_tree(x, gradients=False).splitlines()
    assert line.count(" = ") == 1


def test_a_dot_is_written_as_products_while_the_tree_is_small() -> None:
    output = MLP(2, [1], rng=0)([Value(1.0, label="x0"), Value(2.0, label="x1")])
    assert "dot" not in text_tree(output)
    assert "*x0" in text_tree(output)
    assert "dot(" in text_tree(output, max_nodes=7)


def test_operand_that_comes_very_often_has_one_line() -> None:
    x = Value(0.5, label="x")
    lines = text_tree(sum_of([x] * 5000)).splitlines()
    assert lines[1:3] == ["└── x = 0.5000  [5000.0000 (×5,000)]", ""]
