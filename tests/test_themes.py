"""Themes: colours that can be read on each other, also by those who see fewer of them."""

from __future__ import annotations

import dataclasses
import re

import pytest

from autograd_engine.kinds import KINDS
from autograd_engine.themes import THEMES, Theme, theme

every_theme = pytest.mark.parametrize("colors", THEMES.values(), ids=list(THEMES))


def channels(color: str) -> list[float]:
    """Red, green and blue as amounts of light."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio of contrast, from 1 to 21."""
    weights = (0.2126, 0.7152, 0.0722)
    light = [sum(w * x for w, x in zip(weights, channels(c), strict=True)) for c in (one, other)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def as_seen_without_red_cones(color: str) -> list[float]:
    """Protanopia: Vienot, Brettel and Mollon, 1999, in linear RGB."""
    r, g, b = channels(color)
    return [0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b]


def as_seen_without_green_cones(color: str) -> list[float]:
    """Deuteranopia, from the same source."""
    r, g, b = channels(color)
    return [0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b]


@every_theme
def test_every_colour_is_one(colors: Theme) -> None:
    for field, color in dataclasses.asdict(colors).items():
        if field != "name":
            assert re.fullmatch("#[0-9A-F]{6}", color), field


def test_themes_are_found_by_their_names() -> None:
    assert set(THEMES) == {"light", "dark", "colorblind"}
    assert all(theme(name).name == name for name in THEMES)


@pytest.mark.parametrize("name", ["", "Light", "neon", "light "])
def test_unknown_theme_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown theme .*light, dark, colorblind"):
        theme(name)


@every_theme
def test_text_can_be_read_on_every_card_and_on_the_background(colors: Theme) -> None:
    for ground in (*KINDS, "operation", "background"):
        assert contrast(colors.ink, getattr(colors, ground)) >= 7.0, ground


@every_theme
@pytest.mark.parametrize(("text", "least"), [("positive", 4.0), ("negative", 4.5), ("muted", 4.5)])
def test_small_texts_can_be_read_on_every_card(colors: Theme, text: str, least: float) -> None:
    for ground in KINDS:
        assert contrast(getattr(colors, text), getattr(colors, ground)) >= least, ground


@every_theme
@pytest.mark.parametrize("mark", ["current", "receiving"])
def test_marks_stand_out_from_the_background_and_from_lines(colors: Theme, mark: str) -> None:
    assert contrast(getattr(colors, mark), colors.background) >= 3.0
    assert getattr(colors, mark) != colors.line


def test_signs_differ_for_the_colourblind() -> None:
    colors = theme("colorblind")
    for seen in (as_seen_without_red_cones, as_seen_without_green_cones):
        one, other = seen(colors.positive), seen(colors.negative)
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.2


def test_every_kind_of_card_has_a_colour_of_its_own() -> None:
    for colors in THEMES.values():
        assert len({getattr(colors, kind) for kind in KINDS}) == len(KINDS)
