"""explain: worked numbers, what is said and when, large graphs, hostile labels."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import re
import time
from typing import Any

import pytest

from autograd_engine import (
    Value,
    compile,
    dot,
    log_softmax,
    mean,
    named_scope,
    primitive,
    softmax,
    tanh,
)
from autograd_engine import sum as total
from autograd_engine.explaining import Explanation, explain
from autograd_engine.lesson import MOST_PATHS, MOST_STEPS
from nn import MLP


def neuron() -> dict[str, Value]:
    numbers = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
    v = {name: Value(x, label=name) for name, x in numbers.items()}
    v["n"] = v["x1"] * v["w1"] + v["x2"] * v["w2"] + v["b"]
    v["o"] = v["n"].tanh()
    v["n"].label, v["o"].label = "n", "o"
    return v


def diamond(x: float = 3.0) -> tuple[Value, Value]:
    leaf = Value(x, label="x")
    return leaf * leaf + leaf, leaf


def section(e: Explanation, title: str) -> str:
    """The lines of one section of the text."""
    parts = str(e).split(f"\n{title}")
    assert len(parts) == 2, str(e)
    return parts[1].split("\n\n")[0]


# --- worked numbers ---------------------------------------------------------------


def test_neuron_of_the_readme() -> None:
    v = neuron()
    e = explain(v["o"], v["x1"])
    assert (e.output, e.wrt, e.path_count, e.remaining) == ("o", "x1", 1, 0.0)
    assert e.value == v["o"].data
    assert e.gradient == pytest.approx(-1.5, rel=1e-12)
    (path,) = e.paths
    assert path.names == ("o", "n", "x1*w1 + x2*w2", "x1*w1", "x1")
    assert path.derivatives == pytest.approx((0.5, 1.0, 1.0, -3.0))
    assert path.product == e.gradient
    text = str(e)
    assert text.startswith("  o = tanh(n) = 0.7071\n  d o / d x1 = -1.5: ")
    assert re.search(r"\n  x1\*w1 +=? 2\*\(-3\) += -6\n", text)
    assert "1 * 0.5 * 1 * 1 * (-3)  o -> n -> x1*w1 + x2*w2 -> x1*w1 -> x1" in text
    assert "The other 5 nodes are on no path to x1." in text
    assert "Why" not in text  # nothing is used twice here


def test_every_step_backward_has_formula_number_and_product() -> None:
    v = neuron()
    steps = {step.name: step for step in explain(v["o"]).steps}
    assert next(iter(steps)) == "o" and steps["o"].adjoint == 1.0 and not steps["o"].contributions
    (use,) = steps["n"].contributions
    assert (use.user, use.formula, use.adjoint) == ("o", "1 - o*o", 1.0)
    assert use.derivative == use.product == pytest.approx(0.5)
    (use,) = steps["w1"].contributions
    assert (use.user, use.formula) == ("x1*w1", "x1") and use.product == pytest.approx(1.0)
    assert steps["w2"].adjoint == 0.0
    row = next(line for line in str(explain(v["o"])).splitlines() if line.startswith("  x1  "))
    assert row.split() == ["x1", "x1*w1", "w1", "=", "-3", "*", "0.5", "=", "-1.5"]


def test_diamond_adds_up_and_says_why() -> None:
    output, x = diamond()
    e = explain(output, x)
    assert e.gradient == 7.0 and e.path_count == 3
    assert [path.product for path in e.paths] == [3.0, 3.0, 1.0]
    text = " ".join(str(e).split())
    assert "added up 1 + 3 + 3 = 7" in text and "Why +=: x is used 3 times." in text
    assert "the chain rule adds up what comes along them: 7." in text
    assert "Why this order" not in text  # x is a leaf: it hands nothing on


def test_lecture_graph() -> None:
    a, b, c, f = (
        Value(x, label=name) for x, name in zip([2.0, -3.0, 10.0, -2.0], "abcf", strict=True)
    )
    e = a * b
    d = e + c
    L = d * f
    gradients = {"a": 6.0, "b": -4.0, "c": -2.0, "f": 4.0, "e": -2.0, "d": -2.0, "L": 1.0}
    found = explain(L, names=locals())
    assert {step.name: step.adjoint for step in found.steps} == gradients
    assert "L = d*f" in str(found) and re.search(r"= 4\*\(-2\) += -8\n", str(found))
    assert explain(L, e, names=locals()).gradient == -2.0


def test_factors_that_decide_are_shown_before_those_that_are_1() -> None:
    x, w = Value(0.5, label="x"), Value(0.221, label="w")
    y = x * 3.0
    for _ in range(5):
        y = y + 1.0
    y = y * w
    for _ in range(4):
        y = y - 1.0
    e = explain(-y, x)
    row = section(e, "Paths").splitlines()[-1]
    assert "  -1 * 0.221 * 3 (and 10 times 1)  " in row
    assert r"$-1 \cdot 0.221 \cdot 3$ (and 10 times 1)" in e.markdown()


def test_long_paths_of_ones_are_counted() -> None:
    x = Value(0.5, label="x")
    y = x
    for _ in range(20):
        y = y + 1.0
    assert "  21 times 1  " in section(explain(y, x), "Paths")


def test_of_many_factors_the_heaviest_are_shown_in_their_order() -> None:
    x = Value(0.5, label="x")
    y = x * 7.0
    for i in range(30):
        y = y * (1.0 + (i + 1) / 1000)
    y = y * 1e-3 + 1.0
    row = section(explain(y, x), "Paths").splitlines()[-1]
    assert "  0.001 * 1.03 * 1.029 * 1.028 * 1.027 * 1.026 * 1.025 * ... * 7 (and twice 1)  " in row


@pytest.mark.parametrize("dead", [0.0, math.nan, 1e-20])
def test_why_added_shows_a_node_on_which_the_last_one_alone_is_wrong(dead: float) -> None:
    x, u = Value(1.0, label="x"), Value(2.0, label="u")
    e = explain(x * 3.0 + x * dead, x)  # backward x*dead comes first
    assert e.gradient is not None and "Why +=" not in str(e)
    e = explain(u * u * (x * 3.0 + x * dead))
    text = " ".join(str(e).split())
    if dead == 0.0:
        assert "Why +=: u is used twice." in text and "one only, 6." in text


def test_why_added_keeps_to_the_node_in_question_where_it_shows_it() -> None:
    x = Value(1.0, label="x")
    text = " ".join(str(explain(x * 0.0 + x * 3.0, x)).split())
    assert "what comes along them: 3. With = it would keep the last one only, 0." in text


def test_order_matters_where_an_interior_node_has_several_users() -> None:
    a = Value(3.0, label="a")
    b = a + a
    b.label = "b"
    y = b * b + b
    y.label = "y"
    text = " ".join(str(explain(y, a)).split())
    assert (
        "Why this order: a node hands its adjoint on only when all nodes that use it have added "
        "their part. b is used by y and b*b. After y alone its adjoint would be 1 in place of 13, "
        "and a would get 1 from it in place of 13." in text
    )
    assert "Why this order" not in str(explain(b * b, a))  # one user, twice


def test_softmax() -> None:
    xs = [Value(x, label=f"x{i}") for i, x in enumerate([0.0, 1.0, 2.0])]
    p = softmax(xs)[0]
    e = explain(p, xs[0])
    assert e.gradient == pytest.approx(p.data * (1.0 - p.data), rel=1e-12)
    assert [path.product for path in e.paths] == pytest.approx([p.data, -p.data * p.data])


def test_shares_of_a_softmax_are_written_as_an_exponential() -> None:
    logits = [Value(x, label=f"logits{i}") for i, x in enumerate([0.5, 1.0, 2.0])]
    text = str(explain(softmax(logits)[0], logits[1]))
    assert "exp(logits0 - v3) = 0.1402" in text and "exp_difference" not in text
    assert re.search(r"exp\(logits0 - v3\) +=? exp\(0.5 - 2.4644\) += 0.1402", text)


def test_operands_whose_rounding_shows_are_said_to_be_rounded() -> None:
    x, y = Value(0.5, label="x"), Value(1.502e-6 - 0.5, label="y")
    rounded = "= 1.502e-06 (the numbers before it are rounded)"
    assert rounded in section(explain(x + y), "Forward")
    z = Value(1.0, label="z")
    e = explain(z * x + z * y, z)
    assert rounded in section(e, "Backward")
    assert "are rounded" not in str(explain(x * y + x / 3.0 + z.exp(), x))


def test_row_of_a_user_that_refuses_rounded_numbers_is_explained() -> None:
    @primitive(lambda z, x: -z / (x - 1.0))
    def pole(x: float) -> float:
        return 1.0 / (x - 1.0)

    x = Value(1.0 + 2.0**-40, label="x")
    assert "(the numbers before it are rounded)" in str(explain(pole(x), x))


def test_rounding_of_sums_that_are_not_finite_is_no_news() -> None:
    x = Value(1e308, label="x")
    assert "are rounded" not in str(explain(x * 10.0 + x * 10.0 - x, x))
    assert "are rounded" not in str(explain((x * 0.0).log() * 0.0 + x * 0.0, x))
    assert "are rounded" not in str(explain((x - 1e308) * 1.0, x))


def test_dot_is_shown_as_its_products() -> None:
    w, x = Value(2.0, label="w"), Value(5.0, label="x")
    e = explain(dot([w, 3.0, w], [x, x, w]), x)
    assert e.gradient == 5.0
    assert [path.names[1:] for path in e.paths] == [("3*x", "x"), ("w*x", "x")]
    assert explain(dot([w, 3.0, w], [x, x, w]), w).path_count == 3


def test_output_and_leaf_by_itself() -> None:
    x = Value(3.0, label="x")
    e = explain(x, x)
    assert (e.gradient, e.path_count, e.paths[0].names) == (1.0, 1, ("x",))
    assert "Forward" not in str(e)
    assert explain(x).steps[0].adjoint == 1.0


def test_without_wrt_there_are_no_paths() -> None:
    output, _ = diamond()
    e = explain(output)
    assert (e.wrt, e.gradient, e.paths, e.path_count, e.remaining) == (None, None, (), 0, 0.0)
    assert "Paths" not in str(e) and "Forward" in str(e) and "Backward" in str(e)


def test_interior_nodes_are_explained_too() -> None:
    v = neuron()
    e = explain(v["o"], v["n"])
    assert e.wrt == "n" and e.gradient == pytest.approx(0.5) and e.paths[0].names == ("o", "n")


def test_gradients_are_those_of_one_backward_pass_whatever_was_done_before() -> None:
    output, x = diamond()
    for _ in range(3):
        output.backward()
    assert explain(output, x).gradient == 7.0 and x.grad == 21.0


# --- random graphs ---------------------------------------------------------------


def random_output(seed: int) -> tuple[Value, list[Value]]:
    rng = random.Random(seed)
    leaves = [Value(rng.uniform(-2.0, 2.0), label=f"x{i}") for i in range(3)]
    known = list(leaves)
    for _ in range(rng.randrange(3, 25)):
        a, b, c = (rng.choice(known[-6:]) for _ in range(3))
        known.append(
            rng.choice(
                [
                    lambda a=a, b=b: a * b,
                    lambda a=a, b=b: a / (b * b + 1.0),
                    lambda a=a, b=b: 2.0 - a + b,
                    lambda a=a: tanh(a) ** 2,
                    lambda a=a: a.relu(),
                    lambda a=a, b=b, c=c: dot([a, b, 0.5], [c, a, b]),
                    lambda a=a, b=b, c=c: total([a, b, c, 1.0]),
                    lambda a=a, b=b: mean(log_softmax([a, b])),
                ]
            )()
        )
    return total([*known[-2:], *leaves]), leaves


@pytest.mark.parametrize("seed", range(80))
def test_paths_sum_to_the_gradient(seed: int) -> None:
    output, leaves = random_output(seed)
    for x in leaves:
        x.zero_grad()
    output.backward()
    for x in leaves:
        e = explain(output, x)
        products = [path.product for path in e.paths]
        scale = math.fsum(map(abs, products)) + abs(e.remaining) + abs(x.grad)
        assert abs(math.fsum(products) + e.remaining - x.grad) <= 1e-12 * scale
        assert e.gradient == pytest.approx(x.grad, rel=1e-12)
        assert len(products) == min(e.path_count, MOST_PATHS)
        assert all(abs(a) >= abs(b) for a, b in itertools.pairwise(products))
        for step in e.steps:
            if step.contributions:
                added = math.fsum(c.product for c in step.contributions)
                weight = math.fsum(abs(c.product) for c in step.contributions)
                assert abs(added - step.adjoint) <= 1e-12 * weight


# --- notes ---------------------------------------------------------------


def notes(*arguments: Any) -> str:
    return " ".join(explain(*arguments).notes)


def test_no_notes_where_there_is_nothing_to_say() -> None:
    output, x = diamond()
    output.backward()
    assert explain(output, x).notes == explain(output).notes == ()
    assert "Notes" not in str(explain(output, x))


def test_backward_that_was_not_called() -> None:
    output, x = diamond()
    assert "`.grad`" not in notes(output, x)
    assert "backward() has not been called on it" in notes(output, x)


def test_gradients_that_added_up() -> None:
    output, x = diamond()
    output.backward()
    output.backward()
    found = notes(output, x)
    assert ".grad of x holds 14, which is 2 times 7" in found and "zero_grad()" in found
    assert found == notes(output)


def test_gradients_from_elsewhere_and_zeroed_ones() -> None:
    output, x = diamond()
    (x * 2.0).backward()
    output.backward()
    assert ".grad of x holds 9 and not 7" in notes(output, x)
    x.zero_grad()
    assert ".grad of x is 0, not 7" in notes(output, x)


def test_passes_are_counted_where_their_sum_is_rounded() -> None:
    w, b = Value(1.0, label="w"), Value(1.0, label="b")
    output = w * 0.1 + b
    for _ in range(3):
        output.backward()
    assert w.grad == 0.30000000000000004
    found = notes(output)
    assert ".grad of w holds 0.3, which is 3 times 0.1" in found
    assert "The same of b." in found and "other backward passes" not in found


def test_what_is_the_same_of_others_has_the_same_reason() -> None:
    a, b, c, d, e = (Value(2.0, label=name) for name in "abcde")
    output = a + b + c + d + e
    output.backward()
    output.backward()  # 2 times
    b.zero_grad()
    (c * 0.5).backward()
    d.zero_grad()
    found = explain(output).notes
    assert len(found) == 3
    assert found[0].startswith(".grad of a holds 2, which is 2 times 1") and found[0].endswith(
        "The same of e."
    )
    assert found[1].startswith(".grad of b is 0, not 1") and found[1].endswith("The same of d.")
    assert found[2].startswith(".grad of c holds 2.5 and not 1")
    assert "The same" not in found[2]


def test_many_different_gradients_are_bounded() -> None:
    xs = [Value(2.0, label=f"x{i}") for i in range(50)]
    output = total(xs)
    output.backward()
    for i, x in enumerate(xs):
        x.grad = 2.0 + i
    found = explain(output).notes
    assert len(found) == 4 and found[-1] == ".grad of 47 more leaves hold something else, too."


def test_backward_pass_with_another_gradient() -> None:
    output, x = diamond()
    output.backward(2.0)
    found = explain(output, x)
    assert found.gradient == 7.0
    assert ".grad of x*x + x is 2" in found.notes[0] and len(found.notes) == 1


def test_interior_gradient_of_another_pass() -> None:
    x = Value(3.0, label="x")
    y = x * x
    y.label = "y"
    first, second = y * 2.0, y * 5.0
    first.backward()
    second.backward()
    assert ".grad of y holds 5, from a backward pass" in notes(first, y)


def test_data_that_changed_since_the_forward_pass() -> None:
    output, x = diamond()
    output.backward()
    x.data = 10.0
    found = explain(output, x)
    assert found.gradient == 7.0  # as backward() found it
    assert "Data was set since the forward pass" in found.notes[0]
    assert re.search(r"x\*x +=? ?10\*10 += 9 \(outdated\)", str(found))


def test_node_of_a_compiled_function() -> None:
    w = Value(2.0, label="w")

    @compile
    def loss(x: float) -> Any:
        return (w * x - 1.0) ** 2

    output = loss(3.0)
    e = explain(output, w)
    assert e.gradient == 30.0 and e.steps[-1].contributions[0].formula == ""
    assert "one node for all that a compiled function does" in e.notes[0]
    assert r"\operatorname{loss}" in e.latex()


def test_gradient_of_0_names_the_flat_relu() -> None:
    x = Value(3.0, label="x")
    found = notes((x - 5.0).relu() * 2.0, x)
    assert "This gradient is 0 because every path has a local derivative of 0 in it" in found
    assert "the edge from relu(x - 5) back to x - 5" in found and "relu is flat" in found


def test_gradient_of_0_names_the_zero_factor() -> None:
    v = neuron()
    assert "the edge from x2*w2 back to w2, whose local derivative is x2 = 0" in notes(
        v["o"], v["w2"]
    )
    assert "No gradient goes along the edge from x2*w2 back to w2" in notes(v["o"])
    assert "No gradient" not in notes(v["o"], v["x1"])


def test_gradient_of_0_that_cancels() -> None:
    x = Value(3.0, label="x")
    output = x * 2.0 - x * 2.0
    e = explain(output, x)
    assert e.gradient == 0.0 and "cancels" in e.notes[0] and len(e.notes) == 2


def test_gradient_of_0_that_cancels_further_on_names_the_node() -> None:
    x = Value(3.0, label="x")
    y = x * x
    y.label = "y"
    found = notes(y * 2.0 - y * 2.0, x)
    assert "This gradient is 0 because what comes along the paths cancels at y." in found


def test_gradient_of_0_that_cancels_elsewhere_is_not_the_reason() -> None:
    x, u = Value(1.0, label="x"), Value(1.0, label="u")
    y = x * u
    y.label = "y"
    output = (y * 2.0 - y * 2.0) * 0.0 + x * 1e-200 * 1e-200
    found = notes(output, x)
    assert "too small" in found and "cancels" not in found


def test_gradient_of_0_that_is_too_small_is_not_said_to_cancel() -> None:
    x = Value(1.0, label="x")
    y = x * 1e-200
    y.label = "y"
    z = y * 1e-200
    z.label = "z"
    found = notes(z, x)
    assert (
        "This gradient is 0 because a product on its way is too small for a float: 1e-200 times "
        "1e-200, on the edge from y back to x." in found
    )
    assert "cancels" not in found


def test_saturation_is_named() -> None:
    x = Value(8.0, label="x")
    found = notes(tanh(x) * x.sigmoid(), x)
    assert "Little gradient goes along the edge from tanh(x) back to x" in found
    assert "the edge from sigmoid(x) back to x" in found and "saturated" in found
    assert "saturated" not in notes(tanh(x * 0.1), x)


def test_dead_path_of_a_live_gradient_is_no_news() -> None:
    x = Value(3.0, label="x")
    assert "No gradient" not in notes((x - 5.0).relu() + x, x)


def test_many_dead_edges_are_counted() -> None:
    xs = [Value(-1.0 - i, label=f"x{i}") for i in range(10)]
    found = notes(total([x.relu() for x in xs]))
    assert found.count("No gradient goes along") == 3 and "(And along 7 more.)" in found


def test_zero_times_infinity_is_said() -> None:
    x = Value(0.0, label="x")
    e = explain(x.log() * 0.0, x)
    assert math.isnan(e.gradient or 0.0)
    text = " ".join(e.notes)
    assert "log(x) = log(0) = -inf is the first value that is not finite" in text
    assert "The local derivative of log(x) by x is not finite: 1/x = inf" in text
    assert "inf times 0 is nan" in text
    assert "d (log(x)*0) / d x = nan" in str(e)


@pytest.mark.parametrize("x", [-1.0, math.inf])
def test_small_step_is_not_spoken_of_where_the_output_is_not_finite(x: float) -> None:
    leaf = Value(x, label="x")
    text = " ".join(str(explain(leaf.log(), leaf)).split())
    value, slope = ("nan", "-1") if x < 0.0 else ("inf", "0")
    assert "a small step" not in text
    assert (
        f"d log(x) / d x = {slope} by the chain rule, but log(x) is {value} here: no step in x can "
        "be seen in it."
    ) in text


def test_infinite_gradient_is_said_without_nan() -> None:
    x = Value(0.0, label="x")
    e = explain(x.sqrt(), x)
    assert e.gradient == math.inf and "nan" not in str(e)


# --- errors ---------------------------------------------------------------


@pytest.mark.parametrize("wrong", [3.0, None, "x", [Value(1.0)]])
def test_value_must_be_a_value(wrong: Any) -> None:
    with pytest.raises(TypeError, match="explain: value must be a Value"):
        explain(wrong)


def test_wrt_must_be_a_value() -> None:
    output, _ = diamond()
    with pytest.raises(TypeError, match=r"explain: wrt must be a Value.* got str"):
        explain(output, "x")  # type: ignore[arg-type]


def test_wrt_must_be_in_the_graph() -> None:
    output, x = diamond()
    with pytest.raises(ValueError, match=r"was not computed from Value\(data=3.0"):
        explain(output, Value(3.0, label="x"))
    with pytest.raises(ValueError, match="was not computed from"):
        explain(x, output)


# --- large graphs ---------------------------------------------------------------


def timed(output: Value, wrt: Value | None) -> tuple[Explanation, float]:
    """An explanation, and the seconds of this process that it took: others do not count."""
    start = time.process_time()
    e = explain(output, wrt)
    str(e)
    return e, time.process_time() - start


def test_more_paths_than_could_be_listed() -> None:
    x = Value(1.0, label="x")
    y = x
    for _ in range(60):
        y = (y + y) * 0.5
    e = explain(y, x)
    assert e.path_count == 2**60 and len(e.paths) == MOST_PATHS
    assert sum(path.product for path in e.paths) + e.remaining == pytest.approx(1.0, rel=1e-12)
    assert "About 10^18 paths from" in str(e)


def test_more_paths_than_a_number_has_digits_for() -> None:
    x = Value(1.0, label="x")
    y = x
    for _ in range(20_000):
        y = (y + y) * 0.5
    e = explain(y, x)
    assert e.path_count == 2**20_000
    assert "About 10^6,021 paths" in str(e) and len(repr(e)) < 200


def test_many_paths_of_a_network_add_up() -> None:
    model = MLP(2, [16, 16, 1], activation="tanh", rng=0)
    x = [Value(0.5, label="x0"), Value(-1.0, label="x1")]
    e = explain(model(x), x[0])
    assert e.path_count == 256
    text = str(e)
    assert "256 paths from" in text and "244 paths more" in text
    products = [path.product for path in e.paths]
    assert math.fsum(products) + e.remaining == pytest.approx(e.gradient, rel=1e-12)
    assert text.count("\n") < 300
    assert "steps left out" in text


def test_long_chain_is_short_to_read_and_quick() -> None:
    x = Value(1.0, label="x")
    y = x
    for _ in range(100_000):
        y = y * 0.99999
    e, seconds = timed(y, x)
    assert seconds < 6.0  # about 1.9 s
    assert len(e.steps) == MOST_STEPS and str(e).count("\n") < 200
    assert f"... {100_000 - MOST_STEPS:,} steps left out ..." in str(e)
    assert len(e.paths[0].derivatives) == 100_000
    assert e.gradient == pytest.approx(0.99999**100_000)


def test_dot_of_very_many_is_quick() -> None:
    ws = [Value(float(i), label=f"w{i}") for i in range(100_000)]
    xs = [Value(1.0) for _ in ws]
    output = dot(ws, xs)
    for wrt in (None, ws[7]):
        e, seconds = timed(output, wrt)
        assert seconds < 12.0  # about 4 s
        assert str(e).count("\n") < 200
        assert "dot([w0, ..., w99999], [" in str(e)
    assert e.gradient == 1.0 and e.steps[-1].contributions[0].formula.startswith("v")


def test_formulas_of_very_many_uses_are_those_that_are_shown() -> None:
    x = Value(1.0, label="x")
    output = total([x * float(i) for i in range(20_000)])
    e, seconds = timed(output, x)
    assert seconds < 3.0  # about 0.7 s
    uses = e.steps[-1].contributions
    assert len(uses) == 20_000 and math.fsum(u.product for u in uses) == e.gradient
    assert [use.formula for use in uses[:6]] == [str(19_999 - i) for i in range(6)]
    assert {use.formula for use in uses[6:]} == {""}


def test_wide_sum_is_bounded() -> None:
    x = Value(1.0, label="x")
    xs = [Value(float(i)) for i in range(3000)]
    e = explain(total([v * x for v in xs]), x)
    assert e.gradient == sum(range(3000))
    assert "2,994 more" in str(e) and str(e).count("\n") < 200


# --- how it is shown ---------------------------------------------------------------


def test_text_reads_well_in_a_terminal() -> None:
    v = neuron()
    lines = str(explain(v["o"], v["x1"])).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    table = section(explain(v["o"], v["x1"]), "Backward").splitlines()
    start = table[1].index("local derivative")
    assert all(line[start - 1] == " " and line[start] != " " for line in table[1:7])


def test_notebooks_get_markdown_with_formulas_and_text() -> None:
    v = neuron()
    e = explain(v["o"], v["x1"])
    bundle = e._repr_mimebundle_()
    assert bundle == {"text/plain": str(e), "text/markdown": e.markdown()}
    assert e._repr_markdown_() == e.markdown()
    markdown = e.markdown()
    assert r"$\frac{\partial o}{\partial x_{1}} = -1.5$" in markdown
    assert r"$1 \cdot 0.5 \cdot 1 \cdot 1 \cdot \left(-3\right)$" in markdown
    assert r"$o \to n \to x_{1} \cdot w_{1} + x_{2} \cdot w_{2}" in markdown
    assert repr(e) == f"<Explanation of o by x1: {e.gradient}>"


def test_latex_of_a_document() -> None:
    output, x = diamond()
    latex = explain(output, x).latex()
    assert latex.count(r"\begin{longtable}") == latex.count(r"\end{longtable}") == 3
    assert r"\texttt{+=}" in latex and r"\subsection*{Forward" in latex
    for table in re.findall(r"\\begin\{longtable\}\{(l+)\}\n(.*?)\n\\end", latex, re.S):
        columns, rows = table
        for row in rows.split("\n"):
            assert len(re.findall(r"(?<!\\)&", row)) < len(columns)


def test_an_explanation_is_frozen() -> None:
    e = explain(*diamond())
    with pytest.raises(dataclasses.FrozenInstanceError):
        e.gradient = 3.0  # type: ignore[misc]


HOSTILE = [
    "a_b_c", "a*b*c", "x|y", "<b>bold</b>", "$money$", "`code`", "line\nbreak\n# head", "\\frac{",
    "100% & #1 {}", "^~", "</script><script>alert(1)</script>", "שלום", "😀", "[link](http://evil)",
    "![i](http://evil/x.png)", '"quote"', "x" * 10_000, "http://a.b/c_d", "@user", "{0}{}", " ",
]  # fmt: skip


def hostile() -> Explanation:
    values = [Value(1.0 + i / 7, label=label) for i, label in enumerate(HOSTILE)]
    output = values[0]
    for i, value in enumerate(values[1:]):
        output = tanh(output * value) if i % 3 else output + value
    output.label = "loss|_<i>*"
    return explain(output, values[0])


def test_hostile_labels_do_not_break_markdown() -> None:
    mistune = pytest.importorskip("mistune")
    markdown = hostile().markdown()
    assert all(line.count("|") in (0, 4, 6) for line in markdown.splitlines())
    assert markdown.count("$") % 2 == 0
    for formula in re.findall(r"\$(.*?)\$", markdown):
        assert not re.search(r"""[<>|`*@]|\\[^a-zA-Z ]|\]\(|://""", formula), formula
    page = mistune.create_markdown(escape=False, plugins=["table", "url"])(markdown)
    tags = set(re.findall(r"</?([a-z0-9]+)", page))
    assert tags == {
        "code", "h4", "li", "p", "table", "tbody", "td", "th", "thead", "tr", "ul",
    }  # fmt: skip


def test_hostile_labels_do_not_break_the_text() -> None:
    with named_scope("layer"):
        e = hostile()
    assert all(line.isprintable() for line in str(e).splitlines())
    assert max(map(len, str(e).splitlines())) < 400
    assert "{0}{}" in str(e)


def test_every_formula_is_well_formed() -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("agg")
    xs = [Value(x, label=f"x{i}") for i, x in enumerate([0.5, 1.0, 2.0])]
    explanations = [
        explain(neuron()["o"]),
        explain(*diamond()),
        explain(softmax(xs)[0], xs[0]),
        explain((xs[0] ** 3 / xs[1]).gelu() - dot(xs, xs).log(), xs[0]),
        explain(xs[0].log() * math.inf, xs[0]),
    ]
    formulas = {f for e in explanations for f in re.findall(r"\$(.*?)\$", e.latex())}
    assert len(formulas) > 60
    for formula in formulas:
        mathtext.parse(f"${formula}$")


def test_hostile_latex_is_balanced() -> None:
    latex = hostile().latex()
    for formula in re.findall(r"(?<!\\)\$(.*?)(?<!\\)\$", latex):
        plain = formula.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        assert not re.search(r"(?<!\\)[#%&]", plain)
