"""The kernels in C: they are up to date, they compile, and they compute what the rows do."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import math
import operator
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_primitives import ROWS, by_name, draw

from autograd_engine import codegen, elementary, exp, maximum, primitive, relu, sin, where
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler named cc")

# --- the header and the extension are of this table ----------------------------------------------


def assert_up_to_date(header: str) -> None:
    if header != codegen.header():
        raise AssertionError("_kernels.h is stale: run `python -m autograd_engine.codegen`")


def hash_in(header: str) -> str:
    (found,) = re.findall(r'#define AE_HASH "([0-9a-f]{64})"', header)
    return str(found)


def assert_built_from(header: str, kernels_hash: str) -> None:
    if kernels_hash != hash_in(header):
        raise AssertionError("_native is built from another _kernels.h; rebuild: pip install -e .")


def test_the_header_is_up_to_date() -> None:
    assert_up_to_date(codegen.HEADER.read_text())


def test_a_changed_header_is_called_stale() -> None:
    text = codegen.HEADER.read_text()
    for old, new in (("0.01", "0.02"), ("ae_relu(", "ae_elu("), ("\n}", "\n\n}")):
        assert old in text
        with pytest.raises(AssertionError, match=re.escape("python -m autograd_engine.codegen")):
            assert_up_to_date(text.replace(old, new, 1))


def test_a_changed_formula_makes_the_header_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    row = TABLE["square"]
    monkeypatch.setattr(row, "derivatives", (lambda z, x: x + x,))
    codegen.RECORDED.derivatives.cache_clear()  # type: ignore[attr-defined]
    try:
        with pytest.raises(AssertionError, match=re.escape("python -m autograd_engine.codegen")):
            assert_up_to_date(codegen.HEADER.read_text())
    finally:
        monkeypatch.undo()
        codegen.RECORDED.derivatives.cache_clear()  # type: ignore[attr-defined]


def test_the_header_does_not_depend_on_rows_of_a_user() -> None:
    before = codegen.header()

    @primitive(1.0)
    def shifted(x: Any) -> Any:
        """x + 1. Source: a test."""
        return x + 1.0

    assert codegen.header() == before


def test_the_last_line_is_the_hash_of_all_before_it() -> None:
    *lines, last = codegen.HEADER.read_text().splitlines(keepends=True)
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert last == f'#define AE_HASH "{digest}"\n'


def test_the_extension_is_built_from_the_header() -> None:
    _native = pytest.importorskip("autograd_engine._native", reason="the extension is not built")
    assert_built_from(codegen.HEADER.read_text(), _native.kernels_hash)


def test_an_extension_of_another_header_is_to_be_rebuilt() -> None:
    text = codegen.HEADER.read_text()
    assert_built_from(text, hash_in(text))
    with pytest.raises(AssertionError, match=re.escape("rebuild: pip install -e .")):
        assert_built_from(text, "0" * 64)
    other = text.replace(hash_in(text), hashlib.sha256(b"another").hexdigest())
    with pytest.raises(AssertionError, match=re.escape("rebuild: pip install -e .")):
        assert_built_from(other, hash_in(text))


def test_the_command_writes_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(codegen.__file__).read_text()
    module = tmp_path / "codegen.py"
    module.write_text(source)
    exec(compile(source, str(module), "exec"), {"__name__": "__main__", "__file__": str(module)})
    assert (tmp_path / "_kernels.h").read_text() == codegen.HEADER.read_text()


# --- the C compiles, and computes what the rows do ------------------------------------------------

Run = Callable[[Primitive, Sequence[float]], tuple[float, list[float]]]
WARNINGS = ("-Wall", "-Werror", "-Wno-unused-const-variable", "-Wno-unused-function")


def compiled(source: str, to: Path, *options: str) -> Path:
    """A shared library of C source."""
    assert CC is not None
    (to / "source.c").write_text(source)
    library = to / "library.so"
    command = [CC, "-std=c99", "-O1", "-ffp-contract=off", "-shared", "-fPIC", *options]
    done = subprocess.run(
        [*command, "-o", str(library), str(to / "source.c"), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return library


def runner(library: Path, entry: str) -> Run:
    """`void entry(const char *row, ptrdiff_t n, const double *x, double *z, double *d)`."""
    function = getattr(ctypes.CDLL(str(library)), entry)
    function.restype = None

    def run(row: Primitive, operands: Sequence[float]) -> tuple[float, list[float]]:
        doubles, z = ctypes.c_double * len(operands), ctypes.c_double()
        derivatives = doubles()
        n = ctypes.c_ssize_t(len(operands) // row.arity)
        function(row.name.encode(), n, doubles(*operands), ctypes.byref(z), derivatives)
        return z.value, list(derivatives)

    return run


OF_THE_TABLE = f"""
#include "{codegen.HEADER}"
#include <string.h>
void run(const char *row, ptrdiff_t n, const double *x, double *z, double *d)
{{
    int i;
    for (i = 1; i < AE_COUNT; i++)
        if (strcmp(AE_KERNELS[i].name, row) == 0)
            AE_KERNELS[i].run(n, x, z, d);
}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The kernels of the header that is checked in."""
    return runner(compiled(OF_THE_TABLE, tmp_path_factory.mktemp("kernels")), "run")


@needs_cc
def test_the_header_compiles_alone_and_without_a_warning(tmp_path: Path) -> None:
    compiled(f'#include "{codegen.HEADER}"\n', tmp_path, *WARNINGS)
    with pytest.raises(RuntimeError, match="unused-variable"):  # the flags do what is hoped
        compiled("static void f(void) { int x; }\nvoid g(void) { f(); }", tmp_path, *WARNINGS)


@needs_cc
def test_the_header_compiles_as_two_units(tmp_path: Path) -> None:
    """All of it is static: who includes it twice gets no symbol twice."""
    compiled(f'#include "{codegen.HEADER}"\n', tmp_path)
    exported = subprocess.run(
        ["nm", "-D", "--defined-only", str(tmp_path / "library.so")],
        capture_output=True,
        text=True,
        check=False,
    )
    if exported.returncode:
        pytest.skip("no nm here")
    assert "ae_" not in exported.stdout.lower()


INEXACT = {"pow", "cbrt", "hypot", "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos",
           "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh",
           "atanh", "erf", "exp_difference", "logaddexp", "sigmoid", "softplus", "elu", "gelu",
           "silu", "mish", "logsumexp"}  # fmt: skip
EXACT = {"add", "sub", "mul", "div", "neg", "abs", "sqrt", "square", "sign", "heaviside", "relu",
         "leaky_relu", "maximum", "minimum", "where", "sum", "mean", "dot"}  # fmt: skip
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, math.inf, -math.inf, math.nan, 1e308,
           -1e308, 5e-324, 40.0, -40.0, 1000.0, -1000.0, 1e-300]  # fmt: skip


def assert_same(row: Primitive, found: float, expected: float, *where: Any) -> None:
    """To the bit where IEEE 754 says so; else zeros and infinities exactly, the rest to 1e-12."""
    message = (row.name, found, expected, *where)
    if math.isnan(expected) or math.isnan(found):
        assert math.isnan(expected) and math.isnan(found), message
    elif row.name in EXACT or not math.isfinite(expected):
        assert struct.pack("d", found) == struct.pack("d", expected), message
    else:
        assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-307), message


def assert_same_node(run: Run, row: Primitive, operands: Sequence[float]) -> None:
    z, derivatives = run(row, operands)
    expected, slopes = row.linearize(operands)
    assert_same(row, z, expected, operands)
    for i, (found, slope) in enumerate(zip(derivatives, slopes, strict=True)):
        assert_same(row, found, slope, operands, i)


def sizes(row: Primitive) -> tuple[int, ...]:
    return (1, 2, 7) if isinstance(row, NaryPrimitive) else (1,)


def test_every_row_is_either_exact_or_not() -> None:
    names = {row.name for row in ROWS}
    assert names == INEXACT | EXACT
    assert not INEXACT & EXACT


@needs_cc
@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_kernel_is_the_row_inside_the_domain(run: Run, row: Primitive) -> None:
    rng = random.Random(row.name)
    for n in sizes(row):
        for _ in range(50):
            operands = [draw(low, high, rng) for low, high in row.domain for _ in range(n)]
            assert_same_node(run, row, operands)


@needs_cc
@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_kernel_is_the_row_at_special_points(run: Run, row: Primitive) -> None:
    rng = random.Random(row.name)
    for n in sizes(row):
        points = list(itertools.islice(itertools.product(SPECIAL, repeat=n * row.arity), 400))
        if n * row.arity > 2:
            points += [tuple(rng.choices(SPECIAL, k=n * row.arity)) for _ in range(300)]
        for operands in points:
            assert_same_node(run, row, operands)


@needs_cc
def test_a_wrong_kernel_is_found(tmp_path: Path) -> None:
    text = codegen.HEADER.read_text()
    for right, wrong, row in (
        ("return cosh(x);", "return sinh(x);", "cosh"),
        ("(x <= 0.0) ? (0.01 * x) : x", "(x < 0.0) ? (0.02 * x) : x", "leaky_relu"),
        ("d[i] = w[i];", "d[i] = x[i];", "dot"),
    ):
        assert text.count(right) == 1, right
        (tmp_path / row).mkdir()
        (tmp_path / row / "wrong.h").write_text(text.replace(right, wrong))
        source = OF_THE_TABLE.replace(str(codegen.HEADER), str(tmp_path / row / "wrong.h"))
        changed = runner(compiled(source, tmp_path / row), "run")
        operands = [-0.5, 0.25, 2.0, 3.0][: 4 if row == "dot" else 1]
        with pytest.raises(AssertionError):
            assert_same_node(changed, TABLE[row], operands)


# --- rows of a user, written in C the same way ----------------------------------------------------


def kernel_of(row: Primitive, to: Path) -> Run:
    """The kernel of one more row, behind those of the header."""
    kernel = codegen._Kernel(row)
    parts = [*(f"{head};" for head in kernel.heads), *kernel.functions(), kernel.node()]
    shim = (
        "void run(const char *row, ptrdiff_t n, const double *x, double *z, double *d)\n"
        f"{{ ae_node_{row.name}(n, x, z, d); }}"
    )
    source = "\n".join([f'#include "{codegen.HEADER}"', *parts, shim])
    return runner(compiled(source, to, *WARNINGS), "run")


def a_helper(x: Any) -> Any:
    return 1.0 + sin(x) * sin(x)


def a_composite() -> Primitive:
    @primitive(lambda z, x: where(x > 0.0, z * a_helper(x), -(z - 1e-3)), analytic=False)
    def composite(x: Any) -> Any:
        """Of rows, comparisons, a helper, and numbers of all kinds. Source: a test."""
        return where(x >= 1e22, x - 1, relu(x) * a_helper(x)) + 2 / (x - -1.5) ** 2

    return composite


def a_binary() -> Primitive:
    @primitive(lambda z, x, y: exp(-abs(x)) * (z == y), lambda z, x, y: (x != y) * (x <= y))
    def mixed(x: Any, y: Any) -> Any:
        """Comparisons as numbers. Source: a test."""
        return (x < y) + maximum(x, y) * (-x) - (x - (y - x))

    return mixed


def an_elementary() -> Primitive:
    @primitive(lambda z, x: -2.0 / math.sqrt(math.pi) * exp(-x * x), analytic=False)
    @elementary(math.erfc)
    def erfc(x: Any) -> Any:
        """1 - erf(x). Source: DLMF 7.2(i)."""

    return erfc


def a_ternary() -> Primitive:
    @primitive(lambda z, a, b, c: b * c, lambda z, a, b, c: a * c, lambda z, a, b, c: a * b)
    def product_of_three(a: Any, b: Any, c: Any) -> Any:
        """A * b * c. Source: a test."""
        return a * b * c

    return product_of_three


def a_sum_of_squares() -> Primitive:
    @primitive(lambda z, xs: [2.0 * x / len(xs) for x in xs], nary=True)
    def mean_square(xs: Any) -> Any:
        """(x0 * x0 + x1 * x1 + ...) / n. Source: a test."""
        return functools.reduce(operator.add, [x * x for x in xs]) / len(xs)

    return mean_square


@needs_cc
@pytest.mark.parametrize(
    "make", [a_composite, a_binary, an_elementary, a_ternary, a_sum_of_squares]
)
def test_a_row_of_a_user_gives_right_c(make: Callable[[], Primitive], tmp_path: Path) -> None:
    row = make()
    run_it = kernel_of(row, tmp_path)
    rng = random.Random(0)
    for n in sizes(row):
        for _ in range(200):
            assert_same_node(run_it, row, [rng.uniform(-4.0, 4.0) for _ in range(n * row.arity)])


@needs_cc
@pytest.mark.parametrize("function", [math.gamma, math.radians])
def test_a_function_of_math_that_c_does_not_have_is_refused(
    function: Callable[[float], float], tmp_path: Path
) -> None:
    """The `gamma` of C is the logarithm of `math.gamma`, and `radians` there is none."""

    def signature(x: Any) -> Any:
        """A row on a function of math; the derivative is a stand-in. Source: a test."""

    signature.__name__ = function.__name__
    row = primitive(lambda z, x: z, analytic=False)(elementary(function)(signature))
    with pytest.raises(ValueError, match=f"{row.name} names no function of C"):
        z, _ = kernel_of(row, tmp_path)(row, [5.0])
        assert z == pytest.approx(function(5.0), rel=1e-12)  # or is it right?


def with_if() -> Primitive:
    @primitive(1.0)
    def refused(x: Any) -> Any:
        """With a branch. Source: a test."""
        return x if x > 0.0 else -x

    return refused


def with_math() -> Primitive:
    @primitive(1.0)
    def refused(x: Any) -> Any:
        """With a function of math. Source: a test."""
        return math.exp(x)

    return refused


def with_a_branch_in_the_derivative() -> Primitive:
    @primitive(lambda z, x: 1.0 if x else 0.0)
    def refused(x: Any) -> Any:
        """With a branch in the derivative. Source: a test."""
        return x * 1.0

    return refused


def with_a_function_of_python() -> Primitive:
    @primitive(1.0)
    @elementary(lambda x: x + 1.0)
    def refused(x: Any) -> Any:
        """The primal is a lambda. Source: a test."""

    return refused


def with_a_loop_that_is_no_fold() -> Primitive:
    @primitive(lambda z, xs: [2.0 * x for x in xs], nary=True)
    def refused(xs: Any) -> Any:
        """A sum in a loop of Python, of which one round only would be recorded. Source: a test."""
        total = 0.0
        for x in xs:
            total = total + x * x
        return total

    return refused


def with_the_builtin_max_in_the_derivative() -> Primitive:
    @primitive(lambda z, xs: [x / max(xs) for x in xs], nary=True)
    def refused(xs: Any) -> Any:
        """The largest of the one element that stands for all is that element. Source: a test."""
        return functools.reduce(operator.add, xs)

    return refused


def with_an_index() -> Primitive:
    @primitive(lambda z, xs: [1.0 for x in xs], nary=True)
    def refused(xs: Any) -> Any:
        """Indexed. Source: a test."""
        return xs[0] + functools.reduce(operator.add, xs)

    return refused


def test_comparisons_are_no_ints_in_arithmetic() -> None:
    @primitive(0.0)
    def quotient_of_comparisons(x: Any) -> Any:
        """Ints in C, where 1 / 2 is 0 and 1 / 0 stops the program. Source: a test."""
        return (x > 1.0) / (x > 0.0)

    primal, _ = codegen._Kernel(quotient_of_comparisons).functions()
    assert "return (double)(x > 1.0) / (double)(x > 0.0);" in primal


@pytest.mark.parametrize("name", ["d", "double", "i", "n", "z", "t0", "t12"])
def test_operands_do_not_take_the_names_of_the_generated_code(name: str) -> None:
    space: dict[str, Any] = {"primitive": primitive}
    exec(f"@primitive(1.0)\ndef refused({name}):\n    return {name} + 0.0", space)
    with pytest.raises(ValueError, match=f"call the operand {name} something else"):
        codegen._Kernel(space["refused"])


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (with_if, TypeError, "where(condition, x, y)"),
        (with_math, TypeError, "use the primitives of autograd_engine"),
        (with_a_branch_in_the_derivative, TypeError, "where(condition, x, y)"),
        (with_a_function_of_python, ValueError, "refused names no function of C"),
        (with_a_loop_that_is_no_fold, ValueError, "codegen: fold a sequence with functools.reduce"),
        (
            with_the_builtin_max_in_the_derivative,
            ValueError,
            "codegen: fold a sequence with functools.reduce",
        ),
        (with_an_index, TypeError, "not subscriptable"),
    ],
)
def test_a_formula_that_c_cannot_have_is_refused(
    make: Callable[[], Primitive], kind: Any, message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        "".join(codegen._Kernel(make()).functions())
