"""The passes from a Program to a Plan, on programs made by hand, and the plan run in Python."""

from __future__ import annotations

import operator
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from test_compile_random import CAPTURED, UNIFORM, WIDTH, Author

from autograd_engine import Program, compile, value_and_grad
from autograd_engine.encoding import OPCODES, Plan, encoded
from autograd_engine.lowering import Group, Lowered, Matrix, Outer, lowered, scheduled
from autograd_engine.primitives import add, div, dot, exp, mul, neg, sub, tanh
from autograd_engine.primitives import sum as row_sum
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.splitting import EACH, SHARE, TOTAL
from autograd_engine.tape import Tape

OPERATIONS = {number: operation for operation, number in OPCODES.items()}
REDUCE = ["mean", "sum", None]


class Maker:
    """Writes a program: the first inputs are uniform, those after them are lanes."""

    def __init__(self, uniform: int, lanes: int) -> None:
        self.tape = Tape()
        self.tape.origin = ("", 0)
        self.u = [self.tape.input(f"u{i}") for i in range(uniform)]
        self.x = [self.tape.input(f"x{i}") for i in range(lanes)]

    def __call__(self, operation: Any, *operands: int) -> int:
        return self.tape.emit(operation, operands)

    def constant(self, x: float) -> int:
        return self.tape.constant(x)

    def lowered(
        self, *outputs: int, kinds: str | Sequence[str] = EACH, reduce: str | None = None
    ) -> Lowered:
        kinds = [kinds] * len(outputs) if isinstance(kinds, str) else kinds
        low = lowered(Program(self.tape, outputs), self.x, kinds, reduce)
        assert_is_in_order(low)
        return low

    def totals(self, *outputs: int, reduce: str = "sum") -> Lowered:
        return self.lowered(*outputs, kinds=TOTAL, reduce=reduce)


def lines_of(items: Iterable[Any]) -> list[int]:
    """All lines that are computed by items."""
    found: list[int] = []
    for item in items:
        if isinstance(item, Group):
            found += item.lines
        elif isinstance(item, Matrix):
            found += item.outs
        else:
            found += [total for row in item.totals for total in row]
    return found


def operations_of(low: Lowered, items: Iterable[Any]) -> list[Any]:
    return [operation for item in items for operation in [item.operation] * len(item.lines)]


def assert_is_in_order(low: Lowered) -> None:
    """Each line is computed once, and after what it needs; uniform lines need no lanes."""
    uniform = {*low.constants, low.n, *low.uniform_inputs}
    done = set(low.lane_inputs)
    for part in (low.before, low.body, low.after):
        for item in part:
            known = uniform | done if part is low.body else uniform
            new = lines_of([item])
            assert len(set(new)) == len(new)
            if isinstance(item, Group):
                assert {low.lines[i][0] for i in item.lines} == {item.operation}
                needs = {j for i in item.lines for j in low.lines[i][1]}
            elif isinstance(item, Matrix):
                assert set(item.xs) <= done
                needs = {*item.xs, *item.biases, *[j for row in item.weights for j in row]}
                assert len(item.outs) == len(item.biases) == len(item.weights)
            else:
                needs = {*item.a, *item.b}
            assert needs <= known, (item, needs - known)
            assert known.isdisjoint(new)
            (done if part is low.body and not isinstance(item, Outer) else uniform).update(new)
    for line, is_lane in low.outputs:
        assert line in uniform or (is_lane and line in done)


# --- what is uniform, and what is summed up ------------------------------------------------------


def test_what_depends_on_no_sample_is_computed_once() -> None:
    make = Maker(2, 2)
    (u, v), (x, y) = make.u, make.x
    w = make(mul, u, v)
    e = make(exp, w)
    z = make(tanh, make(add, x, e))
    low = make.lowered(z, make(sub, z, y), e)
    assert lines_of(low.before) == [w, e]
    assert operations_of(low, low.body) == [add, tanh, sub]
    assert low.after == []
    assert (low.uniform_inputs, low.lane_inputs) == ([u, v], [x, y])
    assert [is_lane for _, is_lane in low.outputs] == [True] * 3


def test_what_no_output_needs_is_left_out() -> None:
    make = Maker(1, 1)
    make(exp, make.u[0])
    make(exp, make.x[0])
    low = make.lowered(make(tanh, make.x[0]))
    assert (low.before, low.after) == ([], [])
    assert operations_of(low, low.body) == [tanh]


def test_without_a_batch_everything_is_uniform() -> None:
    make = Maker(2, 0)
    z = make(tanh, make(dot, *make.u, *make.u))
    low = make.lowered(z)
    assert (low.body, low.after, low.outputs) == ([], [], [(z, False)])
    assert operations_of(low, low.before) == [dot, tanh]


def test_a_total_of_a_product_of_lanes_is_one_outer_product() -> None:
    make = Maker(0, 2)
    x, y = make.x
    low = make.totals(make(mul, x, y))
    ((a, b, ((total,),)),) = low.body
    assert ({*a}, {*b}) == ({x}, {y})
    assert low.outputs == [(total, False)]
    assert low.after == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_uniform_factor_stays_in_the_sum(order: int) -> None:
    """Taken out, it would make inf of inf * (0 + 1), where inf * 0 + inf * 1 is nan."""
    make = Maker(1, 1)
    low = make.totals(make(mul, *[make.u[0], make.x[0]][::order]))
    (outer,) = low.body
    assert (outer.a, outer.b) == ([make.x[0]], (make.u[0],))
    assert low.after == []


def one(low: Lowered) -> int:
    (line,) = [i for i, x in low.constants.items() if x == 1.0]
    return line


def test_a_total_of_a_dot_is_split_into_lanes_and_uniform_products() -> None:
    make = Maker(3, 2)
    (u, v, w), (x, y) = make.u, make.x
    # x * y + u * x + y * v + v * w + w * w
    z = make(dot, x, u, y, v, w, y, x, v, w, w)
    low = make.totals(z)
    pairs = [{i, j} for outer in low.body for i in outer.a for j in outer.b]
    assert len(pairs) == 3
    assert all(pair in pairs for pair in ({x, y}, {x, u}, {y, v}))
    # total(x * y) + total(u * x) + total(v * y) + n * (v * w + w * w)
    assert Counter(operations_of(low, low.after)) == {row_sum: 1, add: 1}
    assert operations_of(low, low.before) == [dot, mul]
    mean = make.totals(z, reduce="mean")
    assert Counter(operations_of(mean, mean.after)) == {row_sum: 1, div: 1, add: 1}


def test_each_total_is_taken_once() -> None:
    make = Maker(1, 2)
    x, y = make.x
    low = make.totals(make(mul, x, y), make(mul, y, x), make(mul, make.u[0], x), x, x)
    assert len(lines_of(low.body)) == 3
    assert len(low.outputs) == 5
    assert low.outputs[0] == low.outputs[1]
    assert low.outputs[3] == low.outputs[4]


def test_totals_of_what_is_uniform_need_no_samples() -> None:
    make = Maker(2, 1)
    z = make(mul, *make.u)
    assert make.totals(z, reduce="mean").outputs == [(z, False)]
    low = make.totals(z)
    assert low.lines[low.outputs[0][0]] == (mul, (z, low.n))


def test_shares_of_a_mean_are_divided_by_the_number_of_samples() -> None:
    make = Maker(1, 1)
    z = make(tanh, make.x[0])
    low = make.lowered(z, make.u[0], kinds=SHARE, reduce="mean")
    for (line, is_lane), share in zip(low.outputs, (z, make.u[0]), strict=True):
        assert (low.lines[line], is_lane) == ((div, (share, low.n)), True)
    low = make.lowered(z, kinds=SHARE, reduce="sum")
    assert low.outputs == [(z, True)]


# --- long sums -----------------------------------------------------------------------------------


def chain(make: Maker, terms: Sequence[int]) -> list[int]:
    """The partial sums from left to right."""
    found = [terms[0]]
    for x in terms[1:]:
        found.append(make(add, found[-1], x))
    return found[1:]


@pytest.mark.parametrize("lanes", [True, False])
def test_long_sums_become_one_line_in_the_same_order(lanes: bool) -> None:
    make = Maker(0, 6) if lanes else Maker(6, 0)
    terms = random.Random(0).sample([*make.x, *make.u], 6)
    last = chain(make, terms)[-1]
    low = make.lowered(last)
    (group,) = low.body if lanes else low.before
    assert group.operation is row_sum
    assert low.lines[last] == (row_sum, tuple(terms))


def test_a_part_of_a_long_sum_that_is_used_elsewhere_stays() -> None:
    make = Maker(0, 6)
    _, second, third, _, last = chain(make, make.x)
    low = make.lowered(last, make(tanh, third), second)
    assert low.lines[second] == (row_sum, tuple(make.x[:3]))
    assert low.lines[third] == (add, (second, make.x[3]))
    assert low.lines[last] == (row_sum, (third, *make.x[4:]))


def test_sums_on_the_right_side_are_added_as_they_stand() -> None:
    make = Maker(0, 3)
    x, y, z = make.x
    right = make(add, y, z)
    low = make.lowered(make(add, x, right))
    assert operations_of(low, low.body) == [add, add]


def test_a_part_of_a_uniform_sum_that_samples_use_stays() -> None:
    make = Maker(3, 1)
    first, last = chain(make, make.u)
    make.lowered(make(mul, make.x[0], first), make(div, make.x[0], last))


def test_a_part_of_a_uniform_sum_that_totals_use_stays() -> None:
    make = Maker(3, 1)
    first, last = chain(make, make.u)
    make.totals(make(mul, make.x[0], first), make(mul, make.x[0], make(tanh, last)))


# --- matrices ------------------------------------------------------------------------------------


def test_dots_of_the_same_lanes_become_one_matrix() -> None:
    make = Maker(8, 2)
    x, u = make.x, make.u
    plain = make(dot, *u[0:2], *x)
    with_bias = make(add, make(dot, *x, *u[2:4]), u[6])
    bias_first = make(add, u[7], make(dot, *u[4:6], *x))
    low = make.lowered(*[make(tanh, z) for z in (plain, with_bias, bias_first)])
    matrix, group = low.body
    assert matrix.xs == tuple(x)
    assert matrix.outs == [plain, with_bias, bias_first]
    assert matrix.weights == [tuple(u[0:2]), tuple(u[2:4]), tuple(u[4:6])]
    nothing, *biases = matrix.biases
    assert biases == [u[6], u[7]]
    assert low.constants[nothing].hex() == "-0x0.0p+0"
    assert group == Group(tanh, group.lines)


def test_dots_of_other_lanes_or_in_another_order_are_other_matrices() -> None:
    make = Maker(2, 3)
    x, y, z = make.x
    dots = [make(dot, *make.u, *pair) for pair in ((x, y), (y, x), (x, z))]
    low = make.lowered(*dots)
    assert [(m.xs, m.outs) for m in low.body] == [
        ((x, y), dots[:1]), ((y, x), dots[1:2]), ((x, z), dots[2:]),
    ]  # fmt: skip


def test_products_of_one_lane_become_a_matrix_without_biases() -> None:
    make = Maker(3, 2)
    x, y = make.x
    products = [make(mul, make.u[0], x), make(mul, x, make.u[1])]
    alone = make(mul, make.u[2], y)
    sums = [make(add, z, make.u[2]) for z in (*products, alone)]
    low = make.lowered(*sums)
    matrix = low.body[0]
    assert (matrix.xs, matrix.outs, matrix.weights) == ((x,), products, [(0,), (1,)])
    assert operations_of(low, low.body[1:]) == [mul, add, add, add]


def test_a_dot_that_is_used_elsewhere_keeps_its_line() -> None:
    for use in ("twice", "output"):
        make = Maker(3, 2)
        z = make(dot, *make.u[:2], *make.x)
        total = make(add, z, make.u[2])
        outputs = [total, make(tanh, z) if use == "twice" else z]
        low = make.lowered(*outputs)
        assert low.body[0].outs == [z]
        assert total in lines_of(low.body[1:])


def test_a_dot_that_a_total_needs_keeps_its_line() -> None:
    make = Maker(3, 2)
    z = make(dot, *make.u[:2], *make.x)
    make.totals(make(mul, z, make.x[0]), make(tanh, make(add, z, make.u[2])))


def test_a_dot_with_a_lane_added_gets_no_bias() -> None:
    make = Maker(2, 2)
    z = make(dot, *make.u, *make.x)
    total = make(add, z, make.x[0])
    low = make.lowered(total)
    assert low.body[0].outs == [z]
    assert low.body[1] == Group(add, [total])


def test_a_dot_from_which_a_number_is_taken_gets_no_bias() -> None:
    make = Maker(3, 2)
    z = make(dot, *make.u[:2], *make.x)
    differences = [make(sub, z, make.u[2]), make(sub, make.u[2], z)]
    low = make.lowered(*differences)
    assert low.body == [low.body[0], Group(sub, differences)]
    assert low.body[0].outs == [z]
    low = make.lowered(differences[0])
    assert low.body[0].outs == [z]


def test_a_dot_of_mixed_operands_is_no_matrix() -> None:
    make = Maker(2, 2)
    low = make.lowered(make(dot, make.u[0], make.x[0], make.x[1], make.u[1]))
    assert operations_of(low, low.body) == [dot]


def test_a_matrix_stands_before_the_first_use_of_any_of_its_rows() -> None:
    make = Maker(8, 2)
    first = make(dot, *make.u[:2], *make.x)
    used = make(tanh, first)
    second = make(dot, *make.u[2:4], *make.x)
    later = make(dot, *make.u[4:6], used, make(exp, second))
    low = make.lowered(make(neg, later))
    assert [type(item) for item in low.body] == [Matrix, Group, Group, Matrix, Group]
    assert low.body[0].outs == [first, second]


def test_totals_of_the_same_lanes_become_one_outer_product() -> None:
    make = Maker(0, 5)
    a, b = [make(tanh, x) for x in make.x[:2]], [make(exp, x) for x in make.x[2:]]
    low = make.totals(*[make(mul, x, y) for x in a for y in b])
    (outer,) = [item for item in low.body if isinstance(item, Outer)]
    assert (outer.a, outer.b) == (a, tuple(b))
    assert [line for line, _ in low.outputs] == lines_of([outer])
    assert low.body[-1] is outer


def test_totals_of_lanes_alone_are_outer_products_with_one() -> None:
    make = Maker(0, 2)
    z = [make(tanh, x) for x in make.x]
    low = make.totals(*z)
    outers = [item for item in low.body if isinstance(item, Outer)]
    assert len(outers) == 1
    assert {*outers[0].a, *outers[0].b} == {*z, one(low)}


# --- schedule ------------------------------------------------------------------------------------


def test_independent_lines_of_one_operation_stand_side_by_side() -> None:
    make = Maker(0, 4)
    pairs = [(make(exp, x), make(neg, x)) for x in make.x]
    last = [make(mul, *pair) for pair in pairs]
    groups = make.lowered(*last).body
    assert [(g.operation, len(g.lines)) for g in groups] == [(exp, 4), (neg, 4), (mul, 4)]


@pytest.mark.parametrize("seed", range(30))
def test_the_schedule_respects_dependence(seed: int) -> None:
    rng = random.Random(seed)
    lines: list[Any] = [(None, ())] * 5
    for _ in range(rng.choice([3, 50, 300, 1500])):
        operation = rng.choice([add, mul, tanh, neg])
        count = 2 if operation in (add, mul) else 1
        nearby = max(0, len(lines) - rng.choice([3, 30, 3000]))
        lines.append((operation, tuple(rng.choices(range(nearby, len(lines)), k=count))))
    part = [i for i in range(5, len(lines)) if rng.random() < 0.8]
    groups = scheduled(lines, part)
    done = set(range(len(lines))) - set(part)
    for operation, group in groups:
        assert {lines[i][0] for i in group} == {operation}
        assert all(done.issuperset(lines[i][1]) for i in group)
        done.update(group)
    assert sorted(i for _, group in groups for i in group) == part


def test_nothing_is_scheduled_as_nothing() -> None:
    assert scheduled([], []) == []


# --- plans, run in Python ------------------------------------------------------------------------


class Machine:
    """Does what the native executor does, instruction by instruction on whole lanes.

    Registers that were given to another line, and slots that nobody wrote, are nan.
    """

    def __init__(self, plan: Plan, uniform: Sequence[float], columns: Any, n: int) -> None:
        self.keywords = k = plan.keywords
        self.n, self.columns = n, columns
        self.u = np.array(k["uniforms"])
        first, sums = k["first_input"], k["sums"]
        constants = min(first - 1, k["size"])
        assert np.all(self.u[constants:] == 0.0)
        self.u[constants:] = np.nan
        self.u[first : first + k["inputs"]] = uniform
        self.u[k["size"]] = n
        self.r = np.full((k["registers"], n), np.nan)
        self.acc = np.zeros(k["accumulators"])
        self.out = np.full((k["out_columns"], n), np.nan)
        self.run("prologue", self.u)
        if k["in_columns"] or k["out_columns"]:
            self.run("setup", self.r)
            self.run("body", self.r)
            self.u[sums : sums + len(self.acc)] = self.acc
        self.run("epilogue", self.u)
        self.results = [
            self.out[place] if is_column else self.u[place] for place, is_column in plan.outputs
        ]

    def run(self, section: str, place: Any) -> None:
        code, at = self.keywords[section].tolist(), 0
        while at < len(code):
            operation, length = OPERATIONS[code[at]], code[at + 1]
            step = self.named if isinstance(operation, str) else self.computed
            step(operation, code[at + 2 : at + length], place)
            at += length
        assert at == len(code)

    def named(self, name: str, c: list[int], place: Any) -> None:
        if name == "LOAD":
            place[c[1] : c[1] + c[0]] = self.columns[c[2] : c[2] + c[0]]
        elif name == "STORE":
            self.out[c[2] : c[2] + c[0]] = place[c[1] : c[1] + c[0]]
        elif name == "BROADCAST":
            place[c[1] : c[1] + c[0]] = self.u[c[2] : c[2] + c[0], None]
        else:
            rows, columns, start = c[:3]
            a, b = c[3 : 3 + rows], c[3 + rows :]
            assert len(b) == columns
            if name == "MATRIX":
                pack = self.u[list(self.keywords["pack"][start : start + rows * (columns + 1)])]
                assert not {*a} & {*b}
                place[a] = pack[:rows, None] + pack[rows:].reshape(columns, rows).T @ place[b]
            else:
                self.acc[start : start + rows * columns] += (place[a] @ place[b].T).ravel()

    def computed(self, operation: Any, c: list[int], place: Any) -> None:
        if isinstance(operation, NaryPrimitive):
            out, n, *operands = c
            assert len(operands) == n * operation.arity
            xs = [[place[i] for i in operands[k * n :][:n]] for k in range(operation.arity)]
            place[out] = operation(*xs)
            return
        count, out, *steps = c
        arity = operation.arity if isinstance(operation, Primitive) else 2
        assert not any(steps[2 * arity :])
        operands = [range(count) if s else [0] * count for s in steps[1 : 2 * arity : 2]]
        new = []
        for i in range(count):
            xs = [place[first + i * s] for first, s in zip(steps[::2], steps[1::2], strict=True)]
            new.append(operation(*xs[:arity]) * 1.0)
        assert len(operands) == arity
        place[out : out + count] = new


def results_of(
    program: Program, lanes: Sequence[int], kinds: Sequence[str], reduce: str | None, numbers: Any
) -> list[Any]:
    """What is expected: the program, sample by sample."""
    n = numbers.shape[1]
    columns = np.array([program(*column) for column in numbers.T.tolist()]).T
    found: list[Any] = []
    for column, kind in zip(columns, kinds, strict=True):
        if kind == TOTAL:
            found.append(column.sum() / (n if reduce == "mean" else 1))
        else:
            found.append(column / (n if kind == SHARE and reduce == "mean" else 1))
    return found


def assert_plan_is_right(
    program: Program, lanes: Sequence[int], kinds: Sequence[str], reduce: str | None, numbers: Any
) -> Plan:
    low = lowered(program, lanes, kinds, reduce)
    assert_is_in_order(low)
    plan = encoded(low)
    uniform = [numbers[i, 0] for i in range(len(program.inputs)) if i not in set(lanes)]
    with np.errstate(all="ignore"):
        machine = Machine(plan, uniform, numbers[list(lanes)], numbers.shape[1])
    expected = results_of(program, lanes, kinds, reduce, numbers)
    for got, wanted in zip(machine.results, expected, strict=True):
        size = 1.0 + np.max(np.abs(wanted)) + np.max(np.abs(numbers))
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9 * size)
    return plan


def test_registers_are_given_out_again() -> None:
    make = Maker(0, 2)
    z = make.x[0]
    for _ in range(100):
        z = make(tanh, make(add, z, make.x[1]))
    low = make.lowered(z)
    plan = encoded(low)
    assert plan.keywords["registers"] <= 4
    numbers = np.random.default_rng(0).normal(size=(2, 5))
    assert_plan_is_right(Program(make.tape, [z]), make.x, [EACH], None, numbers)


def test_a_group_is_one_instruction() -> None:
    make = Maker(0, 20)
    first = [make(exp, x) for x in make.x]
    last = [make(mul, z, x) for z, x in zip(first, make.x, strict=True)]
    plan = encoded(make.lowered(*last))
    body = plan.keywords["body"].tolist()
    computed = [OPERATIONS[op] for op in opcodes(body)]
    assert [op for op in computed if op not in ("LOAD", "STORE")] == [exp, mul]


def opcodes(code: list[int]) -> list[int]:
    found, at = [], 0
    while at < len(code):
        found.append(code[at])
        at += code[at + 1]
    return found


def test_uniform_operands_of_lanes_are_broadcast_once() -> None:
    make = Maker(3, 2)
    z = [make(div, x, u) for x in make.x for u in make.u[:2]]
    plan = encoded(make.lowered(*z, make.u[2]))
    setup = plan.keywords["setup"].tolist()
    assert sum(setup[at + 2] for at in range(0, len(setup), 5)) == 3
    assert "BROADCAST" not in [OPERATIONS[op] for op in opcodes(plan.keywords["body"].tolist())]


def test_inputs_that_nothing_needs_are_not_loaded() -> None:
    make = Maker(0, 5)
    plan = encoded(make.lowered(make(neg, make.x[3]), make.x[1]))
    body = plan.keywords["body"].tolist()
    assert Counter(OPERATIONS[op] for op in opcodes(body)) == {"LOAD": 2, neg: 1, "STORE": 2}
    assert plan.keywords["in_columns"] == 5


def test_one_line_may_be_several_outputs() -> None:
    make = Maker(1, 1)
    z = make(tanh, make.x[0])
    program = Program(make.tape, [z, z, make.x[0], make.u[0], z])
    numbers = np.random.default_rng(1).normal(size=(2, 4))
    numbers[0] = numbers[0, 0]
    plan = assert_plan_is_right(program, make.x, [EACH] * 5, None, numbers)
    assert plan.outputs == [(i, True) for i in range(5)]
    assert_plan_is_right(program, make.x, [TOTAL] * 5, "sum", numbers)


def test_statistics_count_what_there_is() -> None:
    make = Maker(2, 2)
    z = make(tanh, make(dot, *make.u, *make.x))
    plan = encoded(make.totals(z))
    statistics = plan.statistics
    keywords = plan.keywords
    sections = [keywords[name].tolist() for name in ("prologue", "setup", "body", "epilogue")]
    assert statistics["instructions"] == sum(len(opcodes(code)) for code in sections)
    assert statistics["registers"] == keywords["registers"]
    assert statistics["samples in a block"] == keywords["block"]
    assert keywords["block"] % 8 == 0
    assert statistics["bytes"] > 0


def test_many_registers_make_small_blocks() -> None:
    blocks = []
    for count in (1, 100, 1000, 5000):
        make = Maker(0, count)
        blocks.append(encoded(make.lowered(make(row_sum, *make.x, *make.x))).keywords["block"])
    assert blocks == sorted(blocks, reverse=True)
    assert blocks[0] > blocks[-1] >= 8


@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("seed", range(12))
def test_plans_of_random_lines_do_what_the_program_does(seed: int, reduce: str | None) -> None:
    rng = random.Random(seed)
    make = Maker(rng.choice([0, 3]), rng.choice([1, 4]))
    pool = [*make.u, *make.x, make.constant(0.5)]
    for _ in range(rng.choice([5, 60, 400])):
        operation = rng.choice([add, sub, mul, tanh, tanh, neg, dot, operator.lt])
        size = {tanh: 1, neg: 1, dot: 2 * rng.choice([2, 3])}.get(operation, 2)
        nearby = pool[-rng.choice([4, 20, 1000]) :]
        line = make(operation, *rng.choices(nearby, k=size))
        pool.append(make(tanh, line) if operation in (mul, dot, add, sub) else line)
    outputs = [*rng.sample(pool, min(6, len(pool))), pool[-1]]
    kinds = rng.choices([TOTAL, SHARE, EACH] if reduce else [EACH], k=len(outputs))
    numbers = np.random.default_rng(seed).normal(size=(len(make.tape.names), 6))
    numbers[: len(make.u)] = numbers[: len(make.u), :1]
    program = Program(make.tape, outputs)
    assert_plan_is_right(program, make.x, kinds, reduce, numbers)


@pytest.mark.parametrize("reduce", REDUCE)
def test_plans_of_random_programs_do_what_the_program_does(reduce: str | None) -> None:
    lanes = range(UNIFORM, UNIFORM + WIDTH + 1)
    for seed in range(40):
        example = Author(seed).example()
        c = compile(value_and_grad(example, argnums=(0, 3)), batched=(1, 2), reduce=reduce)
        c(example.u, example.x, example.y, example.w)
        numbers = np.empty((UNIFORM + WIDTH + 1 + CAPTURED, len(example.y)))
        numbers[:UNIFORM] = np.array(example.u)[:, None]
        numbers[UNIFORM : UNIFORM + WIDTH] = example.x.T
        numbers[UNIFORM + WIDTH] = example.y
        numbers[UNIFORM + WIDTH + 1 :] = np.array(example.w)[:, None]
        kinds = [TOTAL if reduce else EACH] * len(c.program.outputs)
        assert_plan_is_right(c.program, list(lanes), kinds, reduce, numbers)
