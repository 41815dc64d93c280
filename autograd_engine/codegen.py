"""The C kernels of all primitives, written by running each row of the table on Expressions.

    python -m autograd_engine.codegen

writes `_kernels.h` beside this file, from which the native engine is compiled. A row becomes one C
function for its primal and one for each local derivative, in the same operations and the same order
as in `primitives.py`, so results have the same bits wherever the operations are those of IEEE 754.

A formula over a sequence becomes a loop: it runs once, on one element that stands for all of them
(`xs[i]`), a comprehension over it stays one element, and `functools.reduce` records a fold.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autograd_engine import primitives
from autograd_engine.expression import INFIX, Expression, recorded
from autograd_engine.registry import TABLE, table_hash
from autograd_engine.rows import Elementary, Namespace, NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS, Tape

__all__ = [
    "HEADER", "RECORDED", "Body", "bare", "call", "formula", "header", "literal", "primal",
]  # fmt: skip

HEADER = Path(__file__).with_name("_kernels.h")


class _Sequence:
    """The operand of a row over sequences: iterating gives the one element that stands for all."""

    def __init__(self, name: str, tape: Tape) -> None:
        self.element = recorded(f"{name}[i]", tape)

    def __iter__(self) -> Iterator[Expression]:
        yield self.element


class _Fold:
    """The operation of `functools.reduce`: from the first element on, `total = step(total, x)`.

    The expression has the operands (element, step).
    """

    def __init__(self, total: Expression) -> None:
        self.total = total


def _fold(step: Callable[[Any, Any], Any], elements: Iterable[Any]) -> Expression:
    (element,) = elements
    tape = element.tape
    total = recorded("$total", tape)
    line = tape.emit(_Fold(total), (element.index, step(total, element).index))
    return Expression(tape, line)


def _no_fold(*xs: Any, **options: Any) -> Any:
    raise ValueError("codegen: fold a sequence with functools.reduce, as in reduce(maximum, xs)")


# Rows inside a formula are recorded as calls of their kernels, loops as folds.
RECORDED = Namespace(
    names={
        "functools": SimpleNamespace(reduce=_fold),
        "len": lambda xs: recorded("(double)n", xs.element.tape),
        **dict.fromkeys(("enumerate", "max", "min", "reversed", "sorted"), _no_fold),
    },
)

# What C99 has under the names of Python's `math`.
_C = frozenset(
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh erf erfc exp exp2 expm1 fabs fmod hypot "
    "lgamma log log10 log1p log2 pow sin sinh sqrt tan tanh trunc".split()
)


def literal(x: float) -> str:
    """A float in C, the same to the last bit."""
    if math.isinf(x):
        return "INFINITY" if x > 0.0 else "(-INFINITY)"
    return "NAN" if math.isnan(x) else repr(x) if math.copysign(1.0, x) > 0.0 else f"({x!r})"


def call(operation: Any, operands: Sequence[str]) -> str:
    """One operation in C."""
    sign = COMPARISONS.get(operation) or INFIX.get(operation)
    if operation in COMPARISONS:  # an int in C, where int / int would drop the rest
        return f"(double)({operands[0]} {sign} {operands[1]})"
    if sign and operation is not primitives.pow:
        return f"({operands[0]} {sign} {operands[1]})"
    if operation is primitives.neg:
        return f"(-{operands[0]})"
    if operation is primitives.where:
        return "({} ? {} : {})".format(operands[0].removeprefix("(double)"), *operands[1:])
    return f"{_name(operation)}({', '.join(operands)})"


def _name(operation: Any) -> str:
    return "fold" if isinstance(operation, _Fold) else f"ae_{operation.name}"


def _inline(x: Any) -> str:
    """An expression in one piece; equal expressions have equal text."""
    if not isinstance(x, Expression):
        return literal(x)
    if x.constant is not None:
        return literal(x.constant)
    return call(x.operation, list(map(_inline, x.operands))) if x.operation else x.name


def _varies(x: Any) -> bool:
    """Whether an expression is another one in each round of a loop."""
    if not isinstance(x, Expression) or isinstance(x.operation, _Fold):
        return False
    return x.name == "$total" or x.name.endswith("[i]") or any(map(_varies, x.operands))


class Body:
    """The statements of one C function; what occurs more than once is computed once.

    `source.py` makes Python of the same, by other `leaf`, `call`, `_keep` and `_loop`.
    """

    def __init__(self, *results: Any) -> None:
        self.lines: list[str] = []
        self._known: dict[str, str] = {}
        self._uses: Counter[str] = Counter()
        for result in results:
            self._count(result)

    def _count(self, x: Any) -> None:
        if isinstance(x, Expression):
            self._uses[_inline(x)] += 1
            if self._uses[_inline(x)] == 1:
                for operand in x.operands:
                    self._count(operand)

    def text(self, x: Any) -> str:
        """An expression in C, in terms of the statements so far."""
        if not isinstance(x, Expression) or x.operation is None:
            return self.leaf(x)
        key = _inline(x)
        if key not in self._known:
            operands = list(map(self.text, x.operands))
            if isinstance(x.operation, _Fold):
                self._loop(key, *operands)
            elif self._uses[key] > 1 and not _varies(x):
                self._keep(key, "const double", self.call(x.operation, operands))
            else:
                return self.call(x.operation, operands)
        return self._known[key]

    def leaf(self, x: Any) -> str:
        """An operand, or a constant."""
        return _inline(x)

    def call(self, operation: Any, operands: Sequence[str]) -> str:
        """One operation."""
        return call(operation, operands)

    def _keep(self, key: str, kind: str, text: str) -> str:
        name = self._known[key] = f"t{len(self._known)}"
        self.lines.append(f"{kind} {name} = {bare(text)};")
        return name

    def _loop(self, key: str, element: str, step: str) -> None:
        self.lines.append("i = 0;")
        name = self._keep(key, "double", element)
        self.lines.append("for (i = 1; i < n; i++)")
        self.lines.append(f"    {name} = {bare(re.sub(r'[$]total', name, step))};")


def bare(text: str) -> str:
    """Without parentheses around the whole."""
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if text[0] == "(" and i == len(text) - 1 else text
    return text


def formula(row: Primitive) -> Expression:
    """What a composite row does, recorded on operands of the names that it has for them."""
    result: Expression = RECORDED.rebind(row.function)(*_Kernel(row).operands)
    return result


def primal(row: Primitive) -> str:
    """The C function of a row itself, without its derivatives."""
    return next(_Kernel(row).functions())


class _Kernel:
    """One row in C."""

    def __init__(self, row: Primitive) -> None:
        self.row, self.nary = row, isinstance(row, NaryPrimitive)
        self.names = row.function.__code__.co_varnames[: row.arity]
        for name in self.names:
            if re.fullmatch(r"d|double|i|n|z|t\d+", name):
                raise ValueError(f"codegen: {row.name}: call the operand {name} something else")
        self.tape = Tape()
        make: Callable[[str, Tape], Any] = _Sequence if self.nary else recorded
        self.operands = [make(name, self.tape) for name in self.names]
        self.parameters = ("ptrdiff_t n, " if self.nary else "") + ", ".join(
            f"const double *{name}" if self.nary else f"double {name}" for name in self.names
        )
        kind = "static void" if self.nary else "static inline double"
        self.heads = [f"static inline double ae_{row.name}({self.parameters})"]
        result = ", double *d" if self.nary else ""
        self.heads += [
            f"{kind} ae_{row.name}_d{i}(double z, {self.parameters}{result})"
            for i in range(row.arity)
        ]

    def functions(self) -> Iterator[str]:
        """The primal and the local derivatives."""
        bodies = [self._primal(), *map(self._derivative, RECORDED.derivatives(self.row))]
        for head, body in zip(self.heads, bodies, strict=True):
            loops = ["ptrdiff_t i;"] if any("i = 0" in line for line in body) else []
            yield "\n".join([head, "{", *[f"    {line}" for line in (*loops, *body)], "}"])

    def _primal(self) -> list[str]:
        if self.row.elementary:
            return [f"return {self._elementary(self.row.elementary)};"]
        return self._returned(RECORDED.rebind(self.row.function)(*self.operands))

    def _elementary(self, form: Elementary) -> str:
        if self.row is primitives.where:
            return "c != 0.0 ? x : y"
        name = form.on_floats.__name__  # math calls the functions of C by the names of C
        if name not in _C or getattr(math, name, None) is not form.on_floats:
            raise ValueError(f"codegen: {self.row.name} names no function of C: {form.on_floats}")
        return f"{name}({', '.join(self.names)})"

    def _derivative(self, derivative: Callable[..., Any]) -> list[str]:
        result = derivative(recorded("z", self.tape), *self.operands)
        if not self.nary:
            return self._returned(result)
        (element,) = result
        body = Body(element)
        text = bare(body.text(element))
        return [*body.lines, "for (i = 0; i < n; i++)", f"    d[i] = {text};"]

    def _returned(self, result: Any) -> list[str]:
        if _varies(result):
            _no_fold()
        body = Body(result)
        text = bare(body.text(result))
        return [*body.lines, f"return {text};"]

    def node(self) -> str:
        """All of a row in one call: `x` has the operands, `d` takes the local derivatives."""
        name, arity = self.row.name, self.row.arity
        xs = [f"x + {i} * n" if self.nary else f"x[{i}]" for i in range(arity)]
        given = ", ".join((["n"] if self.nary else []) + xs)
        lines = [f"*z = ae_{name}({given});"]
        for i in range(arity):
            call = f"ae_{name}_d{i}(*z, {given}"
            lines.append(f"{call}, d + {i} * n);" if self.nary else f"d[{i}] = {call});")
        head = f"static void ae_node_{name}(ptrdiff_t n, const double *x, double *z, double *d)"
        return "\n".join([head, "{", *[f"    {line}" for line in lines], "}"])


_TOP = """\
/* Made by `python -m autograd_engine.codegen` from primitives.py; do not edit.
 *
 * ae_tanh(x)              the primal, and for rows over sequences ae_dot(n, w, x)
 * ae_tanh_d0(z, x)        its local derivative by operand 0, at the result z
 * AE_KERNELS[AE_tanh]     both in one call: run(n, x, &z, d); n is the length of the sequences
 */
#include <math.h>
#include <stddef.h>
"""

_TABLE = """\
typedef struct {
    const char *name;
    int arity, nary;
    void (*run)(ptrdiff_t n, const double *x, double *z, double *d);
} ae_kernel;
"""


def header() -> str:
    """The text of `_kernels.h`; its last lines are the hashes of the table and of all before."""
    rows = [row for row in TABLE.values() if row.function.__module__ == primitives.__name__]
    kernels = list(map(_Kernel, rows))
    heads = "\n".join(f"{head};" for kernel in kernels for head in kernel.heads)
    functions = [text for kernel in kernels for text in (*kernel.functions(), kernel.node())]
    names = ["AE_none", *(f"AE_{row.name}" for row in rows), "AE_COUNT"]
    table = ['    {"", 0, 0, 0},  /* what a leaf has in the place of a row */']
    table += [
        f'    {{"{x.row.name}", {x.row.arity}, {int(x.nary)}, ae_node_{x.row.name}}},'
        for x in kernels
    ]
    lists = [
        f"#define AE_{kind}(F) " + " ".join(f"F({x.row.name})" for x in kernels if fits(x))
        for kind, fits in _METHODS.items()
    ]
    enum = f"enum {{ {', '.join(names)} }};"
    entries = "\n".join(["static const ae_kernel AE_KERNELS[] = {", *table, "};"])
    text = "\n\n".join([_TOP + "\n" + heads, *functions, _TABLE + "\n" + entries, enum, *lists])
    text += "\n\n"
    text += f'#define AE_TABLE "{table_hash()}"\n'
    return text + f'#define AE_HASH "{hashlib.sha256(text.encode()).hexdigest()}"\n'


# The rows that are methods, by the number of operands.
_METHODS: dict[str, Callable[[_Kernel], bool]] = {
    "UNARY": lambda kernel: kernel.row.arity == 1 and not kernel.nary,
    "BINARY": lambda kernel: kernel.row.arity == 2 and not kernel.nary,
}


if __name__ == "__main__":
    HEADER.write_text(header())
