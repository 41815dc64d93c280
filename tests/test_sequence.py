"""Steps: their running sums are the gradients of `backward`, and what they print is true."""

from __future__ import annotations

import builtins
import itertools
import math
import random
import time
from typing import Any

import pytest
from test_compile_random import inside
from test_primitives import ELEMENTWISE, NARY

import autograd_engine as ae
from autograd_engine import Graph, Value, compile, dot, mean, named_scope, softmax, steps, tanh
from autograd_engine import sequence as sequences
from autograd_engine.expansion import READABLE

ROWS = {row.name: row for row in (*ELEMENTWISE, *NARY)}
HOSTILE = [
    "</script><script>alert(1)</script>",
    "]]><!--",
    "\"'`{|}<>&amp;\\",
    "\u202eshalom שלום\u202c",
    "漢字 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ud83d",
    "\x00\x07\x1b[31m\x85\u2028\n\r\t",
    "a" * 10_000,
    " ",
]


def expression(seed: int, *, large: bool = False) -> Value:
    """A random output: shared nodes, a + a, constants, every row; `large` with a dot left whole."""
    rng = random.Random(seed)
    pool = [Value(rng.uniform(-2.0, 2.0)) for _ in range(rng.randint(1, 4))]
    for _ in range(rng.randint(1, 14)):
        pool.append(squashed(operation(rng, pool)))
    if large:
        n = READABLE
        pool.append(0.01 * dot([rng.choice(pool) for _ in range(n)], operands(rng, pool, n)))
    chosen = pool[-1] if rng.random() < 0.5 else ae.sum([*pool, pool[0]])
    for i, node in enumerate(Graph(chosen).nodes):
        assert node.index == i
    return chosen


def operation(rng: random.Random, pool: list[Value]) -> Value:
    a, b, c = rng.choice(pool), rng.choice(pool), rng.uniform(-2.0, 2.0)
    choices = [
        lambda: a + a, lambda: a * a, lambda: a + b, lambda: a - b, lambda: a * b, lambda: -a,
        lambda: a / (b * b + 1.0), lambda: c - a, lambda: a * c, lambda: 2.0**a,
        lambda: dot(operands(rng, pool, n := rng.randint(1, 6)), [a, *operands(rng, pool, n - 1)]),
        lambda: ae.sum([a, *operands(rng, pool, 3), a]), lambda: mean([a, b, a]),
        lambda: rng.choice(softmax([a, b, c])),
    ]  # fmt: skip
    if rng.random() < 0.4:
        row = rng.choice([row for row in ELEMENTWISE if row.name != "sign"])
        return row(*[inside(rng.choice(pool), *domain) for domain in row.domain])  # type: ignore[no-any-return]
    return rng.choice(choices)()  # type: ignore[no-any-return]


def operands(rng: random.Random, pool: list[Value], n: int) -> list[Any]:
    return [rng.choice(pool) if rng.random() < 0.7 else rng.uniform(-2.0, 2.0) for _ in range(n)]


def squashed(z: Value) -> Value:
    return tanh(z) if abs(z.data) > 20.0 else z


def labelled(output: Value) -> Value:
    """The same, with a label `n0`, `n1`, ... on every Value that it was computed from."""
    for i, value in enumerate(reachable(output)):
        value.label = f"n{i}"
    return output


def reachable(output: Value) -> list[Value]:
    found: dict[int, Value] = {}
    waiting = [output]
    while waiting:
        value = waiting.pop()
        if id(value) not in found:
            found[id(value)] = value
            waiting += value._prev
    return list(found.values())


def running_sums(output: Value) -> dict[str, float]:
    """What every node's gradient is after the last step, by its label."""
    sums: dict[str, float] = {}
    for step in steps(output):
        if step.phase == "start":
            sums[step.node.label] = step.adjoint
        for c in step.contributions:
            sums[c.node.label] = c.after
    sums.pop("", None)  # products of expanded dots
    return sums


def gradients(output: Value) -> dict[str, float]:
    output.backward()
    return {value.label: value.grad for value in reachable(output)}


def bits(numbers: dict[str, float]) -> dict[str, str]:
    """To compare exactly, nan and the sign of zero too."""
    return {name: x.hex() for name, x in numbers.items()}


def neuron() -> Value:
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(6.5, label="b")
    return tanh(x * w + b)


# --- numbers -------------------------------------------------------------


def has_dot(output: Value) -> bool:
    return any(value._op == "dot" for value in reachable(output))


@pytest.mark.parametrize("chunk", range(10))
def test_running_sums_end_at_the_gradients_of_backward(chunk: int) -> None:
    compared = 0
    for seed in range(40 * chunk, 40 * chunk + 40):
        found = running_sums(labelled(expression(seed)))
        expected = gradients(fresh := labelled(expression(seed)))
        assert found.keys() == expected.keys()
        if has_dot(fresh):
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), seed
        else:
            assert bits(found) == bits(expected), seed
            compared += 1
    assert compared > 10


@pytest.mark.parametrize("seed", range(12))
def test_a_large_dot_stays_whole_and_exact(seed: int) -> None:
    found = running_sums(labelled(expression(seed, large=True)))
    fresh = labelled(expression(seed, large=True))
    assert any(step.node.symbol == "dot" for step in steps(fresh))
    assert bits(found) == bits(gradients(fresh))


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_every_row_is_stepped_through_with_the_engines_bits(row: Any) -> None:
    def made() -> Value:
        x = [inside(Value(0.3 + 0.4 * i), *domain) for i, domain in enumerate(row.domain)]
        return labelled(3.0 * row(*x) + x[0])

    assert bits(running_sums(made())) == bits(gradients(made()))


def same(x: float, y: float) -> bool:
    return x.hex() == y.hex()


def test_each_contribution_is_its_product_and_adds_to_what_was_there() -> None:
    for seed in range(60):
        so_far: dict[int, float] = {}
        for step in steps(expression(seed)):
            if step.phase == "start":
                so_far[step.node.index] = 1.0
            if step.phase == "backward":
                assert same(step.adjoint, so_far[step.node.index])
            for c in step.contributions:
                assert same(c.adjoint, step.adjoint)
                assert same(c.product, c.derivative * c.adjoint)
                assert same(c.before, so_far.get(c.node.index, 0.0))
                assert same(c.after, c.before + c.product)
                so_far[c.node.index] = c.after


def test_gradient_that_a_value_holds_already_does_not_matter() -> None:
    output = labelled(neuron())
    expected = gradients(labelled(neuron()))
    output.backward(5.0)
    output.backward(-2.0)
    assert running_sums(output) == expected


def test_stepping_changes_no_value() -> None:
    output = expression(3)
    output.backward(2.5)
    before = [(v.data, v.grad, v.label, v._prev) for v in reachable(output)]
    for step in steps(output):
        assert str(step)
    for value, (data, grad, label, operands) in zip(reachable(output), before, strict=True):
        assert (value.data, value.grad, value.label) == (data, grad, label)
        assert all(a is b for a, b in zip(value._prev, operands, strict=True))


# --- order ---------------------------------------------------------------


def test_forward_then_start_then_backward_in_the_opposite_order() -> None:
    for seed in range(40):
        found = list(steps(expression(seed)))
        assert [step.position for step in found] == list(range(1, len(found) + 1))
        assert {step.total for step in found} == {len(found)}
        n = len(found) // 2
        assert [s.phase for s in found] == ["forward"] * n + ["start"] + ["backward"] * n
        forward = [s.node.index for s in found[:n]]
        assert [s.node.index for s in found[n + 1 :]] == forward[::-1]
        assert found[n].node.index == forward[-1]
        assert not any(s.contributions for s in found[: n + 1])


def test_operands_come_before_results_and_gradients_are_complete_when_they_are_passed_on() -> None:
    for seed in range(40):
        seen: set[int] = set()
        passed_on: set[int] = set()
        for step in steps(expression(seed)):
            operands = [x for x in step.node.operands if isinstance(x, int)]
            if step.phase == "forward":
                assert step.node.index not in seen
                seen.add(step.node.index)
            if step.phase == "backward":
                assert [c.node.index for c in step.contributions] == operands
                assert not passed_on.intersection(operands)
                passed_on.add(step.node.index)
        assert seen == passed_on


def test_a_node_used_twice_gets_two_contributions() -> None:
    a = Value(3.0, label="a")
    *_, last = steps(a + a)
    assert [(c.name, c.position, c.before, c.after) for c in last.contributions] == [
        ("a", 0, 0.0, 1.0),
        ("a", 1, 1.0, 2.0),
    ]


def test_constants_get_nothing_and_keep_their_positions() -> None:
    x = Value(3.0, label="x")
    *_, last = steps(2.0 - x)
    assert [(c.name, c.position, c.derivative) for c in last.contributions] == [("x", 1, -1.0)]


def test_leaf_has_the_start_only() -> None:
    (step,) = steps(Value(3.0, label="x"))
    assert (step.phase, step.total, step.adjoint, str(step)) == (
        "start",
        1,
        1.0,
        "  1/1 start     x.grad = 1",
    )


# --- texts ---------------------------------------------------------------


def test_operations_and_local_derivatives_are_formulas_of_the_names() -> None:
    read = 0
    for seed in range(80):
        output = labelled(expression(seed))
        known: dict[str, Any] = {**ROWS, **{v.label: v.data for v in reachable(output)}}
        for step in steps(output):
            shown = [(step.operation, step.node.data, 1e-3)] if step.phase == "forward" else []
            shown += [(c.formula, c.derivative, 1e-3) for c in step.contributions]
            for formula, x, tolerance in shown:
                if math.isfinite(x) and is_readable(formula, known):
                    found = evaluated(formula, known)
                    assert found == pytest.approx(x, rel=tolerance, abs=tolerance), formula
                    read += 1
    assert read > 500


def is_readable(formula: str, known: dict[str, Any]) -> bool:
    """Whether it has no ellipsis, and only names that have a label."""
    cut = not formula or "…" in formula or "..." in formula
    return not cut and set(code(formula).co_names) <= known.keys()


def code(formula: str) -> Any:
    return builtins.compile(formula, "<formula>", "eval")


def evaluated(formula: str, known: dict[str, Any]) -> float:
    return float(eval(code(formula), {"__builtins__": {}}, known))


def test_arithmetic_is_what_it_says() -> None:
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(6.5, label="b")
    forward = [step for step in steps(tanh(x * w + b) / (w - 0.25)) if step.phase == "forward"]
    assert [step.arithmetic for step in forward] == [
        "2*(-3)",
        "-6 + 6.5",
        "tanh(0.5)",
        "-3 - 0.25",
        "0.4621/(-3.25)",
    ]
    for step in forward:
        assert evaluated(step.arithmetic, ROWS) == pytest.approx(step.node.data, abs=1e-4)
    assert forward[0].statement == "2*(-3) = -6"


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e-3, 1.0, 1e5, 1e12])
def test_arithmetic_adds_up_as_it_is_shown(scale: float) -> None:
    """To the digits shown: four of each factor, so two thousandths of the product."""
    rng = random.Random(repr(scale))
    for _ in range(200):
        x, y = (Value(rng.uniform(-2.0, 2.0) * scale ** rng.random()) for _ in range(2))
        forward, _, backward = steps(x * y)
        left, right = forward.statement.rsplit(" = ", 1)
        assert evaluated(left.split(" = ")[-1], ROWS) == pytest.approx(float(right), rel=2e-3)
        for c in backward.contributions:
            left, right = c.arithmetic.split(" = ")
            assert eval(left.replace("×", "*")) == pytest.approx(float(right), rel=2e-3)


def test_numbers_set_since_the_forward_pass_are_remarked_on() -> None:
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    z = x * y
    y.data = 5.0
    forward, _, backward = map(str, steps(z))
    assert forward.endswith("3*5 = 6 (data changed since forward)")
    assert "grad = 1 (data changed since forward)" in backward
    assert "changed" not in str(list(steps(x * y)))


def test_negative_zero_reads_as_zero() -> None:
    x, w = Value(0.0, label="x"), Value(-3.0, label="w")
    texts = "\n".join(map(str, steps((x * w) * 0.0)))
    assert "-0.0000" not in texts


def test_printed_steps_are_the_lesson() -> None:
    assert [str(step) for step in steps(neuron())][-2:] == [
        "  6/7 backward  (x*w + b).grad = 0.7864\n"
        "                  (x*w).grad += 1 × 0.7864 = 0.7864  ->  0.7864\n"
        "                  b.grad += 1 × 0.7864 = 0.7864  ->  0.7864",
        "  7/7 backward  (x*w).grad = 0.7864\n"
        "                  x.grad += w × grad = -3 × 0.7864 = -2.3593  ->  -2.3593\n"
        "                  w.grad += x × grad = 2 × 0.7864 = 1.5729  ->  1.5729",
    ]


def test_forward_step_says_the_name_once() -> None:
    y = Value(2.0, label="x") * 3
    assert str(next(steps(y))) == "  1/3 forward   x*3 = 2*3 = 6"
    y.label = "y"
    assert str(next(steps(y))) == "  1/3 forward   y = x*3 = 2*3 = 6"


def test_every_line_of_a_step_has_one_contribution() -> None:
    for step in steps(expression(7)):
        assert len(str(step).splitlines()) == 1 + len(step.contributions)


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_any_label_stays_on_its_line(label: str) -> None:
    x = Value(2.0, label=label)
    with named_scope(label):
        y = x * Value(3.0, label=label)
    y.label = label
    for step in steps(y + 1.0):
        assert all(line.isprintable() and len(line) < 500 for line in str(step).split("\n"))
        assert len(str(step).splitlines()) == 1 + len(step.contributions)


def test_names_come_from_the_callers_variables() -> None:
    first, second = Value(2.0), Value(3.0, label="own")
    weights = [Value(0.5)]
    texts = [step.operation for step in steps(first * second + weights[0], names=locals())]
    assert texts[:2] == ["first*own", "first*own + weights[0]"]


def test_names_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(TypeError, match="locals"):
        steps(Value(1.0), names=["x"])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [3.0, "x", None, [], [1.0], neuron, [Value(1.0), Value(2.0)]])
def test_anything_but_one_value_is_refused_at_once(value: Any) -> None:
    with pytest.raises(TypeError, match=r"expected (one|a) Value"):
        steps(value)


# --- kinds of graphs -----------------------------------------------------


@pytest.mark.parametrize(
    ("make", "gradient"),
    [
        (lambda x: ae.log(x - 2.0) * 2.0, math.inf),
        (lambda x: ae.log(x - 3.0) * 0.0, -0.0),
        (lambda x: (x * 1e200) * 1e200, math.inf),
        (lambda x: (x * 1e-200) * 1e-200, 0.0),
        (lambda x: x * math.nan, math.nan),
        (lambda x: x * math.inf, math.inf),
    ],
)
def test_infinite_and_undefined_numbers_go_through(make: Any, gradient: float) -> None:
    found = list(steps(make(Value(2.0, label="x"))))
    assert all(str(step) for step in found)
    assert found[-1].contributions[0].after == pytest.approx(gradient, nan_ok=True)


def test_a_fused_node_is_one_step_without_formulas() -> None:
    @compile
    def f(a: Any, b: Any) -> Any:
        return tanh(a * b) + a

    def made() -> Value:
        return labelled(f(Value(1.0), Value(2.0)) * 2.0)

    found = list(steps(made()))
    assert [c.formula for c in found[-1].contributions] == ["", ""]
    assert bits(running_sums(made())) == bits(gradients(made()))


@pytest.mark.parametrize("row", [softmax, ae.log_softmax], ids=["softmax", "log_softmax"])
def test_softmax_is_stepped_through(row: Any) -> None:
    def made() -> Value:
        xs = [Value(x) for x in (2.0, -1.0, 0.5)]
        return labelled(ae.sum([p * c for p, c in zip(row(xs), (1.0, -2.0, 3.0), strict=True)]))

    assert bits(running_sums(made())) == bits(gradients(made()))


def test_small_dot_is_stepped_through_as_products() -> None:
    w, x = [Value(2.0, label="w"), Value(3.0, label="v")], [Value(5.0, label="x"), 7.0]
    found = [step.operation for step in steps(dot(w, x)) if step.phase == "forward"]
    assert found == ["w*x", "v*7", "sum([w*x, v*7])"]


def test_a_long_chain_is_not_worked_through_before_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = Value(1.0)
    for _ in range(50_000):
        value = (value + 0.5) * 0.5
    worked: list[Any] = []
    monkeypatch.setattr(sequences, "derivatives_of", lambda *_: worked.append(1))
    start = time.perf_counter()
    found = steps(value)
    first = list(itertools.islice(found, 5))
    assert time.perf_counter() - start < 10.0
    assert iter(found) is found and not worked
    assert (first[0].total, first[4].position) == (200_001, 5)
