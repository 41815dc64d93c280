"""Programs as source text: it runs alone, gives the bits of the program, and is safe to compile."""

from __future__ import annotations

import ast
import builtins
import ctypes
import itertools
import math
import operator
import random
import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_codegen import compiled as shared_library
from test_codegen import needs_cc

from autograd_engine import Value, compile, dot, exp, primitive, primitives, tanh, value_and_grad
from autograd_engine.program import Program
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.source import source
from autograd_engine.tape import COMPARISONS, Tape

ROWS = [row for row in TABLE.values() if row.function.__module__ == primitives.__name__]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, math.inf, -math.inf, math.nan,
           1.7e308, -1.7e308, 5e-324, -5e-324, 40.0, -40.0, 1000.0, -1000.0]  # fmt: skip
STRICT = ("-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
CALLS = (*STRICT, "-fno-builtin")  # gcc itself rounds functions of constants, otherwise than libm
Run = Callable[[Sequence[float]], tuple[float, ...]]

# --- programs, and what they compute --------------------------------------------------------------


def recorded(make: Callable[..., Any], labels: Sequence[str]) -> Program:
    """The program of lines that `make` emits: it takes the tape and the inputs."""
    tape = Tape()
    tape.origin = ("/home/somebody/secret/train.py", 12)
    outputs = make(tape, *map(tape.input, labels))
    return Program(tape, outputs)


def one_row(operation: Any, count: int) -> Program:
    labels = [f"x[{i}]" for i in range(count)]
    return recorded(lambda tape, *xs: [tape.emit(operation, xs)], labels)


def random_program(rng: random.Random, without: Sequence[Primitive] = ()) -> Program:
    """Up to 15 operations on up to 5 inputs and some constants; not all of them are needed."""
    operations = [*[row for row in ROWS if row not in without], *COMPARISONS]

    def lines(tape: Tape, *inputs: int) -> list[int]:
        known = [*inputs, *[tape.constant(rng.choice([*SPECIAL, 0.1])) for _ in range(2)]]
        for _ in range(rng.randrange(1, 16)):
            tape.origin = ("/home/somebody/secret/train.py", rng.randrange(9))
            operation = rng.choice(operations)
            arity = operation.arity if isinstance(operation, Primitive) else 2
            many = rng.randrange(1, 5) if isinstance(operation, NaryPrimitive) else 1
            known.append(tape.emit(operation, tuple(rng.choices(known, k=arity * many))))
        return [known[-1], *rng.sample(known, k=rng.randrange(3))]

    return recorded(lines, [f"x[{i}]" for i in range(rng.randrange(1, 6))])


def points(rng: random.Random, program: Program) -> Iterator[list[float]]:
    """Ordinary points and singular ones."""
    n = len(program.inputs)
    yield [rng.uniform(-2.0, 2.0) for _ in range(n)]
    yield [rng.uniform(0.1, 0.9) for _ in range(n)]
    yield from (rng.choices(SPECIAL, k=n) for _ in range(3))


def bits(numbers: Sequence[float]) -> list[bytes]:
    """To the last bit; any nan is a nan."""
    return [struct.pack("d", math.nan if x != x else x) for x in numbers]


def loaded(text: str) -> Callable[..., Any]:
    """The function of a Python module, which imports `math` or nothing."""
    tree = ast.parse(text)
    imports = [x for x in ast.walk(tree) if isinstance(x, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(x) for x in imports] in ([], ["import math"])
    names: dict[str, Any] = {}
    exec(builtins.compile(text, "source.py", "exec"), names)
    last = tree.body[-1]
    assert isinstance(last, ast.FunctionDef)
    function: Callable[..., Any] = names[last.name]
    return function


def in_python(program: Program) -> Run:
    f, few = loaded(source(program, "python", "f")), len(program.inputs) <= 12

    def run(point: Sequence[float]) -> tuple[float, ...]:
        result = f(*point) if few else f(point)
        assert isinstance(result, tuple) or len(program.outputs) == 1
        return result if isinstance(result, tuple) else (result,)

    return run


def in_c(programs: Sequence[Program], folder: Path, names: Sequence[str] = ()) -> list[Run]:
    """The functions of several files; they are put into one, so that it takes a second."""
    called = names or [f"f{i}" for i in range(len(programs))]
    texts = [source(p, "c", name) for p, name in zip(programs, called, strict=True)]
    helpers = dict.fromkeys(
        h for x in texts for h in re.findall(r"(?m)^// .*\nstatic[\s\S]*?^}", x)
    )
    functions = [text[text.index("\nvoid ") :] for text in texts]
    layouts = [text[: text.index("#include")] for text in texts]
    top = "#include <math.h>\n#include <stddef.h>\n"
    whole = "\n".join([top, *layouts, *helpers, *functions])
    library = ctypes.CDLL(str(shared_library(whole, folder, *(STRICT if any(names) else CALLS))))
    functions = re.findall(r"(?m)^void (\w+)\(", whole)
    return [
        c_function(library, name, len(program.outputs))
        for name, program in zip(functions, programs, strict=True)
    ]


def c_function(library: Any, name: str, outputs: int) -> Run:
    function = getattr(library, name)
    function.restype = None

    def run(point: Sequence[float]) -> tuple[float, ...]:
        out = (ctypes.c_double * outputs)()
        function((ctypes.c_double * len(point))(*point), out)
        return tuple(out)

    return run


def assert_same(run: Run, program: Program, point: Sequence[float]) -> None:
    assert bits(run(point)) == bits(program(*point)), f"at {point}:\n{program}"


# --- the bits of the program ----------------------------------------------------------------------

# CPython has a hypot of its own, which may differ from that of C in the last bit
IN_C = [row for row in ROWS if row is not primitives.hypot]


def singular_points(row: Any, count: int) -> list[tuple[float, ...]]:
    if count <= 2:
        return list(itertools.product(SPECIAL, repeat=count))
    rng = random.Random(f"{row}")
    return [tuple(rng.choices(SPECIAL, k=count)) for _ in range(300)]


def cases(rows: Sequence[Primitive]) -> list[tuple[Any, int]]:
    """Operations, with a number of operands."""
    many = [(row, row.arity * n) for row in rows if isinstance(row, NaryPrimitive) for n in (1, 3)]
    others = [(row, row.arity) for row in rows if not isinstance(row, NaryPrimitive)]
    return [*many, *others, *[(comparison, 2) for comparison in COMPARISONS]]


def test_python_of_every_row_at_singular_points() -> None:
    for operation, count in cases(ROWS):
        program = one_row(operation, count)
        run = in_python(program)
        for point in singular_points(operation, count):
            assert_same(run, program, point)


@needs_cc
def test_c_of_every_row_at_singular_points(tmp_path: Path) -> None:
    programs = [one_row(operation, count) for operation, count in cases(IN_C)]
    runs = in_c(programs, tmp_path)
    for (operation, count), program, run in zip(cases(IN_C), programs, runs, strict=True):
        for point in singular_points(operation, count):
            assert_same(run, program, point)


@needs_cc
def test_hypot_in_c_is_right_to_an_ulp(tmp_path: Path) -> None:
    program = one_row(primitives.hypot, 2)
    (run,) = in_c([program], tmp_path)
    for point in singular_points(None, 2):
        (found,), (expected,) = run(point), program(*point)
        assert found == pytest.approx(expected, rel=4e-16, nan_ok=True)


def test_python_of_random_programs() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        program = random_program(rng)
        run = in_python(program)
        for point in points(rng, program):
            assert_same(run, program, point)


@needs_cc
def test_c_of_random_programs(tmp_path: Path) -> None:
    rng = random.Random(2)
    programs = [random_program(rng, without=[primitives.hypot]) for _ in range(1000)]
    for program, run in zip(programs, in_c(programs, tmp_path), strict=True):
        for point in points(rng, program):
            assert_same(run, program, point)


@pytest.mark.parametrize("row", ["sum", "mean", "dot", "logsumexp"])
def test_long_rows_add_from_left_to_right(row: str) -> None:
    rng = random.Random(3)
    for n in (49, 50, 51, 5000):
        count = n * TABLE[row].arity
        program = one_row(TABLE[row], count)
        run = in_python(program)
        assert_same(run, program, [rng.gauss(0.0, 10.0 ** rng.randrange(5)) for _ in range(count)])


@needs_cc
def test_long_rows_in_c(tmp_path: Path) -> None:
    rng = random.Random(4)
    counts = [(TABLE[x], n) for x in ("sum", "mean", "dot", "logsumexp") for n in (50, 102, 230)]
    programs = [one_row(row, n) for row, n in counts]
    for run, program in zip(in_c(programs, tmp_path), programs, strict=True):
        assert_same(run, program, [rng.gauss(0.0, 100.0) for _ in program.inputs])


CONSTANTS = [0.1, 1 / 3, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e22,
             math.inf, -math.inf, math.nan, -2.5]  # fmt: skip


def with_constants(tape: Tape, x: int) -> list[int]:
    constants = list(map(tape.constant, CONSTANTS))
    products = [tape.emit(primitives.mul, (x, c)) for c in constants]
    quotients = [tape.emit(primitives.div, (x, c)) for c in constants]
    return [*constants, *products, *quotients, tape.constant(0.0), x]


def test_constants_are_exact_in_python() -> None:
    program = recorded(with_constants, ["x"])
    assert_same(in_python(program), program, [3.0])


@needs_cc
def test_constants_are_exact_in_c(tmp_path: Path) -> None:
    program = recorded(with_constants, ["x"])
    (run,) = in_c([program], tmp_path)
    assert_same(run, program, [3.0])


@needs_cc
def test_in_and_out_may_overlap_in_c(tmp_path: Path) -> None:
    program = recorded(lambda tape, x, y: [y, x, tape.emit(primitives.sub, (x, y))], ["x", "y"])
    library = ctypes.CDLL(str(shared_library(source(program, "c", "f"), tmp_path, *STRICT)))
    numbers = (ctypes.c_double * 3)(1.0, 5.0, 0.0)
    library.f(numbers, numbers)
    assert list(numbers) == [5.0, 1.0, -4.0]


# --- what the text looks like ---------------------------------------------------------------------


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def readable(tape: Tape, w: int, x: int, b: int) -> list[int]:
    product = tape.emit(primitives.dot, (w, w, x, b))
    tape.origin = ("C:\\Users\\somebody\\secret\\model.py", 3)
    turned = tape.emit(primitives.tanh, (product,))
    unused = tape.emit(primitives.exp, (turned,))
    tape.emit(primitives.log, (unused,))
    half = tape.emit(primitives.div, (turned, tape.constant(2.0)))
    return [tape.emit(primitives.sub, (half, b))]


def test_python_is_readable() -> None:
    text = source(recorded(readable, ["w", "x[0]", "bias"]), "python", "score")
    assert (
        text
        == '''"""score: 3 numbers in, 1 out.

Straight-line code, made by autograd_engine; it runs without it. A comment says
which line of the original this one, and those below it, come from.
"""

import math


def score(w, x_0, bias):
    w, x_0, bias = map(float, (w, x_0, bias))
    v3 = w * x_0 + w * bias  # train.py:12
    v4 = math.tanh(v3)  # model.py:3
    v8 = v4 / 2.0
    v9 = v8 - bias
    return v9
'''
    )


def test_c_is_readable() -> None:
    text = source(recorded(readable, ["w", "x[0]", "bias"]), "c", "score")
    comment, code = text.split(" */\n")
    assert lines_of(comment)[:7] == [
        "/* score: 3 numbers in, 1 out.",
        "*",
        "*   in[0]   w",
        "*   in[1]   x[0]",
        "*   in[2]   bias",
        "*   out[0]  the results, in order",
        "*",
    ]
    assert (
        code
        == """#include <math.h>

void score(const double *in, double *out)
{
    const double w = in[0];
    const double x_0 = in[1];
    const double bias = in[2];

    const double v3 = w * x_0 + w * bias;  // train.py:12
    const double v4 = tanh(v3);  // model.py:3
    const double v8 = v4 / 2.0;
    const double v9 = v8 - bias;

    out[0] = v9;
}
"""
    )


def test_many_inputs_are_one_sequence_in_groups() -> None:
    labels = [f"w[{i}, {j}]" for i in range(3) for j in range(4)] + ["b", "x[0]", "x[1]"]
    program = recorded(lambda tape, *xs: [tape.emit(primitives.sum, xs)], labels)
    text = source(program, "python", "f")
    names = "w_0_0, w_0_1, w_0_2, w_0_3, w_1_0, w_1_1, w_1_2, w_1_3, w_2_0, w_2_1, w_2_2, w_2_3,"
    assert text.partition("def ")[2].startswith(
        f"f(inputs):\n    (\n        {names}\n        b,\n        x_0, x_1,\n    )"
    )
    assert loaded(text)(range(15)) == 105.0
    with pytest.raises(ValueError, match="expected 15"):
        loaded(text)([1.0] * 14)
    table = lines_of(source(program, "c", "f"))
    assert table[2:6] == [
        "*   in[0..11]   w[0, 0] .. w[2, 3]",
        "*   in[12]      b",
        "*   in[13..14]  x[0] .. x[1]",
        "*   out[0]      the results, in order",
    ]


@pytest.mark.parametrize("labels", [["x[1]", "x[0]"], ["x[0]", "x[0]"], ["x[0]", "x[2]"],
                                    ["x[0]", "x[0, 1]"], ["x[99999999]", "x[0]"]])  # fmt: skip
def test_what_is_no_whole_array_has_a_line_each(labels: list[str]) -> None:
    text = source(recorded(lambda tape, *xs: xs, labels), "c", "f")
    assert lines_of(text)[2:4] == [f"*   in[{i}]      {label}" for i, label in enumerate(labels)]


def test_no_line_is_long() -> None:
    rng = random.Random(5)
    operations = [one_row(TABLE[x], 60) for x in ("sum", "mean", "dot", "logsumexp")]
    for program in [*operations, *(random_program(rng) for _ in range(100))]:
        for language in ("python", "c"):
            assert max(map(len, source(program, language, "f").splitlines())) <= 100
    long = [f"{'long' * 12}{i}" for i in range(12)]
    text = source(recorded(lambda tape, *xs: [*xs, *xs], long), "python", "f")
    assert max(map(len, text.splitlines())) <= 100
    assert loaded(text)(*range(12)) == tuple(map(float, [*range(12), *range(12)]))


def test_only_the_helpers_that_are_needed_are_there() -> None:
    program = recorded(
        lambda tape, x, y: [
            tape.emit(primitives.div, (x, tape.constant(3.0))),
            tape.emit(primitives.sigmoid, (y,)),
        ],
        ["x", "y"],
    )
    text = source(program, "python", "f")
    assert re.findall(r"(?m)^def (\w+)", text) == ["exp", "div", "sigmoid", "f"]
    assert "v3 = x / 3.0" in text
    assert re.findall(r"ae_\w+", source(program, "c", "f")) == ["ae_sigmoid", "ae_sigmoid"]
    plain = recorded(lambda tape, x: [tape.emit(primitives.add, (x, x))], ["x"])
    assert "import" not in source(plain, "python", "f")


def test_paths_are_not_given_away() -> None:
    rng = random.Random(6)
    for language in ("python", "c"):
        text = "".join(source(random_program(rng), language, "f") for _ in range(50))
        assert "train.py:" in text and "secret" not in text


@pytest.mark.parametrize("outputs", [0, 1, 2])
def test_the_number_of_results(outputs: int, tmp_path: Path) -> None:
    program = recorded(lambda tape, x: [x] * outputs, ["x"])
    result = loaded(source(program, "python", "f"))(7)
    assert result == (7.0 if outputs == 1 else (7.0,) * outputs)
    assert type(result) is (float if outputs == 1 else tuple)


def test_integers_are_taken_as_floats() -> None:
    f = loaded(source(one_row(primitives.mul, 2), "python", "f"))
    assert math.copysign(1.0, f(0, -1)) == -1.0
    assert f(2**53 + 1, 1) == 2.0**53


# --- names that are none --------------------------------------------------------------------------

LABELS = [
    "", " ", "x", "x", "x_2", "x", "3", "3rd", "_", "__init__", "lambda", "in", "out", "inputs",
    "math", "float", "map", "None", "print", "exp", "y0", "j1", "gamma", "double", "main", "NAN",
    "INFINITY", "HUGE_VAL", "M_PI", "linux", "EOF", "v0", "v7", "v7_", "t0", "n", "i", "power",
    "div", "ae_exp", "ae_sigmoid", "sigmoid", "isnan", "θ", "μ", "µ", "é", "e\u0301", "ﬁ", "fi",
    "²", "x²", "\u202e", "中", "\ud800", "a.b", "w[0]", "w[0]", "params[0][3, 1]",
    "*/ int oops; /*", "// ?", "a \\", "\\", "??/", "*\\", "\n#error x", "\r\n", "\x00", "\x0c",
    '"""', "'''", "# coding: utf-7", "％s {0}", "＼", "？？/", "x" * 5000, "*" * 100, "/" * 59,
]  # fmt: skip


def all_used(tape: Tape, *xs: int) -> list[int]:
    return [tape.emit(primitives.sigmoid, (x,)) for x in xs] + [tape.emit(primitives.sum, xs)]


def test_any_label_makes_a_name_in_python() -> None:
    program = recorded(all_used, LABELS)
    run = in_python(program)
    assert_same(run, program, [0.1 * i for i in range(len(LABELS))])
    for i in range(0, len(LABELS), 10):  # as arguments
        program = recorded(all_used, LABELS[i : i + 10])
        assert_same(in_python(program), program, [0.1 * i for i in range(len(program.inputs))])


@needs_cc
def test_any_label_makes_a_name_in_c(tmp_path: Path) -> None:
    program = recorded(all_used, LABELS)
    text = source(program, "c", "f")
    assert text.isascii() and "??" not in text and "\\" not in text
    library = ctypes.CDLL(str(shared_library(text, tmp_path, *STRICT, "-trigraphs")))
    run = c_function(library, "f", len(program.outputs))
    assert_same(run, program, [0.1 * i for i in range(len(LABELS))])


def test_names_stay_close_to_the_labels() -> None:
    text = source(recorded(all_used, ["params[0][3, 1]", "θ", "x", "x", "lambda"]), "python", "f")
    assert "def f(params_0_3_1, θ, x, x_2, lambda_):" in text
    text = source(recorded(all_used, ["params['w'][0]", "θ", "Δt", "é", "y0"]), "c", "f")
    assert re.findall(r"const double (\w+) = in", text) == [
        "params_w_0", "theta", "Deltat", "e", "y0_",
    ]  # fmt: skip


def test_any_name_makes_a_function_in_python() -> None:
    for name in ["<lambda>", "value_and_grad(loss)", *LABELS]:
        program = recorded(all_used, ["x", "exp"])
        run = loaded(source(program, "python", name))
        assert bits(run(0.25, 0.5)) == bits(program(0.25, 0.5))


FUNCTIONS = ["strlen", "memcpy", "printf", "vsnprintf", "abs", "exit", "tolower", "towupper",
             "conj", "cexpf", "cosl", "isalpha", "iswalpha", "putchar", "malloc", "lgammaf",
             "scalbn", "class", "restrict", "bool"]  # fmt: skip


@needs_cc
def test_any_name_makes_a_function_in_c(tmp_path: Path) -> None:
    names = dict.fromkeys(["<lambda>", "value_and_grad(loss)", *LABELS, *FUNCTIONS])
    program = recorded(all_used, ["x", "exp"])
    known: set[str] = set()
    different = []
    for name in names:
        found = re.findall(r"(?m)^void (\w+)\(", source(program, "c", name))
        different += [] if found[0] in known else [name]
        known.update(found)
    for run in in_c([program] * len(different), tmp_path, different):
        assert_same(run, program, [0.25, 0.5])


def test_file_names_cannot_break_a_comment() -> None:
    for file in LABELS:
        tape = Tape()
        tape.origin = (f"/tmp/{file}", 3)
        x = tape.input("x")
        program = Program(tape, [tape.emit(primitives.tanh, (x,))])
        assert_same(in_python(program), program, [0.5])
        comment = source(program, "c", "f").partition("//")[2].partition("\n")[0]
        assert comment.endswith(":3") and "\\" not in comment and "*/" not in comment


# --- limits and errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["python", "c"])
def test_deep_and_wide_programs_take_linear_time(language: str) -> None:
    def made(n: int) -> float:
        def chain(tape: Tape, *xs: int) -> list[int]:
            line = xs[0]
            for x in xs:
                line = tape.emit(primitives.tanh, (tape.emit(primitives.add, (line, x)),))
            return [line, *xs]

        program = recorded(chain, [f"x[{i}]" for i in range(n)])
        start = time.perf_counter()
        text = source(program, language, "f")
        seconds = time.perf_counter() - start
        assert f"v{3 * n - 1} = " in text
        return seconds

    assert made(30_000) < 40.0 * max(made(3_000), 0.01)


def test_a_program_of_a_hundred_thousand_lines_runs_in_python() -> None:
    def chain(tape: Tape, x: int) -> list[int]:
        line = x
        for i in range(100_000):
            line = tape.emit((primitives.tanh, primitives.neg)[i % 2], (line,))
        return [line]

    program = recorded(chain, ["x"])
    names: dict[str, Any] = {}
    exec(source(program, "python", "f"), names)  # and no tree of it, which takes seconds
    assert [names["f"](0.5)] == program(0.5)


def test_another_language_is_refused() -> None:
    program = one_row(primitives.add, 2)
    for language in ("C", "fortran", ""):
        with pytest.raises(ValueError, match=f"must be 'python' or 'c', got {language!r}"):
            source(program, language, "f")


@pytest.mark.parametrize("language", ["python", "c"])
def test_a_primitive_of_your_own_is_refused_by_name(language: str) -> None:
    @primitive(lambda z, x: 3.0 * x * x)
    def cube_of_mine(x: Any) -> Any:
        """x * x * x. Source: a test."""
        return x * x * x

    with pytest.raises(ValueError, match="cube_of_mine: a primitive of your own cannot"):
        source(one_row(cube_of_mine, 1), language, "f")


def test_a_program_that_was_saved_has_the_same_source(tmp_path: Path) -> None:
    program = recorded(readable, ["w", "x[0]", "b"])
    program.save(tmp_path / "program.json")
    again = Program.load(tmp_path / "program.json")
    for language in ("python", "c"):
        assert source(again, language, "f") == source(program, language, "f")


def test_a_program_that_nobody_simplified() -> None:
    tape = Tape()
    for x in (2.0, -2.0, 0.0):
        tape.constant(x)
    for row, operands in (("neg", (1,)), ("neg", (0,)), ("div", (0, 2)), ("sub", (1, 1))):
        tape._append(TABLE[row], operands, ("", 0))
    tape._append(primitives.where, (2, 0, 1), ("", 0))
    tape._append(operator.lt, (1, 0), ("", 0))
    program = Program(tape, range(len(tape)))
    assert_same(in_python(program), program, [])


# --- end to end -----------------------------------------------------------------------------------


def loss(params: Any, x: Any, y: Any) -> Any:
    (weights, biases), (last, bias) = params
    hidden = [tanh(dot(w, x) + b) for w, b in zip(weights, biases, strict=True)]
    return (dot(last, hidden) + bias - y) ** 2


def trained() -> tuple[Any, Any]:
    """A compiled gradient, and the parameters after some steps."""
    rng = random.Random(7)
    step = compile(value_and_grad(loss))
    params = [
        [[[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(4)], [0.0] * 4],
        [[rng.gauss(0, 1) for _ in range(4)], 0.0],
    ]
    for _ in range(20):
        x = [rng.gauss(0, 1), rng.gauss(0, 1)]
        _, gradient = step(params, x, x[0] * x[1])
        params = moved(params, gradient)
    return step, params


def moved(x: Any, gradient: Any) -> Any:
    if isinstance(x, list):
        return [moved(a, b) for a, b in zip(x, gradient, strict=True)]
    return x - 0.05 * gradient


def flat(x: Any) -> list[float]:
    return [y for part in x for y in flat(part)] if hasattr(x, "__len__") else [float(x)]


def test_the_gradient_of_a_network_in_python() -> None:
    step, params = trained()
    text = step.source()
    assert "def value_and_grad_loss(inputs):" in text
    assert "# test_source.py:" in text
    found = loaded(text)(flat([params, [0.3, -0.7], 0.5]))
    assert found == pytest.approx(flat(step(params, [0.3, -0.7], 0.5)), rel=1e-12, abs=1e-12)


@needs_cc
def test_the_gradient_of_a_network_in_c(tmp_path: Path) -> None:
    step, params = trained()
    text = step.source("c")
    assert " *   in[0..1]    params[0][0][0][0] .. params[0][0][0][1]\n" in text
    library = ctypes.CDLL(str(shared_library(text, tmp_path, *STRICT)))
    run = c_function(library, "value_and_grad_loss", 18)
    found = run(flat([params, [0.3, -0.7], 0.5]))
    assert found == pytest.approx(flat(step(params, [0.3, -0.7], 0.5)), rel=1e-12, abs=1e-12)


def test_values_are_constants_as_they_are_now() -> None:
    rate = Value(0.25, label="rate")
    f = compile(lambda t: exp(-rate * t))
    f(2.0)
    rate.data = 0.5
    g = loaded(f.source("python"))
    assert g.__code__.co_varnames[: g.__code__.co_argcount] == ("t",)
    assert g(2.0) == math.exp(-1.0)
