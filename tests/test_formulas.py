"""Formulas: names of nodes, operations and local derivatives, as text and as LaTeX."""

from __future__ import annotations

import math
from typing import Any

import pytest

import autograd_engine as ae
from autograd_engine import Graph, Value, compile, dot, named_scope, primitive
from autograd_engine import sum as total
from autograd_engine.expansion import expanded
from autograd_engine.formulas import (
    MOST_EXPRESSIONS,
    arithmetic_of,
    derivatives_of,
    names_of,
    operation_of,
)
from autograd_engine.notation import ATOM, POWER, SUM, Formula, constant, rounded, symbol_of
from autograd_engine.operations import LONGEST_FORMULA
from autograd_engine.registry import TABLE
from autograd_engine.wording import LONGEST_LABEL
from nn import MLP

HOSTILE = [
    "a_b", "x|y", "<b>", "$5", "\\frac{", "100% & #1 {}", "^~", "</script>", "line\nbreak",
    "`code`", "שלום", "😀", '"', "*", "x" * 10_000, "\x00\u202e", " ",
]  # fmt: skip


def described(output: Value) -> tuple[str, list[str], list[str]]:
    """The operation of the last node, and its local derivatives: text, and both in LaTeX."""
    graph = Graph(output)
    names, data = names_of(graph), [node.data for node in graph.nodes]
    operation = operation_of(graph.output, names)
    found = derivatives_of(graph.output, names, data)
    return operation.text, [d.text for d in found], [operation.latex, *[d.latex for d in found]]


def x_and_y(x: float = 2.0, y: float = -1.0) -> tuple[Value, Value]:
    return Value(x, label="x"), Value(y, label="y")


# --- operations and derivatives ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "operation", "derivatives"),
    [
        (lambda x, y: x + y, "x + y", ["1", "1"]),
        (lambda x, y: x - y, "x - y", ["1", "-1"]),
        (lambda x, y: x * y, "x*y", ["y", "x"]),
        (lambda x, y: x / y, "x/y", ["1/y", "(-x/y)/y"]),
        (lambda x, y: x**3, "x**3", ["3*x**2", "x**3*log(x)"]),
        (lambda x, y: x**y, "x**y", ["y*x**(y - 1)", "x**y*log(x)"]),
        (lambda x, y: -x, "-x", ["-1"]),
        (lambda x, y: x.exp(), "exp(x)", ["exp(x)"]),
        (lambda x, y: x.log(), "log(x)", ["1/x"]),
        (lambda x, y: x.tanh(), "tanh(x)", ["1 - tanh(x)*tanh(x)"]),
        (lambda x, y: x.sigmoid(), "sigmoid(x)", ["sigmoid(x)*(1 - sigmoid(x))"]),
        (lambda x, y: x.relu(), "relu(x)", ["1"]),
        (lambda x, y: y.relu(), "relu(y)", ["0"]),
        (lambda x, y: y.abs(), "abs(y)", ["sign(y)"]),
        (lambda x, y: x.leaky_relu(), "leaky_relu(x)", ["1"]),
        (lambda x, y: y.leaky_relu(), "leaky_relu(y)", ["0.01"]),
        (lambda x, y: ae.maximum(x, y), "maximum(x, y)", ["1", "0"]),
        (lambda x, y: ae.where(x > 0, x, y), "where(1, x, y)", ["0", "1", "0"]),
        (lambda x, y: x.sign(), "sign(x)", ["0"]),
        (lambda x, y: ae.sum([x, y, 3.0]), "sum([x, y, 3])", ["1", "1", "1"]),
        (lambda x, y: ae.mean([x, y, x]), "mean([x, y, x])", ["1/3"] * 3),
        (lambda x, y: ae.mean([x, y] * 2), "mean([x, y, x, y])", ["0.25"] * 4),
        (lambda x, y: x * (1 / 3), "x*0.333333", ["1/3", "x"]),
        (lambda x, y: dot([x, 2.0], [y, x]), "dot([x, 2], [y, x])", ["y", "x", "x", "2"]),
        (lambda x, y: ae.exp_difference(x, y), "exp(x - y)", ["exp(x - y)", "-exp(x - y)"]),
        (
            lambda x, y: ae.logsumexp([x, y]),
            "logsumexp([x, y])",
            ["1/(1 + exp(y - x))", "exp(y - x)/(1 + exp(y - x))"],
        ),
    ],
)
def test_operation_and_derivatives_read_as_in_a_book(
    make: Any, operation: str, derivatives: list[str]
) -> None:
    assert described(make(*x_and_y()))[:2] == (operation, derivatives)


@pytest.mark.parametrize(
    ("make", "latex"),
    [
        (lambda x, y: x * (y - 1), [r"x \cdot \left(y - 1\right)", "y - 1", "x"]),
        (lambda x, y: (x - 1).tanh() * y, [r"\tanh(x - 1) \cdot y", "y", r"\tanh(x - 1)"]),
        (lambda x, y: (x / y) ** 3, None),
        (lambda x, y: (x + 0.5).silu(), None),
        (lambda x, y: ae.log10(x), [r"\log_{10}(x)", r"\frac{1}{x \cdot 2.3026}"]),
        (lambda x, y: (y - x).abs(), ["|y - x|", r"\operatorname{sign}(y - x)"]),
        (lambda x, y: (y - x).exp(), ["e^{y - x}", "e^{y - x}"]),
        (
            lambda x, y: ae.exp_difference(x, y - 1.0),
            [r"e^{x - \left(y - 1\right)}"] * 2 + [r"-e^{x - \left(y - 1\right)}"],
        ),
    ],
)
def test_latex_has_parentheses_where_they_are_needed(make: Any, latex: list[str] | None) -> None:
    found = described(make(*x_and_y()))[2]
    if latex is None:
        assert found[0] in (
            r"\left(\frac{x}{y}\right)^{3}",
            r"\left(x + 0.5\right) \sigma(x + 0.5)",
        )
    else:
        assert found == latex


ELEMENTARY = [row for row in TABLE.values() if row.arity <= 2 and not hasattr(row, "tuples")]


@pytest.mark.parametrize("row", ELEMENTARY, ids=lambda row: row.name)
def test_formulas_of_every_row_have_the_value_of_its_local_derivatives(row: Any) -> None:
    point = [0.7, 0.3] if row.name != "acosh" else [1.7]
    xs = [Value(x, label=name) for x, name in zip(point, "xy", strict=False)][: row.arity]
    z = row(*xs)
    z.label = "z"
    graph = Graph(z)
    data = [node.data for node in graph.nodes]
    found = derivatives_of(graph.output, names_of(graph), data)
    values: dict[str, Any] = {name: getattr(ae, name) for name in TABLE}
    values |= {"x": point[0], "y": point[-1], "z": z.data}
    for formula, derivative in zip(found, z._derivatives, strict=True):
        if "…" not in formula.text:
            written = eval(formula.text, {}, values)  # constants in it have four digits
            assert written == pytest.approx(derivative, rel=1e-3)


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_latex_of_every_row_is_well_formed(row: Any) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("agg")
    x, y = Value(1.5, label="x") - 0.5, Value(0.5, label="w_1 & b") * 0.5
    flat = [x, y, x][: row.arity]
    z = row(*([x, y] for _ in range(row.arity))) if hasattr(row, "tuples") else row(*flat)
    for latex in described(z)[2]:
        mathtext.parse(f"${latex}$".replace(r"\&", ""))  # which mathtext does not know


def test_choices_are_shown_as_they_fall_at_this_point() -> None:
    x, y = x_and_y(-2.0, 3.0)
    assert described(x.leaky_relu())[1] == ["0.01"]
    assert described(ae.minimum(x, y))[1] == ["1", "0"]
    assert described(ae.maximum(x, x + 0.0))[1] == ["0.5", "0.5"]


def test_long_formulas_are_cut_inside_and_stay_short() -> None:
    x = Value(2.0, label="pressure")
    text, (derivative,), _ = described((x + 0.0).mish())
    assert text == "mish(pressure + 0)"
    assert derivative == "tanh(softplus(pressure + 0)) + …"
    many = [Value(float(i), label=f"a rather long label {i}") for i in range(100)]
    text, derivatives, _ = described(ae.logsumexp(many))
    assert text.count("...") == 1 and len(text) <= LONGEST_FORMULA
    assert len(derivatives) == 100 and all(len(d) <= LONGEST_FORMULA for d in derivatives)


def test_formula_whose_very_name_is_too_long_is_an_ellipsis() -> None:
    def long(x: Any) -> Any:
        return x * 1.0

    long.__name__ = "f" * (LONGEST_FORMULA + 25)
    inner = primitive(1.0)(long)

    @primitive(lambda z, x: inner(x))
    def outer(x: Any) -> Any:
        return x * x / 2.0

    assert described(outer(Value(2.0, label="x")))[:2] == ("outer(x)", ["…"])


def test_very_long_operations_have_no_formula_rather_than_an_error() -> None:
    xs = [Value(float(i)) for i in range(3000)]
    assert described(ae.logsumexp(xs))[1] == [""] * 3000


def test_fused_node_has_no_formulas() -> None:
    w = Value(2.0, label="w")

    @compile
    def loss(x: float) -> Any:
        return (w * x - 1.0) ** 2

    operation, derivatives, _ = described(loss(3.0))
    assert operation == "loss([w])" and derivatives == [""]


def test_rows_of_users_are_described_too() -> None:
    @primitive(lambda z, x: 3.0 * x * x, latex=r"{0}^3")
    def cubed(x: Any) -> Any:
        return x * x * x

    x = Value(2.0, label="x")
    assert described(cubed(x - 1)) == (
        "cubed(x - 1)",
        ["3*(x - 1)*(x - 1)"],
        [
            r"\left(x - 1\right)^3",
            r"3 \cdot \left(x - 1\right) \cdot \left(x - 1\right)",
        ],
    )


# --- numbers ---------------------------------------------------------------


def test_arithmetic_has_numbers_in_the_place_of_names() -> None:
    x, y = x_and_y(2.0, -3.0)
    graph = Graph((x * y).tanh())
    data = [node.data for node in graph.nodes]
    found = [arithmetic_of(node, data).text for node in graph.nodes]
    assert found == ["2", "-3", "2*(-3)", "tanh(-6)"]


@pytest.mark.parametrize(
    ("x", "text", "latex"),
    [
        (3.0, "3", "3"),
        (-0.5, "-0.5", "-0.5"),
        (1e-9, "1e-09", r"1 \cdot 10^{-9}"),
        (math.inf, "inf", r"\infty "),
        (-math.inf, "-inf", r"-\infty "),
        (math.nan, "nan", r"\text{nan}"),
    ],
)
def test_numbers_are_written_shortly(x: float, text: str, latex: str) -> None:
    assert constant(x)[:2] == rounded(x)[:2] == (text, latex)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1 / 3, "0.333333"),
        (0.1 + 0.2, "0.3"),
        (0.30000001, "0.300000"),
        (1.0000001, "1.00000"),
        (123456789.0, "123456789"),
        (123456789.25, "1.23457e+08"),
        (100000.04, "100000.0"),
        (1e300, "1e+300"),
        (-0.0, "-0"),
    ],
)
def test_constants_have_six_digits_and_seem_whole_only_where_they_are(x: float, text: str) -> None:
    assert constant(x).text == text
    assert float(text) == pytest.approx(x, rel=1e-5)


def test_constants_that_would_look_the_same_in_a_graph_are_exact() -> None:
    x, _ = x_and_y()
    assert names(x * 0.123456789 + x * 0.3000000001)[1:3] == ["x*0.123457", "x*0.300000"]
    assert names(x * 0.123456789 + x * 0.123456788)[1:3] == ["x*0.123456789", "x*0.123456788"]
    assert names(x * (0.1 + 0.2) + x * 0.3)[1:3] == ["x*0.30000000000000004", "x*0.3"]


def test_numbers_to_read_are_not_exact() -> None:
    assert rounded(1 / 3).text == "0.3333"
    assert rounded(-0.0).text == "0"
    assert rounded(0.1 + 0.2 + 0.7).text == "1"
    assert rounded(1 - 1e-9).text == "1.0000"


def test_negative_numbers_are_put_in_parentheses() -> None:
    assert constant(-2.0).within(ATOM).text == "(-2)"
    assert constant(-2.0).within(SUM).text == "-2"
    assert Formula("a", "a").within(ATOM).text == "a"


# --- names ---------------------------------------------------------------


def names(output: Value, **variables: Value) -> list[str]:
    return [name.text for name in names_of(Graph(output, names=variables))]


def test_nodes_are_called_by_label_or_expression_or_number() -> None:
    x, y = x_and_y()
    long = (x * y + x / y) * (x - y) + 1.25
    assert names(long) == [
        "x", "y", "x*y", "x/y", "x*y + x/y", "x - y", "(x*y + x/y)*(x - y)", "v7",
    ]  # fmt: skip


def test_equal_expressions_are_told_apart() -> None:
    x, y = x_and_y()
    assert names(x * y + x * y) == ["x", "y", "x*y", "v3", "x*y + v3"]


def test_equal_labels_get_their_scopes_then_numbers() -> None:
    with named_scope("layer 0"):
        a = Value(1.0, label="w")
    with named_scope("layer 1"):
        b, c = Value(2.0, label="w"), Value(3.0, label="w")
    found = names(dot([a, b, c], [1.0, 1.0, 1.0]))
    assert found[:3] == ["layer0.w", "layer1.w", "w#2"]


def test_weights_of_a_network_have_names_without_blanks() -> None:
    model = MLP(2, [2, 1], rng=0)
    graph = expanded(Graph(model([1.0, 2.0])))
    found = [name.text for name in names_of(graph)]
    assert {"layer0.neuron0.w0", "layer0.neuron1.b", "layer1.neuron0.w1"} <= set(found)
    assert "layer0.neuron0.w1*2" in [operation_of(n, names_of(graph)).text for n in graph.nodes]


@pytest.mark.parametrize(
    "labels",
    [
        ["p" * 43 + "1", "p" * 43 + "2"],
        ["1" + "p" * 43, "2" + "p" * 43],
        ["p" * 30 + "1" + "p" * 30, "p" * 30 + "2" + "p" * 30],
        ["p" * 50, "p" * 50],
        ["p" * 38, "p" * 38],
        ["a - b" * 20, "a - b" * 20],
    ],
)
def test_names_of_long_labels_fit_a_line_and_are_different(labels: list[str]) -> None:
    with named_scope("q" * 60):
        xs = [Value(1.0, label=label) for label in labels]
    found = names(total([*xs, *xs]))[:2]
    assert len(set(found)) == 2
    assert all(len(name) <= LONGEST_LABEL for name in found)


def test_long_labels_keep_both_ends() -> None:
    (name,) = names(Value(1.0, label="first" + "p" * 10_000 + "last"))
    assert name.startswith("firstp") and name.endswith("plast") and len(name) == LONGEST_LABEL


def test_very_large_graphs_have_labels_and_numbers_for_names() -> None:
    x = Value(1.0, label="x")
    y = x
    for _ in range(MOST_EXPRESSIONS):
        y = y * 0.5
    y.label = "v7"
    found = names(y)
    assert found[:3] == ["x", "v1", "v2"] and found[-1] == "v7" and found[7] != "v7"
    assert len(set(found)) == len(found)


def test_label_is_not_taken_by_a_node_without_one() -> None:
    x, y = x_and_y()
    first = x * y * 123456789.125 * 123456789.125
    last = first + y
    last.label = "v4"
    assert names(last)[-2:] == ["v5", "v4"]
    other = x * y + y
    other.label = "x*y"
    assert names(other)[2:] == ["v2", "x*y"]


def test_number_that_is_a_label_is_not_used_again() -> None:
    x = Value(1.0, label="v1")
    assert len(set(names((x * 123456789.123 + 123456789.123) * 123456789.123))) == 4


def test_labels_that_are_expressions_get_parentheses() -> None:
    x, y = x_and_y()
    both = x + y
    both.label = "a + b"
    text, _, latex = described(both * x)
    assert text == "(a + b)*x"
    assert latex[0] == r"\left(\text{a + b}\right) \cdot x"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("a - b", "(d - (a - b))**2"),
        ("f(g(x))", "(d - f(g(x)))**2"),
        ("w[i[0]]", "(d - w[i[0]])**2"),
        ("f(a) - g(b)", "(d - (f(a) - g(b)))**2"),
        ("x'", "(d - x')**2"),
        ("total loss", "(d - (total loss))**2"),
    ],
)
def test_labels_in_formulas_are_read_as_what_they_are(label: str, text: str) -> None:
    d, x = Value(1.0, label="d"), Value(2.0, label=label)
    graph = Graph((d - x) ** 2)
    found = operation_of(graph.output, names_of(graph))
    assert found.text == text
    inner = rf"\left(\text{{{label}}}\right)" if "((" in text or "- (" in text else symbol_of(label)
    assert found.latex == rf"\left(d - {inner}\right)^{{2}}"


def test_labels_that_repeat_the_operation_are_read_as_one() -> None:
    x, y = x_and_y()
    product = x * y
    product.label = "x * y"
    product = product + x
    product.label = "x * y + x"
    graph = Graph(product)
    assert [name.text for name in names_of(graph)] == ["x", "y", "x*y", "x*y + x"]
    assert names_of(graph)[-1].latex == r"x \cdot y + x"


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_one_short_line_and_balanced_latex(label: str) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("agg")
    name = names_of(Graph(Value(1.0, label=label)))[0]
    assert name.text == name.text.strip() != ""
    assert len(name.text) <= LONGEST_LABEL and name.text.isprintable()
    if name.text.isascii():
        mathtext.parse(f"${name.latex}$".replace(r"\&", ""))
    plain = name.latex.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x", "x"),
        ("x1", "x_{1}"),
        ("w_12", "w_{12}"),
        ("loss", r"\text{loss}"),
        ("my_var", r"\text{my}\_\text{var}"),
        ("a*b", r"\text{a}\ast \text{b}"),
        ("50%", r"\text{50}\%"),
        ("w[0]", r"\text{w[0]}"),
        ("\\", r"\backslash "),
    ],
)
def test_names_in_latex(name: str, latex: str) -> None:
    assert symbol_of(name) == latex


def test_fraction_is_no_base_of_a_power() -> None:
    x, y = x_and_y()
    graph = Graph(x / y)
    found = operation_of(graph.output, names_of(graph))
    assert found.latex_level == POWER and found.within(ATOM).latex == r"\left(\frac{x}{y}\right)"
