"""Pictures of networks: every number is the engine's, nothing overlaps, nothing is changed."""

from __future__ import annotations

import base64
import html
import math
import re
import runpy
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from autograd_engine import RenderError, Value, no_grad
from autograd_engine.themes import THEMES
from autograd_engine.wording import number, signed
from nn import MLP, Module, Neuron, draw_network, hinge, softmax_cross_entropy, squared_error

SHAPES = [
    (1, [1]),
    (2, [3, 1]),
    (3, [4, 4, 1]),
    (2, [8, 1]),
    (8, [2]),
    (6, [6]),
    (13, [3]),
    (3, [13]),
    (1, [16, 1]),
    (2, [2, 2, 2, 2, 2]),
]


def nodes(source: str) -> dict[str, str]:
    """The statement of each node."""
    return {m[1]: m[0] for m in re.finditer(r"^\t(\w+) \[.*?\]$", source, re.MULTILINE | re.DOTALL)}


def edges(source: str) -> dict[tuple[str, str], str]:
    pattern = r"^\t(\w+) -> (\w+) \[.*?\]$"
    return {(m[1], m[2]): m[0] for m in re.finditer(pattern, source, re.MULTILINE | re.DOTALL)}


def attribute(statement: str, name: str) -> str:
    found = re.search(rf'\b{name}=(?:"([^"]*)"|([^\s\]]+))', statement)
    return (found[1] or found[2]) if found else ""


def place(statement: str) -> tuple[float, float]:
    x, y = attribute(statement, "pos").rstrip("!").split(",")
    return float(x), float(y)


def circles(source: str) -> dict[str, str]:
    return {name: text for name, text in nodes(source).items() if "shape=circle" in text}


def texts(source: str) -> list[str]:
    """What is written beside circles."""
    return [attribute(s, "label") for n, s in nodes(source).items() if n.startswith("t")]


def svg_of(picture: Any) -> ElementTree.Element:
    return ElementTree.fromstring(picture.pipe("svg", encoding="utf-8"))


def words(picture: Any) -> str:
    """All that the SVG shows as text, a line each."""
    return "\n".join(
        (element.text or "").replace("\N{NO-BREAK SPACE}", " ").strip()
        for element in svg_of(picture).iter("{http://www.w3.org/2000/svg}text")
    )


# --- the sketch ---------------------------------------------------------------


@pytest.mark.parametrize(("nin", "nouts"), SHAPES)
def test_there_is_a_circle_for_each_neuron_and_an_edge_for_each_weight(
    nin: int, nouts: list[int]
) -> None:
    model = MLP(nin, nouts, rng=0)
    source = draw_network(model).source
    assert len(circles(source)) == nin + sum(nouts)
    weights = {
        (f"n{k}_{i}", f"n{k + 1}_{j}"): w.data
        for k, layer in enumerate(model.layers)
        for j, neuron in enumerate(layer.neurons)
        for i, w in enumerate(neuron.w)
    }
    drawn = edges(source)
    assert drawn.keys() == weights.keys()
    for pair, w in weights.items():
        assert attribute(drawn[pair], "style") == ("solid" if w > 0.0 else "dashed")
        color = THEMES["light"].positive if w > 0.0 else THEMES["light"].negative
        assert attribute(drawn[pair], "color") == color
        assert repr(w) in attribute(drawn[pair], "tooltip")


def test_wider_edges_are_larger_weights() -> None:
    model = MLP.from_weights([[[0.1, -0.5, 2.0, 0.0]]])
    drawn = edges(draw_network(model).source)
    widths = [float(attribute(drawn[f"n0_{i}", "n1_0"], "penwidth")) for i in range(4)]
    assert widths[3] < widths[0] < widths[1] < widths[2]
    assert attribute(drawn["n0_3", "n1_0"], "style") == "dotted"


@pytest.mark.parametrize(("nin", "nouts"), SHAPES)
def test_small_networks_carry_weights_and_biases_in_numbers(nin: int, nouts: list[int]) -> None:
    model = MLP(nin, nouts, rng=1)
    for i, p in enumerate(model.parameters()):
        p.data += i / 100
    written = texts(draw_network(model).source)
    for layer in model.layers:
        for neuron in layer.neurons:
            assert neuron.b is not None
            assert f"b {signed(neuron.b.data)}" in written
            assert {signed(w.data) for w in neuron.w} <= set(written)


@pytest.mark.parametrize(("nin", "nouts"), SHAPES)
def test_numbers_overlap_neither_each_other_nor_circles(nin: int, nouts: list[int]) -> None:
    source = draw_network(MLP(nin, nouts, rng=1), example=[0.5] * nin).source
    found = nodes(source)
    labels = {
        name: place(text)
        for name, text in found.items()
        if re.fullmatch(r"(b )?[+-]?\d\.\d{4}", attribute(text, "label")) and name.startswith("t")
    }
    assert len(labels) == sum(len(n.w) + 1 for n in neurons(MLP(nin, nouts, rng=1)))
    for (ax, ay), (bx, by) in combinations(labels.values(), 2):
        assert abs(ax - bx) > 0.5 or abs(ay - by) > 0.16
    for x, y in [place(text) for text in circles(source).values()]:
        for bx, by in labels.values():
            across = max(abs(x - bx) - 0.25, 0.0)
            assert math.hypot(across, max(abs(y - by) - 0.06, 0.0)) > 0.38


def neurons(model: MLP) -> list[Neuron]:
    return [neuron for layer in model.layers for neuron in layer.neurons]


def test_number_of_a_weight_stands_on_its_edge() -> None:
    model = MLP(3, [4, 2], rng=1)
    found = nodes(draw_network(model).source)
    at = {attribute(t, "label"): place(t) for n, t in found.items() if n.startswith("t")}
    for k, layer in enumerate(model.layers):
        for j, neuron in enumerate(layer.neurons):
            for i, w in enumerate(neuron.w):
                x, y = at[signed(w.data)]
                (ax, ay), (bx, by) = place(found[f"n{k}_{i}"]), place(found[f"n{k + 1}_{j}"])
                assert ax < x < bx
                assert (y - ay) * (bx - ax) == pytest.approx((by - ay) * (x - ax), abs=0.02)


def test_large_layers_are_abbreviated_and_say_how_many() -> None:
    source = draw_network(MLP(64, [30, 10], rng=0)).source
    assert len(circles(source)) == 12 + 12 + 10
    assert len(edges(source)) == 12 * 12 + 12 * 10
    assert {"n0_0", "n0_7", "n0_60", "n0_63", "n1_29", "n2_9"} <= circles(source).keys()
    assert [text for text in texts(source) if "more" in text] == [
        r"· · ·\n52 more\n· · ·",
        r"· · ·\n18 more\n· · ·",
    ]


def test_weights_of_large_networks_are_in_tooltips_only() -> None:
    source = draw_network(MLP(2, [16, 16, 1], rng=0)).source
    assert not [text for text in texts(source) if re.search(r"\d\.\d{4}", text)]
    assert len(circles(source)) == 2 + 16 + 16 + 1


def test_circles_show_activations_and_gradients_of_the_loss() -> None:
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    found = circles(draw_network(model, example=[0.5, -1.0], target=1.0).source)
    x = [Value(0.5), Value(-1.0)]
    hidden = model.layers[0].outputs(x)
    (output,) = model.layers[1].outputs(hidden)
    squared_error(output, 1.0).backward()
    for k, column in enumerate([x, hidden, [output]]):
        for i, value in enumerate(column):
            assert f"<{number(value.data)}<BR/>" in found[f"n{k}_{i}"]
            assert f">{signed(value.grad)}</FONT>" in found[f"n{k}_{i}"]


def test_without_a_target_gradients_are_those_of_the_output() -> None:
    picture = draw_network(MLP(2, [3, 1], rng=0), example=[0.5, -1.0])
    assert ">+1.0000</FONT>" in circles(picture.source)["n2_0"]
    assert "the gradient of the output" in words(picture)


def test_of_several_outputs_there_are_no_gradients_without_a_target() -> None:
    picture = draw_network(MLP(2, [3], rng=0), example=[0.5, -1.0])
    assert "FONT" not in picture.source
    assert "gradients need a target" in words(picture)


def test_loss_may_be_chosen() -> None:
    model = MLP(2, [3], rng=0)
    picture = draw_network(model, example=[0.5, -1.0], target=2, loss=softmax_cross_entropy)
    expected = softmax_cross_entropy(model([0.5, -1.0]), 2)
    assert f"loss {number(expected.data)} · target 2" in words(picture)


def test_without_an_example_circles_say_what_they_compute() -> None:
    shown = words(draw_network(MLP(2, [3, 1], activation="tanh", rng=0))).splitlines()
    assert shown.count("tanh") == 3
    assert shown.count("linear") == 1
    assert {"x0", "x1", "inputs", "layer 0", "3 × tanh", "1 × linear"} <= set(shown)


def test_network_without_biases_has_no_numbers_for_them() -> None:
    written = texts(draw_network(MLP(2, [3, 1], bias=False, rng=0)).source)
    assert not [text for text in written if text.startswith("b ")]


@pytest.mark.parametrize("odd", [math.nan, math.inf, 1e-300, 1e300])
def test_weights_that_went_astray_are_drawn(odd: float) -> None:
    model = MLP(2, [2, 1], rng=0)
    model.parameters()[0].data = odd
    picture = draw_network(model, example=[1.0, 1.0], target=0.0)
    assert svg_of(picture) is not None
    assert signed(odd) in texts(picture.source)
    style = attribute(edges(picture.source)["n0_0", "n1_0"], "style")
    assert style == ("solid" if math.isfinite(odd) else "dotted")


def test_activation_of_ones_own_is_drawn() -> None:
    def wave(x: Any) -> Any:
        return x.sin()

    assert "custom" in words(draw_network(MLP(1, [2], output=wave, rng=0)))


# --- by layer ---------------------------------------------------------------


def test_layers_have_a_card_each() -> None:
    picture = draw_network(MLP(2, [16, 16, 1], activation="tanh", rng=0), style="layers")
    shown = words(picture).splitlines()
    for text in ("inputs", "layer 0", "layer 1", "layer 2", "output"):
        assert shown.count(text) == 1
    assert {"16 × tanh", "2 → 16", "48", "272", "17", "2 values", "1 value"} <= set(shown)
    assert len(edges(picture.source)) == 4
    assert "max |grad|" not in shown


def test_cards_show_ranges_and_the_largest_gradients() -> None:
    model = MLP(2, [5, 1], activation="tanh", rng=0)
    picture = draw_network(model, example=[0.5, -1.0], target=-1, loss=hinge, style="layers")
    x = [Value(0.5), Value(-1.0)]
    hidden = model.layers[0].outputs(x)
    loss = hinge(model.layers[1].outputs(hidden)[0], -1)
    loss.backward()
    data = [h.data for h in hidden]
    shown = words(picture).splitlines()
    assert f"{number(min(data))} to {number(max(data))}" in shown
    for values in (x, model.layers[0].parameters(), model.layers[1].parameters()):
        assert number(max(abs(v.grad) for v in values)) in shown
    assert number(loss.data) in shown
    assert f"|grad| ≤ {number(max(abs(h.grad) for h in hidden))}" in shown


def test_many_inputs_and_outputs_are_ranges() -> None:
    picture = draw_network(MLP(9, [7], rng=0), example=list(range(9)), style="layers")
    assert {"9", "0.0000 to 8.0000", "7"} <= set(words(picture).splitlines())


# --- the gallery ---------------------------------------------------------------


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The script's own names, and the page that it writes."""
    pytest.importorskip("matplotlib")
    path = tmp_path_factory.mktemp("gallery") / "page.html"
    names = runpy.run_path(str(Path(__file__).parents[1] / "notebooks" / "gallery.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["gallery.py", "-o", str(path)])
        names["main"]()
    assert [x.name for x in path.parent.iterdir()] == ["page.html"]
    return names, path.read_text("utf-8")


def test_gallery_has_a_picture_beside_each_piece_of_code(
    gallery: tuple[dict[str, Any], str],
) -> None:
    names, page = gallery
    sections = re.findall(r"<section.*?</section>", page, re.DOTALL)
    assert len(sections) == len(names["PIECES"]) >= 15
    for piece, section in zip(names["PIECES"], sections, strict=True):
        code, result = section.split("</code></pre>", 1)
        assert html.unescape(code.split("<pre><code>")[1]) == piece.code
        image = re.search(r'src="data:image/(png|svg\+xml);base64,([^"]+)"', result)
        text = re.search(r"<pre>(.+?)</pre>", result, re.DOTALL)
        assert image or text, piece.title
        if image:
            start = b"\x89PNG" if image[1] == "png" else b"<"
            assert base64.b64decode(image[2]).startswith(start)
            assert re.search(r'<img alt="[^"]+"', result)


def test_gallery_needs_no_network(gallery: tuple[dict[str, Any], str]) -> None:
    _, page = gallery
    assert not re.findall(r"<link|@import|\bfetch\(", page)
    assert all(
        target.startswith(("data:", "#"))
        for target in re.findall(r'<[^>]*\b(?:src|href)="([^"]*)"', page)
    )


def test_gallery_opens_in_a_browser(gallery: tuple[dict[str, Any], str], visit: Any) -> None:
    _, page = gallery
    opened = visit(page.partition(">")[2])  # visit brings a doctype
    opened.wait_for_function("[...document.images].every(x => x.complete)")
    sizes = opened.locator("img, svg[viewBox]").evaluate_all(
        "all => all.filter(x => !x.closest('button, .legend') && !x.hidden"
        " && getComputedStyle(x).display !== 'none')"
        ".map(x => [x.naturalWidth ?? 1, x.getBoundingClientRect()])"
        ".map(([natural, box]) => [natural, box.width, box.height])"
    )
    assert len(sizes) > 15
    assert all(natural > 0 and width > 50 and height > 50 for natural, width, height in sizes)
    for kind in ("stepper", "training_stepper"):
        assert opened.locator(f".ae-{kind} button").count() >= 3
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_gallery_says_which_minimum_is_the_local_one(gallery: tuple[dict[str, Any], str]) -> None:
    names, _ = gallery
    (piece,) = [piece for piece in names["PIECES"] if piece.title == "Local minimum"]
    figure = names["run"]("from nn import error_curve\n" + piece.code, {})
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ends = [
        re.search(rf"from {start}: .* to w = ([-.\d]+), E = ([-.\d]+)", "\n".join(words))
        for start in ("3.4", "-3.6")
    ]
    local, lowest = [(float(end[1]), float(end[2])) for end in ends if end]
    assert local[1] > lowest[1]
    for w, _ in (local, lowest):  # descent has arrived
        assert abs(0.2 * w**3 - w + 0.3) < 0.02
    assert f"local minimum at w = {local[0]}" in piece.text
    assert f"lowest at w = {lowest[0]}" in piece.text


# --- both ---------------------------------------------------------------


@pytest.mark.parametrize("style", ["neurons", "layers"])
def test_model_and_its_gradients_stay_as_they_are(style: str) -> None:
    model = MLP(2, [3, 1], rng=0)
    for i, p in enumerate(model.parameters()):
        p.grad = float(i)
    before = [(p, p.data, p.grad) for p in model.parameters()]
    draw_network(model, example=[0.5, -1.0], target=1.0, style=style)
    after = [(p, p.data, p.grad) for p in model.parameters()]
    assert all(a[0] is b[0] and a[1:] == b[1:] for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("style", ["neurons", "layers"])
@pytest.mark.parametrize("name", list(THEMES))
def test_themes_colour_the_picture(name: str, style: str) -> None:
    source = draw_network(MLP(2, [3, 1], rng=0), example=[1, 2], style=style, theme=name).source
    colors = THEMES[name]
    for color in (colors.background, colors.input, colors.output, colors.ink):
        assert color in source
    assert not {c for c in re.findall(r"#[0-9A-F]{6}", source)} - {
        getattr(colors, field) for field in colors.__dataclass_fields__
    }


@pytest.mark.parametrize("style", ["neurons", "layers"])
def test_picture_says_what_it_shows_to_those_who_do_not_see_it(style: str) -> None:
    root = svg_of(draw_network(MLP(2, [3, 1], rng=0), style=style))
    found = {child.tag.split("}")[1]: child.text for child in root}
    assert found["title"] == "Network"
    assert found["desc"] == "MLP(2 -> 3 relu -> 1 linear), 13 parameters"


@pytest.mark.parametrize("style", ["neurons", "layers"])
@pytest.mark.parametrize("target", ["<b>x</b>", '"]; a -> b', "</svg><script>", "\\", "a\nb" * 99])
def test_target_of_any_text_neither_breaks_nor_injects(target: str, style: str) -> None:
    picture = draw_network(
        MLP(1, [1], rng=0), example=[1.0], target=target, loss=lambda o, _: o * 2, style=style
    )
    root = svg_of(picture)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert target.replace("\n", " ")[:10] in words(picture)


def test_picture_goes_into_a_file_of_the_ending(tmp_path: Path) -> None:
    model = MLP(2, [3, 1], rng=0)
    for name, start in (("a.svg", b"<?xml"), ("b.PNG", b"\x89PNG"), ("c.dot", b"digraph")):
        assert draw_network(model, tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_bytes().startswith(start)
    assert draw_network(model, "d.svg", style="layers") == Path("d.svg")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["network", "network.", "network.gif", "network.txt"])
def test_unknown_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\bsvg\b"):
        draw_network(MLP(1, [1], rng=0), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_file_stays_as_it_was_where_no_picture_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.svg").write_text("before")
    monkeypatch.setenv("AUTOGRAD_ENGINE_DOT", str(tmp_path / "missing"))
    with pytest.raises(RenderError):
        draw_network(MLP(1, [1], rng=0), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"example": [1.0]}, "the network has 2 inputs, the example 1"),
        ({"example": []}, "the network has 2 inputs, the example 0"),
        ({"example": 3.0}, "example"),
        ({"example": [1.0, math.nan]}, "nan is not a finite number"),
        ({"target": 1.0}, "a target needs an example"),
        ({"style": "pie"}, "style must be 'neurons' or 'layers', got 'pie'"),
        ({"theme": "pink"}, "unknown theme 'pink'; choose one of light"),
        ({"example": [1.0, 2.0], "target": [1.0, 2.0]}, "1 outputs but 2 targets"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_network(MLP(2, [1], rng=0), **changes)


@pytest.mark.parametrize("other", [Module(), Neuron(2), Value(1.0), None])
def test_what_is_no_network_is_refused_with_the_remedy(other: Any) -> None:
    with pytest.raises(TypeError, match=r"expected an MLP, got .*autograd_engine\.draw"):
        draw_network(other)


def test_loss_that_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="the loss must return one Value"):
        draw_network(MLP(2, [1], rng=0), example=[1, 2], target=0, loss=lambda o, t: 1.0)


def test_inside_no_grad_no_zeros_pass_for_gradients() -> None:
    model = MLP(2, [1], rng=0)
    with no_grad():
        sketch = draw_network(model, example=[1, 2], target=3.0)
        layers = draw_network(model, example=[1, 2], target=3.0, style="layers")
    assert "FONT" not in sketch.source and "grad" not in layers.source
    assert "no gradients, because the loss has no graph" in words(sketch)
    assert number(model([1, 2]).data) in words(sketch)
