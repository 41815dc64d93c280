"""Expressions as text: what is understood, and hostile text that must be refused quickly."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_engine import ExpressionError, Graph, Value
from autograd_engine.parsing import evaluate


def names_in(text: str) -> set[str]:
    tree = ast.parse(text.strip(), mode="eval")
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


# --- good ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", 2.0),
        ("3", 3.0),
        ("-x", -2.0),
        ("+x", 2.0),
        ("--x", 2.0),
        ("x + y", 5.0),
        ("x - y - 1", -2.0),
        ("x * y + 1", 7.0),
        ("x + y * 2", 8.0),
        ("(x + y) * 2", 10.0),
        ("x / y", 2.0 / 3.0),
        ("-x ** 2", -4.0),
        ("2 ** x ** y", 256.0),
        ("1e-1 * x", 0.2),
        ("0x10 + x", 18.0),
        ("tanh(x * y)", math.tanh(6.0)),
        ("exp(-x) + log(y)", math.exp(-2.0) + math.log(3.0)),
        ("sqrt(abs(-x))", math.sqrt(2.0)),
        ("maximum(x, y) - minimum(x, y)", 1.0),
        ("where(x, y, 7)", 3.0),
        ("sum([x, y, 1])", 6.0),
        ("mean((x, y))", 2.5),
        ("dot([x, 1], [y, 4])", 10.0),
        ("logsumexp([x, x])", 2.0 + math.log(2.0)),
        ("  x\t+ y # comment", 5.0),
        ("x # comment", 2.0),
    ],
)
def test_expression_has_the_value_that_python_would_give(text: str, expected: float) -> None:
    values = {name: x for name, x in (("x", 2.0), ("y", 3.0)) if name in names_in(text)}
    assert evaluate(text, values).data == pytest.approx(expected, rel=1e-15)


def test_gradients_flow_to_the_names() -> None:
    output = evaluate("x * y + x", {"x": 2.0, "y": 3.0})
    output.backward()
    assert {n.label: n.grad for n in Graph(output).nodes if n.is_leaf} == {"x": 4.0, "y": 2.0}


def test_a_name_used_often_is_one_leaf() -> None:
    assert len(Graph(evaluate("x * x + x", {"x": 2.0})).nodes) == 3


def test_numbers_are_constants_not_leaves() -> None:
    graph = Graph(evaluate("2 * x + 1", {"x": 3.0}))
    assert [node.operands for node in graph.nodes] == [(), (2.0, 0), (1, 1.0)]


def test_expression_without_names_is_a_leaf() -> None:
    assert Graph(evaluate("2 * 3 + 1", {})).nodes[0].data == 7.0


def test_results_are_labelled_with_their_text_where_it_is_short() -> None:
    output = evaluate("tanh(x*w+b) + x*w*b*x*w*b*x*w*b*x", {"x": 1.0, "w": 1.0, "b": 1.0})
    labels = [node.label for node in Graph(output).nodes]
    assert "tanh(x * w + b)" in labels
    assert output.label == ""
    assert max(map(len, labels)) <= 24


def test_names_may_be_in_any_script_and_shadow_primitives() -> None:
    assert evaluate("größe * tanh", {"größe": 2.0, "tanh": 3.0}).data == 6.0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("9**9**9**9", {}),
        ("10 ** 400", {}),
        ("1e999", {}),
        ("exp(x)", {"x": 1000.0}),
        ("1 / x", {"x": 0.0}),
        ("-log(x)", {"x": 0.0}),
        ("x * 2", {"x": math.inf}),
    ],
)
def test_overflow_is_infinity_at_once(text: str, values: dict[str, float]) -> None:
    assert evaluate(text, values).data == math.inf


@pytest.mark.parametrize(
    ("text", "x"),
    [("x ** 0.5", -2.0), ("log(x)", -1.0), ("sqrt(x)", -1.0), ("x / x", 0.0), ("x", math.nan)],
)
def test_undefined_results_are_nan(text: str, x: float) -> None:
    assert math.isnan(evaluate(text, {"x": x}).data)


# --- names and values ---------------------------------------------------------------


def test_name_without_a_value_is_refused_with_the_remedy() -> None:
    with pytest.raises(ExpressionError, match=r"'y' has no value; add y=NUMBER"):
        evaluate("x + y", {"x": 1.0})


def test_value_without_a_name_is_refused() -> None:
    with pytest.raises(ExpressionError, match="'y' has a value but is not in the expression"):
        evaluate("x", {"x": 1.0, "y": 1.0})


# --- bad ---------------------------------------------------------------


def refusal(text: str, *names: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, dict.fromkeys(names, 1.0))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    "text",
    [
        "x.real",
        "x.__class__.__bases__[0].__subclasses__()",
        "__import__('os').system('echo')",
        "(1).__class__",
        "x[0]",
        "{x}",
        "{1: x}",
        "{}",
        "()()",
        "[x for x in y]",
        "{x for x in y}",
        "(x for x in y)",
        "lambda: 1",
        "lambda x: x",
        "x if y else z",
        "x < y",
        "x == y",
        "x and y",
        "not x",
        "~x",
        "x // y",
        "x % y",
        "x @ y",
        "x | y",
        "x << y",
        "(x := 3)",
        "await x",
        "f'{x}'",
        "'text'",
        "b'text'",
        "True",
        "None",
        "...",
        "1j",
        "sum(xs=[x])",
        "sum(*[x])",
        "sum([*[x]])",
        "sum(**{})",
        "tanh(x)(y)",
        "[tanh][0](x)",
    ],
)
def test_python_beyond_arithmetic_is_refused_and_shown(text: str) -> None:
    message = refusal(text, *names_in(text))
    assert message.startswith("cannot read ")
    assert "only numbers, names, + - * / ** and the primitives are known" in message


@pytest.mark.parametrize("name", ["eval", "exec", "open", "print", "Value", "softmax", "foo", "x"])
def test_calls_of_unknown_names_are_refused_with_the_known_ones(name: str) -> None:
    message = refusal(f"{name}(1)", *names_in(f"{name}(1)"))
    assert message.startswith(f"'{name}' is no primitive; known are ")
    assert "tanh" in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("tanh()", "expected 1 operands, got 0"),
        ("tanh(x, x)", "expected 1 operands, got 2"),
        ("maximum(x)", "expected 2 operands, got 1"),
        ("sum(x)", "sum takes a list"),
        ("sum([x], x)", "sum takes a list"),
        ("sum([x], [x])", "expected 1 sequence, as in sum([x, y]); got 2"),
        ("sum([[x]])", "expected a real number"),
        ("tanh([x])", "tanh takes numbers"),
        ("[x] + 1 + [x]", "add takes numbers"),
        ("mean([]) + x", "needs at least one value"),
        ("dot([x, 2], [3])", "differ in length: 2 and 1"),
        ("[x]", "a list is not a number"),
        ("(x,)", "a list is not a number"),
    ],
)
def test_wrong_operands_are_refused_with_the_reason(text: str, part: str) -> None:
    assert part in refusal(text, *names_in(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x +",
        "* x",
        "x y",
        "(x",
        "x)",
        "x; x",
        "x = 1",
        "x\nx",
        "x\0",
        "0777",
        "1 2",
        "#",
    ],
)
def test_text_that_is_no_expression_is_refused(text: str) -> None:
    assert refusal(text, "x").startswith("cannot read ")


@pytest.mark.parametrize("text", ["import os", "del x", "while 1: pass", "yield x", "return x"])
def test_statements_are_refused(text: str) -> None:
    assert refusal(text, "x").startswith("cannot read ")


@pytest.mark.parametrize("text", ["x^2", "3*x^2 + 1", "tanh(x^2)"])
def test_powers_written_with_a_caret_are_refused_with_the_remedy(text: str) -> None:
    message = refusal(text, "x")
    assert message.startswith("cannot read ")
    assert message.endswith("a power is written with **, as in x**2")


@pytest.mark.parametrize("digits", [400, 5000])
def test_whole_numbers_too_large_for_a_float_are_refused(digits: int) -> None:
    refusal("9" * digits)


# --- size and depth ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000 + "x" + ")" * 4000,
        "[" * 4000 + "x" + "]" * 4000,
        "-" * 150 + "x",
        "-" * 9000 + "x",
        "+" * 9000 + "x",
        "not " * 2000 + "x",
        "**".join("x" * 150),
        "**".join("x" * 3000),
        "+".join("x" * 150),
        "+".join("x" * 4000),
        "tanh(" * 150 + "x" + ")" * 150,
        "tanh(" * 1500 + "x" + ")" * 1500,
        "sum([" * 150 + "x" + "])" * 150,
        "x" + ".x" * 4000,
        "x" + "[0]" * 3000,
        "x" + "()" * 4000,
        "lambda: " * 1000 + "x",
        "x if x else " * 700 + "x",
    ],
    ids=lambda text: f"{text[:12]}, {len(text)}",
)
def test_deep_nesting_is_refused(text: str) -> None:
    refusal(text, "x")


@pytest.mark.parametrize("count", [150, 3000, 5000])
def test_many_terms_are_refused_with_the_remedy(count: int) -> None:
    message = refusal("+".join("x" * count), "x")
    assert "add many terms as sum([a, b, ...])" in message and "not text" not in message


def test_text_that_cannot_be_encoded_is_refused() -> None:
    assert refusal("x\ud800", "x").endswith("not text")


def test_long_text_is_refused() -> None:
    assert "longer than 10,000 characters" in refusal("x" * 10_001, "x")


def test_wide_expressions_are_fine() -> None:
    assert evaluate(f"sum([{','.join('x' * 2000)}])", {"x": 1.0}).data == 2000.0


@pytest.mark.parametrize("text", ["(" * 40 + "x" + ")" * 40, "-" * 40 + "x", "+".join("x" * 90)])
def test_ordinary_nesting_is_fine(text: str) -> None:
    assert isinstance(evaluate(text, {"x": 1.0}), Value)


@given(st.text(alphabet="x1+-*/()[],. =:'\"\\\n\0λtanhsum_", max_size=40))
def test_any_text_gives_a_value_or_an_expression_error(text: str) -> None:
    outcome: Any
    try:
        outcome = evaluate(text, {"x": 1.0})
    except ExpressionError as error:
        outcome = str(error)
    assert isinstance(outcome, Value) or outcome
