"""Derivatives inside derivatives: every level differentiates by its own variable and by no other.

`OPERATORS` take the derivative of a function of one number, two in reverse and two going forward;
`GRADIENTS` that of a function of a list. The tests run through all mixes of them. What is expected
comes from closed forms, from mpmath, or from finite differences of code without any derivatives.

Sources: Siskind & Pearlmutter, Nesting forward-mode AD in a functional framework (2008), and
Pearlmutter & Siskind, Reverse-mode AD in a functional framework (2008), for the two problems
`saddle` and `particle`; Manzyuk et al., Perturbation confusion in forward automatic differentiation
of higher-order functions (2019).
"""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_engine as ae
from autograd_engine import (
    Graph,
    Value,
    backend,
    derivative,
    exp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    log,
    no_grad,
    primitive,
    sin,
    taylor,
    value_and_grad,
    vjp,
)

Function = Callable[..., Any]
Operator = Callable[[Function], Function]


def pulled_back(f: Function) -> Function:
    """The derivative by `vjp`."""
    return lambda x: vjp(f, x)[1](1.0)[0]


def pushed_forward(f: Function) -> Function:
    """The derivative by `jvp`."""
    return lambda x: jvp(f, (x,), (1.0,))[1]


OPERATORS: dict[str, Operator] = {
    "grad": grad,
    "vjp": pulled_back,
    "derivative": derivative,
    "jvp": pushed_forward,
}
GRADIENTS: dict[str, Operator] = {
    "reverse": grad,
    "forward": functools.partial(jacobian, mode="forward"),
}
JACOBIANS: dict[str, Operator] = {
    "reverse": functools.partial(jacobian, mode="reverse"),
    "forward": functools.partial(jacobian, mode="forward"),
}


def mixes(levels: int, operators: dict[str, Operator] = OPERATORS) -> pytest.MarkDecorator:
    """Every choice of an operator for each level, the outermost first."""
    chosen = list(itertools.product(operators, repeat=levels))
    return pytest.mark.parametrize(
        "D", [[operators[name] for name in names] for names in chosen], ids=map("-".join, chosen)
    )


SCALAR = {name: OPERATORS[name] for name in ("grad", "derivative")}


def near(expected: Any, tolerance: float = 1e-12) -> Any:
    return pytest.approx(expected, rel=tolerance, abs=tolerance)


def data(x: Any) -> float:
    """The number alone: for decisions, through which no derivative flows."""
    return float(x) if isinstance(x, float) else float(x.data)


def difference(f: Callable[[float], float], x: float, h: float = 1e-3) -> float:
    """The derivative by central differences, to the fourth order."""
    return (8.0 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12.0 * h)


def exact(f: Callable[[Any], Any], x: float, order: int = 1) -> float:
    """The derivative by mpmath, with twice as many digits."""
    with mpmath.workdps(40):
        return float(mpmath.diff(f, mpmath.mpf(x), order))


# --- two levels -----------------------------------------------------------------------------------


@mixes(2)
def test_inner_derivative_does_not_see_the_outer_variable(D: list[Operator]) -> None:
    outer, inner = D
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x + y)(x))(1.0) == 1.0
    assert outer(lambda x: inner(lambda y: x * y)(2.0) + x)(3.0) == 2.0


@mixes(2)
def test_second_derivative_is_two_derivatives(D: list[Operator]) -> None:
    outer, inner = D
    assert outer(inner(lambda x: x * x * x))(2.0) == 12.0
    assert outer(inner(sin))(0.5) == near(-math.sin(0.5))
    assert outer(inner(lambda x: exp(x) / x))(0.7) == near(
        exact(lambda x: mpmath.exp(x) / x, 0.7, 2)
    )


@mixes(2)
def test_inner_derivative_may_be_taken_at_the_outer_variable(D: list[Operator]) -> None:
    outer, inner = D
    # d/dy sin(x y) = x cos(x y), at y = x
    assert outer(lambda x: inner(lambda y: sin(x * y))(x))(0.6) == near(
        exact(lambda x: x * mpmath.cos(x * x), 0.6)
    )
    # and at a function of it
    assert outer(lambda x: inner(lambda y: sin(x * y))(exp(x) + x))(0.6) == near(
        exact(lambda x: x * mpmath.cos(x * (mpmath.exp(x) + x)), 0.6)
    )


@mixes(2)
def test_inner_variable_may_shadow_the_outer_one(D: list[Operator]) -> None:
    outer, inner = D
    assert outer(lambda x: x * inner(lambda x: x * x)(x))(3.0) == 12.0  # (2 x^2)'
    assert outer(lambda x: x * inner(lambda x: x * x)(2.0))(3.0) == 4.0
    assert outer(lambda x: (lambda y: inner(lambda x: x * x * y)(x))(x))(3.0) == 12.0


@mixes(2)
def test_inner_function_may_ignore_its_variable(D: list[Operator]) -> None:
    outer, inner = D
    assert outer(lambda x: x * inner(lambda y: x * x)(2.0))(3.0) == 0.0
    assert outer(lambda x: x + x * inner(lambda y: x * x)(x))(3.0) == 1.0
    assert outer(lambda x: x + inner(lambda y: 5.0)(x))(3.0) == 1.0
    assert outer(lambda x: inner(lambda y: x)(x))(3.0) == 0.0


@mixes(2)
def test_inner_function_may_ignore_the_outer_variable(D: list[Operator]) -> None:
    outer, inner = D
    assert outer(lambda x: inner(lambda y: y * y)(3.0))(2.0) == 0.0
    assert outer(lambda x: x * inner(lambda y: y * y)(3.0))(2.0) == 6.0


@mixes(2)
def test_outer_function_may_use_the_inner_variable_twice_and_itself(D: list[Operator]) -> None:
    outer, inner = D

    def f(x: Any) -> Any:
        cubic = inner(lambda y: x * y * y + y * (x + y) * x)  # 2 x y + x^2 + 2 x y
        return cubic(x) * cubic(2.0) + cubic(x * x)  # 5x^2 (8x + x^2) + 4x^3 + x^2

    assert outer(f)(1.5) == near(120.0 * 1.5**2 + 20.0 * 1.5**3 + 12.0 * 1.5**2 + 2.0 * 1.5)


@mixes(2)
def test_siskind_and_pearlmutter_examples(D: list[Operator]) -> None:
    outer, inner = D

    def inner_is_constant(x: Any) -> Any:
        should_be_one = inner(lambda y: x + y)(1.0)
        should_be_x = inner(lambda y: x * y)(1.0)
        return x * should_be_one * should_be_x

    assert outer(inner_is_constant)(3.0) == 6.0


@mixes(2)
@pytest.mark.parametrize("y", [-0.4, 0.0, 1.3])
def test_shift_of_a_function_differentiated_twice_is_its_second_derivative(
    D: list[Operator], y: float
) -> None:
    """The "amazing bug" of Manzyuk et al., with the derivative pushed below the inner lambdas.

    s(u)(f)(x) = f(x + u), so its derivative by u at 0 takes f to f', and twice f to f''. A
    perturbation that is made once for the operator, not at each use, gives f''(y) = 0.
    """
    outer, inner = D

    def shift(u: Any) -> Function:
        return lambda f: lambda x: f(x + u)

    def by_shift(operator: Operator) -> Operator:
        return lambda f: lambda x: operator(lambda u: shift(u)(f)(x))(0.0)

    again, once = by_shift(outer), by_shift(inner)
    assert again(once(exp))(y) == near(math.exp(y))
    assert once(again(sin))(y) == near(-math.sin(y))
    twice: Operator = by_shift(outer)
    assert twice(twice(lambda x: x * x * x))(y) == near(6.0 * y)


@mixes(2)
def test_curried_function_of_both_variables(D: list[Operator]) -> None:
    outer, inner = D

    def f(x: Any) -> Function:
        return lambda g: lambda y: g(x + y) * x

    # x * exp'(x + y) by the inner variable; by the outer one (1 + x) exp(x + y)
    assert outer(lambda x: inner(f(x)(exp))(0.25))(0.5) == near(1.5 * math.exp(0.75))
    # the function that is handed in closes over the outer variable as well
    assert outer(lambda x: inner(f(x)(lambda v: v * v * x))(0.25))(0.5) == near(
        exact(lambda x: 2 * x * x * (x + 0.25), 0.5)
    )


@mixes(2)
def test_operator_made_once_and_used_at_both_levels(D: list[Operator]) -> None:
    outer, inner = D
    slope = inner(lambda y: y * y * y)  # made outside, used inside at what varies and what does not
    assert outer(lambda x: slope(x) * slope(2.0))(1.0) == 72.0
    assert outer(slope)(2.0) == 12.0
    assert outer(lambda x: slope(slope(x)))(1.0) == 108.0  # (3 (3 x^2)^2)' = 108 x^3


@mixes(2)
def test_function_that_differentiates_its_own_argument_function(D: list[Operator]) -> None:
    outer, inner = D

    def iterated(f: Function, times: int) -> Function:
        return f if times == 0 else iterated(lambda x: x * inner(f)(x), times - 1)

    # (x d/dx)^3 x^4 = 64 x^4
    assert iterated(lambda x: x**4, 3)(1.5) == near(64.0 * 1.5**4)
    assert outer(iterated(lambda x: x**4, 2))(1.5) == near(64.0 * 1.5**3)


@mixes(2, SCALAR)
def test_arguments_given_by_name_or_position_carry_the_outer_variable(D: list[Operator]) -> None:
    outer, inner = D
    by_position = outer(lambda x: inner(lambda y, a: a * y * y)(2.0, x))
    by_name = outer(lambda x: inner(lambda y, *, a: a * y * y)(2.0, a=x * x))
    assert (by_position(3.0), by_name(3.0)) == (4.0, 24.0)


@mixes(2)
def test_results_that_depend_on_nothing_outside_are_plain_floats(D: list[Operator]) -> None:
    outer, inner = D
    results = [
        outer(lambda x: x * inner(lambda y: x * y * y)(1.5))(2.0),
        outer(lambda x: inner(lambda y: sin(x * y))(x))(2.0),
        outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0),
        outer(inner(exp))(1.0),
    ]
    assert [type(x) for x in results] == [float] * 4


coefficients = st.lists(
    st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=3, max_size=3
)


@given(coefficients, st.sampled_from([-1.5, -0.5, 0.5, 2.0]))
def test_nested_derivatives_of_polynomials_agree_with_algebra(c: list[list[int]], x: float) -> None:
    def p(x: Any, y: Any) -> Any:
        return sum(c[i][j] * x**i * y**j for i in range(3) for j in range(3))

    # d/dx (x * dp/dy (x, x^2)), where dp/dy = sum of c j x^i y^(j - 1)
    powers = [(c[i][j] * j, 1 + i + 2 * (j - 1)) for i in range(3) for j in range(1, 3)]
    expected = sum(a * n * x ** (n - 1) for a, n in powers)
    for outer, inner in itertools.product(OPERATORS.values(), repeat=2):

        def f(x: Any, D: Operator = inner) -> Any:
            return x * D(lambda y: p(x, y))(x * x)

        assert float(outer(f)(x)) == near(expected)


# --- three and more levels ------------------------------------------------------------------------


@mixes(3, SCALAR)
def test_three_levels_with_products_of_all_variables(D: list[Operator]) -> None:
    a, b, c = D
    # 2 y z = y; x y * y^2; x * 3 x y^2; 6 x y^2
    nested = a(lambda x: x * b(lambda y: x * y * y * c(lambda z: x + y * z * z)(0.5))(1.5))
    assert nested(1.25) == near(6.0 * 1.25 * 1.5**2)


@mixes(3, SCALAR)
def test_innermost_level_sees_the_middle_variable_only(D: list[Operator]) -> None:
    a, b, c = D
    # d/dz (y z) = y, so b: (y * y)' = 2 y = 4
    assert a(lambda x: x * b(lambda y: y * c(lambda z: y * z)(1.0))(2.0))(1.0) == 4.0
    assert a(lambda x: b(lambda y: y * c(lambda z: y * z)(1.0))(x))(1.0) == 2.0


@mixes(3, SCALAR)
def test_innermost_level_sees_the_outermost_variable_only(D: list[Operator]) -> None:
    a, b, c = D
    # d/dz (x z^2) = 2 x z = 6 x; (y * 6 x)' = 6 x; (6 x^2)' = 12 x
    assert a(lambda x: x * b(lambda y: y * c(lambda z: x * z * z)(3.0))(5.0))(2.0) == 24.0


@mixes(3, SCALAR)
def test_three_levels_at_points_that_depend_on_outer_levels(D: list[Operator]) -> None:
    a, b, c = D

    def f(x: Any) -> Any:
        return b(lambda y: c(lambda z: sin(x * y * z))(x + y))(x * x)

    def by_hand(x: Any) -> Any:
        def middle(y: Any) -> Any:
            return x * y * mpmath.cos(x * y * (x + y))

        y = x * x
        inside = x * y * (x + y)
        return x * mpmath.cos(inside) - x * y * mpmath.sin(inside) * (x * x + 2 * x * y)

    assert a(f)(0.8) == near(exact(by_hand, 0.8))


@mixes(3, SCALAR)
def test_third_derivative_is_three_derivatives(D: list[Operator]) -> None:
    a, b, c = D
    assert a(b(c(lambda x: x**5)))(2.0) == near(240.0)
    assert a(b(c(sin)))(0.5) == near(-math.cos(0.5))
    assert a(b(c(lambda x: log(x) * exp(-x))))(0.9) == near(
        exact(lambda x: mpmath.log(x) * mpmath.exp(-x), 0.9, 3), 1e-11
    )


@mixes(3, SCALAR)
def test_derivative_of_a_sum_of_derivatives_of_different_depth(D: list[Operator]) -> None:
    a, b, c = D

    def f(x: Any) -> Any:
        return x * b(lambda y: x * y * y + c(lambda z: z * y * x)(y))(x) + c(lambda y: y * x)(x)

    # b: 2 x y + x at y = x; x (2 x^2 + x) + x
    assert a(f)(1.5) == near(6.0 * 1.5**2 + 2.0 * 1.5 + 1.0)


@mixes(4, SCALAR)
def test_four_levels(D: list[Operator]) -> None:
    a, b, c, d = D

    def f(x: Any) -> Any:
        return x * b(lambda y: y * c(lambda z: z * x * d(lambda w: w * w * x * y * z)(z))(y))(2.0)

    # d: 2 x y z^2; c: (2 x^2 y z^3)' = 6 x^2 y z^2 = 6 x^2 y^3; b: 24 x^2 y^3; a: 72 x^2 y^3
    assert a(f)(0.5) == near(72.0 * 0.5**2 * 8.0)
    assert a(b(c(d(exp))))(0.5) == near(math.exp(0.5))


# --- jvp and vjp with what depends on the outer variable ------------------------------------------


@mixes(1)
def test_jvp_with_primal_and_tangent_that_depend_on_the_outer_variable(D: list[Operator]) -> None:
    (outer,) = D
    # f'(x) * x^2
    assert outer(lambda x: jvp(sin, (x,), (x * x,))[1])(0.7) == near(
        exact(lambda x: mpmath.cos(x) * x * x, 0.7)
    )
    assert outer(lambda x: jvp(lambda y: x * y * y, (3.0,), (x,))[1])(2.0) == 24.0
    assert outer(lambda x: jvp(lambda y: x * y * y, (3.0,), (x,))[0])(2.0) == 9.0
    assert outer(lambda x: jvp(lambda y, z: y * z * x, (x, 2.0), (1.0, x))[1])(3.0) == near(
        exact(lambda x: 2 * x + x * x * x, 3.0)
    )


@mixes(1)
def test_tangent_alone_may_depend_on_the_outer_variable(D: list[Operator]) -> None:
    (outer,) = D
    assert outer(lambda v: jvp(lambda y: y * y, (3.0,), (v,))[1])(2.0) == 6.0
    assert outer(lambda v: jvp(lambda y: y * y, (3.0,), (v * v,))[1])(2.0) == 24.0


@mixes(1)
def test_cotangent_that_depends_on_the_outer_variable(D: list[Operator]) -> None:
    (outer,) = D
    assert outer(lambda x: vjp(sin, x)[1](x * x)[0])(0.7) == near(
        exact(lambda x: mpmath.cos(x) * x * x, 0.7)
    )
    assert outer(lambda x: vjp(lambda y: [y * x, y * y], 3.0)[1]([x, 2.0])[0])(2.0) == 4.0


@mixes(1)
def test_pullback_made_outside_called_inside(D: list[Operator]) -> None:
    (outer,) = D
    _, pullback = vjp(lambda y, z: y * z * z, 2.0, 3.0)
    assert outer(lambda c: pullback(c)[0] * c)(5.0) == 90.0  # (9 c * c)'
    assert outer(lambda c: pullback(pullback(c)[1])[1])(5.0) == 144.0  # 12 * 12 c
    assert pullback(1.0) == (9.0, 12.0)  # and it is as before


@mixes(2)
def test_pullback_made_at_one_level_called_at_the_next(D: list[Operator]) -> None:
    outer, inner = D

    def f(x: Any) -> Any:
        _, pullback = vjp(lambda y: x * y * y, x)  # c -> 2 x^2 c
        return inner(lambda c: c * pullback(c)[0])(3.0)  # 4 x^2 c

    assert outer(f)(5.0) == 120.0


@mixes(1)
def test_pullback_made_inside_called_after(D: list[Operator]) -> None:
    (outer,) = D
    kept: list[Function] = []

    def f(x: Any) -> Any:
        output, pullback = vjp(lambda y: y * y * 3.0, 2.0)
        kept.append(pullback)
        return output * x

    assert outer(f)(5.0) == 12.0
    assert [float(c) for c in kept[0](1.0)] == [12.0]


@mixes(1)
def test_pullback_of_its_own_output_and_of_its_own_result(D: list[Operator]) -> None:
    """The cotangent then depends on the primals, but the pullback is linear in it all the same."""
    (outer,) = D

    def of_output(x: Any) -> Any:  # as in J' r: 2 x * x^2
        output, pullback = vjp(lambda y: y * y, x)
        return pullback(output)[0]

    def of_result(x: Any) -> Any:  # 2 x * (2 x * 1)
        _, pullback = vjp(lambda y: y * y, x)
        return pullback(pullback(1.0)[0])[0]

    assert outer(of_output)(3.0) == 54.0
    assert outer(of_result)(3.0) == 24.0
    for f, expected in ((of_output, 54.0), (of_result, 36.0)):
        assert f(3.0) == f(Value(3.0)) == expected


@mixes(2)
def test_what_escapes_from_an_inner_derivative_keeps_the_outer_one_or_is_refused(
    D: list[Operator],
) -> None:
    """Once the inner derivative is done, its variable is a constant to the outer one."""
    outer, inner = D

    def by_pullback(x: Any) -> Any:
        kept: list[Function] = []

        def g(y: Any) -> Any:
            kept.append(vjp(lambda z: z * z * y * x, x)[1])
            return y * x

        inner(g)(2.0)
        return kept[0](1.0)[0]  # 2 x y x, where y = 2

    def by_closure(x: Any) -> Any:
        kept: list[Any] = []

        def g(y: Any) -> Any:
            kept.append(x * y * y)
            return y

        inner(g)(2.0)
        return kept[0]

    for f, expected in ((by_pullback, 24.0), (by_closure, 4.0)):
        try:
            found = outer(f)(3.0)
        except (TypeError, RuntimeError):
            continue
        assert data(found) == expected


@mixes(2)
def test_number_left_over_from_a_finished_derivative_is_a_constant(D: list[Operator]) -> None:
    before, outer = D
    kept: list[Any] = []

    def keeping(y: Any) -> Any:
        kept.append(y * y)
        return y

    before(keeping)(3.0)
    assert data(outer(lambda x: x * x * kept[0])(2.0)) == 36.0


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_function_that_returns_a_function_is_refused(operator: Operator) -> None:
    with pytest.raises(TypeError):
        operator(lambda u: lambda x: x + u)(0.0)


@mixes(2)
def test_inner_derivative_under_no_grad_is_a_constant(D: list[Operator]) -> None:
    outer, inner = D

    def f(x: Any) -> Any:
        with no_grad():
            slope = inner(lambda y: x * y * y)(x)  # 2 x^2
        return x * slope

    assert outer(f)(3.0) == 18.0
    with no_grad():  # around both, it changes nothing but the kind of the results
        assert outer(lambda x: x * inner(lambda y: x * y * y)(x))(3.0) == 54.0


@mixes(2)
def test_backward_of_a_captured_value_goes_through_both_levels(D: list[Operator]) -> None:
    outer, inner = D
    w = Value(5.0)
    result = outer(lambda x: x * inner(lambda y: w * y * y * x)(w))(2.0)  # (2 w^2 x^2)' = 4 w^2 x
    assert (result.data, w.grad) == (200.0, 0.0)
    result.backward()
    assert w.grad == 80.0


@pytest.mark.parametrize("outer", OPERATORS.values(), ids=OPERATORS)
def test_value_made_inside_the_outer_function_keeps_its_grad(outer: Operator) -> None:
    made: list[Value] = []

    def f(x: Any) -> Any:
        made.append(Value(3.0))
        return x * grad(lambda y: y * y * made[0])(2.0)

    assert outer(f)(1.0) == 12.0
    assert made[0].grad == 0.0


# --- tensors --------------------------------------------------------------------------------------

POINT = [0.7, -0.4, 1.2]


def quartic(x: Sequence[Any]) -> Any:
    a, b, c = x
    return a * a * b * c + b**3 * c + a * c**3 + 2.0 * a * a * b * b


def derivatives_of_quartic(order: int) -> Any:
    """All derivatives of that order, from the powers: a tensor."""
    terms = [(1.0, (2, 1, 1)), (1.0, (0, 3, 1)), (1.0, (1, 0, 3)), (2.0, (2, 2, 0))]
    tensor = np.zeros((3,) * order)
    for index in itertools.product(range(3), repeat=order):
        for factor, powers in terms:
            left = list(powers)
            for i in index:
                factor *= left[i]
                left[i] -= 1
            if factor:
                tensor[index] += factor * math.prod(x**n for x, n in zip(POINT, left, strict=True))
    return tensor


@mixes(2, JACOBIANS)
def test_hessian_in_all_mixes(D: list[Operator]) -> None:
    outer, inner = D
    expected = derivatives_of_quartic(2)
    assert np.array(outer(inner(quartic))(POINT)) == near(expected)
    assert outer(inner(quartic))(np.array(POINT)) == near(expected)
    assert np.array(outer(grad(quartic))(POINT)) == near(expected)
    assert np.array(hessian(quartic)(POINT)) == near(expected)


@mixes(3, JACOBIANS)
def test_third_order_tensor_in_all_mixes(D: list[Operator]) -> None:
    a, b, c = D
    assert np.array(a(b(c(quartic)))(POINT)) == near(derivatives_of_quartic(3))
    assert np.array(a(b(grad(quartic)))(POINT)) == near(derivatives_of_quartic(3))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_fourth_order_tensor(mode: str) -> None:
    fourth = jacobian(jacobian(hessian(quartic), mode=mode), mode=mode)
    assert np.array(fourth(POINT)) == near(derivatives_of_quartic(4))


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_hessian_inside_a_derivative(operator: Operator) -> None:
    """d/dt log det H, for the Hessian of exp(t a b) + a^2 + b^2 / 2 at (t, 1)."""

    def log_det(t: Any) -> Any:
        h = hessian(lambda x: exp(t * x[0] * x[1]) + x[0] ** 2 + x[1] ** 2 / 2.0)([t, 1.0])
        return log(h[0][0] * h[1][1] - h[0][1] * h[1][0])

    def by_hand(t: Any) -> Any:
        e = mpmath.exp(t * t)
        faa, fbb, fab = t**2 * e + 2, t**4 * e + 1, (t + t**3) * e
        return mpmath.log(faa * fbb - fab**2)

    assert operator(log_det)(0.4) == near(exact(by_hand, 0.4))


def test_gradient_of_a_norm_of_the_gradient_and_of_the_hessian() -> None:
    gradient, second, third = (derivatives_of_quartic(k) for k in (1, 2, 3))

    def squares(nested: Any) -> Any:
        return ae.sum([x * x for x in np.ravel(np.array(nested, dtype=object))])

    for mode in GRADIENTS.values():
        assert mode(lambda x: squares(grad(quartic)(x)))(POINT) == near(
            list(2.0 * second @ gradient)
        )
        assert mode(lambda x: squares(hessian(quartic)(x)))(POINT) == near(
            list(2.0 * np.einsum("ij,ijk->k", second, third))
        )


def test_hessian_vector_product_of_a_hessian_vector_product() -> None:
    u, v, w = [1.0, -2.0, 0.5], [0.3, 0.1, -1.0], [2.0, 1.0, 0.7]

    def along(x: Any) -> Any:
        return ae.dot(hvp(quartic, (x,), (u,)), w)

    expected = np.einsum("ijkl,i,j,k->l", derivatives_of_quartic(4), u, w, v)
    assert hvp(along, (POINT,), (v,)) == near(list(expected))
    third = np.einsum("ijk,i,j->k", derivatives_of_quartic(3), u, w)
    for mode in GRADIENTS.values():
        assert mode(along)(POINT) == near(list(third))


def test_hessian_vector_product_whose_vector_is_the_variable() -> None:
    second, third = derivatives_of_quartic(2), derivatives_of_quartic(3)
    x = np.array(POINT)
    expected = 2.0 * second @ x + np.einsum("ijk,i,j->k", third, x, x)  # of x' H(x) x
    for mode in GRADIENTS.values():
        assert mode(lambda x: ae.dot(hvp(quartic, (x,), (x,)), x))(POINT) == near(list(expected))


def test_value_and_gradient_are_both_differentiable() -> None:
    for operator in OPERATORS.values():
        for i, expected in ((0, 3 * 4.0), (1, 6 * 2.0)):

            def f(x: Any, i: int = i) -> Any:
                return value_and_grad(lambda y: y**3)(x)[i]

            assert operator(f)(2.0) == expected


# --- higher orders, nested ------------------------------------------------------------------------


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_taylor_inside_a_derivative(operator: Operator) -> None:
    assert operator(lambda x: taylor(lambda h: exp(x * h), 0.0, 4)[3])(1.5) == near(1.5**2 / 2.0)
    for k in range(5):  # the k-th coefficient at x is f^(k) / k!

        def coefficient(x: Any, k: int = k) -> Any:
            return taylor(lambda y: sin(y) * exp(y), x, 4)[k]

        expected = exact(lambda x: mpmath.sin(x) * mpmath.exp(x), 0.6, k + 1) / math.factorial(k)
        assert operator(coefficient)(0.6) == near(expected)


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_derivative_inside_taylor(operator: Operator) -> None:
    def series(f: Callable[[Any], Any], x: float) -> list[float]:
        return [exact(f, x, k) / math.factorial(k) for k in range(6)]

    assert taylor(operator(sin), 0.3, 5) == near(series(mpmath.cos, 0.3))
    found = taylor(lambda x: operator(lambda y: sin(x * y))(x), 0.3, 5)
    assert found == near(series(lambda x: x * mpmath.cos(x * x), 0.3))
    found = taylor(lambda x: x * operator(lambda y: x * y * y)(2.0), 0.3, 5)
    assert found == near([0.36, 2.4, 4.0, 0.0, 0.0, 0.0])


def test_taylor_inside_taylor() -> None:
    # in h: x^3 / 6 is the coefficient of h^3; at x = 2, along x
    found = taylor(lambda x: taylor(lambda h: exp(x * h), 0.0, 3)[3], 2.0, 4)
    assert found == near([8 / 6, 12 / 6, 6 / 6, 1 / 6, 0.0])
    found = taylor(lambda x: taylor(lambda h: exp(x * h), x, 2)[2], 0.5, 2)  # x^2 e^(x^2) / 2
    by_hand = [exact(lambda x: x * x * mpmath.exp(x * x) / 2, 0.5, k) for k in range(3)]
    assert found == near([by_hand[0], by_hand[1], by_hand[2] / 2])


@pytest.mark.parametrize("inner_order", [0, 1, 2, 3])
@pytest.mark.parametrize("outer_order", [0, 1, 2, 3])
def test_derivative_of_any_order_inside_another(outer_order: int, inner_order: int) -> None:
    def f(x: Any) -> Any:
        return x * x * derivative(lambda y: sin(x * y), order=inner_order)(x)

    def by_hand(x: Any) -> Any:
        outer = x**2 * x**inner_order
        return outer * mpmath.sin(x * x + inner_order * mpmath.pi / 2)

    expected = exact(by_hand, 0.6, outer_order)
    assert derivative(f, order=outer_order)(0.6) == near(expected)


@mixes(2)
def test_derivative_of_higher_order_between_two_others(D: list[Operator]) -> None:
    outer, inner = D

    def f(x: Any) -> Any:
        return derivative(lambda y: x * inner(lambda z: exp(x * y * z))(y), order=2)(x)

    def by_hand(x: Any) -> Any:  # x * d2/dy2 (x y exp(x y^2)) at y = x
        e = mpmath.exp(x**3)
        return x * x * (6 * x * x + 4 * x**2 * x**3) * e  # (y e^(x y^2))'' = (6xy + 4x^2y^3) e

    assert outer(f)(0.5) == near(exact(by_hand, 0.5))


# --- a gradient in every step: an ODE -------------------------------------------------------------


def trajectory(potential: Function, force_by: Operator, q: Any, p: Any, steps: int) -> Any:
    """Position after some steps of the symplectic Euler rule, with the force by a derivative."""
    force = force_by(potential)
    for _ in range(steps):
        p = p - STEP * force(q)
        q = q + STEP * p
    return q


STEP = 0.1


def oscillator(k: Any, q: Any, p: Any, steps: int) -> Any:
    """The same for the potential k q^2 / 2, in closed form: it turns by a constant angle."""
    angle = mpmath.acos(1 - STEP**2 * k / 2)
    # q[n+1] - 2 cos(angle) q[n] + q[n-1] = 0
    first = q + STEP * (p - STEP * k * q)
    return (first * mpmath.sin(steps * angle) - q * mpmath.sin((steps - 1) * angle)) / mpmath.sin(
        angle
    )


@mixes(2, SCALAR)
def test_oscillator_by_its_start_and_its_stiffness(D: list[Operator]) -> None:
    outer, inner = D
    n = 40

    def final(k: Any, q: Any, p: Any) -> Any:
        return trajectory(lambda x: k * x * x / 2.0, inner, q, p, n)

    start = mpmath.mpf(0.5)
    assert float(final(2.0, 1.0, 0.5)) == near(float(oscillator(2.0, 1.0, start, n)), 1e-11)
    by_position, by_momentum, by_stiffness = (
        outer(lambda q: final(2.0, q, 0.5))(1.0),
        outer(lambda p: final(2.0, 1.0, p))(0.5),
        outer(lambda k: final(k, 1.0, 0.5))(2.0),
    )
    assert by_position == near(exact(lambda q: oscillator(2.0, q, start, n), 1.0), 1e-11)
    assert by_momentum == near(exact(lambda p: oscillator(2.0, 1.0, p, n), 0.5), 1e-11)
    assert by_stiffness == near(exact(lambda k: oscillator(k, 1.0, start, n), 2.0), 1e-11)
    # and it is the oscillator: cos(sqrt(k) t), to the first order in the step
    assert by_position == pytest.approx(math.cos(math.sqrt(2.0) * n * STEP), abs=0.15)


@mixes(2, SCALAR)
def test_pendulum_by_its_start_and_its_length(D: list[Operator]) -> None:
    outer, inner = D

    def final(length: Any, q: Any) -> Any:
        return trajectory(lambda x: 1.0 - ae.cos(x) / length, inner, q, 0.0, 30)

    def plain(length: float, q: float) -> float:
        p = 0.0
        for _ in range(30):
            p -= STEP * math.sin(q) / length
            q += STEP * p
        return q

    assert float(final(0.8, 2.0)) == near(plain(0.8, 2.0))
    assert outer(lambda q: final(0.8, q))(2.0) == near(
        difference(lambda q: plain(0.8, q), 2.0), 1e-8
    )
    assert outer(lambda a: final(a, 2.0))(0.8) == near(
        difference(lambda a: plain(a, 2.0), 0.8), 1e-8
    )


@mixes(3, SCALAR)
def test_second_derivative_of_a_trajectory_by_its_start(D: list[Operator]) -> None:
    a, b, inner = D

    def final(q: Any) -> Any:
        return trajectory(lambda x: x**4 / 4.0, inner, q, 0.3, 8)

    def by_hand(q: Any) -> Any:
        p = mpmath.mpf(0.3)
        for _ in range(8):
            p -= STEP * q**3
            q += STEP * p
        return q

    assert a(b(final))(0.9) == near(exact(by_hand, 0.9, 2), 1e-11)


# --- a gradient in every step: a minimum ----------------------------------------------------------


def descended(f: Function, x: Any, gradient_by: Operator, rate: float, steps: int) -> Any:
    """A minimum by gradient descent of a fixed number of steps."""
    slope = gradient_by(f)
    for _ in range(steps):
        x = x - rate * slope(x)
    return x


@mixes(2, SCALAR)
def test_minimum_of_a_quadratic_by_its_coefficients(D: list[Operator]) -> None:
    outer, inner = D

    def minimum(a: Any, b: Any) -> Any:  # of a x^2 / 2 - b x: at b / a
        return descended(lambda x: a * x * x / 2.0 - b * x, 0.0, inner, 0.4, 80)

    assert float(minimum(2.0, 3.0)) == near(1.5)
    assert outer(lambda a: minimum(a, 3.0))(2.0) == near(-0.75)
    assert outer(lambda b: minimum(2.0, b))(3.0) == near(0.5)
    assert outer(lambda t: minimum(t, t * t))(3.0) == near(1.0)


@mixes(2, SCALAR)
def test_minimum_follows_the_implicit_function_theorem(D: list[Operator]) -> None:
    outer, inner = D

    def minimum(t: Any) -> Any:  # of e^x + x^2 / 2 - t x: e^x + x = t, so dx/dt = 1 / (e^x + 1)
        return descended(lambda x: exp(x) + x * x / 2.0 - t * x, 0.0, inner, 0.3, 100)

    x = math.log(2.0)
    assert float(minimum(2.0 + x)) == near(x)
    assert outer(minimum)(2.0 + x) == near(1.0 / 3.0)


@mixes(3, SCALAR)
def test_second_derivative_of_a_minimum(D: list[Operator]) -> None:
    a, b, inner = D

    def minimum(t: Any) -> Any:
        return descended(lambda x: exp(x) + x * x / 2.0 - t * x, 0.5, inner, 0.3, 35)

    x = math.log(2.0)  # d2x/dt2 = -e^x / (e^x + 1)^3
    assert a(b(minimum))(2.0 + x) == near(-2.0 / 27.0, 1e-10)


@mixes(2, GRADIENTS)
def test_minimum_in_two_dimensions_by_a_vector_of_parameters(D: list[Operator]) -> None:
    outer, inner = D

    def least(t: Any) -> Any:  # of x' A x / 2 - t' x: -t' A^-1 t / 2, whose gradient is -A^-1 t
        def f(x: Any) -> Any:
            a, b = x
            return a * a + a * b + b * b - t[0] * a - t[1] * b

        slope, x = inner(f), [0.0, 0.0]
        for _ in range(60):
            x = [y - 0.4 * d for y, d in zip(x, slope(x), strict=True)]
        return f(x)

    expected = -np.linalg.solve(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, -3.0]))
    assert outer(least)([1.0, -3.0]) == near(list(expected), 1e-10)


def growth(run: Callable[[int], object], small: int, large: int) -> float:
    """By what the running time grows: the time of this thread only, the best of some runs."""

    def seconds(size: int) -> float:
        times = []
        for _ in range(3):
            start = time.thread_time()
            run(size)
            times.append(time.thread_time() - start)
        return min(times)

    gc.collect()
    gc.disable()
    try:
        run(small)
        return seconds(large) / seconds(small)
    finally:
        gc.enable()


@mixes(2, SCALAR)
def test_time_of_an_inner_descent_grows_with_the_number_of_steps(D: list[Operator]) -> None:
    outer, inner = D

    def run(steps: int) -> None:
        outer(lambda t: descended(lambda x: exp(x) + x * x / 2.0 - t * x, 0.0, inner, 0.3, steps))(
            1.0
        )

    assert growth(run, 100, 400) < 9.0  # in proportion it is 4, if every step walks over all 16


@mixes(2, SCALAR)
def test_time_grows_with_the_number_of_steps_when_each_captures_the_last(D: list[Operator]) -> None:
    """The proximal method: each step minimises f(y) + (y - x)^2 / 2, with x from the last step."""
    outer, inner = D
    if backend == "python" and inner is SCALAR["grad"]:
        pytest.skip("only the native engine knows which nodes are too old to be looked at")

    def run(steps: int) -> None:
        def final(t: Any) -> Any:
            x = t
            for _ in range(steps):
                x = descended(
                    lambda y, x=x: t * y * y / 2.0 + (y - x) * (y - x) / 2.0, 0.0, inner, 0.4, 2
                )
            return x

        outer(final)(1.0)

    assert growth(run, 150, 600) < 9.0


@pytest.mark.parametrize("inner", SCALAR.values(), ids=SCALAR)
def test_time_of_an_inner_derivative_does_not_depend_on_the_graph_it_captures(
    inner: Operator,
) -> None:
    if backend == "python" and inner is SCALAR["grad"]:
        pytest.skip("only the native engine knows which nodes are too old to be looked at")

    def f(x: Any) -> Any:
        captured = {10: x, 200_000: x}
        for size in captured:
            for _ in range(size):
                captured[size] = captured[size] * 1.0

        def run(size: int) -> None:
            for _ in range(30):
                inner(lambda y: y * captured[size] * y)(2.0)

        assert growth(run, 10, 200_000) < 10.0
        return x

    grad(f)(1.0)


@pytest.mark.parametrize("inner", SCALAR.values(), ids=SCALAR)
def test_graph_of_an_inner_descent_grows_with_the_number_of_steps(inner: Operator) -> None:
    def nodes(steps: int) -> int:
        t = Value(1.0)
        x = descended(lambda x: exp(x) + x * x / 2.0 - t * x, 0.0, inner, 0.3, steps)
        return len(Graph(x).nodes)

    assert nodes(100) <= 2.1 * nodes(50)
    assert nodes(50) < 50 * 40


# --- saddle: a minimum of a maximum ---------------------------------------------------------------


def length(x: Sequence[Any]) -> float:
    return math.hypot(*map(data, x))


def argmin(
    f: Function, x: list[Any], slope: Function, step: float, tolerance: float = 1e-5
) -> list[Any]:
    """Gradient descent: the step doubles after ten successes and halves after a failure."""
    value, direction, successes = f(x), slope(x), 0
    while length(direction) > tolerance:
        if successes == 10:
            step, successes = 2.0 * step, 0
        new = [a - step * d for a, d in zip(x, direction, strict=True)]
        if length([a - b for a, b in zip(x, new, strict=True)]) <= tolerance:
            break
        there = f(new)
        if there < value:
            x, value, direction, successes = new, there, slope(new), successes + 1
        else:
            step, successes = step / 2.0, 0
    return x


def minimax(
    f: Function, outer: Operator, inner: Operator, step: float, tolerance: float = 1e-5
) -> tuple[list[Any], list[Any]]:
    """Where min over x of max over y of f(x, y) is, from (1, 1) each."""
    start = [1.0, 1.0]

    def best_reply(x: list[Any]) -> list[Any]:
        def loss(y: list[Any]) -> Any:
            return -f(x, y)

        return argmin(loss, start, inner(loss), step, tolerance)

    def worst(x: list[Any]) -> Any:
        return f(x, best_reply(x))

    x = argmin(worst, start, outer(worst), step, tolerance)
    return x, best_reply(x)


def squares(x: Sequence[Any]) -> Any:
    return x[0] * x[0] + x[1] * x[1]


@mixes(2, GRADIENTS)
def test_saddle(D: list[Operator]) -> None:
    outer, inner = D
    x, y = minimax(lambda x, y: squares(x) - squares(y), outer, inner, 0.05)

    def by_hand(f: Function) -> Function:
        return lambda x: [2.0 * a for a in x]

    expected = minimax(lambda x, y: squares(x) - squares(y), by_hand, by_hand, 0.05)
    assert [float(a) for a in x + y] == pytest.approx(expected[0] + expected[1], rel=0, abs=1e-8)
    assert [float(a) for a in x + y] == pytest.approx([0.0] * 4, abs=1e-5)


@mixes(2, GRADIENTS)
def test_saddle_whose_best_reply_depends_on_the_outer_point(D: list[Operator]) -> None:
    """(a - 1)^2 + a c - (c - 1)^2 in each coordinate: c = 1 + a / 2, and so a = 0.4."""
    outer, inner = D

    def f(x: list[Any], y: list[Any]) -> Any:
        shifted = [[a - 1.0 for a in z] for z in (x, y)]
        return squares(shifted[0]) + x[0] * y[0] + x[1] * y[1] - squares(shifted[1])

    x, y = minimax(f, outer, inner, 0.3, 1e-10)
    assert [float(a) for a in x] == pytest.approx([0.4, 0.4], abs=1e-8)
    assert [float(a) for a in y] == pytest.approx([1.2, 1.2], abs=1e-8)


# --- particle: the control of a path whose force is a gradient ------------------------------------


def flight(force: Callable[[Any, Any], Sequence[Any]], w: Any) -> Any:
    """Where a particle crosses y = 0, by Euler's rule with a last step that is shorter."""
    (x, y), (vx, vy), dt = (0.0, 8.0), (0.75, 0.0), 0.1
    for _ in range(1000):
        ax, ay = force([x, y], w)
        new = x + dt * vx, y + dt * vy
        if new[1] <= 0.0:
            return x - y / vy * vx
        (x, y), (vx, vy) = new, (vx + dt * ax, vy + dt * ay)
    raise AssertionError(f"the particle does not come down at w = {w}")


def potential(x: Sequence[Any], w: Any) -> Any:
    charges = (10.0, 10.0 - w), (10.0, 0.0)
    return sum(1.0 / ((x[0] - a) ** 2 + (x[1] - b) ** 2) ** 0.5 for a, b in charges)


def force_by_hand(x: Sequence[Any], w: Any) -> list[Any]:
    """The same force, written out; also for the numbers of mpmath."""
    force: list[Any] = [0.0, 0.0]
    for a, b in ((10.0, 10.0 - w), (10.0, 0.0)):
        dx, dy = x[0] - a, x[1] - b
        cubed = (dx * dx + dy * dy) ** 1.5
        force = [force[0] + dx / cubed, force[1] + dy / cubed]
    return force


def error_of(w: Any, gradient: Operator) -> Any:
    """The squared distance from the origin where the particle comes down."""

    def force(x: Sequence[Any], w: Any) -> list[Any]:
        return [-slope for slope in gradient(lambda x: potential(x, w))(x)]

    return flight(force, w) ** 2


@functools.cache
def best_control() -> float:
    """The control that brings the particle to the origin, with thirty digits."""
    with mpmath.workdps(30):
        return float(mpmath.findroot(lambda w: flight(force_by_hand, w), (0.2, 0.21), "secant"))


@mixes(2, GRADIENTS)
def test_particle(D: list[Operator]) -> None:
    outer, inner = D
    slope = outer(lambda w: error_of(w, inner))
    last, w = 0.2, 0.21  # the secant method for the root of the slope
    slopes = [float(slope(last)), float(slope(w))]
    for _ in range(20):
        if abs(w - last) < 1e-9:
            break
        last, w = w, w - slopes[1] * (w - last) / (slopes[1] - slopes[0])
        slopes = [slopes[1], float(slope(w))]
    assert abs(slopes[1]) < 1e-8
    assert w == pytest.approx(best_control(), rel=0, abs=1e-8)
    assert w == pytest.approx(0.20719187464861197, rel=0, abs=1e-4)  # of a coarser optimizer


@mixes(2, GRADIENTS)
def test_slope_of_the_error_of_the_particle(D: list[Operator]) -> None:
    outer, inner = D
    slope = outer(lambda w: error_of(w, inner))
    expected = exact(lambda w: flight(force_by_hand, w) ** 2, 0.4)
    assert float(slope(0.4)) == near(expected, 1e-10)


# --- threads --------------------------------------------------------------------------------------


@contextmanager
def eager_switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@mixes(2, SCALAR)
def test_threads_nest_derivatives_independently(D: list[Operator]) -> None:
    together = threading.Barrier(4)

    def work(k: int) -> list[float]:
        outer, inner = D if k % 2 == 0 else reversed(D)
        together.wait(timeout=30)
        return [
            float(outer(lambda x: x * inner(lambda y: x * y * y + k * y)(x))(0.5 + i))
            for i in range(60)
        ]

    with eager_switching(), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))
    for k in range(4):  # (2 x^3 + k x)'
        assert found[k] == near([6.0 * (0.5 + i) ** 2 + k for i in range(60)])


def test_threads_of_different_modes_do_not_disturb_nested_derivatives() -> None:
    together = threading.Barrier(2)

    def without_graph() -> list[tuple[Value, ...]]:
        together.wait(timeout=30)
        with no_grad():
            return [(Value(2.0) * i)._prev for i in range(500)]

    def nested() -> list[float]:
        together.wait(timeout=30)
        return [float(grad(grad(lambda x: x**4))(2.0)) for _ in range(100)]

    with eager_switching(), ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(without_graph), pool.submit(nested)
        assert first.result(timeout=30) == [()] * 500
        assert second.result(timeout=30) == [48.0] * 100


@mixes(2, SCALAR)
def test_inner_derivatives_may_be_taken_in_other_threads(D: list[Operator]) -> None:
    outer, inner = D

    def f(x: Any) -> Any:
        def slope(k: int) -> Any:
            return inner(lambda y: x * y * y * k)(x)  # 2 k x^2

        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(slope, (1, 2, 3)))

    with eager_switching():
        assert outer(f)(2.0) == near(48.0)


def test_an_order_that_is_the_variable_of_an_outer_derivative_is_none() -> None:
    """A whole power that varies: nothing may be concluded from its number."""
    exact = mpmath.diff(lambda n: n * (n - 1) * mpmath.mpf(2) ** (n - 2), 3)
    for outer in SCALAR.values():
        found = outer(lambda n: derivative(lambda x: x**n, 2)(2.0))(3.0)
        assert float(found) == pytest.approx(float(exact), rel=1e-13)
    n = Value(3.0)
    second = derivative(lambda x: x**n, 2)(2.0)
    second.backward()
    assert n.grad == pytest.approx(float(exact), rel=1e-13)


def test_a_zero_base_with_a_varying_power_keeps_its_convention_in_a_series() -> None:
    assert taylor(lambda y: 0.0**y, 0.0, 2)[:2] == [1.0, 0.0]


def test_a_task_with_a_context_of_its_own_may_compute_for_several_derivatives() -> None:
    loop = asyncio.new_event_loop()
    queue: asyncio.Queue[Any] = asyncio.Queue()
    answers: asyncio.Queue[Any] = asyncio.Queue()
    tasks: list[Any] = []

    async def stage() -> None:
        while True:
            x = await queue.get()
            y = x * x
            await answers.put(y + 1.0)

    async def through(x: Any) -> Any:
        await queue.put(x)
        return await answers.get()

    def f(x: Any) -> Any:
        if not tasks:
            tasks.append(loop.create_task(stage()))
        return loop.run_until_complete(through(x))

    try:
        assert [grad(f)(3.0), grad(f)(3.0)] == [6.0, 6.0]
        assert derivative(f)(3.0) == 6.0
    finally:
        tasks[0].cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()


def in_a_thread(f: Callable[[], Any]) -> Any:
    """What f returns, or raises, in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(f).result()


@pytest.mark.parametrize("D", SCALAR.values(), ids=SCALAR)
def test_no_thread_turns_an_argument_into_a_plain_number(D: Operator) -> None:
    with pytest.raises(TypeError, match="depends on the argument of a derivative"):
        D(lambda x: x * in_a_thread(lambda: math.exp(x)))(1.0)


def test_a_derivative_in_another_thread_that_began_earlier_knows_this_argument() -> None:
    asked: queue.Queue[Any] = queue.Queue()
    answered: queue.Queue[Any] = queue.Queue()

    def worker() -> None:
        def f(t: Any) -> Any:
            x = asked.get()
            answered.put(grad(lambda s: x * x * s)(1.0))
            return t

        grad(f)(1.0)

    thread = threading.Thread(target=worker)
    thread.start()

    def f(x: Any) -> Any:
        asked.put(x)
        return answered.get()

    assert grad(f)(3.0) == 6.0
    thread.join()


def test_a_pullback_may_be_called_by_many_threads() -> None:
    _, pullback = vjp(lambda x: [x[0] * k + x[1] * k * k for k in range(20)], [1.0, 2.0])

    def row(k: int) -> Any:
        return pullback([float(i == k) for i in range(20)])[0]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(row, list(range(20)) * 20))
    finally:
        sys.setswitchinterval(before)
    assert found == [[float(k), float(k * k)] for k in range(20)] * 20


def test_a_pullback_keeps_what_the_function_returned_even_if_that_changes() -> None:
    buffer: Any = np.zeros(2, dtype=object)

    def f(x: Any) -> Any:
        buffer[0], buffer[1] = x[0] * x[1], x[0]
        return buffer

    _, pullback = vjp(f, np.array([2.0, 3.0]))
    vjp(f, np.array([5.0, 7.0]))
    assert list(pullback(np.ones(2))[0]) == [4.0, 2.0]


def test_a_function_may_change_the_container_that_it_was_called_with() -> None:
    point = {"a": 1.0, "b": 2.0}

    def f(p: Any) -> Any:
        point.clear()
        point.update({"b": 2.0, "a": 1.0})
        return p["a"] ** 2 + 3 * p["b"]

    assert grad(f)(point) == {"a": 2.0, "b": 3.0}


def test_a_formula_that_leaves_the_graph_by_a_captured_value_is_found_out() -> None:
    @primitive(lambda z, x, y: y * math.exp(y), lambda z, x, y: x * math.exp(y) * (1.0 + y))
    def left(x: Any, y: Any) -> Any:
        """x * y * e^y."""
        return x * y * math.exp(y)

    v = Value(1.0)
    with pytest.raises(TypeError, match="would lose that derivative"):
        grad(lambda x: left(x, v) * 1.0)(3.0)


def test_a_gradient_is_never_the_captured_value_itself() -> None:
    w = Value(2.0)
    slope = grad(lambda x: x * w)(1.0)
    assert slope is not w
    w.data = 100.0
    assert slope.data == 2.0
    slope.backward()
    assert w.grad == 1.0


def test_a_captured_value_that_was_changed_is_no_ground_for_second_derivatives() -> None:
    m = Value(2.0)
    _, pullback = vjp(lambda x: m * x, 3.0)
    m.data = 5.0
    with pytest.raises(RuntimeError, match=r"^\*: the data of an operand was changed.*no_grad"):
        pullback(1.0)
    with no_grad():
        assert pullback(1.0) == (2.0,)
