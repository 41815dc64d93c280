"""Plots: figures with the right content, made without pyplot and never shown."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

import autograd_engine
from autograd_engine.themes import THEMES
from nn import MLP, activation_curves, decision_boundary, loss_curve
from nn.palette import MARKS, color, marker

pytest.importorskip("matplotlib")

X = [[0.0, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 4.0]]


def sum_of(rows: Sequence[Sequence[float]]) -> list[float]:
    return [a + b - 3.0 for a, b in rows]


def three_classes(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[a, b, 1.0] for a, b in rows]


def points_of(axes: Any) -> list[list[list[float]]]:
    from matplotlib.collections import PathCollection

    clouds: list[Any] = [c for c in axes.collections if isinstance(c, PathCollection)]
    return [cloud.get_offsets().tolist() for cloud in clouds]


def legend_of(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


# --- loss curve ---------------------------------------------------------------


def test_loss_curve_shows_every_epoch_from_one() -> None:
    (axes,) = loss_curve([3.0, 2.0, 1.5]).axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[1.0, 3.0], [2.0, 2.0], [3.0, 1.5]]


def test_loss_curve_names_its_axis_and_title() -> None:
    (axes,) = loss_curve([1.0], title="training").axes
    assert (axes.get_xlabel(), axes.get_title()) == ("epoch", "training")


@pytest.mark.parametrize(
    ("loss", "scale"), [([2.0, 1e-3], "log"), ([2.0, 0.0], "linear"), ([2.0, -1.0], "linear")]
)
def test_loss_curve_is_logarithmic_where_it_can_be(loss: list[float], scale: str) -> None:
    (axes,) = loss_curve(loss).axes
    assert axes.get_yscale() == scale


def test_single_epoch_is_a_visible_point() -> None:
    (axes,) = loss_curve([1.0]).axes
    assert axes.lines[0].get_marker() == "o"


# --- decision boundary ---------------------------------------------------------------


def test_signed_targets_make_two_clouds_and_the_line_between() -> None:
    figure = decision_boundary(sum_of, X, [-1, -1, 1, 1], names=("width", "height"), title="t")
    (axes,) = figure.axes
    assert points_of(axes) == [X[:2], X[2:]]
    assert legend_of(axes) == ["-1", "+1"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("width", "height", "t")
    lines = [c for c in axes.collections if c.__class__.__name__ == "QuadContourSet"]
    assert [0.0] in [list(c.levels) for c in lines]


def test_class_indices_make_one_cloud_and_name_per_class() -> None:
    figure = decision_boundary(three_classes, X, [0, 1, 2, 1], classes=["a", "b", "c"])
    (axes,) = figure.axes
    assert points_of(axes) == [[X[0]], [X[1], X[3]], [X[2]]]
    assert legend_of(axes) == ["a", "b", "c"]


def test_classes_without_names_are_numbered() -> None:
    (axes,) = decision_boundary(three_classes, X, [0, 1, 2, 1]).axes
    assert legend_of(axes) == ["class 0", "class 1", "class 2"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x0", "x1")


def test_numeric_targets_are_shaded_with_a_colour_bar() -> None:
    figure = decision_boundary(sum_of, X, [0.5, 1.5, 2.5, 3.5])
    assert len(figure.axes) == 2
    assert points_of(figure.axes[0]) == [X]


def test_plane_reaches_beyond_the_samples() -> None:
    seen: list[list[float]] = []

    def predict(rows: list[list[float]]) -> list[float]:
        seen.extend(rows)
        return sum_of(rows)

    decision_boundary(predict, X, [-1, -1, 1, 1])
    for axis, (low, high) in enumerate([(0.0, 3.0), (0.0, 4.0)]):
        assert min(row[axis] for row in seen) < low
        assert max(row[axis] for row in seen) > high


@pytest.mark.parametrize("constant", [0.0, -1.0, 1.0, 7.0])
@pytest.mark.parametrize("y", [[-1, 1, 1, -1], [2.0, 3.0, 4.0, 5.0], [1, 1, 1, 1], [3, 3, 3, 3]])
def test_model_that_says_the_same_everywhere_is_drawn(constant: float, y: list[float]) -> None:
    figure = decision_boundary(lambda rows: [constant] * len(rows), X, y)
    figure.savefig("plane.png")
    assert points_of(figure.axes[0])


def test_many_classes_and_a_constant_column_are_drawn() -> None:
    rows = [[1.0, float(i)] for i in range(9)]

    def predict(plane: list[list[float]]) -> list[list[float]]:
        return [[-abs(b - i) for i in range(9)] for _, b in plane]

    figure = decision_boundary(predict, rows, list(range(9)))
    figure.savefig("plane.png")
    assert len(points_of(figure.axes[0])) == 9


def test_predict_of_a_network_fits() -> None:
    for width in (1, 3):
        model = MLP(2, [4, width], activation="tanh", rng=0)
        assert decision_boundary(model.predict, X, [1, 1, 0, 0] if width > 1 else [1, 1, -1, -1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "X is empty"),
        ([[1.0]] * 4, "needs two inputs, got 1"),
        ([[1.0, 2.0, 3.0]] * 4, "needs two inputs, got 3"),
        ([[1.0, math.nan]] * 4, "nan is not a finite number"),
    ],
)
def test_samples_that_do_not_lie_in_a_plane_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decision_boundary(sum_of, rows, [1, 1, -1, -1])


def test_colour_and_mark_together_tell_36_classes_apart_in_plots_and_on_pages() -> None:
    looks = [(color(i), marker(i)) for i in range(36)]
    assert len(set(looks)) == 36
    assert len(set(MARKS.values())) == len(MARKS) == 6
    for theme in THEMES:
        assert len({color(i, theme) for i in range(6)}) == 6


# --- activations ---------------------------------------------------------------


def curves(axes: Any) -> dict[str, dict[float, float]]:
    """The points of function and derivative, by their labels."""
    return {
        label: dict(line.get_xydata().tolist())
        for label, line in zip(("f", "slope"), axes.lines, strict=False)
    }


def test_each_activation_has_a_panel_with_its_derivative() -> None:
    figure = activation_curves(["tanh", autograd_engine.sigmoid], span=(-2.0, 2.0))
    assert [axes.get_title() for axes in figure.axes] == ["tanh", "sigmoid"]
    assert legend_of(figure.axes[0]) == ["f(x)", "f '(x)"]
    for axes, slope in zip(
        figure.axes, [lambda z: 1.0 - z * z, lambda z: z * (1.0 - z)], strict=True
    ):
        drawn = curves(axes)
        assert axes.get_xlim() == (-2.0, 2.0)
        for x, z in drawn["f"].items():
            assert z == pytest.approx(getattr(autograd_engine, axes.get_title())(x))
            assert drawn["slope"][x] == pytest.approx(slope(z))


def test_line_of_a_derivative_is_broken_where_it_jumps() -> None:
    relu, elu = activation_curves(["relu", "elu"]).axes
    gaps = [x for x, slope in curves(relu)["slope"].items() if math.isnan(slope)]
    assert len(gaps) == 1 and abs(gaps[0]) < 0.05
    assert {0.0, 1.0} == {y for y in curves(relu)["slope"].values() if not math.isnan(y)}
    assert not any(map(math.isnan, curves(relu)["f"].values()))
    assert not any(map(math.isnan, curves(elu)["slope"].values()))


def test_function_of_ones_own_is_an_activation() -> None:
    def cubic(x: Any) -> Any:
        return x**3

    figure = activation_curves([cubic, lambda x: x.log(), "linear", "heaviside"])
    figure.savefig("curves.png")
    assert [axes.get_title() for axes in figure.axes] == [
        "cubic",
        "<lambda>",
        "linear",
        "heaviside",
    ]
    assert curves(figure.axes[0])["slope"][-5.0] == 75.0


def test_activations_without_a_choice_are_the_usual_ones() -> None:
    assert {"sigmoid", "tanh", "relu"} < {axes.get_title() for axes in activation_curves().axes}


@pytest.mark.parametrize(
    ("activations", "span", "message"),
    [
        (["nothing"], (-1.0, 1.0), "unknown activation 'nothing'"),
        ([], (-1.0, 1.0), "expected a list of activations"),
        ("tanh", (-1.0, 1.0), r"write \['tanh', 'relu'\]"),
        (["tanh"], (1.0, -1.0), "span must be"),
        (["tanh"], (-math.inf, 1.0), "span: -inf is not a finite number"),
    ],
)
def test_activations_that_cannot_be_drawn_are_refused(
    activations: Any, span: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        activation_curves(activations, span=span)


# --- imports ---------------------------------------------------------------


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_plots_do_not_load_pyplot() -> None:
    code = "import sys, nn; nn.loss_curve([2, 1]).savefig('a.png')"
    assert python(f"{code}; print('matplotlib.pyplot' in sys.modules)") == "False"


def test_package_does_not_load_matplotlib_until_something_is_plotted() -> None:
    assert python("import sys, nn; print('matplotlib' in sys.modules)") == "False"


def test_missing_matplotlib_is_named_with_the_remedy() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None\n"
        "import nn\n"
        "try: nn.loss_curve([1])\n"
        "except ImportError as error: print(error)"
    )
    assert 'pip install -e ".[plot]"' in python(code)


def test_names_with_dollars_and_underscores_are_drawn_as_they_are() -> None:
    figure = decision_boundary(
        lambda rows: [[a, b] for a, b in rows],
        [[0.0, 1.0], [1.0, 0.0]],
        [0, 1],
        names=("price $", r"cost $\frac$"),
        classes=("_hid", "p$_$"),
        title=r"$\bad$",
    )
    figure.savefig("plane.png")
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "_hid"


def test_between_two_classes_there_is_no_strip_of_a_third() -> None:
    figure = decision_boundary(
        lambda rows: [[a, -10.0, -a] for a, _ in rows], [[-1.0, 0.0], [1.0, 1.0]], [2, 0]
    )
    regions = [c for c in figure.axes[0].collections if type(c).__name__ == "QuadContourSet"]
    assert len(regions) == 2


def test_a_notebook_shows_a_figure_without_being_told_to() -> None:
    figure = loss_curve([1.0, 0.5])
    png = figure._repr_png_()  # type: ignore[attr-defined]
    assert png.startswith(b"\x89PNG")
    assert type(figure) is type(loss_curve([1.0]))
