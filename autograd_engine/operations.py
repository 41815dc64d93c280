"""One operation on formulas: infix with parentheses where they are needed, calls, LaTeX of rows."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any, TypeVar

from autograd_engine import primitives
from autograd_engine.expression import INFIX
from autograd_engine.notation import ATOM, CHOICE, POWER, PRODUCT, SUM, Formula, constant
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.tape import COMPARISONS

__all__ = ["LONGEST_FORMULA", "operation_on", "shown_of"]

LONGEST_FORMULA = 80
FEW, FEWEST = 6, 3  # operands that are written out; of more the first and the last ones

_LEVELS = {"**": POWER, "*": PRODUCT, "/": PRODUCT, "+": SUM, "-": SUM}

T = TypeVar("T")


def shown_of(row: Primitive, operands: Sequence[T]) -> Sequence[T]:
    """The operands that are written out, and enough others for it to be seen that there are."""
    n = len(operands) // row.arity
    if n <= FEW + 1 or not isinstance(row, NaryPrimitive):
        return operands
    lists = [operands[k * n : (k + 1) * n] for k in range(row.arity)]
    return [x for xs in lists for x in [*xs[:FEW], xs[-1]]]


def operation_on(operation: Any, operands: Sequence[Formula]) -> Formula:
    """An operation on formulas."""
    if operation is primitives.square:  # x**2 reads better than square(x)
        operation, operands = primitives.pow, (*operands, constant(2.0))
    sign = INFIX.get(operation) or COMPARISONS.get(operation)
    if sign:
        return _infix(operation, sign, *operands)
    if operation is primitives.neg:
        inner = operands[0].within(PRODUCT)
        return Formula(f"-{inner.text}", f"-{inner.latex}", SUM, SUM)
    if isinstance(operation, NaryPrimitive):
        return _of_many(operation, operands)
    if operation is primitives.exp_difference:  # a share of softmax, said with known operations
        return operation_on(primitives.exp, [operation_on(primitives.sub, operands)])
    text = f"{operation.name}({', '.join(x.text for x in operands)})"
    latex, level = _from_template(operation, operands)
    return Formula(text, latex, ATOM, level)


def _infix(operation: Any, sign: str, left: Formula, right: Formula) -> Formula:
    level = _LEVELS.get(sign, CHOICE)
    strict = ATOM if level == POWER else level
    a, b = left.within(strict), right.within(level - 1)
    if level == CHOICE:
        return Formula(f"{a.text} {sign} {b.text}", f"{a.latex} {sign} {b.latex}", level, level)
    space = " " if level == SUM else ""
    if operation is primitives.div:  # a fraction groups by itself
        a_latex, b_latex, latex_level = left.latex, right.latex, POWER
    else:
        b_latex = right.latex if operation is primitives.pow else b.latex
        a_latex, latex_level = a.latex, level
    latex = operation.latex.format(a_latex, b_latex)
    return Formula(f"{a.text}{space}{sign}{space}{b.text}", latex, level, latex_level)


def _of_many(row: NaryPrimitive, operands: Sequence[Formula]) -> Formula:
    n = len(operands) // row.arity
    lists = [operands[k * n : (k + 1) * n] for k in range(row.arity)]
    text = _call(row, lists, FEW)
    if len(text) > LONGEST_FORMULA:
        text = _call(row, lists, FEWEST)
    if row is primitives.dot:
        terms = [_infix(primitives.mul, "*", w, x).latex for w, x in zip(*lists, strict=True)]
        latex = " + ".join(_few(terms, r"\ldots"))
    elif row is primitives.sum:
        latex = " + ".join(_few([x.within(PRODUCT).latex for x in operands], r"\ldots"))
    else:
        inside = ";\\ ".join(", ".join(_few([x.latex for x in xs], r"\ldots")) for xs in lists)
        name = row.name.replace("_", r"\_")
        return Formula(text, rf"\operatorname{{{name}}}({inside})")
    return Formula(text, latex, ATOM, SUM)


def _call(row: Primitive, lists: Sequence[Sequence[Formula]], most: int) -> str:
    texts = [f"[{', '.join(_few([x.text for x in xs], '...', most))}]" for xs in lists]
    return f"{row.name}({', '.join(texts)})"


def _few(texts: list[str], dots: str, most: int = FEW) -> list[str]:
    return texts if len(texts) <= most else [*texts[: most - 2], dots, texts[-1]]


def _from_template(row: Primitive, operands: Sequence[Formula]) -> tuple[str, int]:
    """A row's own LaTeX, with parentheses around operands that would be misread; and its level."""
    latex, outside = "", ""
    for literal, field, _, _ in string.Formatter().parse(row.latex):
        latex, outside = latex + literal, outside + _outside(latex, literal)
        if field is None:
            continue
        x = operands[int(field)]
        if _depth(latex):
            latex += x.within(PRODUCT if latex.endswith("- ") else CHOICE).latex
        elif re.fullmatch(r"\\[\\\w{}]+ ", latex):  # \tanh x: it must be clear where it ends
            latex = f"{latex.rstrip()}({x.latex})"
        else:
            latex, outside = latex + x.within(ATOM).latex, f"{outside}x"
    return latex, _level_of_template(outside)


def _depth(latex: str) -> int:
    """How many groups are open at the end of it."""
    opened = sum(latex.count(c) for c in "({") - sum(latex.count(c) for c in ")}")
    return opened + latex.count("|") % 2


def _outside(before: str, literal: str) -> str:
    """The part of a template that is in no group."""
    return "".join([c for i, c in enumerate(literal) if not _depth(before + literal[: i + 1])])


def _level_of_template(outside: str) -> int:
    if "?" in outside:
        return CHOICE
    if re.search(" [+-] ", outside):
        return SUM
    return PRODUCT if "x " in outside else POWER if "^" in outside else ATOM
