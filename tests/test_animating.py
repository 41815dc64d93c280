"""Films of the two passes: what is seen at every moment is that step, and the end can be read."""

from __future__ import annotations

import functools
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from test_scene import SVG, frame_of, scene_of_output, width_of
from test_sequence import HOSTILE, neuron
from test_storyboard import batch, shown

from autograd_engine import Value, animate, named_scope, tanh, where
from autograd_engine import sum as summed
from autograd_engine.animating import MAX_STEPS, animated_svg
from autograd_engine.scene import Scene
from autograd_engine.themes import THEMES
from nn import MLP

HOLD = 2  # steps that the last picture stays longer
Texts = list[tuple[float, float, str]]


def filmed(output: Value, path: Path, **settings: Any) -> ElementTree.Element:
    return ElementTree.fromstring(animate(output, path, **settings).read_bytes())


def animations(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter(f"{SVG}animate"))


def times_of(animation: ElementTree.Element) -> list[float]:
    return [float(x) for x in animation.get("keyTimes", "").split(";")]


def is_seen(element: ElementTree.Element, moment: float | None) -> bool:
    """Whether SMIL shows it, at this part of the film; None: where nothing moves."""
    animation = element.find(f"{SVG}animate")
    if animation is None or moment is None:
        return element.get("visibility") != "hidden"
    values = animation.get("values", "").split(";")
    return [v for v, t in zip(values, times_of(animation), strict=True) if t <= moment][
        -1
    ] == "visible"


def numbers_seen(root: ElementTree.Element, moment: float | None) -> Texts:
    return sorted(
        (float(t.get("x", "")), float(t.get("y", "")), text_of(t))
        for t in root.iter(f"{SVG}text")
        if "v" in t.get("class", "").split() and is_seen(t, moment)
    )


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def numbers_shown(found: Scene, step: int) -> Texts:
    texts = shown(found.storyboard, step)
    places = {place: found.place_of(*place) for place in texts}
    return sorted(
        (float(f"{x:g}"), float(f"{y:g}"), texts[place]) for place, (x, y) in places.items()
    )


def steps_seen(root: ElementTree.Element, moment: float | None) -> list[ElementTree.Element]:
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class") == "film"]
    return [group for group in groups if is_seen(group, moment)]


# --- SVG -----------------------------------------------------------------

every_film = pytest.mark.parametrize(
    "name", ["neuron", "leaf", "two equal operands", "dot", "groups"]
)


@functools.cache
def film_of(name: str, seconds: float = 1.2) -> tuple[ElementTree.Element, Scene]:
    """The film of one of `OUTPUTS`, and what it was made from."""
    found = scene_of_output(name, most=MAX_STEPS)
    return ElementTree.fromstring(animated_svg(found, seconds)), found


@every_film
def test_every_moment_shows_the_numbers_of_its_step(name: str) -> None:
    root, found = film_of(name)
    steps = len(found.storyboard.frames)
    end = steps + 1 + HOLD
    for i in range(end):
        step = min(i, steps)
        for moment in ((i + 0.01) / end, (i + 0.99) / end):
            assert numbers_seen(root, moment) == numbers_shown(found, step)
            (group,) = steps_seen(root, moment)
            arithmetic = [text_of(t) for t in group.iter(f"{SVG}text") if t.get("class") == "a"]
            frames = found.storyboard.frames[step - 1 : step] if step else []
            assert arithmetic == [text for f in frames for _, _, text in found.arithmetic(f)]
            assert bool(group.findall(f"{SVG}g")) == (step > 0)


@every_film
def test_where_nothing_moves_the_end_is_seen(name: str) -> None:
    root, found = film_of(name)
    steps = len(found.storyboard.frames)
    assert numbers_seen(root, None) == numbers_shown(found, steps)
    assert len(steps_seen(root, None)) == 1
    assert steps_seen(root, None) == steps_seen(root, 0.999)
    assert "prefers-reduced-motion" in (root.find(f"{SVG}style").text or "")  # type: ignore[union-attr]


@every_film
def test_times_grow_from_the_beginning_and_belong_to_one_clock(name: str) -> None:
    root, found = film_of(name, 0.5)
    steps = len(found.storyboard.frames)
    assert len(animations(root)) > steps
    for animation in animations(root):
        times, values = times_of(animation), animation.get("values", "").split(";")
        assert times[0] == 0.0 and times == sorted(set(times)) and times[-1] < 1.0
        assert len(values) == len(times) >= 2
        assert all(a != b for a, b in itertools.pairwise(values))
        assert animation.get("calcMode") == "discrete"
        assert animation.get("repeatCount") == "indefinite"
        assert animation.get("dur") == f"{0.5 * (steps + 1 + HOLD):g}s"


@every_film
def test_every_change_of_a_number_is_one_animation(name: str) -> None:
    root, found = film_of(name)
    changes = found.storyboard.changes()
    texts = [t for t in root.iter(f"{SVG}text") if "v" in t.get("class", "").split()]
    moving = [t for t in texts if t.find(f"{SVG}animate") is not None]
    assert len(texts) == sum(map(len, changes.values()))
    assert len(moving) == sum(len(texts) for texts in changes.values() if len(texts) > 1)


@every_film
def test_every_step_has_its_caption_inside_the_picture(name: str) -> None:
    root, found = film_of(name)
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class") == "film"]
    assert len(groups) == len(found.storyboard.frames) + 1
    frame = frame_of(root)
    for group, step in zip(groups, [None, *found.storyboard.frames], strict=True):
        title, headline = (t for t in group.iter(f"{SVG}text") if t.get("style"))
        assert text_of(title).startswith(found.storyboard.title)
        assert step is None or step.phase in text_of(headline)
        for text in (title, headline):
            left = float(text.get("x", ""))
            assert left >= frame.x0 and left + width_of(text_of(text)) <= frame.x1


def test_long_headline_is_cut_off_inside_the_picture(tmp_path: Path) -> None:
    x, y, z = (Value(2.0, label=letter * 40) for letter in "mwk")
    root = filmed(where(x, y, z), tmp_path / "film.svg", direction="TB")
    headlines = [text_of(t) for t in root.iter(f"{SVG}text") if "bold" in t.get("style", "")]
    assert any(text.endswith("…") for text in headlines)


def test_arithmetic_stands_at_the_operand_that_gets_it(tmp_path: Path) -> None:
    root = filmed(neuron(), tmp_path / "film.svg")
    (last,) = steps_seen(root, None)
    texts = [text_of(t) for t in last.iter(f"{SVG}text") if t.get("class") == "a"]
    assert texts == ["-3 × 0.7864 = -2.3593", "2 × 0.7864 = 1.5729"]
    assert [g.get("class") for g in last.findall(f"{SVG}g")] == [
        *["on back"] * 3, *["take"] * 2, *["give"] * 2
    ]  # fmt: skip


@every_film
def test_nothing_is_fetched_and_nothing_runs(name: str) -> None:
    svg = animated_svg(scene_of_output(name, most=MAX_STEPS), 1.2)
    assert re.findall(r"https?:[^\"' )]*", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|url\((?!#)|@import|<script|<image|<foreignObject|\bon\w+=", svg)


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_any_label_makes_a_well_formed_film(label: str, tmp_path: Path) -> None:
    def tags(text: str) -> list[str]:
        x = Value(2.0, label=text)
        with named_scope(text):
            y = x * Value(3.0, label=text)
        y.label = text
        return [part.tag for part in filmed(tanh(y + 1.0), tmp_path / "film.svg").iter()]

    assert tags(label) == tags("x")


@pytest.mark.parametrize("theme", THEMES)
def test_film_has_the_colours_of_its_theme(theme: str, tmp_path: Path) -> None:
    root = filmed(neuron(), tmp_path / "film.svg", theme=theme)
    assert root.get("class") == f"ae-{theme}"


def test_large_graph_is_a_short_film(tmp_path: Path) -> None:
    root = filmed(batch(MLP(2, [16, 16, 1], rng=0), 20), tmp_path / "film.svg")
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class") == "film"]
    assert 5 < len(groups) <= MAX_STEPS + 1
    assert "folded by neuron" in text_of(groups[0])


def test_names_come_from_the_callers_variables(tmp_path: Path) -> None:
    first, second = Value(2.0), Value(3.0)
    svg = animate(first * second, tmp_path / "film.svg", names=locals()).read_text("utf-8")
    assert ">first<" in svg and ">first*second<" in svg


# --- GIF and MP4 ---------------------------------------------------------


def pictures_of(path: Path) -> Iterator[tuple[Any, float]]:
    """Each picture of a GIF, and how many milliseconds it stays."""
    images = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with images.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            yield film.convert("RGB"), film.info["duration"]


def test_file_is_the_film(tmp_path: Path) -> None:
    svg = animate(neuron(), tmp_path / "film.svg").read_text("utf-8")
    assert svg == animated_svg(scene_of_output("neuron", most=MAX_STEPS), 1.2)


@pytest.mark.parametrize("seconds", [0.05, 60.0])
def test_gif_has_a_picture_for_each_step_and_holds_the_last(seconds: float, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = animate(neuron(), tmp_path / "film.gif", seconds=seconds)
    found = list(pictures_of(path))
    assert len(found) == 7 + 1
    assert [t for _, t in found] == pytest.approx([1000 * seconds] * 7 + [3000 * seconds], abs=10)
    assert len({picture.size for picture, _ in found}) == 1
    assert len({picture.tobytes() for picture, _ in found}) == 8
    assert b"NETSCAPE2.0\x03\x01\x00\x00\x00" in path.read_bytes()  # again and again


@pytest.mark.parametrize("theme", THEMES)
def test_gif_keeps_the_colours_that_mean_something(theme: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    colors = THEMES[theme]
    path = animate(neuron(), tmp_path / "film.gif", theme=theme)
    *_, (last, _) = pictures_of(path)
    palette = {color for _, color in last.getcolors(1 << 24)}
    for name in ("background", "current", "receiving", "input", "parameter", "positive", "ink"):
        wanted = [int(getattr(colors, name)[i : i + 2], 16) for i in (1, 3, 5)]
        nearest = min(max(abs(a - b) for a, b in zip(wanted, c, strict=True)) for c in palette)
        assert nearest <= 8, name


def test_every_picture_has_the_numbers_of_its_step() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from autograd_engine.filming import _Stage

    found = scene_of_output("neuron", most=MAX_STEPS)
    captions = [["", ""]] * (len(found.storyboard.frames) + 1)
    before: dict[tuple[int, int], tuple[str, bytes]] = {}
    for step, picture in enumerate(_Stage(found).pictures(captions)):
        scale = picture.width / found.extent(moving=True)[0]
        left, top = found.origin(moving=True)
        for place, text in shown(found.storyboard, step).items():
            x, y = found.place_of(*place)
            box = [(x + left - 55) * scale, (y + top - 8) * scale, (x + left) * scale]
            region = picture.crop((*map(round, box), round((y + top + 2) * scale)))
            assert (len(region.getcolors()) > 1) == bool(text), (step, place)
            old_text, old_pixels = before.get(place, ("", b""))
            assert step == 0 or (region.tobytes() == old_pixels) == (text == old_text)
            before[place] = text, region.tobytes()


def test_gif_of_a_leaf_has_two_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert len(list(pictures_of(animate(Value(1.0), tmp_path / "film.gif")))) == 2


def test_any_label_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    labels = [*HOSTILE, "$\\frac{1}{0$ $_"]
    path = animate(summed([Value(1.0, label=label) for label in labels]), tmp_path / "film.gif")
    assert len(list(pictures_of(path))) == 4


def test_mp4_has_a_picture_for_each_step_and_holds_the_last(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    path = animate(neuron(), tmp_path / "film.mp4", seconds=0.5)
    assert path.read_bytes()[4:8] == b"ftyp"
    frames, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert frames == 7 + 1 + HOLD
    assert seconds == pytest.approx(0.5 * frames, abs=0.05)
    assert [x.name for x in tmp_path.iterdir()] == ["film.mp4"]


# --- what is refused -----------------------------------------------------


def test_path_comes_back_and_endings_may_be_in_capitals(tmp_path: Path) -> None:
    assert animate(neuron(), str(tmp_path / "FILM.SVG")) == tmp_path / "FILM.SVG"
    assert (tmp_path / "FILM.SVG").is_file()


@pytest.mark.parametrize("name", ["film", "film.png", "film.html", "film.svg.gz", ".gif", "film."])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"does not end in \.svg, \.gif, \.mp4"):
        animate(neuron(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["svg", "gif", "mp4"])
@pytest.mark.parametrize("seconds", [0.0, 0.049, -1.0, 60.1, float("nan"), float("inf")])
def test_steps_too_short_or_too_long_are_refused(
    seconds: float, ending: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"seconds must be from 0\.05 to 60, got"):
        animate(neuron(), tmp_path / f"film.{ending}", seconds=seconds)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("settings", [{"theme": "neon"}, {"direction": "RL"}])
def test_other_themes_and_directions_are_refused(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neon|RL"):
        animate(neuron(), tmp_path / "film.svg", **settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [3.0, "x", None, [Value(1.0), Value(2.0)]])
def test_anything_but_one_value_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"expected (one|a) Value"):
        animate(value, tmp_path / "film.svg")
    assert list(tmp_path.iterdir()) == []


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {package, *sys.modules}:
        if name == package or name.startswith(f"{package}."):
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "autograd_engine.filming", raising=False)


@pytest.mark.parametrize("ending", ["gif", "mp4"])
@pytest.mark.parametrize("package", ["matplotlib", "PIL"])
def test_without_matplotlib_the_error_says_what_to_install(
    ending: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(package, monkeypatch)
    path = tmp_path / f"film.{ending}"
    path.write_bytes(b"old")
    with pytest.raises(ImportError, match=r"need matplotlib: pip install.*\.svg needs nothing"):
        animate(neuron(), path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
    animate(neuron(), tmp_path / "film.svg")


def test_without_ffmpeg_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    without("imageio_ffmpeg", monkeypatch)
    with pytest.raises(ImportError, match=r"needs ffmpeg: pip install .*\.svg and \.gif work"):
        animate(neuron(), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []
    animate(neuron(), tmp_path / "film.gif")


def test_ffmpeg_without_its_program_is_missing_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")

    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(ImportError, match="needs ffmpeg"):
        animate(neuron(), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_tall_picture_is_filmed_smaller(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    x = [Value(0.1 * i, label=f"x{i}") for i in range(30)]
    path = animate(summed([v * 2 for v in x]), tmp_path / "film.gif")
    with image.open(path) as film:
        width, height = film.size
        assert film.n_frames == 64
    assert height > 3 * width
    assert 3e6 < width * height <= 4.1e6


def test_seconds_that_are_no_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="animate: seconds"):
        animate(neuron(), tmp_path / "film.svg", seconds="1")  # type: ignore[arg-type]
