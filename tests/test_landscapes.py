"""Landscapes: descent on the error of one or two weights, drawn as it is and never broken."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from autograd_engine import exp, where
from nn import MLP, error_curve, squared_error, valley

pytest.importorskip("matplotlib")


def square(w: Any) -> Any:
    return w**2


def bowl(w: Any) -> Any:
    return w[0] ** 2 + 4.0 * w[1] ** 2


def two_valleys(w: Any) -> Any:
    return 0.05 * w**4 - 0.5 * w**2 + 0.3 * w + 2.0


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def numbers(axes: Any) -> list[str]:
    """The numbers of steps; arrows are annotations without a text."""
    return [text.get_text() for text in axes.texts if text.get_text()]


def path_of(axes: Any) -> list[list[float]]:
    """The marked points of the first path."""
    line = next(x for x in axes.lines if x.get_marker() == "o" and len(x.get_xdata()))
    points: list[list[float]] = line.get_xydata().tolist()
    return points


def arrows(axes: Any) -> list[tuple[Any, Any]]:
    """(from, to) of each arrow."""
    return [(text.xyann, text.xy) for text in axes.texts if not text.get_text()]


def is_inside(axes: Any, point: Sequence[float]) -> bool:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    return bool(left <= point[0] <= right and low <= point[1] <= high)


# --- one weight ---------------------------------------------------------------


def test_points_are_the_steps_of_gradient_descent() -> None:
    (axes,) = error_curve(square, 3.0, lr=0.1, steps=4).axes
    w = [3.0 * 0.8**k for k in range(5)]
    assert path_of(axes) == [pytest.approx([x, x * x]) for x in w]
    assert [text for text in numbers(axes)][:2] == ["0", "1"]
    assert legend(axes) == ["from 3: 4 steps to w = 1.23, E = 1.51", "first tangent"]


def test_arrows_join_the_points() -> None:
    (axes,) = error_curve(square, 3.0, lr=0.9, steps=2).axes
    path = [tuple(point) for point in path_of(axes)]
    assert arrows(axes) == [(path[0], path[1]), (path[1], path[2])]


def test_curve_is_the_error() -> None:
    (axes,) = error_curve(two_valleys, 3.0, lr=0.1).axes
    w, e = axes.lines[0].get_data()
    assert len(w) > 200
    assert e.tolist() == pytest.approx([two_valleys(x) for x in w])


def test_tangent_touches_the_curve_at_the_start() -> None:
    (axes,) = error_curve(square, 3.0, lr=0.1).axes
    tangent = next(x for x in axes.lines if x.get_linestyle() == "--" and len(x.get_xdata()))
    (a, ea), (b, eb) = tangent.get_xydata()
    assert (eb - ea) / (b - a) == pytest.approx(6.0)
    assert ((a + b) / 2, (ea + eb) / 2) == pytest.approx((3.0, 9.0))


def test_each_learning_rate_has_a_panel() -> None:
    figure = error_curve(square, 3.0, lr=[0.1, 0.5, 0.9, 1.2])
    assert [axes.get_title() for axes in figure.axes] == [
        f"learning rate {rate}" for rate in (0.1, 0.5, 0.9, 1.2)
    ]
    assert [legend(axes)[0].split(":")[1].split()[0] for axes in figure.axes] == [
        "10",
        "10",
        "10",
        "leaves",
    ]


def test_frame_reaches_from_the_start_to_the_opposite_slope() -> None:
    (axes,) = error_curve(square, 3.0, lr=0.01, steps=1).axes
    left, right = axes.get_xlim()
    assert left < -3.0 and right > 3.0
    assert right - left < 8.0


def test_diverging_path_ends_with_an_arrow_at_the_frame() -> None:
    figure = error_curve(square, 3.0, lr=1.2, steps=200)
    (axes,) = figure.axes
    figure.savefig("curve.png")
    assert legend(axes)[0] == "from 3: leaves the frame at step 4"
    assert len(path_of(axes)) == 4
    assert all(is_inside(axes, point) for point in path_of(axes))
    x, y = arrows(axes)[-1][1]
    assert axes.get_xlim()[0] <= x <= axes.get_xlim()[1]
    assert y == pytest.approx(axes.get_ylim()[1])


@pytest.mark.parametrize("rate", [1e6, 1e308])
def test_steps_of_any_size_can_be_drawn(rate: float) -> None:
    figure = error_curve(square, 3.0, lr=rate)
    figure.savefig("curve.png")
    assert math.isfinite(sum(figure.axes[0].get_xlim()))
    assert "leaves the frame at step 1" in legend(figure.axes[0])[0] or (
        "not finite at step 1" in legend(figure.axes[0])[0]
    )


def test_path_into_nan_ends_there() -> None:
    (axes,) = error_curve(lambda w: w.log(), 3.0, lr=2.0, steps=20).axes
    assert legend(axes)[0] == "from 3: not finite at step 4"
    assert len(path_of(axes)) == 4


def test_starts_share_the_curve_and_differ_in_marker_and_colour() -> None:
    (axes,) = error_curve(two_valleys, [3.4, -3.6], lr=0.1, steps=30).axes
    paths = [x for x in axes.lines if x.get_marker() in "os" and len(x.get_xdata())]
    assert [path.get_marker() for path in paths] == ["o", "s"]
    assert paths[0].get_color() != paths[1].get_color()
    right, left = legend(axes)[:2]
    assert "w = 2.07" in right and "w = -2.37" in left  # the local minimum, and the global one


@pytest.mark.parametrize(
    "error",
    [
        lambda w: 7.0,
        lambda w: 0.0 * w,
        lambda w: w,
        lambda w: exp(-w),
        lambda w: w**4,
        lambda w: (w - 1.0).tanh() ** 2,
        lambda w: where(w > 0.0, w, -w),
        lambda w: 1e200 * w * w,
        lambda w: 1e-200 * w * w,
    ],
)
@pytest.mark.parametrize("start", [3.0, 1e-6, -100.0])
def test_any_landscape_is_drawn(error: Callable[[Any], Any], start: float) -> None:
    figure = error_curve(error, start, lr=0.5)
    figure.savefig("curve.png")
    (axes,) = figure.axes
    assert is_inside(axes, path_of(axes)[0])


def test_pole_does_not_flatten_the_rest() -> None:
    (axes,) = error_curve(lambda w: 1 / w, [1.0, -1.0], lr=0.5, span=(-3.0, 3.0)).axes
    assert axes.get_xlim() == (-3.0, 3.0)
    assert axes.get_ylim()[1] < 50.0


def test_numbers_of_steps_keep_their_distance() -> None:
    (axes,) = error_curve(square, 3.0, lr=0.01, steps=200).axes
    assert numbers(axes)[0] == "0"
    assert len(numbers(axes)) < 40


def test_error_may_use_the_weights_of_a_model() -> None:
    model = MLP(1, [1], rng=0)
    (axes,) = error_curve(lambda w: squared_error(model([w]), 1.0), 2.0, lr=0.1).axes
    slope = model.parameters()[0].data
    assert path_of(axes)[1][0] == pytest.approx(2.0 - 0.2 * (2.0 * slope - 1.0) * slope)
    assert all(p.grad == 0.0 for p in model.parameters())


def test_title_is_drawn_as_it_is() -> None:
    figure = error_curve(square, 1.0, lr=0.1, title=r"$\bad$ <b>")
    figure.savefig("curve.png")
    assert figure.get_suptitle() == r"\$\bad\$ <b>"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.0}, "lr must be above 0, got 0.0"),
        ({"lr": -1.0}, "lr must be above 0"),
        ({"lr": math.nan}, "lr: nan is not a finite number"),
        ({"lr": "fast"}, "lr: 'fast' is not a number"),
        ({"lr": []}, "at least one start and one learning rate"),
        ({"start": []}, "at least one start and one learning rate"),
        ({"start": math.inf}, "start: inf is not a finite number"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
        ({"span": (1.0, 1.0)}, r"span must be \(low, high\) with low < high"),
        ({"span": (1.0,)}, "span must be"),
        ({"span": (0.0, math.nan)}, "span: nan is not a finite number"),
        ({"error": lambda w: w.log(), "start": -1.0}, "begin where both are finite"),
        ({"error": lambda w: w.sqrt(), "start": 0.0}, "slope .inf.; begin where"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        error_curve(**{"error": square, "start": 3.0, "lr": 0.1, **changes})


# --- two weights ---------------------------------------------------------------


def test_valley_shows_the_path_from_above_and_on_the_surface() -> None:
    top, surface = valley(bowl, (3.0, 2.0), lr=0.05, steps=5).axes
    expected = [[3.0 * 0.9**k, 2.0 * 0.6**k] for k in range(6)]
    assert path_of(top) == [pytest.approx(point) for point in expected]
    x, y, z = surface.lines[0].get_data_3d()  # type: ignore[attr-defined]
    assert [list(point) for point in zip(x, y, strict=True)] == path_of(top)
    assert list(z) == pytest.approx([bowl(point) for point in expected])
    assert top.get_title() == "from (3, 2): 5 steps to w = (1.77, 0.156), E = 3.23"


def test_lowest_point_of_the_path_is_in_the_middle() -> None:
    top, _ = valley(bowl, (3.0, 2.0), lr=0.1, steps=100).axes
    for low, high in (top.get_xlim(), top.get_ylim()):
        assert (low + high) / 2 == pytest.approx(0.0, abs=1e-6)
    assert is_inside(top, (3.0, 2.0)) and is_inside(top, (-3.0, -2.0))


def test_contours_are_lines_of_equal_error() -> None:
    top, _ = valley(bowl, (3.0, 2.0), lr=0.1).axes
    contours: Any = [c for c in top.collections if type(c).__name__ == "QuadContourSet"][-1]
    checked = 0
    for level, lines in zip(contours.levels, contours.allsegs, strict=True):
        for a, b in [point for line in lines for point in line]:
            assert bowl([a, b]) == pytest.approx(level, rel=0.05, abs=0.1)
            checked += 1
    assert checked > 100


def test_diverging_path_in_a_valley_is_cut_off() -> None:
    figure = valley(bowl, (3.0, 2.0), lr=0.27, steps=2000)
    figure.savefig("valley.png")
    assert "leaves the frame at step" in figure.axes[0].get_title()


@pytest.mark.parametrize(
    "error",
    [
        lambda w: 5.0,
        lambda w: w[0],
        lambda w: w[0].log() + w[1] ** 2,
        lambda w: 100.0 * (w[1] - w[0] ** 2) ** 2 + (1.0 - w[0]) ** 2,
        lambda w: 1 / (w[0] - 2.0) + w[1] ** 2,
    ],
)
def test_any_valley_is_drawn(error: Callable[[Any], Any]) -> None:
    figure = valley(error, (3.0, 0.0), lr=1e-3, title="any")
    figure.savefig("valley.png")
    assert is_inside(figure.axes[0], (3.0, 0.0))


def test_span_of_a_valley_may_be_given() -> None:
    top, _ = valley(bowl, (1.0, 1.0), lr=0.1, span=((-2.0, 3.0), (-4.0, 5.0))).axes
    assert (top.get_xlim(), top.get_ylim()) == ((-2.0, 3.0), (-4.0, 5.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": (1.0,)}, "start and span need two entries"),
        ({"start": (1.0, 2.0, 3.0)}, "start and span need two entries"),
        ({"span": ((0.0, 1.0),)}, "start and span need two entries"),
        ({"span": ((0.0, 1.0), (1.0, 0.0))}, "valley: span must be"),
        ({"start": (1.0, math.nan)}, "valley: start: nan is not a finite number"),
        ({"lr": 0.0}, "valley: lr must be above 0"),
        ({"steps": -1}, "valley: steps must be"),
        ({"error": lambda w: w[0].log(), "start": (-1.0, 0.0)}, "valley: at the start"),
    ],
)
def test_valley_that_cannot_be_drawn_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        valley(**{"error": bowl, "start": (3.0, 2.0), "lr": 0.1, **changes})


def test_landscapes_do_not_load_pyplot() -> None:
    code = (
        "import sys, nn\n"
        "nn.valley(lambda w: w[0] ** 2 + w[1] ** 2, (1, 1), lr=0.1).savefig('a.png')\n"
        "nn.error_curve(lambda w: w ** 2, 1, lr=0.1).savefig('b.png')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
