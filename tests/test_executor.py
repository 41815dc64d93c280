"""Plans run in C: every instruction, against NumPy and the rows."""

from __future__ import annotations

import math
import operator
import random
import struct
import threading
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from test_primitives import ELEMENTWISE, NARY, by_name, draw

from autograd_engine import codegen
from autograd_engine.rows import Primitive

_executor = pytest.importorskip("autograd_engine._executor")
Executor, OPCODES, ENGINES = _executor.Executor, _executor.OPCODES, _executor.ENGINES

Array = np.ndarray[Any, np.dtype[np.float64]]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
EXACT = {"add", "sub", "mul", "div", "neg", "square", "sqrt", "where", "sign", "heaviside", "abs"}
EXACT |= {"maximum", "minimum", "relu", "leaky_relu", "sum", "mean"}
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, -1e-310, 1e300, -1e300]
SIZES = [*range(1, 21), 63, 64, 65, 1000, 5000]
every_elementwise_row = pytest.mark.parametrize("row", ELEMENTWISE, ids=by_name)
every_nary_row = pytest.mark.parametrize("row", NARY, ids=by_name)
every_engine = pytest.mark.parametrize("engine", ENGINES)


# --- plans by hand -------------------------------------------------------------------------------


def code(*instructions: Sequence[int]) -> array[int]:
    return array("i", [number for instruction in instructions for number in instruction])


def elementwise(name: str, count: int, out: int, *operands: tuple[int, int]) -> list[int]:
    flat = [number for operand in operands for number in operand]
    return [OPCODES[name], 10, count, out, *flat, *([0] * (6 - len(flat)))]


def nary(name: str, out: int, n: int, *operands: int) -> list[int]:
    return [OPCODES[name], 4 + len(operands), out, n, *operands]


def matrix(pack: int, outs: Sequence[int], xs: Sequence[int]) -> list[int]:
    return [OPCODES["MATRIX"], 5 + len(outs) + len(xs), len(outs), len(xs), pack, *outs, *xs]


def outer(acc: int, a: Sequence[int], b: Sequence[int]) -> list[int]:
    return [OPCODES["OUTER"], 5 + len(a) + len(b), len(a), len(b), acc, *a, *b]


def load(count: int, out: int, column: int = 0) -> list[int]:
    return [OPCODES["LOAD"], 5, count, out, column]


def store(count: int, register: int, column: int = 0) -> list[int]:
    return [OPCODES["STORE"], 5, count, register, column]


def broadcast(count: int, out: int, u: int) -> list[int]:
    return [OPCODES["BROADCAST"], 5, count, out, u]


def zeros(n: int) -> array[float]:
    return array("d", bytes(8 * n))


def run(
    executor: Any, n: int = 1, inputs: Iterable[float] = (), columns: Sequence[Any] = (), **how: Any
) -> Array:
    """The uniform results; `lane_outputs` in `how` are written to."""
    outputs = zeros(executor.output_count)
    executor.run(array("d", inputs), columns, n, outputs, **how)
    return np.array(outputs)


def on_uniforms(instruction: list[int], numbers: Sequence[float], out: range, engine: str) -> Array:
    """The numbers at `out` after one instruction on u, which starts as these numbers."""
    return run(
        Executor(
            uniforms=array("d", numbers),
            prologue=code(instruction),
            outputs=array("i", out),
            engine=engine,
        )
    )


def on_lanes(instruction: list[int], columns: Array, out: range, engine: str, **more: int) -> Array:
    """The registers at `out` after one instruction, on registers which start as these columns."""
    count, n = columns.shape
    results = np.full((len(out), n), 77.0)
    executor = Executor(
        uniforms=zeros(0),
        body=code(load(count, 0), instruction, store(len(out), out[0])),
        registers=max(count, out[-1] + 1),
        in_columns=count,
        out_columns=len(out),
        engine=engine,
        **more,
    )
    executor.run(zeros(0), list(columns), n, zeros(0), list(results))
    return results


def samples(row: Primitive, n: int) -> Array:
    """One row of the array for each operand: from the domain, then special numbers."""
    rng = random.Random(row.name)
    inside = [[draw(low, high, rng) for low, high in row.domain] for _ in range(n)]
    wild = [rng.choices(SPECIAL, k=row.arity) for _ in range(n)]
    return np.array(inside + wild).T.copy()


def bits(numbers: Any) -> list[bytes]:
    """Of each number; of every nan the same."""
    return [struct.pack("d", math.nan if x != x else x) for x in np.ravel(numbers).tolist()]


def assert_is(row: Primitive, got: Array, operands: Sequence[Sequence[Any]]) -> None:
    """As the row gives in Python: to the bit, or closely where functions of libraries differ."""
    expected = [row.evaluate(point) for point in operands]
    if row.name in EXACT:
        assert bits(got) == bits(expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=4e-15, atol=1e-307)


# --- elementwise instructions --------------------------------------------------------------------


def test_the_module_knows_every_row() -> None:
    assert {row.name for row in (*ELEMENTWISE, *NARY)} | set(COMPARISONS) | {
        *("MATRIX", "OUTER", "LOAD", "STORE", "BROADCAST")
    } == set(OPCODES)


def test_the_module_is_built_from_these_kernels() -> None:
    assert f'"{_executor.KERNELS_HASH}"' in codegen.HEADER.read_text()


@every_engine
@every_elementwise_row
def test_a_row_runs_on_uniform_numbers_and_lanes_alike(row: Primitive, engine: str) -> None:
    x = samples(row, 30)
    n = x.shape[1]
    points = [tuple(point) for point in x.T.tolist()]

    # uniform: one instruction for all, with operands side by side
    operands = [(k * n, 1) for k in range(row.arity)]
    uniform = on_uniforms(
        elementwise(row.name, n, row.arity * n, *operands),
        [*x.ravel().tolist(), *zeros(n)],
        range(row.arity * n, (row.arity + 1) * n),
        engine,
    )
    assert_is(row, uniform, points)

    # lanes: one register for each operand
    registers = [(k, 1) for k in range(row.arity)]
    lanes = on_lanes(
        elementwise(row.name, 1, row.arity, *registers), x, range(row.arity, row.arity + 1), engine
    )
    assert bits(lanes) == bits(uniform)


@every_engine
@pytest.mark.parametrize("sign", COMPARISONS)
def test_a_comparison_gives_0_or_1(sign: str, engine: str) -> None:
    pairs = [(x, y) for x in SPECIAL for y in SPECIAL]
    expected = [float(COMPARISONS[sign](x, y)) for x, y in pairs]
    x = np.array(pairs).T.copy()
    n = len(pairs)
    instruction = elementwise(sign, n, 2 * n, (0, 1), (n, 1))
    numbers = [*x.ravel().tolist(), *zeros(n)]
    assert on_uniforms(instruction, numbers, range(2 * n, 3 * n), engine).tolist() == expected
    lanes = on_lanes(elementwise(sign, 1, 2, (0, 1), (1, 1)), x, range(2, 3), engine)
    assert lanes.ravel().tolist() == expected


@every_engine
@pytest.mark.parametrize("strides", [(1, 1), (1, 0), (0, 1), (0, 0), (2, 1), (-1, 3), (1, -1)])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 65, 130])
def test_operands_may_have_strides(count: int, strides: tuple[int, int], engine: str) -> None:
    reach = [stride * (count - 1) for stride in strides]
    starts = [-min(r, 0) for r in reach]  # where the first element is, so that none is before 0
    size = 3 * count + 1
    x = np.random.default_rng(count).normal(size=(2 * size, 11))
    a, b = starts[0], size + starts[1]
    instruction = elementwise("sub", count, 2 * size, (a, strides[0]), (b, strides[1]))
    out = range(2 * size, 2 * size + count)
    i = np.arange(count)
    expected = x[a + i * strides[0]] - x[b + i * strides[1]]
    assert (on_lanes(instruction, x, out, engine, block=8) == expected).all()
    numbers = [*x[:, 0].tolist(), *zeros(count)]
    assert on_uniforms(instruction, numbers, out, engine).tolist() == expected[:, 0].tolist()


@every_engine
def test_a_result_may_take_the_place_of_an_operand(engine: str) -> None:
    x = np.random.default_rng(0).normal(size=(80, 21))
    for out, start in (("a", 0), ("b", 40)):
        instruction = elementwise("sub", 40, start, (0, 1), (40, 1))
        lanes = on_lanes(instruction, x, range(start, start + 40), engine)
        assert (lanes == x[:40] - x[40:]).all(), out
        uniform = on_uniforms(instruction, x[:, 0].tolist(), range(start, start + 40), engine)
        assert (uniform == lanes[:, 0]).all(), out
    assert (
        on_lanes(nary("sum", 1, 3, 0, 1, 2), x, range(1, 2), engine) == x[0] + x[1] + x[2]
    ).all()


@every_engine
@pytest.mark.parametrize("n", [1, 2, 3, 17])
@every_nary_row
def test_a_row_over_sequences_runs_on_uniform_numbers_and_lanes(
    row: Primitive, n: int, engine: str
) -> None:
    rng = random.Random(n)
    width = 45
    x = np.array(
        [[draw(*row.domain[k // n], rng) for _ in range(width)] for k in range(n * row.arity)]
    )
    if row.name == "logsumexp":
        x[0, :3] = math.inf, -math.inf, math.nan
        x[:, 3] = -math.inf
    index = list(range(n * row.arity))
    shuffled = x.copy()
    rng.shuffle(index)
    shuffled[index] = x  # operand k stands in place index[k]
    expected = [row.evaluate(column) for column in x.T.tolist()]
    out = len(index)
    instruction = nary(row.name, out, n, *index)
    lanes = on_lanes(instruction, shuffled, range(out, out + 1), engine).ravel()
    uniform = np.array(
        [
            on_uniforms(instruction, [*column.tolist(), 0.0], range(out, out + 1), engine)[0]
            for column in shuffled.T
        ]
    )
    if row.name in EXACT:
        assert bits(lanes) == bits(expected)
    np.testing.assert_allclose(lanes, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(uniform, expected, rtol=1e-13, atol=1e-13)
    if row.name != "dot":  # whose uniform form may add in another order
        assert bits(uniform) == bits(lanes)


# --- matrices and sums over lanes ----------------------------------------------------------------


def layer(J: int, K: int, rng: np.random.Generator) -> tuple[Array, Array, array[float]]:
    weights, biases = rng.normal(size=(J, K)), rng.normal(size=J)
    return weights, biases, array("d", [*biases, *weights.T.ravel()])


def layer_and_sums(
    J: int, K: int, packed: array[float], engine: str, block: int = 64, twice: bool = False
) -> Any:
    """z = W x + b is stored; sums over lanes of z_j x_k, and of z_j, are results.

    With `twice` two instructions add to every sum.
    """
    P, R = len(packed), K + J + 1
    xs, outs, ones = list(range(K)), list(range(K, K + J)), K + J
    sums = J * (K + 1)
    backwards = outs[::-1]
    products = [outer(0, backwards, [*xs, ones])] * (2 if twice else 1)
    return Executor(
        uniforms=array("d", [*packed, 1.0, *zeros(sums + 1)]),
        setup=code(broadcast(1, ones, P)),
        body=code(load(K, 0), matrix(0, outs, xs), *products, store(J, K)),
        pack=array("i", range(P)),
        outputs=array("i", range(P + 1, P + 2 + sums)),
        registers=R,
        accumulators=sums,
        sums=P + 1,
        size=P + 1 + sums,
        block=block,
        in_columns=K,
        out_columns=J,
        engine=engine,
    )


@every_engine
@pytest.mark.parametrize("J", [*range(1, 10), 16, 23])
def test_matrices_and_sums_over_lanes_agree_with_numpy(J: int, engine: str) -> None:
    for K in [*range(1, 10), 17]:
        rng = np.random.default_rng(100 * J + K)
        weights, biases, packed = layer(J, K, rng)
        executor = layer_and_sums(J, K, packed, engine)
        for n in SIZES if (J, K) in {(1, 1), (3, 5), (16, 17)} else [1, 8, 13, 61, 100]:
            X = rng.normal(size=(n, K))
            Z = np.full((n, J), math.nan)
            sums = run(executor, n, columns=list(X.T), lane_outputs=list(Z.T))
            expected = X @ weights.T + biases
            np.testing.assert_allclose(Z, expected, rtol=1e-13, atol=1e-13)
            products = expected.T[::-1] @ np.hstack([X, np.ones((n, 1))])
            scale = np.abs(expected.T[::-1]) @ np.abs(np.hstack([X, np.ones((n, 1))]))
            assert (np.abs(sums[:-1].reshape(J, K + 1) - products) <= 1e-14 * (1 + scale)).all()
            assert sums[-1] == n


@every_engine
def test_long_sums_of_small_batches_agree_with_numpy(engine: str) -> None:
    J, K = 3, 130
    rng = np.random.default_rng(6)
    weights, biases, packed = layer(J, K, rng)
    executor = layer_and_sums(J, K, packed, engine)
    for n in range(1, 18):
        X = rng.normal(size=(n, K))
        Z = np.empty((n, J))
        sums = run(executor, n, columns=list(X.T), lane_outputs=list(Z.T))
        expected = X @ weights.T + biases
        np.testing.assert_allclose(Z, expected, rtol=1e-12, atol=1e-12)
        products = expected.T[::-1] @ np.hstack([X, np.ones((n, 1))])
        np.testing.assert_allclose(sums[:-1].reshape(J, K + 1), products, rtol=1e-12, atol=1e-11)


@every_engine
def test_a_sum_to_which_nothing_is_added_is_0(engine: str) -> None:
    for accumulators, expected in ((2, [6.0, 0.0]), (3, [6.0, 0.0, 0.0])):
        executor = Executor(
            uniforms=array("d", [1.0, 7.0, 7.0, 7.0]),
            setup=code(broadcast(1, 0, 0)),
            body=code(load(1, 1), outer(0, [0], [1])),
            registers=2,
            accumulators=accumulators,
            sums=1,
            in_columns=1,
            outputs=array("i", range(1, 1 + accumulators)),
            engine=engine,
        )
        for n in (1, 8, 20, 64, 100, 2000):
            for _ in range(2):
                got = run(executor, n, columns=[np.full(n, 6.0 / n)])
                assert got == pytest.approx(expected, rel=1e-13)


@every_engine
def test_sums_over_lanes_do_not_depend_on_threads_blocks_or_how_they_are_collected(
    engine: str,
) -> None:
    J, K = 5, 7
    rng = np.random.default_rng(3)
    packed = layer(J, K, rng)[2]
    for n in (1, 7, 8, 9, 40, 65, 1000, 1025, 3000, 70_000):
        X = rng.normal(size=(n, K))
        Z = np.empty((n, J))
        expected = None
        for block in (64, 8, 32, 256):
            executor = layer_and_sums(J, K, packed, engine, block)
            for threads in (1, 2, 3):
                got = run(executor, n, columns=list(X.T), lane_outputs=list(Z.T), threads=threads)
                expected = bits(got) if expected is None else expected
                assert bits(got) == expected, (n, block, threads)
    double = layer_and_sums(J, K, packed, engine, twice=True)
    single = layer_and_sums(J, K, packed, engine)
    for n in (3, 64, 1500):
        X = rng.normal(size=(n, K))
        Z = np.empty((n, J))
        both = [run(e, n, columns=list(X.T), lane_outputs=list(Z.T)) for e in (double, single)]
        np.testing.assert_allclose(both[0][:-1], 2.0 * both[1][:-1], rtol=1e-12)


@pytest.mark.skipif(len(ENGINES) < 3, reason="the processor has no FMA in 256 and 512 bits")
def test_vectors_of_256_and_512_bits_give_the_same_bits() -> None:
    J, K = 7, 9
    rng = np.random.default_rng(4)
    packed = layer(J, K, rng)[2]
    for n in (1, 5, 31, 32, 33, 64, 1000):
        X = rng.normal(size=(n, K))
        found = []
        for engine in ENGINES[:2]:
            Z = np.empty((n, J))
            sums = run(
                layer_and_sums(J, K, packed, engine), n, columns=list(X.T), lane_outputs=list(Z.T)
            )
            found.append(bits(sums) + bits(Z))
        assert found[0] == found[1]


@every_engine
def test_lanes_beyond_the_last_sample_do_not_leak(engine: str) -> None:
    """1/x there is that of the last sample; a constant 0 in a register makes it inf, then nan."""
    executor = Executor(
        uniforms=array("d", [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        setup=code(broadcast(2, 1, 0)),
        body=code(
            load(1, 0),
            elementwise("div", 1, 3, (2, 1), (0, 1)),  # 1/x: inf where x is 0
            elementwise("mul", 1, 4, (3, 1), (1, 1)),  # 0/x: nan there
            outer(0, [3, 4], [2, 3]),
        ),
        registers=5,
        accumulators=4,
        sums=2,
        in_columns=1,
        outputs=array("i", [2, 3, 4, 5]),
        engine=engine,
    )
    for n in (1, 3, 8, 9, 63, 1025):
        X = np.full(n, 2.0)
        assert run(executor, n, columns=[X]).tolist() == [n / 2, n / 4, 0.0, 0.0]
        X[-1] = 0.0  # seen once, though it stands in every lane up to the end
        assert run(executor, n, columns=[X])[0] == math.inf
    Y = np.array([1.0, 4.0, 0.0])
    assert run(executor, 2, columns=[Y[:2]]).tolist() == [1.25, 1.0625, 0.0, 0.0]


# --- moving numbers ------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("n", [1, 7, 8, 64, 100, 1100])
def test_columns_may_have_any_stride(n: int, engine: str) -> None:
    executor = Executor(
        uniforms=zeros(0),
        body=code(load(5, 0), elementwise("neg", 5, 5, (0, 1)), store(5, 5)),
        registers=10,
        in_columns=5,
        out_columns=5,
        engine=engine,
    )
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 4))
    same = np.broadcast_to(np.float64(3.0), (n,))  # stride 0, read-only
    packed = np.zeros(n, dtype=[("tag", "u1"), ("x", "f8")])  # stride 9
    packed["x"] = rng.normal(size=n)
    columns = [X[:, 0], X[::-1, 1], np.ascontiguousarray(X[:, 2]), same, packed["x"]]
    Z = np.full((n, 5), math.nan)
    last = np.zeros(1)
    every = np.lib.stride_tricks.as_strided(last, (n,), (0,))  # one place: the last number stays
    outputs = [Z[:, 0], Z[::-1, 1], np.full(n, math.nan), Z[:, 3], every]
    executor.run(zeros(0), columns, n, zeros(0), outputs)
    for column, output in zip(columns[:4], outputs[:4], strict=True):
        assert (output == -column).all()
    assert last[0] == -columns[4][-1]
    assert np.isnan(Z[:, 2]).all() and np.isnan(Z[:, 4]).all()  # no neighbour is touched


def test_prologue_and_epilogue_work_around_the_body() -> None:
    """mean((w * x + 1)^2) with w = 2 * input, and the number of lanes as a number."""
    executor = Executor(
        uniforms=array("d", [2.0, 1.0, *zeros(6)]),  # 2, 1, input, w, bias, n, sum, mean
        prologue=code(elementwise("mul", 1, 3, (0, 0), (2, 0))),
        setup=code(broadcast(1, 2, 1)),
        body=code(
            load(1, 0),
            matrix(0, [1], [0]),
            elementwise("square", 1, 1, (1, 0)),
            outer(0, [1], [2]),
        ),
        epilogue=code(elementwise("div", 1, 7, (6, 0), (5, 0))),
        pack=array("i", [1, 3]),
        inputs=1,
        first_input=2,
        size=5,
        sums=6,
        registers=3,
        accumulators=1,
        in_columns=1,
        outputs=array("i", [7, 5]),
    )
    for n in (1, 10, 2000):
        X = np.linspace(-1.0, 1.0, n)
        for w in (0.5, -3.0):
            mean, size = run(executor, n, [w], [X])
            assert size == n
            assert mean == pytest.approx(np.mean((2 * w * X + 1) ** 2), rel=1e-14)


def test_code_may_be_bytes() -> None:
    executor = Executor(
        uniforms=struct.pack("2d", 3.0, 0.0),
        prologue=code(elementwise("square", 1, 1, (0, 1))).tobytes(),
        outputs=struct.pack("i", 1),
    )
    assert run(executor).tolist() == [9.0]


# --- what is refused -----------------------------------------------------------------------------

PLAN: dict[str, Any] = {
    "uniforms": zeros(10),
    "pack": array("i", [0] * 6),
    "registers": 4,
    "accumulators": 4,
    "in_columns": 2,
    "out_columns": 2,
}
BAD_CODE = {
    "an opcode of nothing": ("prologue", [0, 2]),
    "a negative opcode": ("prologue", [-1, 2]),
    "an opcode beyond the last": ("prologue", [max(OPCODES.values()) + 1, 2]),
    "a lonely opcode": ("prologue", [OPCODES["neg"]]),
    "length 0": ("prologue", [OPCODES["neg"], 0, 1, 0, 0, 0, 0, 0, 0, 0]),
    "a length beyond the end": ("prologue", [OPCODES["neg"], 11, 1, 0, 0, 0, 0, 0, 0, 0]),
    "an elementwise row of another length": ("prologue", [OPCODES["neg"], 6, 1, 0, 0, 0]),
    "count 0": ("prologue", elementwise("neg", 0, 0, (0, 1))),
    "a result beyond u": ("prologue", elementwise("neg", 5, 6, (0, 1))),
    "a negative result": ("epilogue", elementwise("neg", 1, -1, (0, 1))),
    "an operand beyond u": ("epilogue", elementwise("add", 5, 0, (5, 1), (6, 1))),
    "a stride that leaves u": ("prologue", elementwise("add", 5, 0, (5, 1), (3, -1))),
    "a stride that overflows": ("prologue", elementwise("neg", 3, 0, (0, 2**31 - 1))),
    "a third operand beyond": ("prologue", elementwise("where", 1, 0, (0, 1), (0, 1), (10, 0))),
    "a result beyond the registers": ("body", elementwise("neg", 1, 4, (0, 1))),
    "an operand beyond the registers": ("body", elementwise("exp", 1, 0, (9, 1))),
    "a sum of nothing": ("prologue", nary("sum", 0, 0)),
    "a sum of another length": ("prologue", nary("sum", 0, 3, 1, 2)),
    "a dot without its second half": ("prologue", nary("dot", 0, 2, 1, 2)),
    "a negative length of a sum": ("prologue", nary("sum", 0, -1, 1)),
    "a sum that leaves u": ("prologue", nary("sum", 0, 2, 1, 10)),
    "a sum into beyond u": ("prologue", nary("sum", 10, 2, 1, 2)),
    "a sum that leaves the registers": ("body", nary("logsumexp", 0, 2, 1, 4)),
    "MATRIX in the prologue": ("prologue", matrix(0, [0], [1])),
    "MATRIX with too few weights": ("body", matrix(1, [0, 1], [2, 3])),
    "MATRIX before its weights": ("body", matrix(-1, [0, 1], [2, 3])),
    "MATRIX with a register beyond": ("body", matrix(0, [0, 4], [2, 3])),
    "MATRIX with a negative register": ("body", matrix(0, [0, 1], [2, -3])),
    "MATRIX of another shape": ("body", [OPCODES["MATRIX"], 9, 1, 2, 0, 0, 1, 2, 3]),
    "MATRIX of a huge shape": ("body", [OPCODES["MATRIX"], 9, 2**31 - 1, 6, 0, 0, 1, 2, 3]),
    "MATRIX without inputs": ("body", matrix(0, [0, 1], [])),
    "OUTER beyond its accumulators": ("body", outer(1, [0, 1], [2, 3])),
    "OUTER with a register beyond": ("body", outer(0, [0, 1], [2, 4])),
    "LOAD in the epilogue": ("epilogue", load(1, 0)),
    "LOAD beyond the columns": ("body", load(2, 0, 1)),
    "LOAD beyond the registers": ("body", load(2, 3)),
    "LOAD of nothing": ("body", load(0, 0)),
    "STORE beyond the columns": ("body", store(1, 0, 2)),
    "STORE beyond the registers": ("body", store(2, 3, 0)),
    "BROADCAST in the body": ("body", broadcast(1, 0, 0)),
    "BROADCAST beyond the registers": ("setup", broadcast(2, 3, 0)),
    "BROADCAST beyond u": ("setup", broadcast(2, 0, 9)),
    "arithmetic in the setup": ("setup", elementwise("neg", 1, 0, (0, 1))),
}


@pytest.mark.parametrize("what", BAD_CODE)
def test_wrong_code_is_refused_with_its_place(what: str) -> None:
    section, wrong = BAD_CODE[what]
    right = {
        "prologue": elementwise("add", 5, 5, (0, 1), (4, -1)),
        "setup": broadcast(4, 0, 6),
        "body": matrix(0, [0, 1], [2, 3]),
        "epilogue": nary("dot", 9, 2, 0, 1, 2, 3),
    }
    for place, instruction in right.items():
        Executor(**PLAN, **{place: code(instruction)})
    place = len(right[section])
    with pytest.raises(ValueError, match=rf"{section}\[{place}\] \(.+\): "):
        Executor(**PLAN, **{section: code(right[section], wrong)})


def test_a_wrong_instruction_is_named() -> None:
    with pytest.raises(ValueError, match=r"body\[0\] \(tanh\): an operand is out of bounds"):
        Executor(**PLAN, body=code(elementwise("tanh", 1, 0, (4, 1))))
    with pytest.raises(ValueError, match=r"prologue\[0\] \(opcode 12345\): there is no such"):
        Executor(**PLAN, prologue=code([12345, 2]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"block": 0},
        {"block": 12},
        {"block": -8},
        {"registers": -1},
        {"registers": 2**62},
        {"accumulators": -1},
        {"accumulators": 11},
        {"in_columns": -1},
        {"out_columns": -1},
        {"sums": 7},
        {"sums": -1},
        {"size": 10},
        {"inputs": 11},
        {"inputs": 2, "first_input": 9},
        {"inputs": 1, "first_input": -1},
        {"inputs": -1},
        {"pack": array("i", [10])},
        {"pack": array("i", [-1])},
        {"outputs": array("i", [10])},
        {"uniforms": b"1234567"},
        {"prologue": b"12345"},
        {"prologue": "text"},
        {"engine": "abacus"},
    ],
    ids=str,
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    Executor(**PLAN)
    with pytest.raises(ValueError):
        Executor(**{**PLAN, **wrong})


def test_random_code_is_refused_or_harmless() -> None:
    rng = random.Random(0)
    right = [
        *elementwise("add", 2, 0, (2, 1), (1, 0)),
        *matrix(0, [0, 1], [2, 3]),
        *outer(0, [0, 1], [2, 3]),
        *nary("dot", 0, 2, 0, 1, 2, 3),
        *load(2, 0),
        *store(2, 2),
    ]
    ran = 0
    for _ in range(3000):
        numbers = right.copy()
        for _ in range(rng.randint(1, 3)):
            numbers[rng.randrange(len(numbers))] = rng.choice(
                [rng.randint(-2, 12), rng.randint(0, 80), rng.getrandbits(32) - 2**31]
            )
        try:
            executor = Executor(**PLAN, body=array("i", numbers), block=8)
        except ValueError:
            continue
        columns = [np.zeros(19) for _ in range(4)]
        executor.run(zeros(0), columns[:2], 19, zeros(0), columns[2:])
        ran += 1
    assert ran > 100


def test_arguments_that_do_not_fit_are_refused() -> None:
    executor = Executor(
        uniforms=zeros(3), inputs=2, outputs=array("i", [2]), in_columns=1, out_columns=1
    )
    x, z = np.zeros(4), np.zeros(4)
    good: dict[str, Any] = {
        "inputs": zeros(2),
        "columns": [x],
        "n": 4,
        "outputs": zeros(1),
        "lane_outputs": [z],
    }
    executor.run(**good)
    read_only = z.copy()
    read_only.flags.writeable = False
    for wrong in (
        {"n": 0},
        {"n": -4},
        {"n": 5},
        {"inputs": zeros(1)},
        {"inputs": array("f", [0.0, 0.0])},
        {"inputs": array("q", [0, 0])},
        {"columns": []},
        {"columns": [x, x]},
        {"columns": [x[:3]]},
        {"columns": [x.reshape(2, 2)]},
        {"columns": [x.astype(">f8")]},
        {"outputs": zeros(2)},
        {"outputs": bytes(8)},
        {"lane_outputs": []},
        {"lane_outputs": [read_only]},
    ):
        with pytest.raises((ValueError, BufferError)):
            executor.run(**{**good, **wrong})
    with pytest.raises(TypeError):
        executor.run(**{**good, "columns": [[0.0] * 4]})
    executor.run(**good)


# --- several at once -----------------------------------------------------------------------------


def test_two_threads_run_the_same_executor_at_once() -> None:
    J, K, n = 6, 5, 3000
    rng = np.random.default_rng(5)
    packed = layer(J, K, rng)[2]
    executor = layer_and_sums(J, K, packed, ENGINES[0])
    batches = [rng.normal(size=(n + i, K)) for i in range(4)]

    def call(X: Array, threads: int = 1) -> list[bytes]:
        Z = np.empty((len(X), J))
        sums = run(executor, len(X), columns=list(X.T), lane_outputs=list(Z.T), threads=threads)
        return bits(sums) + bits(Z[:5])

    expected = [call(X) for X in batches]
    found: list[list[bool]] = [[] for _ in batches]
    start = threading.Barrier(len(batches))

    def work(i: int) -> None:
        start.wait()
        for repeat in range(20):
            found[i].append(call(batches[i], 1 + repeat % 3) == expected[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(batches))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [[True] * 20] * len(batches)
