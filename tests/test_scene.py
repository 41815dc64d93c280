"""The picture that a stepper changes: well-formed, inside its frame, the same every time."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from test_sequence import HOSTILE, expression, neuron
from test_storyboard import batch, small_model

from autograd_engine import RenderError, Value, dot, named_scope, rendering, tanh
from autograd_engine import sum as summed
from autograd_engine.layout import layout
from autograd_engine.scene import Scene, scene_of, sign_class
from autograd_engine.themes import THEMES
from nn import MLP

SVG = "{http://www.w3.org/2000/svg}"


def scene(output: Value, direction: str = "LR", theme: str = "light", most: int = 200) -> Scene:
    return scene_of(output, names=None, theme=theme, direction=direction, most=most)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


class Box(NamedTuple):
    """A rectangle by its corners."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: Box) -> bool:
        across = self.x0 < other.x1 and other.x0 < self.x1
        return across and self.y0 < other.y1 and other.y0 < self.y1

    def inside(self, other: Box) -> bool:
        return (
            self.x0 >= other.x0 and self.y0 >= other.y0
            and self.x1 <= other.x1 and self.y1 <= other.y1
        )  # fmt: skip


def frame_of(root: ElementTree.Element) -> Box:
    """What is seen of the picture, in the coordinates of what is drawn."""
    x, y, width, height = map(float, root.get("viewBox", "").split())
    shift = re.fullmatch(r"translate\((.+),(.+)\)", root.find(f"{SVG}g").get("transform", ""))  # type: ignore[union-attr]
    assert shift is not None
    left, top = float(shift[1]), float(shift[2])
    return Box(x - left, y - top, x - left + width, y - top + height)


def cards_of(root: ElementTree.Element) -> Iterator[Box]:
    for group in root.iter(f"{SVG}g"):
        if group.get("data-c") is not None:
            x, y, w, h = (
                float(group.find(f"{SVG}rect").get(k, "")) for k in ("x", "y", "width", "height")
            )  # type: ignore[union-attr]
            yield Box(x, y, x + w, y + h)


def texts_of(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [t for t in root.iter(f"{SVG}text") if kind in t.get("class", "").split()]


def width_of(text: str, size: float = 11.0) -> float:
    """In bold Helvetica, by its metrics: digits, signs, spaces, letters on average."""
    widths = (
        dict.fromkeys(" .,", 0.278) | dict.fromkeys("-()", 0.333) | dict.fromkeys("+=×±", 0.584)
    )
    return size * sum(widths.get(c, 0.556) for c in text)


def arithmetic_of(found: Scene) -> Iterator[list[Box]]:
    for frame in found.storyboard.frames:
        yield [
            Box(x - width_of(text) / 2, y - 9.0, x + width_of(text) / 2, y + 3.0)
            for x, y, text in found.arithmetic(frame)
        ]


def huge() -> Value:
    x = Value(-1.2345e-100, label="x")
    return x * Value(-1.3e-101) * Value(-2.5e-100)


OUTPUTS = {
    "neuron": neuron,
    "leaf": lambda: Value(1.0, label="x"),
    "small numbers": huge,
    "one operand six times": lambda: summed([Value(2.0, label="x")] * 6),
    "two equal operands": lambda: (x := Value(2.0, label="x")) * x,
    "dot": lambda: tanh(dot([Value(1.0), Value(2.0)], [Value(-3.0), Value(4.0)]) + 1.0),
    "random": lambda: expression(11),
    "network": lambda: MLP(2, [3, 1], activation="tanh", rng=0)([0.5, -1.0]),
    "groups": lambda: batch(MLP(2, [16, 16, 1], rng=0), 5),
    "groups by depth": lambda: summed([Value(float(i)) * 2.0 for i in range(300)]),
}
every_output = pytest.mark.parametrize("name", OUTPUTS)


@functools.cache
def scene_of_output(name: str, direction: str = "LR", most: int = 200) -> Scene:
    """A scene is not changed by what is made from it, so one does for all tests."""
    return scene(OUTPUTS[name](), direction, most=most)


both_directions = pytest.mark.parametrize("direction", ["LR", "TB"])


# --- what is in it -------------------------------------------------------


@every_output
def test_every_card_arrow_and_text_is_drawn_and_can_be_found(name: str) -> None:
    found = scene_of_output(name)
    root, board = parsed(found.svg()), found.storyboard
    cards = {g.get("data-c"): g for g in root.iter(f"{SVG}g") if g.get("data-c") is not None}
    arrows = [g for g in root.iter(f"{SVG}g") if g.get("data-e") is not None]
    assert list(cards) == [str(i) for i in range(len(board.cards))]
    assert [g.get("data-e") for g in arrows] == [str(i) for i in range(len(board.links))]
    assert all([part.tag for part in g] == [f"{SVG}path", f"{SVG}polygon"] for g in arrows)
    for i, card in enumerate(board.cards):
        group = cards[str(i)]
        rows = [t.get("data-r") for t in group.iter(f"{SVG}text") if t.get("data-r") is not None]
        assert rows == [str(row) for row in range(len(card.rows))]
        assert group.find(f"{SVG}title").text == card.tip  # type: ignore[union-attr]
        assert card.title in [t.text for t in group.iter(f"{SVG}text")]


@every_output
def test_picture_shows_the_state_after_the_last_step(name: str) -> None:
    found = scene_of_output(name)
    root = parsed(found.svg())
    shown = {
        (int(group.get("data-c", "")), int(text.get("data-r", ""))): text.text or ""
        for group in root.iter(f"{SVG}g")
        if group.get("data-c") is not None
        for text in group.iter(f"{SVG}text")
        if text.get("data-r") is not None
    }
    ends = found.storyboard.changes()
    assert shown == {place: changes[-1][1] for place, changes in ends.items()}


def test_gradients_have_the_colour_of_their_sign() -> None:
    root = parsed(scene(neuron()).svg())
    kinds = {t.text: t.get("class") for t in root.iter(f"{SVG}text") if t.get("data-r") == "1"}
    assert kinds["-2.3593"] == "n neg" and kinds["+1.5729"] == "n pos"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("+0.5000", " pos"), ("-1.000e-09", " neg"), ("0.0000", ""), ("nan", ""), ("-inf", " neg")],
)
def test_sign_decides_the_class(text: str, kind: str) -> None:
    assert sign_class(text) == kind


@every_output
def test_picture_has_a_role_a_title_and_a_description(name: str) -> None:
    found = scene_of_output(name)
    root = parsed(found.svg())
    assert root.get("role") == "img"
    assert [part.tag for part in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == found.storyboard.title
    cards = sum(bool(card.rows) for card in found.storyboard.cards)
    assert f"{cards} cards" in (root[1].text or "")
    assert found.storyboard.note in (root[1].text or "")


@pytest.mark.parametrize("theme", THEMES)
def test_theme_gives_the_colours_and_its_rules_hold_inside_it_only(theme: str) -> None:
    root = parsed(scene(neuron(), theme=theme).svg())
    (style,) = (element.text or "" for element in root.iter(f"{SVG}style"))
    colors = THEMES[theme]
    for color in (colors.ink, colors.output, colors.negative, colors.current, colors.receiving):
        assert color in style
    assert root.get("class") == f"ae-{theme}"
    for rule in re.findall(r"([^{}]+)\{", style):
        assert all(part.startswith(f".ae-{theme} ") for part in rule.split(",")), rule


@every_output
def test_nothing_is_fetched_and_nothing_runs(name: str) -> None:
    svg = scene_of_output(name).svg()
    assert re.findall(r"https?:[^\"' )]*", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|url\((?!#)|@import|<script|<image|<foreignObject|\bon\w+=", svg)
    tags = {element.tag.removeprefix(SVG) for element in parsed(svg).iter()}
    assert tags <= {
        "svg",
        "title",
        "desc",
        "style",
        "defs",
        "marker",
        "g",
        "path",
        "polygon",
        "rect",
        "text",
    }


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("most", [200, 25], ids=["nodes", "groups"])
def test_any_label_makes_a_well_formed_picture(label: str, most: int) -> None:
    benign, hostile = (scene(named(text), most=most).svg() for text in ("x", label))
    tags = [element.tag for element in parsed(hostile).iter()]
    assert tags == [element.tag for element in parsed(benign).iter()]
    assert len(hostile) < len(benign) + 6000
    hostile.encode()


def named(label: str) -> Value:
    """The same graph with every name being this one; by nodes 13 steps, by groups fewer."""
    x = Value(2.0, label=label)
    with named_scope(label), named_scope(label):
        y = x * Value(3.0, label=label)
        for _ in range(14):
            y = tanh(y + x)
    y.label = label
    return y


# --- where it is ---------------------------------------------------------


@every_output
@both_directions
def test_cards_do_not_overlap_and_nothing_is_outside(name: str, direction: str) -> None:
    root = parsed(scene_of_output(name, direction).svg())
    frame, cards = frame_of(root), list(cards_of(root))
    assert all(card.inside(frame) for card in cards)
    assert not any(a.meets(b) for a, b in itertools.combinations(cards, 2))
    for path in root.iter(f"{SVG}path"):
        assert all(Box(x, y, x, y).inside(frame) for x, y in on_curve(points_in(path.get("d", ""))))
    for head in root.iter(f"{SVG}polygon"):
        for x, y in points_in(head.get("points", "")):
            assert Box(x, y, x, y).inside(frame)


def points_in(words: str) -> list[tuple[float, float]]:
    numbers = [float(x) for x in re.findall(r"-?[\d.]+", words)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def on_curve(points: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Points on cubic Bézier curves; what steers them may lie outside."""
    for i in range(0, len(points) - 1, 3):
        a, b, c, d = points[i : i + 4]
        for t in (0.0, 0.25, 0.5, 0.75, 1.0):
            w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (
                sum(k * p[axis] for k, p in zip(w, (a, b, c, d), strict=True)) for axis in (0, 1)
            )
            yield x, y


@every_output
@both_directions
@pytest.mark.parametrize("moving", [False, True], ids=["page", "film"])
def test_arithmetic_is_inside(name: str, direction: str, moving: bool) -> None:
    found = scene_of_output(name, direction)
    frame = frame_of(parsed(found.svg(moving=moving)))
    for boxes in arithmetic_of(found):
        assert all(box.inside(frame) for box in boxes)


@pytest.mark.parametrize("name", ["neuron", "dot", "network", "two equal operands", "random"])
@both_directions
def test_arithmetic_can_be_read_side_by_side(name: str, direction: str) -> None:
    for boxes in arithmetic_of(scene_of_output(name, direction)):
        assert not any(a.meets(b) for a, b in itertools.combinations(boxes, 2))


@every_output
def test_texts_fit_on_their_cards_in_every_step(name: str) -> None:
    found = scene_of_output(name)
    longest = {
        place: max(width_of(text) for _, text in changes)
        for place, changes in found.storyboard.changes().items()
    }
    for (card, row), width in longest.items():
        row_name = found.storyboard.cards[card].rows[row][0]
        assert width + width_of(row_name) <= found.sizes[card][0] - 12.0
    for card, (width, _) in zip(found.storyboard.cards, found.sizes, strict=True):
        assert width_of(card.title) <= width


@pytest.mark.parametrize("label", ["漢字" * 12, "\U0001f600" * 24, "a" * 100])
def test_wide_titles_make_wide_cards(label: str) -> None:
    found = scene(Value(1.0, label=label) * 2.0)
    wide = 11.0 if ord(label[0]) > 255 else 6.2
    assert found.sizes[0][0] >= wide * len(found.storyboard.cards[0].title)


def test_results_are_right_of_their_operands_or_below() -> None:
    for direction, side in (("LR", 0), ("TB", 1)):
        found = scene(expression(5), direction)
        for a, b in found.storyboard.links:
            assert found.layout.corners[a][side] < found.layout.corners[b][side]


@pytest.mark.parametrize("direction", ["RL", "lr", "", "LR;bgcolor=red"])
def test_other_directions_are_refused(direction: str) -> None:
    with pytest.raises(ValueError, match="'LR' or 'TB'"):
        scene(neuron(), direction)


def test_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown theme 'neon'"):
        scene(neuron(), theme="neon")


def test_the_same_input_gives_the_same_picture_in_every_process() -> None:
    program = (
        "import hashlib, test_scene as t\n"
        "print([hashlib.sha256(t.scene(t.OUTPUTS[n](), most=m).svg().encode()).hexdigest()"
        " for n, m in (('random', 200), ('network', 25))])"
    )
    seeds = {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | seeds, capture_output=True, text=True
    )
    here = [
        hashlib.sha256(scene(OUTPUTS[name](), most=most).svg().encode()).hexdigest()
        for name, most in (("random", 200), ("network", 25))
    ]
    assert done.stdout.strip() == str(here), done.stderr


# --- layout --------------------------------------------------------------


def test_boxes_keep_their_sizes_and_order() -> None:
    sizes = [(100.0, 50.0), (30.0, 30.0), (200.0, 20.0), (100.0, 50.0)]
    found = layout(sizes, [(0, 1), (1, 2), (0, 3), (0, 1)])
    assert (len(found.corners), len(found.links)) == (4, 4)
    boxes = [Box(x, y, x + w, y + h) for (x, y), (w, h) in zip(found.corners, sizes, strict=True)]
    assert not any(a.meets(b) for a, b in itertools.combinations(boxes, 2))
    left, top = found.shift
    for box in boxes:
        assert box.inside(Box(-left, -top, found.width - left, found.height - top))


def test_one_box_needs_no_arrow() -> None:
    found = layout([(100.0, 50.0)], [])
    assert found.links == [] and found.width == pytest.approx(108.0, abs=1.0)


def test_arrow_points_from_box_to_box() -> None:
    found = layout([(100.0, 50.0), (100.0, 50.0)], [(1, 0)])
    start = float(re.match(r"M(-?[\d.]+)", found.links[0].path)[1])  # type: ignore[index]
    tip = max(float(pair.split(",")[0]) for pair in found.links[0].head.split())
    assert start == pytest.approx(found.corners[1][0] + 100.0, abs=2.0)
    assert tip == pytest.approx(found.corners[0][0], abs=2.0)


def test_an_older_graphviz_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    svg = b"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<!-- Generated by graphviz version 2.43.0 (0) -->
<svg width="116pt" height="44pt" viewBox="0.00 0.00 116.00 44.00"
 xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
<g id="graph0" class="graph" transform="scale(1 1) rotate(0) translate(4 40)">
<polygon fill="white" stroke="transparent" points="-4,4 -4,-40 112,-40 112,4 -4,4"/>
<g id="n0" class="node"><title>n0</title>
<polygon fill="none" stroke="black" points="36,-36 0,-36 0,0 36,0 36,-36"/></g>
<g id="n1" class="node"><title>n1</title>
<polygon fill="none" stroke="black" points="108,-36 72,-36 72,0 108,0 108,-36"/></g>
<g id="e0" class="edge"><title>n0&#45;&gt;n1</title>
<path fill="none" stroke="black" d="M36.3,-18C46,-18 54,-18 64,-18"/>
<polygon fill="black" stroke="black" points="64.5,-20.5 71.5,-18 64.5,-15.5 64.5,-20.5"/></g>
</g></svg>"""
    monkeypatch.setattr(rendering, "dot_bytes", lambda source, format: svg)
    found = layout([(36.0, 36.0)] * 2, [(0, 1)])
    assert (found.width, found.height, found.shift) == (116.0, 44.0, (4.0, 40.0))
    assert found.corners == [(0.0, -36.0), (72.0, -36.0)]
    assert found.links == [
        ("M36.3,-18C46,-18 54,-18 64,-18", "64.5,-20.5 71.5,-18 64.5,-15.5 64.5,-20.5")
    ]


def test_missing_engine_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_ENGINE_DOT", "/nowhere/dot")
    with pytest.raises(RenderError, match="install Graphviz"):
        scene(neuron())


def test_wide_networks_are_laid_out_in_time() -> None:
    found = scene(MLP(4, [24, 24, 1], rng=0)([0.1] * 4))
    assert len(found.storyboard.links) > 500
    assert len(found.layout.links) == len(found.storyboard.links)


def test_small_model_is_shown_whole() -> None:
    assert "folded" not in scene(small_model()([0.5, -1.0])).storyboard.note
