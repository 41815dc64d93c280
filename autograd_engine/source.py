"""A Program as source text that runs without this package: Python, or C99.

    >>> from autograd_engine import compile, tanh
    >>> f = compile(lambda x, w: tanh(w * x) / w)
    >>> f(0.0, 2.0)
    0.0
    >>> print(f.source("c").partition("#include")[2])  # doctest: +ELLIPSIS
     <math.h>
    <BLANKLINE>
    void lambda(const double *in, double *out)
    {
        const double x = in[0];
        const double w = in[1];
    <BLANKLINE>
        const double v2 = w * x;  // ...
        const double v3 = tanh(v2);
        const double v4 = v3 / w;
    <BLANKLINE>
        out[0] = v4;
    }
    <BLANKLINE>

Each operation is one statement, and gives the bits that the program gives. The formulas of
composite rows are those of the table, run on Expressions as in `codegen.py`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograd_engine import primitives
from autograd_engine.codegen import Body, bare, call, formula, literal, primal
from autograd_engine.expression import INFIX, Expression
from autograd_engine.naming import PYTHON, C, group, is_array, remark
from autograd_engine.program import Program
from autograd_engine.registry import TABLE
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS
from autograd_engine.writing import WIDTH, Writer, counted, filled, lists, summary

__all__ = ["source"]

_FEW = 12  # so many inputs are arguments of their own


def source(program: Program, language: str, name: str) -> str:
    """A program as straight-line code: one function, called `name` or what is closest to it.

    Parameters
    ----------
    program : Program
    language : "python" or "c"
        A Python module, whose function takes floats (a sequence of them where there are more than
        12) and returns one, or a tuple; or a C99 file with `void name(const double *in, double
        *out)`, which allocates nothing. Both round as the program does.
    name : str

    Raises
    ------
    ValueError
        For another language, and for primitives of your own.

    Notes
    -----
    The functions of C's math.h round as they do in Python, which calls them, but for `hypot`, of
    which Python has its own. An optimizing compiler rounds functions of constants itself, unless it
    is told not to (-fno-builtin).
    """
    if language not in _LANGUAGES:
        raise ValueError(f"source: the language must be 'python' or 'c', got {language!r}")
    rows = {x for x in program.operations if isinstance(x, Primitive)}
    own = sorted({x.name for x in rows if x.function.__module__ != primitives.__name__})
    if own:
        raise ValueError(
            f"source: {', '.join(own)}: a primitive of your own cannot be written out, neither in "
            "'python' nor in 'c'; use the primitives of autograd_engine in its place"
        )
    return _LANGUAGES[language](program, name).text()


# --- Python ---------------------------------------------------------------------------------------

# What IEEE 754 has where Python raises.
_SINGULAR = {
    "div": ("ZeroDivisionError", "x * math.copysign(math.inf, y)"),
    "pow": (
        "(OverflowError, ValueError)",
        "math.nan if x < 0.0 and y % 1.0 else (\n"
        "            math.copysign(math.inf, x) if y % 2.0 == 1.0 else math.inf\n        )",
    ),
    **dict.fromkeys(("exp", "expm1", "cosh"), ("OverflowError", "math.inf")),
    "sinh": ("OverflowError", "math.copysign(math.inf, x)"),
    **dict.fromkeys(
        ("log", "log2", "log10"), ("ValueError", "-math.inf if x == 0.0 else math.nan")
    ),
    "log1p": ("ValueError", "-math.inf if x == -1.0 else math.nan"),
    "atanh": ("ValueError", "math.copysign(math.inf, x) if abs(x) == 1.0 else math.nan"),
    **dict.fromkeys("sqrt sin cos tan asin acos acosh".split(), ("ValueError", "math.nan")),
}


class _Python(Writer):
    language, mark = PYTHON, "#"

    def text(self) -> str:
        inputs, outputs = self.program.inputs, self.program.outputs
        body = [*self._unpacked(), *self.statements(), *self._returned()]
        helpers = "".join(f"{helper}\n\n\n" for helper in self.helpers.values())
        lines = "\n".join(body)
        needs = "import math\n\n\n" if "math." in helpers + lines else "\n" * bool(helpers)
        return (
            f'"""{self.title}: {counted(len(inputs))} in, {len(outputs)} out.\n\n'
            "Straight-line code, made by autograd_engine; it runs without it. A comment says\n"
            f'which line of the original this one, and those below it, come from.\n"""\n\n{needs}'
            f"{helpers}{self._head()}\n{lines}\n"
        )

    def _head(self) -> str:
        names = ", ".join(self.inputs) if len(self.inputs) <= _FEW else "inputs"
        head = f"def {self.name}({names}):"
        if len(head) <= WIDTH:
            return head
        return "\n".join([f"def {self.name}(", *filled(f"{names},", " " * 4, " " * 4), "):"])

    def _unpacked(self) -> Iterator[str]:
        """The inputs, as floats whatever they are."""
        names = ", ".join(self.inputs)
        if len(self.inputs) > _FEW:
            yield "    ("
            pairs = zip(self.program.inputs, self.inputs, strict=True)
            for _, found in itertools.groupby(pairs, lambda pair: group(pair[0])):
                yield from filled(", ".join(name for _, name in found) + ",", " " * 8)
            yield "    ) = map(float, inputs)"
        elif len(self.inputs) > 1 and 2 * len(names) < WIDTH - 24:
            yield f"    {names} = map(float, ({names}))"
        else:
            yield from (f"    {name} = float({name})" for name in self.inputs)

    def _returned(self) -> Iterator[str]:
        names = ", ".join(map(self.operand, self.program.outputs))
        if len(names) > WIDTH - 12:
            yield from ["    return (", *filled(f"{names},", " " * 8), "    )"]
        else:
            yield f"    return {names or '()'}"

    def statement(self, start: str, text: str, comment: str) -> Iterator[str]:
        if len(start) + len(text) + len(comment) <= WIDTH:
            yield f"{start}{text}{comment}".replace("\0", " ")
        else:
            yield from [f"{start}(", *filled(text, " " * 8), f"    ){comment}"]

    def literal(self, x: float) -> str:
        sign = "-" if x < 0.0 else ""
        return repr(x) if math.isfinite(x) else f"{sign}math.{'nan' if x != x else 'inf'}"

    def call(self, operation: Any, operands: Sequence[str]) -> str:
        if operation in COMPARISONS:
            return f"float({operands[0]} {COMPARISONS[operation]} {operands[1]})"
        if operation is primitives.where:
            condition = re.sub(r"^float\((.*)\)$", r"\1", operands[0])
            return f"({operands[1]} if {condition} else {operands[2]})"
        if operation is primitives.neg:
            return f"(-{operands[0]})"
        if isinstance(operation, NaryPrimitive):
            operands = [f"[{x}]" for x in lists(operation, operands)]
        elif operation in INFIX and not _may_raise(operation, operands[1]):
            return f"({operands[0]} {INFIX[operation]} {operands[1]})"
        return f"{self._function(operation)}({', '.join(map(bare, operands))})"

    def _function(self, row: Primitive) -> str:
        """The name of a function for a row; it is one of `math`, or becomes a helper."""
        if row.elementary and row.name not in _SINGULAR:
            return f"math.{row.elementary.on_floats.__name__}"
        name = "power" if row is primitives.pow else row.name
        if row not in self.helpers:
            composite = row.name not in _SINGULAR
            self.helpers[row] = self._composite(row) if composite else _guarded(row, name)
        return name

    def _composite(self, row: Primitive) -> str:
        result = formula(row)
        body = _Body(self, result)
        last = f"return {bare(body.text(result))}"
        names = ", ".join(row.function.__code__.co_varnames[: row.arity])
        lines = [f'"""{summary(row)}"""', *body.lines, last]
        return "\n".join([f"def {row.name}({names}):", *[f"    {line}" for line in lines]])


def _may_raise(operation: Any, y: str) -> bool:
    """Whether an operator may raise at this second operand."""
    divisor = y.lstrip("-")
    safe = divisor[0].isdigit() and float(divisor) != 0.0
    return operation is primitives.pow or (operation is primitives.div and not safe)


def _guarded(row: Primitive, name: str) -> str:
    """A function that does not raise."""
    error, result = _SINGULAR[row.name]
    names = row.function.__code__.co_varnames[: row.arity]
    value = f"math.{row.name}({', '.join(names)})" if row.elementary else "x / y"
    return (
        f"def {name}({', '.join(names)}):\n    try:\n        return {value}\n"
        f"    except {error}:\n        return {result}"
    )


class _Body(Body):
    """The statements of a composite row, in Python."""

    def __init__(self, writer: _Python, result: Expression) -> None:
        super().__init__(result)
        self._writer = writer

    def leaf(self, x: Any) -> str:
        constant = x.constant if isinstance(x, Expression) else x
        return str(x.name) if constant is None else self._writer.literal(constant)

    def call(self, operation: Any, operands: Sequence[str]) -> str:
        return self._writer.call(operation, operands)

    def _keep(self, key: str, kind: str, text: str) -> str:
        name = self._known[key] = f"t{len(self._known)}"
        self.lines.append(f"{name} = {bare(text)}")
        return name

    def _loop(self, key: str, element: str, step: str) -> None:
        name = self._keep(key, "", element.replace("[i]", "[0]"))
        xs = re.split(r"\W", element.partition("[i]")[0])[-1]
        self.lines.append(f"for i in range(1, len({xs})):")
        self.lines.append(f"    {name} = {bare(step.replace('$total', name))}")


# --- C --------------------------------------------------------------------------------------------


class _C(Writer):
    language, mark = C, "//"

    def text(self) -> str:
        loads = [
            f"    const double {self.inputs[i]} = in[{i}];"
            for i in self.lines
            if i < len(self.inputs)
        ]
        outputs = map(self.operand, self.program.outputs)
        stores = [f"    out[{k}] = {name};" for k, name in enumerate(outputs)]
        parts = [loads or ["    (void)in;"], list(self.statements()), stores or ["    (void)out;"]]
        body = "\n\n".join("\n".join(part) for part in parts if part)
        helpers = "".join(f"{helper}\n\n" for helper in self.helpers.values())
        lengths = "#include <stddef.h>\n" if "ptrdiff_t" in helpers else ""
        return (
            f"{self._layout()}#include <math.h>\n{lengths}\n{helpers}"
            f"void {self.name}(const double *in, double *out)\n{{\n{body}\n}}\n"
        )

    def _layout(self) -> str:
        """The comment that says what it is, and where the numbers are."""
        inputs, last = self.program.inputs, len(self.program.outputs) - 1
        rows = [*self._places(inputs), (f"out[{_span(0, last)}]", "the results, in order")]
        width = max(len(place) for place, _ in rows)
        table = [f" *   {place:<{width}}  {what}".rstrip() for place, what in rows]
        return "\n".join(
            [
                f"/* {self.title}: {counted(len(inputs))} in, {last + 1} out.",
                " *",
                *table,
                " *",
                " * Straight-line C99 made by autograd_engine. It allocates nothing, and `in` and",
                " * `out` may overlap. A comment says which line of the original this one, and",
                " * those below it, come from. For the bits of the original, compile with",
                " * -ffp-contract=off, and never with -ffast-math.",
                " */\n",
            ]
        )

    def _places(self, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The inputs, an array in one line."""
        for _, together in itertools.groupby(enumerate(labels), lambda pair: group(pair[1])):
            found = list(together)
            first, last = found[0], found[-1]
            if is_array([label for _, label in found]):
                yield (
                    f"in[{_span(first[0], last[0])}]",
                    f"{remark(first[1], C)} .. {remark(last[1], C)}",
                )
            else:
                yield from ((f"in[{i}]", remark(label, C)) for i, label in found)

    def start(self, name: str, step: int, steps: int) -> str:
        kind = "" if step else "double " if steps > 1 else "const double "
        return f"    {kind}{name} = "

    def statement(self, start: str, text: str, comment: str) -> Iterator[str]:
        comment = comment.replace(" ", "\0")  # not to be broken
        yield from filled(f"{text};{comment}", start)

    def literal(self, x: float) -> str:
        return literal(x)

    def call(self, operation: Any, operands: Sequence[str]) -> str:
        if isinstance(operation, NaryPrimitive):
            arrays = [f"(const double[]){{{x}}}" for x in lists(operation, operands)]
            operands = [str(len(operands) // operation.arity), *arrays]
        return self._resolved(call(operation, operands))

    def _resolved(self, text: str) -> str:
        """With the functions of math.h called by their names; others become helpers."""
        text = re.sub(r"\((\((?:[^()]|\([^()]*\))*\))\)", r"\1", text)  # ((x - y)) is (x - y)
        return re.sub(r"\bae_(\w+)\(", lambda found: f"{self._function(TABLE[found[1]])}(", text)

    def _function(self, row: Primitive) -> str:
        if row.elementary:
            return row.elementary.on_floats.__name__
        if row not in self.helpers:
            head, _, body = primal(row).partition("\n")
            body = self._resolved(body)  # first, so that what it calls stands before it
            self.helpers[row] = f"// {summary(row)}\n{head}\n{body}"
        return f"ae_{row.name}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}..{last}"


_LANGUAGES: Mapping[str, type[Writer]] = {"python": _Python, "c": _C}
