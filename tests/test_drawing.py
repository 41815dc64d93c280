"""Pictures: what they show, what they fold or refuse, and labels with any character."""

from __future__ import annotations

import base64
import math
import time
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
    dot,
    draw,
    draw_dot,
    maximum,
    mean,
    named_scope,
    tanh,
)
from autograd_engine import sum as sum_of
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
        self.number_of_edges = sum(part.get("class") == "edge" for part in root.iter())

    def of_kind(self, kind: str) -> list[list[str]]:
        return [texts for name, texts in self.nodes.items() if name.startswith(kind)]


def _texts(part: ET.Element) -> list[str]:
    found = [element.text or "" for element in part.iter() if element.tag.endswith("}text")]
    return [text.replace("\xa0", " ").strip() for text in found]


def picture(value: Value, **options: Any) -> Picture:
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
    assert all(card[-1] == "no backward yet" for card in shown.of_kind("v"))
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
        (lambda x: dot([x, 2.0], [3.0, x]), "dot", ["2.0000", "3.0000"]),
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


@pytest.mark.parametrize("name", ["a", "a.gif", "a.txt", "a.", ".svg", "", "svg"])
def test_unknown_ending_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"does not end in a known format; choose one of \.svg"):
        draw(Value(1.0), name)
    assert list(Path().iterdir()) == []


def test_missing_directory_is_an_error_and_leaves_nothing() -> None:
    with pytest.raises(FileNotFoundError):
        draw(Value(1.0), "nowhere/a.svg")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("value", [3.0, None, "x", [Value(1.0)]])
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
    with pytest.raises(ValueError, match="rankdir must be 'LR' or 'TB'"):
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
def test_scope_is_shown_letter_by_letter(label: str) -> None:
    with named_scope(label):
        y = Value(1.0) * 2
    (card,) = picture(y, max_values=1).of_kind("g")
    assert card[0] == label


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
    assert len(picture(y, max_values=1).of_kind("g")) == 1


# --- large graphs ---------------------------------------------------------------


def test_up_to_500_values_are_drawn_one_by_one() -> None:
    assert len(picture(chain(499)).of_kind("v")) == 500


@pytest.mark.parametrize("n", [500, 100_000])
def test_more_values_without_scopes_are_refused_quickly_with_the_remedy(n: int) -> None:
    y = chain(n)
    start = time.perf_counter()
    with pytest.raises(ValueError, match=rf"{n + 1:,} values.*named_scope.*max_values=None"):
        draw(y, "a.svg")
    assert time.perf_counter() - start < 10.0
    assert list(Path().iterdir()) == []


def test_max_values_none_draws_them_all() -> None:
    assert len(picture(chain(520), max_values=None).of_kind("v")) == 521


def test_max_values_is_a_limit_of_the_callers_choice() -> None:
    assert len(picture(chain(4), max_values=5).of_kind("v")) == 5
    with pytest.raises(ValueError, match="max_values=4"):
        draw_dot(chain(4), max_values=4)


def test_large_network_is_folded_by_layer_and_says_so() -> None:
    model = MLP(2, [16, 16, 1], activation="tanh", rng=0)
    output = model([Value(0.5, label="x0"), Value(-0.5, label="x1")])
    output.backward()
    shown = picture(output, max_values=60)
    total = len(Graph(output).nodes)
    assert f"{total:,} values, folded by scope" in shown.texts
    names = {card[0]: card[1:] for card in shown.of_kind("g")}
    assert set(names) == {"inputs", "layer 0", "layer 1", "layer 2"}
    assert names["layer 0"][:4] == ["parameters", "48", "operations", "48"]
    assert names["inputs"][:2] == ["values", "2"]
    assert names["layer 2"][-2:] == ["output", f"{output.data:.4f}"]
    assert {texts[0] for texts in shown.edges.values()} == {"2 values", "16 values"}


def test_folded_picture_before_backward_says_so() -> None:
    shown = picture(MLP(2, [16, 16, 1], rng=0)([1.0, 2.0]), max_values=60)
    assert any(text.startswith("no backward yet") for text in shown.texts)
    assert not any("grad" in text for text in shown.texts)


def test_network_above_the_limit_folds_without_being_asked() -> None:
    output = MLP(20, [30, 1], rng=0)([1.0] * 20)
    assert len(picture(output).of_kind("g")) == 2


def test_more_scopes_than_the_limit_are_refused() -> None:
    y = Value(1.0)
    for i in range(20):
        with named_scope(f"part {i}"):
            y = y * 2.0
    with pytest.raises(ValueError, match="max_values=10"):
        draw_dot(y, max_values=10)


def test_hundred_thousand_values_fold_quickly() -> None:
    y = Value(1.0)
    for i in range(5):
        with named_scope(f"part {i}"):
            for _ in range(20_000):
                y = y + 1.0
    start = time.perf_counter()
    assert len(picture(y).of_kind("g")) == 6
    assert time.perf_counter() - start < 10.0


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


def test_notebook_bundle_of_a_large_graph_is_text_with_the_remedy() -> None:
    bundle = chain(2000)._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "Value(data=2001.0" in bundle["text/plain"]
    assert "max_values=None" in bundle["text/plain"]


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
    start = time.perf_counter()
    draw(y, "graph.svg")
    assert time.perf_counter() - start < 10.0
    assert "local derivative 1.0000" in Path("graph.svg").read_text()


def test_an_input_called_weight_is_no_parameter_of_a_model() -> None:
    weight = Value(1.0, label="weight")
    of_model = draw_dot(MLP(1, [1], rng=0)([weight])).source
    alone = draw_dot(weight * 2).source
    assert 'BGCOLOR="#DCFCE7"' in of_model
    assert 'BGCOLOR="#DCFCE7"' not in alone
