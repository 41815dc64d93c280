"""How numbers and labels are written: what reads as zero is zero, and no label breaks a line."""

from __future__ import annotations

import math
import random

import pytest

from autograd_engine.wording import LONGEST_LABEL, abridged, number, printable, short, signed


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (1e-300, "1.000e-300"),
        (5e-324, "4.941e-324"),
        (-4.9e-5, "-4.900e-05"),
        (0.00099999, "1.000e-03"),
        (0.001, "0.0010"),
        (-0.5, "-0.5000"),
        (999999.0, "999999.0000"),
        (1e6, "1.000e+06"),
        (-1e300, "-1.000e+300"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_number_has_four_decimals_in_the_usual_range_and_is_scientific_outside(
    x: float, text: str
) -> None:
    assert number(x) == text


def test_number_reads_as_zero_only_where_it_is() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        x = rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-320, 300)
        if x == 0.0:
            continue
        assert float(number(x)) != 0.0
        assert float(number(x)) == pytest.approx(x, rel=0.06)
        assert math.copysign(1.0, float(number(x))) == math.copysign(1.0, x)


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.5, "+0.5000"), (-0.5, "-0.5000"), (0.0, "0.0000"), (-0.0, "0.0000"), (math.nan, "nan")],
)
def test_signed_gives_both_signs_and_none_to_zero(x: float, text: str) -> None:
    assert signed(x) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (2.0, "2"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e5, "100000"),
        (1e300, "1e+300"),
        (2.5e-7, "2.5e-07"),
        (1 / 3, "0.3333"),
        (1e-5 / 3, "3.333e-06"),
        (1.0000001, "1.0000"),
        (0.50000001, "0.5000"),
        (0.1 + 0.2, "0.3"),
        (0.12999999, "0.1300"),
        (0.05000001, "0.05000"),
        (1000000.5, "1.000e+06"),
        (2e10, "2e+10"),
        (-0.25000001, "-0.2500"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_short_is_exact_where_that_is_short(x: float, text: str) -> None:
    assert short(x) == text


def test_short_is_exact_or_shows_four_digits() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        x = round(rng.uniform(-1.0, 1.0), rng.randrange(1, 9)) * 10.0 ** rng.randrange(-5, 8)
        text = short(x)
        digits = text.split("e")[0].lstrip("-0.").replace(".", "")
        assert float(text) == pytest.approx(x, rel=1e-12) or len(digits) >= 4
        assert float(text) == pytest.approx(x, rel=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "\x00\x07\x1b[31m\x7f\x85",
        "\ud800\udfff",
        "a\nb\r\tc",
        "\u202egnp\u202c\u2066",
        "\ufffe\uffff",
    ],
    ids=["control", "surrogates", "lines", "direction", "noncharacters"],
)
def test_printable_has_neither_control_characters_nor_halves_of_characters(text: str) -> None:
    found = printable(text)
    assert found.isprintable() and len(found) == len(text)
    found.encode()


def test_printable_keeps_what_can_be_printed() -> None:
    text = "x₁ <b>\"q\" & 'p' {|} שלום 漢字 \U0001f600"
    assert printable(text) == text


@pytest.mark.parametrize("length", [LONGEST_LABEL - 1, LONGEST_LABEL])
def test_printable_keeps_all_of_a_short_label(length: int) -> None:
    assert printable("a" * length) == "a" * length


@pytest.mark.parametrize("length", [LONGEST_LABEL + 1, 10_000])
def test_printable_shortens_a_long_label_and_says_so(length: int) -> None:
    assert printable("a" * length) == "a" * (LONGEST_LABEL - 1) + "…"
    assert printable("a" * length, 5) == "aaaa…"


@pytest.mark.parametrize("length", [LONGEST_LABEL + 1, 10_000])
def test_abridged_keeps_both_ends(length: int) -> None:
    found = abridged("a" * (length // 2) + "b" * (length - length // 2))
    assert found == "a" * (LONGEST_LABEL // 2) + "…" + "b" * (LONGEST_LABEL // 2 - 1)
    assert abridged("abcdefgh", 5) == "ab…gh" and abridged("abcdefgh", 4) == "ab…h"


@pytest.mark.parametrize("length", [0, 1, LONGEST_LABEL])
def test_abridged_keeps_all_of_a_short_label(length: int) -> None:
    assert abridged("a" * length) == "a" * length
    assert abridged("\x00\n") == "  "
