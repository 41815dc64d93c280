"""Pictures: what they show, what they fold or refuse, and labels with any character."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import math
import os
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import graphviz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_engine import (
    Graph,
    RenderError,
    Value,
    compile,
    draw,
    draw_dot,
    jvp,
    logsumexp,
    maximum,
    mean,
    named_scope,
    tanh,
)
from autograd_engine import sum as sum_of
from autograd_engine.drawing import FORMATS, write
from autograd_engine.themes import theme
from nn import MLP

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


class Picture:
    """An SVG as its nodes (cards v..., operators o..., notes c..., groups g...), edges, texts."""

    def __init__(self, svg: str | bytes) -> None:
        root = ET.fromstring(svg)
        self.texts = _texts(root)
        self.nodes, self.edges = (
            {part[0].text or "": _texts(part) for part in root.iter() if part.get("class") == kind}
            for kind in ("node", "edge")
        )
        self.clusters = [_texts(part)[0] for part in root.iter() if part.get("class") == "cluster"]
        self.number_of_edges = sum(part.get("class") == "edge" for part in root.iter())

    def of_kind(self, kind: str) -> list[list[str]]:
        return [texts for name, texts in self.nodes.items() if name.startswith(kind)]


def _texts(part: ET.Element) -> list[str]:
    found = [element.text or "" for element in part.iter() if element.tag.endswith("}text")]
    return [text.replace("\xa0", " ").strip() for text in found]


def picture(value: Any, **options: Any) -> Picture:
    return Picture(draw(value, "graph.svg", **options).read_bytes())


def neuron() -> tuple[Value, Value, Value, Value]:
    x, w, b = Value(2.0, label="x"), Value(-3.0, label="w"), Value(5.0, label="b")
    output = tanh(x * w + b)
    output.label = "output"
    return output, x, w, b


def chain(n: int) -> Value:
    y = Value(1.0)
    for _ in range(n):
        y = y + 1.0
    return y


def processor_time() -> float:
    """Seconds of this process and the engines it ran: what else the machine does is left out."""
    return sum(os.times()[:4])


# --- what a picture shows ---------------------------------------------------------------


def test_every_value_is_a_card_and_every_operation_a_node() -> None:
    shown = picture(neuron()[0])
    assert shown.of_kind("o") == [["*"], ["+"], ["tanh"]]
    assert len(shown.of_kind("v")) == 6
    assert shown.number_of_edges == 5 + 3


def test_cards_show_label_data_and_gradient_with_its_sign() -> None:
    output, x, *_ = neuron()
    output.backward()
    cards = picture(output).of_kind("v")
    assert cards[0] == ["x", "data", "2.0000", "grad", f"{x.grad:.4f}"]
    assert cards[1] == ["w", "data", "-3.0000", "grad", "+0.8399"]
    assert cards[-1] == ["output", "data", "-0.7616", "grad", "+1.0000"]


def test_edges_show_the_local_derivative() -> None:
    edges = picture(neuron()[0]).edges
    slope = 1.0 - math.tanh(-1.0) ** 2
    assert edges["v0->o2"] == ["-3.0000"]
    assert edges["v1->o2"] == ["2.0000"]
    assert edges["v2->o4"] == ["1.0000"]
    assert edges["v4->o5"] == [f"{slope:.4f}"]
    assert edges["o5->v5"] == []


def test_operand_used_twice_has_two_edges() -> None:
    x = Value(3.0)
    shown = picture(x * x)
    assert shown.number_of_edges == 3
    assert shown.edges == {"v0->o1": ["3.0000"], "o1->v1": []}


def test_single_leaf_is_one_card() -> None:
    shown = picture(Value(2.0, label="x"))
    assert list(shown.nodes) == ["v0"]
    assert shown.edges == {}


def test_picture_before_backward_says_so_and_shows_no_zeros() -> None:
    output, *_ = neuron()
    shown = picture(output)
    assert all(card[-1] == "not yet" for card in shown.of_kind("v"))
    assert any("call .backward()" in text for text in shown.texts)
    output.backward()
    assert not any("no backward" in text for text in picture(output).texts)


def test_gradients_of_zero_are_shown_after_backward() -> None:
    x = Value(-1.0)
    y = x.relu()
    y.backward()
    assert picture(y).of_kind("v")[0] == ["data", "-1.0000", "grad", "0.0000"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0.0000"),
        (0.25, "0.2500"),
        (1e-3, "0.0010"),
        (1.5e-7, "1.500e-07"),
        (123456.0, "123456.0000"),
        (-2.5e9, "-2.500e+09"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_short_and_only_zero_is_shown_as_zero(number: float, shown: str) -> None:
    assert picture(Value(number)).of_kind("v")[0][:2] == ["data", shown]


@pytest.mark.parametrize(
    ("make", "operator"),
    [
        (lambda x: x * 3, "* 3"),
        (lambda x: 3 * x, "3 *"),
        (lambda x: 2**x, "2 **"),
        (lambda x: x**2, "** 2"),
        (lambda x: 1 - x, "1 -"),
        (lambda x: x / 0.5, "/ 0.5"),
        (lambda x: x * -1e-20, "* -1e-20"),
        (lambda x: x + math.inf, "+ inf"),
        (lambda x: maximum(x, 0), "max 0"),
        (lambda x: -x, "neg"),
        (lambda x: x + x, "+"),
    ],
)
def test_constant_stands_in_the_operator(make: Any, operator: str) -> None:
    shown = picture(make(Value(2.0, label="x")))
    assert shown.of_kind("o") == [[operator]]
    assert len(shown.of_kind("v")) == 2
    assert shown.of_kind("c") == []


@pytest.mark.parametrize(
    ("make", "operator", "notes"),
    [
        (lambda x: logsumexp([x, 2.0, 3.0]), "logsumexp", ["2.0000", "3.0000"]),
        (lambda x: sum_of([x, 1.0, -5.0]), "sum", ["1.0000", "-5.0000"]),
        (lambda x: mean([x, x, x]), "mean", []),
    ],
)
def test_constants_among_many_operands_are_notes(
    make: Any, operator: str, notes: list[str]
) -> None:
    shown = picture(make(Value(2.0)))
    assert shown.of_kind("o") == [[operator]]
    assert [text for (text,) in shown.of_kind("c")] == notes


def test_changed_data_is_marked_on_the_nodes_that_no_longer_follow() -> None:
    output, x, *_ = neuron()
    output.backward()
    warning = "data changed since forward"
    assert warning not in picture(output).texts
    x.data = 9.0
    assert [warning in card for card in picture(output).of_kind("v")] == [False] * 2 + [True] + [
        False
    ] * 3


def test_picture_is_the_same_text_each_time() -> None:
    assert draw_dot(neuron()[0]).source == draw_dot(neuron()[0]).source


# --- formats and files ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.svg", b"<?xml"),
        ("a.SVG", b"<?xml"),
        ("a.png", PNG),
        ("a.jpg", JPEG),
        ("a.jpeg", JPEG),
        ("a.dot", b"digraph {"),
        ("a.gv", b"digraph {"),
        ("a.b.png", PNG),
    ],
)
def test_ending_decides_the_format(name: str, start: bytes) -> None:
    path = draw(neuron()[0], name)
    assert path == Path(name)
    assert path.read_bytes().startswith(start)


def test_path_may_lie_in_a_directory_and_be_text_or_path() -> None:
    Path("sub").mkdir()
    assert draw(Value(1.0), Path("sub") / "a.svg").exists()
    assert draw(Value(1.0), "sub/b.svg").exists()


@pytest.mark.parametrize("name", ["a", "a.gif", "a.html", "a.", ".svg", "", "svg"])
def test_unknown_ending_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"does not end in a known format; choose one of \.svg"):
        draw(Value(1.0), name)
    assert list(Path().iterdir()) == []


def test_missing_directory_is_an_error_and_leaves_nothing() -> None:
    with pytest.raises(FileNotFoundError):
        draw(Value(1.0), "nowhere/a.svg")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("value", [3.0, None, "x", [], [3.0]])
def test_anything_but_a_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="expected a Value"):
        draw(value, "a.svg")
    assert list(Path().iterdir()) == []


def test_failed_drawing_keeps_an_older_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    path = draw(Value(1.0), "a.svg")
    before = path.read_bytes()
    monkeypatch.setenv("AUTOGRAD_ENGINE_DOT", "nowhere/dot")
    with pytest.raises(RenderError):
        draw(Value(2.0), path)
    assert path.read_bytes() == before


def test_no_path_gives_the_picture() -> None:
    assert draw(neuron()[0]).source == draw_dot(neuron()[0]).source


@pytest.mark.parametrize("ending", [name for name in FORMATS if name != "pdf"])
def test_every_ending_is_drawn(ending: str) -> None:
    output, *_ = neuron()
    output.backward()
    assert draw(output, f"graph.{ending}").stat().st_size > 100


# --- write ---------------------------------------------------------------


def test_write_takes_a_picture_bytes_or_text() -> None:
    assert write(draw(Value(1.0)), "a.PNG").read_bytes().startswith(PNG)
    assert write(b"\x00\xff", "a.bin").read_bytes() == b"\x00\xff"
    assert write("größe\n", Path("a.html")).read_bytes() == "größe\n".encode()
    assert sorted(path.name for path in Path().iterdir()) == ["a.PNG", "a.bin", "a.html"]


def test_write_draws_no_picture_as_a_page() -> None:
    with pytest.raises(ValueError, match="does not end in a known format"):
        write(draw(Value(1.0)), "a.html")


def test_write_keeps_the_older_file_where_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    write("old", "a.txt")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write("new", "a.txt")
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("a.txt", "old")]


# --- draw_dot ---------------------------------------------------------------


def test_draw_dot_is_a_graphviz_digraph() -> None:
    shown = draw_dot(neuron()[0])
    assert isinstance(shown, graphviz.Digraph)
    assert shown.source.startswith("digraph {")
    assert (shown.format, "rankdir=LR" in shown.source) == ("svg", True)


def test_draw_dot_takes_format_and_direction_by_position_as_in_the_lecture() -> None:
    shown = draw_dot(neuron()[0], "png", "TB")
    assert (shown.format, "rankdir=TB" in shown.source) == ("png", True)
    assert shown.pipe().startswith(PNG)


@pytest.mark.parametrize("rankdir", ["lr", "RL", "", None])
def test_unknown_direction_is_refused(rankdir: Any) -> None:
    with pytest.raises(ValueError, match="direction must be 'LR' or 'TB'"):
        draw_dot(Value(1.0), rankdir=rankdir)


@pytest.mark.parametrize("format", ["gif", "", "SVG", ".svg", None])
def test_unknown_format_is_refused(format: Any) -> None:
    with pytest.raises(ValueError, match="unknown format"):
        draw_dot(Value(1.0), format=format)


# --- labels ---------------------------------------------------------------

LABELS = [
    "<b>x</b>",
    "a<b",
    "<<x>>",
    "</TABLE>>",
    "a & b &amp; c",
    "{x|y}",
    'say "x"',
    "it's",
    "\\",
    "\\\\",
    "\\n",
    "\\N \\G \\L",
    "a\\",
    "x" * 40,
    "größe",
    "漢字",
    "😀",
    "∂L/∂x",
    "]]>",
    "%s {0}",
    "-->",
    "#",
]


@pytest.mark.parametrize("label", LABELS)
def test_label_is_shown_letter_by_letter(label: str) -> None:
    y = Value(1.0, label=label) * 2
    y.label = label
    shown = picture(y)
    assert [card[0] for card in shown.of_kind("v")] == [label, label]
    assert draw(y, "graph.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("label", LABELS)
def test_label_is_letter_by_letter_in_tooltips_too(label: str) -> None:
    root = ET.fromstring(draw(Value(1.0, label=label), "a.svg").read_bytes())
    tips = [part.get("{http://www.w3.org/1999/xlink}title") for part in root.iter()]
    assert f"output {label}: data=1.0, grad=0.0" in tips


@pytest.mark.parametrize("label", LABELS)
def test_label_is_shown_letter_by_letter_in_records(label: str) -> None:
    y = Value(1.0, label=label) * 2
    y.label = label
    for direction in ("LR", "TB"):
        shown = picture(y, style="records", direction=direction)
        assert [card[0] for card in shown.of_kind("v")] == [label, label]


@pytest.mark.parametrize("label", LABELS)
def test_scope_is_shown_letter_by_letter(label: str) -> None:
    with named_scope(label):
        y = Value(1.0) * 2
    (card,) = picture(y, fold="layer").of_kind("g")
    assert card[0] == label
    assert picture(y).clusters == [label]


@pytest.mark.parametrize(
    "label", ["two\nlines", "\r\n", "\t", "\0\x01\x1b[31m", "\x7f", "\u2028", "\ud800", "\u202e"]
)
def test_control_characters_are_blanks(label: str) -> None:
    expected = "".join(c if c.isprintable() else " " for c in label).strip()
    y = Value(1.0, label=label) * 2
    assert picture(y).of_kind("v")[0][0] == expected
    assert draw(y, "graph.png").read_bytes().startswith(PNG)


def test_long_label_is_cut_with_an_ellipsis() -> None:
    assert picture(Value(1.0, label="x" * 10_000)).of_kind("v")[0][0] == "x" * 39 + "…"


@settings(max_examples=25)
@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_any_text_makes_a_picture(label: str, scope: str) -> None:
    with named_scope(scope):
        y = Value(1.0, label=label) * 2
    y.label = label
    assert len(picture(y).of_kind("v")) == 2
    assert len(picture(y, style="records").of_kind("v")) == 2
    assert len(picture(y, fold="layer").of_kind("g")) == 1


# --- large graphs ---------------------------------------------------------------


def test_up_to_500_values_are_drawn_one_by_one() -> None:
    assert len(picture(chain(499)).of_kind("v")) == 500


def sharing(n: int) -> Value:
    """A chain in which every other step uses x."""
    y = x = Value(0.5, label="x")
    for i in range(n):
        y = y * 1.1 + x if i % 2 else y.tanh()
    return y


def tangle(n: int) -> Value:
    """A graph in which every value uses one that nothing uses yet, and any other."""
    choose = random.Random(1)
    values = [Value(choose.random(), label=f"x{i}") for i in range(20)]
    unused = list(values)
    while len(values) < n - 1:
        one, other = unused.pop(0), choose.choice(values)
        unused = [value for value in unused if value is not other]
        values.append(one * other if choose.random() < 0.5 else one + other)
        unused.append(values[-1])
    return sum_of(unused)


def loss_of_network() -> Value:
    model = MLP(3, [8, 8, 1], activation="tanh", rng=0)
    return mean([(model([0.1 * i, 0.5, -1.0]) - 1.0) ** 2 for i in range(4)])


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda: chain(499), 500),
        (lambda: sharing(330), 496),
        (lambda: tangle(500), 500),
        (loss_of_network, 322),
    ],
)
def test_five_hundred_values_are_drawn_quickly(make: Any, values: int) -> None:
    y = make()
    y.backward()
    assert len(Graph(y).nodes) == values
    start = processor_time()
    draw(y, "graph.svg")
    assert processor_time() - start < 1.5  # measured: 0.3 to 0.5 s
    assert len(Picture(Path("graph.svg").read_bytes()).of_kind("v")) == len(Graph(y).nodes)


@pytest.mark.parametrize("n", [500, 100_000])
def test_more_values_without_scopes_are_folded_by_depth_and_say_so(n: int) -> None:
    y = chain(n)
    start = processor_time()
    shown = picture(y)
    assert processor_time() - start < 6.0  # measured: 1.6 s
    assert 2 <= len(shown.of_kind("g")) <= 12
    words = f"{n + 1:,} values, folded by depth (above max_nodes=500; None draws them all)"
    assert any(text.endswith(words) for text in shown.texts)


def test_max_nodes_none_draws_them_all() -> None:
    assert len(picture(chain(520), max_nodes=None).of_kind("v")) == 521


def test_max_nodes_is_a_limit_of_the_callers_choice() -> None:
    assert len(picture(chain(4), max_nodes=5).of_kind("v")) == 5
    assert picture(chain(4), max_nodes=4).of_kind("v") == []


def test_large_network_is_folded_by_layer_and_says_so() -> None:
    model = MLP(2, [16, 16, 1], activation="tanh", rng=0)
    output = model([Value(0.5, label="x0"), Value(-0.5, label="x1")])
    output.backward()
    shown = picture(output, max_nodes=60)
    total = len(Graph(output).nodes)
    words = f"{total:,} values, folded by layer (above max_nodes=60; None draws them all)"
    assert words in shown.texts
    names = {card[0]: card[1:] for card in shown.of_kind("g")}
    assert set(names) == {"inputs", "layer 0", "layer 1", "layer 2"}
    assert names["layer 0"][:5] == [
        "dot ×16, + ×16, tanh ×16", "parameters", "48", "operations", "48",
    ]  # fmt: skip
    assert names["inputs"][:4] == ["x0", "0.5000", "x1", "-0.5000"]
    assert names["layer 2"][-4:] == ["output", f"{output.data:.4f}", "grad", "+1.0000"]
    assert {texts[0].split(",")[0] for texts in shown.edges.values()} == {"2 values", "16 values"}


def test_card_of_a_layer_shows_the_range_of_what_leaves_it_and_its_largest_gradient() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    hidden = model.layers[0].outputs([0.5, -1.0])
    output = model([0.5, -1.0])
    output.backward()
    card = next(c for c in picture(output, fold="layer").of_kind("g") if c[0] == "layer 0")
    low, high = min(h.data for h in hidden), max(h.data for h in hidden)
    assert card[card.index("output") + 1] == f"{low:.4f} to {high:.4f}"
    largest = max(abs(p.grad) for p in model.layers[0].parameters())
    assert card[card.index("max |grad| of parameters") + 1] == f"{largest:.4f}"


def test_folded_picture_before_backward_says_so() -> None:
    shown = picture(MLP(2, [16, 16, 1], rng=0)([1.0, 2.0]), max_nodes=60)
    assert any(text.startswith("no backward yet") for text in shown.texts)
    assert not any("grad" in text for text in shown.texts)


def test_network_above_the_limit_folds_without_being_asked() -> None:
    output = MLP(20, [30, 1], rng=0)([1.0] * 20)
    assert len(picture(output).of_kind("g")) == 2


def test_more_scopes_than_the_limit_are_folded_by_depth_with_the_reason() -> None:
    y = Value(1.0)
    for i in range(20):
        with named_scope(f"part {i}"):
            y = y * 2.0
    shown = picture(y, fold="scope", max_nodes=10)
    assert len(shown.of_kind("g")) <= 10
    words = "folded by depth (by layer there are 21 cards, above max_nodes=10)"
    assert any(words in text for text in shown.texts)


def test_folded_by_neuron_cards_stand_in_frames_of_their_layers() -> None:
    shown = picture(MLP(2, [3, 2, 1], rng=0)([Value(1.0), Value(2.0)]), fold="neuron")
    titles = sorted(card[0] for card in shown.of_kind("g"))
    assert titles == ["inputs", "layer 2 / neuron 0"] + ["neuron 0"] * 2 + ["neuron 1"] * 2 + [
        "neuron 2"
    ]
    assert sorted(shown.clusters) == ["layer 0", "layer 1"]


def test_dense_folded_network_is_laid_out_quickly_and_without_words_on_arrows() -> None:
    output = MLP(4, [30, 30, 1], rng=0)([Value(1.0)] * 4)
    start = processor_time()
    shown = picture(output, fold="neuron")
    assert processor_time() - start < 3.0  # measured: 0.8 s
    assert shown.number_of_edges == 30 + 30 * 30 + 30
    assert all(texts == [] for texts in shown.edges.values())


@pytest.mark.parametrize("scoped", [True, False])
def test_hundred_thousand_values_fold_quickly(scoped: bool) -> None:
    y = Value(1.0)
    for i in range(5):
        with named_scope(f"part {i}") if scoped else contextlib.nullcontext():
            for _ in range(20_000):
                y = y + 1.0
    start = processor_time()
    assert len(picture(y).of_kind("g")) == (6 if scoped else 12)
    assert processor_time() - start < 6.0  # measured: 1.7 s


# --- arrows ---------------------------------------------------------------


def test_arrows_show_contributions_and_how_they_come_about() -> None:
    output, *_ = neuron()
    output.backward()
    slope = 1.0 - math.tanh(-1.0) ** 2
    both = picture(output, contributions=True).edges
    assert both["v0->o2"] == [f"-3.00 × +{slope:.2f} = -{3 * slope:.2f}"]
    alone = picture(output, contributions=True, derivatives=False).edges
    assert alone["v0->o2"] == [f"-{3 * slope:.4f}"]
    assert alone["v1->o2"] == [f"+{2 * slope:.4f}"]


def test_arrows_without_numbers_on_request() -> None:
    output, *_ = neuron()
    output.backward()
    shown = picture(output, derivatives=False)
    assert all(texts == [] for texts in shown.edges.values())
    assert not any(text.startswith("on an arrow") for text in shown.texts)


def test_before_backward_contributions_are_not_shown() -> None:
    assert picture(neuron()[0], contributions=True).edges["v0->o2"] == ["-3.0000"]


def edge_attributes(value: Any, edge: str, **options: Any) -> dict[str, str]:
    line = next(x for x in draw_dot(value, **options).source.splitlines() if edge in x)
    return dict(re.findall(r'(\w+)="?([^"\s\]]+)', line.partition("[")[2]))


def test_sign_of_a_contribution_is_in_colour_and_dashes_and_its_size_in_width() -> None:
    a, b, c = Value(100.0), Value(-1.0), Value(0.0)
    y = a * 1.0 + b * -5.0 + c * 0.0
    y.backward()
    plus, minus, zero = (edge_attributes(y, f"v{i} -> ") for i in (0, 2, 5))
    assert (plus["color"], plus.get("style")) == (theme("light").positive, None)
    assert (minus["color"], minus["style"]) == (theme("light").negative, "dashed")
    assert float(minus["penwidth"]) > float(plus["penwidth"]) > float(zero["penwidth"])
    assert zero["color"] == theme("light").line
    for edge in ("v0 -> ", "v2 -> "):
        assert "penwidth" not in edge_attributes(y, edge, gradients=False)


def test_arrows_are_plain_before_backward() -> None:
    source = draw_dot(neuron()[0]).source
    arrows = [line for line in source.splitlines() if "->" in line]
    assert len(arrows) == 8
    assert not any("penwidth" in line or "dashed" in line for line in arrows)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e-300, 1e300])
def test_arrows_of_any_contribution_can_be_drawn(number: float) -> None:
    x = Value(number)
    y = x * x * 2.0
    y.backward()
    assert picture(y, contributions=True).number_of_edges == 5


def test_numbers_on_arrows_are_short_but_never_zero_when_they_are_not() -> None:
    x = Value(1e-5)
    y = x * x
    y.backward()
    assert picture(y, contributions=True).edges["v0->o1"] == ["+1e-05 × +1.00 = +1e-05"]


# --- what is shown on request ---------------------------------------------------------------


def test_values_and_gradients_can_be_left_out() -> None:
    output, *_ = neuron()
    output.backward()
    assert picture(output, values=False).of_kind("v")[0] == ["x", "grad", "-1.2599"]
    assert picture(output, gradients=False).of_kind("v")[0] == ["x", "data", "2.0000"]
    shown = picture(output, values=False, gradients=False)
    assert shown.of_kind("v") == [["x"], ["w"], [], ["b"], [], ["output"]]


def test_a_dot_is_drawn_as_products_while_the_picture_is_small() -> None:
    model = MLP(2, [1], rng=0)
    output = model([Value(1.0), Value(2.0)])
    assert picture(output).of_kind("o") == [["*"], ["*"], ["+"], ["+"]]
    assert picture(output, max_nodes=7).of_kind("o") == [["dot"], ["+"]]


def test_scopes_are_frames_inside_one_another() -> None:
    output = MLP(1, [2, 1], rng=0)([Value(1.0)])
    names = ["layer 0", "layer 1", "neuron 0", "neuron 0", "neuron 1"]
    assert sorted(picture(output).clusters) == names
    assert picture(output, clusters=False).clusters == []


def test_several_outputs_are_drawn_together() -> None:
    x = Value(2.0, label="x")
    shown = picture([x * 2.0, x * 3.0])
    assert shown.of_kind("o") == [["* 2"], ["* 3"]]
    assert draw_dot([x * 2.0, x * 3.0]).source.count(theme("light").output) == 2


def test_names_come_from_the_caller() -> None:
    a = Value(1.0)
    b = a * 2.0
    assert [card[0] for card in picture(b, names=locals()).of_kind("v")] == ["a", "b"]
    assert (a.label, b.label) == ("", "")


def test_a_graph_is_drawn_as_its_value_is() -> None:
    output, *_ = neuron()
    assert draw_dot(Graph(output)).source == draw_dot(output).source


def test_a_model_is_drawn_with_an_example_and_its_own_gradients_stay() -> None:
    model = MLP(2, [2, 1], activation="tanh", rng=0)
    shown = picture(model, example=[0.5, -1.0])
    assert not any("backward" in text for text in shown.texts)
    assert all(p.grad == 0.0 for p in model.parameters())
    x = [Value(0.5), Value(-1.0)]
    model(x).backward()
    (card,) = [card for card in shown.of_kind("v") if card[0] == "x0"]
    assert card[-1] == f"{x[0].grad:+.4f}"


def test_a_model_without_an_example_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="pass example"):
        draw(MLP(1, [1], rng=0), "a.svg")


def test_a_program_without_an_example_has_structure_and_no_numbers() -> None:
    @compile
    def f(x: Any, y: Any) -> Any:
        return tanh(x * y + 1.0)

    f(0.5, 2.0)
    shown = picture(f)
    assert shown.of_kind("o") == [["*"], ["+ 1"], ["tanh"]]
    assert shown.of_kind("v")[:2] == [["x"], ["y"]]
    assert not any("nan" in text for text in shown.texts)
    assert any("pass example" in text for text in shown.texts)
    assert picture(f.program, example=[0.5, 2.0]).of_kind("v")[0][:3] == ["x", "data", "0.5000"]
    assert f.draw("a.dot", theme="dark").read_text() == draw_dot(f, theme="dark").source


# --- styles, themes, directions ---------------------------------------------------------------


def test_records_are_boxes_in_a_row() -> None:
    output, *_ = neuron()
    output.backward()
    shown = picture(output, style="records")
    assert shown.of_kind("v")[0] == ["x", "data 2.0000", "grad -1.2599"]
    assert 'label="{ x' in draw_dot(output, style="records").source
    assert 'label="x' in draw_dot(output, style="records", direction="TB").source


def test_folded_graphs_have_records_too() -> None:
    shown = picture(chain(30), style="records", fold="depth")
    assert shown.of_kind("g")[0][:3] == ["depth 0 to 2", "inputs 1", "operations 2"]


@pytest.mark.parametrize("name", ["light", "dark", "colorblind"])
@pytest.mark.parametrize("fold", [None, "layer"])
def test_a_theme_gives_all_colours(name: Any, fold: Any) -> None:
    output = MLP(2, [2, 1], activation="tanh", rng=0)([Value(1.0), Value(2.0)])
    output.backward()
    source = draw_dot(output, theme=name, fold=fold).source
    own = {value.lower() for value in dataclasses.astuple(theme(name)) if value.startswith("#")}
    assert set(re.findall(r"#[0-9a-f]{6}", source.lower())) <= own
    assert f'bgcolor="{theme(name).background}"' in source


def test_direction_is_the_same_by_both_names() -> None:
    output, *_ = neuron()
    assert draw_dot(output, direction="TB").source == draw_dot(output, rankdir="TB").source


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"style": "record"}, "style must be 'cards' or 'records', got 'record'"),
        ({"theme": "blue"}, "theme must be 'light', 'dark' or 'colorblind', got 'blue'"),
        ({"direction": "RL"}, "direction must be 'LR' or 'TB', got 'RL'"),
        ({"fold": "module"}, "fold must be .* or None, got 'module'"),
        ({"values": None}, "values must be True or False"),
        ({"clusters": 1}, "clusters must be True or False"),
        ({"max_nodes": 0}, "max_nodes must be a whole number above 0 or None, got 0"),
        ({"max_nodes": True}, "max_nodes must be a whole number"),
        ({"max_nodes": 2.5}, "max_nodes must be a whole number"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw(Value(1.0), "a.svg", **options)
    assert list(Path().iterdir()) == []


def test_unknown_options_are_refused_with_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"unknown option 'max_values'; choose .*max_nodes"):
        draw_dot(Value(1.0), max_values=3)  # type: ignore[call-arg]


# --- for those who do not see it ---------------------------------------------------------------


def test_svg_has_a_role_a_title_and_a_description() -> None:
    output, *_ = neuron()
    output.backward()
    root = ET.fromstring(draw(output, "a.svg").read_bytes())
    assert root.get("role") == "img"
    title, description = (child.text or "" for child in list(root)[:2])
    assert title == "Computation graph of output = -0.7616"
    assert description == (
        f"{title}: 6 values, 1 input, 2 parameters, 2 interior values, 1 output; "
        "arrows run from operands to results; gradients are shown."
    )


def test_folded_svg_names_its_cards() -> None:
    output = MLP(2, [2, 1], rng=0)([Value(1.0), Value(2.0)])
    text = draw(output, "a.svg", fold="layer").read_text("utf-8")
    assert "Folded by layer into 3 cards: layer 1, layer 0, inputs." in text


def test_svg_refers_to_nothing_outside_and_has_no_comments() -> None:
    y = Value(1.0, label="--> <!-- <!DOCTYPE svg> ]]>") * 2
    y.label = '</title><script>alert("1")</script>'
    text = draw(y, "a.svg").read_text("utf-8")
    assert "DOCTYPE" not in text.replace("&lt;!DOCTYPE", "")
    assert "<!--" not in text
    assert "<script" not in text
    assert re.findall(r"https?://[^\"]+", text) == [
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    ]
    assert (ET.fromstring(text)[0].text or "").startswith("Computation graph of </title><script>")


def test_tooltips_name_the_kind_of_a_card_and_the_arithmetic_of_an_arrow() -> None:
    output, *_ = neuron()
    output.backward()
    text = draw(output, "a.svg").read_text("utf-8")
    assert "input x: data=2.0" in text
    assert "parameter w: data=&#45;3.0" in text
    assert re.search(r"local derivative .*3.0000 × gradient .*= contribution", text)


# --- notebooks ---------------------------------------------------------------


def test_notebook_bundle_has_svg_png_and_text() -> None:
    output, *_ = neuron()
    bundle = output._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml", "image/png"}
    assert len(Picture(bundle["image/svg+xml"].encode()).of_kind("v")) == 6
    assert base64.b64decode(bundle["image/png"], validate=True).startswith(PNG)
    assert bundle["text/plain"] == repr(output)


def test_notebook_bundle_takes_what_ipython_passes() -> None:
    assert "image/png" in Value(1.0)._repr_mimebundle_(include=None, exclude=None)


def test_notebook_bundle_of_a_large_graph_is_folded() -> None:
    bundle = chain(2000)._repr_mimebundle_()
    assert "folded by depth" in bundle["image/svg+xml"]


def test_notebook_bundle_of_a_picture_says_what_it_shows() -> None:
    bundle = draw(neuron()[0])._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Computation graph of output = -0.7616: 6 values")
    assert 'role="img"' in bundle["image/svg+xml"]


@pytest.mark.parametrize("engine", ["nowhere/dot", "system"])
def test_notebook_bundle_without_an_engine_is_text_with_the_remedy(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGRAD_ENGINE_DOT", engine)
    monkeypatch.setenv("PATH", "")
    bundle = neuron()[0]._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "no picture" in bundle["text/plain"]
    assert "graphviz" in bundle["text/plain"].lower()


def test_a_value_used_often_does_not_hold_up_the_layout() -> None:
    x = Value(1.0, label="x")
    y = x
    for i in range(90):
        y = y + x
        y.label = "abcdefgh"[: i % 8]  # cards of different heights made the layout hang
    start = processor_time()
    draw(y, "graph.svg")
    assert processor_time() - start < 1.0  # measured: 0.2 s
    assert "local derivative 1.0000" in Path("graph.svg").read_text()


def test_values_used_often_in_a_long_chain_do_not_hold_up_the_layout() -> None:
    xs = [Value(0.1 * i) for i in range(20)]
    y: Any = 0
    for i, x in enumerate(xs):
        for other in xs[:i]:
            y = y + x * other  # took over 120 s
    start = processor_time()
    assert len(picture(y).of_kind("v")) == 20 + 190 + 189
    assert processor_time() - start < 1.5  # measured: 0.4 s


def test_an_input_called_weight_is_no_parameter_of_a_model() -> None:
    weight = Value(1.0, label="weight")
    of_model = draw_dot(MLP(1, [1], rng=0)([weight])).source
    alone = draw_dot(weight * 2).source
    assert 'BGCOLOR="#DCFCE7"' in of_model
    assert 'BGCOLOR="#DCFCE7"' not in alone


# --- values used from far away ---------------------------------------------------------------


def test_what_is_used_from_far_away_stands_there_as_a_name() -> None:
    y = x = Value(1.0, label="x")
    for _ in range(60):
        y = y + x
    y.backward()
    shown = picture(y)
    references = shown.of_kind("r")
    assert len(references) > 40
    assert all(text == ["x"] for text in references)
    assert all(edge.split("->")[1][0] == "o" for edge in shown.edges if edge.startswith("r"))
    assert shown.number_of_edges == 120 + 60
    assert {tuple(t) for e, t in shown.edges.items() if e[0] == "r"} == {("1.0000",)}
    assert "small grey name: a value whose card is elsewhere" in shown.texts


def test_cards_bear_the_names_that_stand_elsewhere() -> None:
    shown = picture(tangle(150))
    titles = {card[0] for card in shown.of_kind("v")}
    references = {text for (text,) in shown.of_kind("r")}
    assert len(references) > 5
    assert references <= titles
    assert len(titles) == len(shown.of_kind("v"))


def test_arrows_stay_arrows_where_they_pass_few_cards() -> None:
    y = x = Value(1.0, label="x")
    for _ in range(20):
        y = y + x
    shown = picture(y)
    assert shown.of_kind("r") == []
    assert not any("elsewhere" in text for text in shown.texts)


# --- kinds without colours ---------------------------------------------------------------


def test_borders_say_the_kind_of_a_card_and_a_line_says_how() -> None:
    output, *_ = neuron()
    tables = [line for line in draw_dot(output).source.splitlines() if "<B>" in line]
    names = [re.findall(r"<B>\W*(\w+)\W*</B>", line)[0] for line in tables]
    assert names == ["x", "w", "b", "output"]
    assert ["ROUNDED,DASHED" in line for line in tables] == [False, True, True, False]
    assert ['BORDER="2"' in line for line in tables] == [False, False, False, True]
    assert "border: dashed for parameters, thick for outputs" in picture(output).texts


def test_borders_of_records_and_groups_say_it_too() -> None:
    output, *_ = neuron()
    source = draw_dot(output, style="records").source
    assert source.count('style="filled,dashed"') == 2
    assert source.count("penwidth=2") == 1
    output = MLP(2, [2, 1], rng=0)([Value(1.0), Value(2.0)]) * 2.0
    source = draw_dot(output, fold="layer").source
    assert source.count("ROUNDED,DASHED") == 2
    assert source.count('BORDER="2"') == 1
    assert "border: dashed for parameters, thick for outputs" in source


def test_a_lone_card_needs_no_legend() -> None:
    assert not any("border" in text for text in picture(Value(1.0)).texts)


def test_arrows_of_nan_are_dotted_and_a_line_says_so() -> None:
    x, y = Value(math.nan), Value(1.0)
    output = x * y
    output.backward()
    assert edge_attributes(output, "v1 -> ")["style"] == "dotted"
    assert "style" not in edge_attributes(output, "v0 -> ")
    assert any(text.endswith(", dotted is nan") for text in picture(output).texts)
    y = Value(2.0) * 3.0
    y.backward()
    assert not any("dotted" in text for text in picture(y).texts)


def test_contributions_of_any_size_have_a_width() -> None:
    x, w = Value(1e300), Value(-1e-300)
    y = x * w + x
    y.backward()
    assert picture(y).number_of_edges == 6


@pytest.mark.parametrize(("times", "arrows"), [(8, 9), (9, 2), (5000, 2)])
def test_operand_that_comes_very_often_has_one_arrow(times: int, arrows: int) -> None:
    x = Value(0.5, label="x")
    y = sum_of([x] * times)
    y.backward()
    shown = picture(y)
    assert shown.number_of_edges == arrows
    assert (shown.edges["v0->o1"] == [f"{times}.0000 (×{times:,})"]) == (arrows == 2)
    assert any("n arrows in one" in text for text in shown.texts) == (arrows == 2)


def test_png_of_a_very_wide_picture_is_made_smaller(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    y = Value(1.0)
    for _ in range(150):
        y = tanh(y)
    with image.open(draw(y, tmp_path / "wide.png")) as opened:
        assert 20_000 < max(opened.size) <= 28_800


def test_after_two_passes_a_note_says_that_leaves_hold_more() -> None:
    x = Value(2.0, label="x")
    y = x * x
    y.backward()
    note = "some leaves: grad is not the sum of contributions"
    assert not any(note in text for text in picture(y).texts)
    y.backward()
    assert any(note in text for text in picture(y).texts)


def test_fold_by_neuron_without_scopes_says_how_to_get_them() -> None:
    hint = "no scopes: make values inside `with named_scope"
    assert any(hint in text for text in picture(neuron()[0], fold="neuron").texts)
    assert not any(hint in text for text in picture(neuron()[0], fold="depth").texts)
    with named_scope("here"):
        output = neuron()[0]
    assert not any(hint in text for text in picture(output, fold="neuron").texts)


def test_number_of_a_transform_is_refused_in_plain_words() -> None:
    def f(x: Any) -> Any:
        draw(x * x)
        return x

    with pytest.raises(TypeError, match="given in place of numbers") as caught:
        jvp(f, [1.0], [1.0])
    assert "Dual" not in str(caught.value)


def test_numbers_have_more_room_beside_vertical_arrows() -> None:
    output = neuron()[0]
    sources = [str(draw(output, direction=d).source) for d in ("LR", "TB")]  # type: ignore[arg-type]
    assert ['CELLPADDING="6"' in source for source in sources] == [False, True]
