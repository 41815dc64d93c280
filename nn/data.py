"""Data: reading, checking, splitting and scaling it, and two sets to begin with."""

from __future__ import annotations

import csv
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "DataError",
    "Dataset",
    "Rng",
    "Scaling",
    "finite",
    "generator",
    "iris",
    "matrix",
    "one_hot",
    "read_csv",
    "standardize",
    "train_test_split",
    "two_moons",
]

Rng = int | random.Random | None


class DataError(ValueError):
    """Data that cannot be used; the message names the place."""


@dataclass(frozen=True)
class Dataset:
    """Samples X (n, d) with the names of the d inputs, targets y (n,), and the target's name.

    `classes` has the names of the classes, and y their indices, where the target was text; it is
    None where the target was a number.
    """

    X: list[list[float]]
    y: list[Any]
    inputs: list[str]
    target: str
    classes: list[str] | None
    left_out: tuple[str, ...] = ()


def generator(rng: Any) -> Any:
    """What an `rng` argument means: a seed, a generator, or None for the `random` module's own."""
    if rng is None or rng is random:
        return random
    if isinstance(rng, random.Random):
        return rng
    if isinstance(rng, Integral) and not isinstance(rng, bool):
        return random.Random(int(rng))
    raise TypeError(f"rng: expected an int seed or a random.Random, got {rng!r}")


def matrix(X: Any, name: str) -> list[list[float]]:
    """X (n, d) as rows of finite floats.

    Raises
    ------
    ValueError
        When X is empty, ragged, not a table, or holds anything but finite numbers; the message
        names the row and the column, counted from 0.
    """
    if not hasattr(X, "__len__") or isinstance(X, str):
        raise DataError(f"{name} must be a table with one row per sample, got {X!r}")
    if len(X) == 0:
        raise DataError(f"{name} is empty")
    rows = []
    for i, row in enumerate(X):
        if not hasattr(row, "__len__") or isinstance(row, str):
            raise DataError(f"{name} must have rows, one per sample; row {i} is {row!r}")
        if len(row) != len(X[0]):
            raise DataError(f"{name}: row {i} has {len(row)} numbers, row 0 has {len(X[0])}")
        rows.append([finite(x, f"{name}: row {i}, column {j}") for j, x in enumerate(row)])
    return rows


def finite(x: Any, place: str) -> float:
    """`x` as a finite float; a DataError names the place."""
    try:
        number = float(x)
    except (TypeError, ValueError):
        raise DataError(f"{place}: {x!r} is not a number") from None
    except OverflowError:
        raise DataError(f"{place}: too large for a float") from None
    if not math.isfinite(number):
        raise DataError(f"{place}: {number} is not a finite number")
    return number


# --- splitting and scaling ---------------------------------------------------------------


def train_test_split(
    X: Sequence[Any], y: Sequence[Any], test_size: float = 0.25, *, rng: Rng = None
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """(X_train, X_test, y_train, y_test): a shuffled split; the test part has `test_size` of it.

    Raises
    ------
    ValueError
        When X and y differ in length, or one of the parts would be empty.
    """
    if len(X) != len(y):
        raise DataError(f"train_test_split: X has {len(X)} rows, y has {len(y)}")
    n_test = round(len(X) * test_size)
    if not 0 < n_test < len(X):
        raise DataError(
            f"train_test_split: test_size={test_size} of {len(X)} rows leaves a part empty"
        )
    order = list(range(len(X)))
    generator(rng).shuffle(order)
    test, train = order[:n_test], order[n_test:]
    return [X[i] for i in train], [X[i] for i in test], [y[i] for i in train], [y[i] for i in test]


class Scaling(NamedTuple):
    """(x - mean) / scale for each column; call it on other rows to scale them alike."""

    mean: list[float]
    scale: list[float]

    def __call__(self, X: Any) -> list[list[float]]:
        """The rows X (n, d), scaled."""
        rows, columns = matrix(X, "scaling: X"), list(zip(self.mean, self.scale, strict=True))
        if len(rows[0]) != len(columns):
            raise DataError(f"scaling: X has {len(rows[0])} columns, expected {len(columns)}")
        return [[(x - m) / s for x, (m, s) in zip(row, columns, strict=True)] for row in rows]


def standardize(X: Any) -> tuple[list[list[float]], Scaling]:
    """X (n, d) with each column at mean 0 and standard deviation 1, and the Scaling for other rows.

    A constant column becomes 0. Scale test rows by the training rows: they must not tell anything.

    Examples
    --------
    >>> from nn import standardize
    >>> X, scaling = standardize([[1.0, 5.0], [3.0, 5.0]])
    >>> X, scaling([[2.0, 5.0]])
    ([[-1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0]])
    """
    columns = list(zip(*matrix(X, "standardize: X"), strict=True))
    mean = [statistics.mean(column) for column in columns]  # exact, so a constant stays constant
    scale = [statistics.pstdev(column) or 1.0 for column in columns]
    scaling = Scaling(mean, scale)
    return scaling(X), scaling


def one_hot(labels: Sequence[int], n_classes: int | None = None) -> list[list[float]]:
    """Class indices (n,) as rows (n, k) with a single 1; k is the largest index + 1 by default.

    Raises
    ------
    ValueError
        For a label that is not a whole number from 0 to k - 1.
    """
    indices = [finite(label, f"one_hot: label {i}") for i, label in enumerate(labels)]
    k = int(max(indices, default=-1)) + 1 if n_classes is None else n_classes
    for i, index in enumerate(indices):
        if not index.is_integer() or not 0 <= index < k:
            raise DataError(
                f"one_hot: label {i} is {labels[i]!r}, not a class index from 0 to {k - 1}"
            )
    return [[1.0 if index == j else 0.0 for j in range(k)] for index in indices]


# --- reading ---------------------------------------------------------------


def read_csv(path: str | Path, target: str) -> Dataset:
    """A CSV file with a header: numeric columns become inputs, `target` the target.

    A column counts as numeric when at least half of its cells are numbers. A text target makes
    classes, in alphabetical order; other text columns are left out (`.left_out`).

    Raises
    ------
    DataError
        No such file or column, no rows, a row of another length, an empty cell, text in a numeric
        column, nan or inf, a single class: the message names file, row (as a text editor counts
        lines) and column.
    """
    header, lines = _read(Path(path))
    if target not in header:
        raise DataError(f"{path}: no column {target!r}; the columns are {', '.join(header)}")
    columns = {name: [row[j] for _, row in lines] for j, name in enumerate(header)}
    numeric = [name for name in header if _is_numeric(columns[name])]
    inputs = [name for name in numeric if name != target]
    if not inputs:
        raise DataError(f"{path}: no numeric column besides the target {target!r}")

    def cell(i: int, name: str) -> float:
        return finite(columns[name][i], f"{path}: row {lines[i][0]}, column {name!r}")

    X = [[cell(i, name) for name in inputs] for i in range(len(lines))]
    left_out = tuple(name for name in header if name not in (*inputs, target))
    if target in numeric:
        y: list[Any] = [cell(i, target) for i in range(len(lines))]
        if len(y) > 1 and min(y) == max(y):
            raise DataError(f"{path}: column {target!r} is {y[0]:g} in every row; nothing to learn")
        return Dataset(X, y, inputs, target, None, left_out)
    classes = _classes(columns[target], path, target, lines)
    indices = {name: i for i, name in enumerate(classes)}
    return Dataset(
        X, [indices[name] for name in columns[target]], inputs, target, classes, left_out
    )


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the rows with their line numbers; blank lines are skipped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = [
                (reader.line_num, [x.strip() for x in row])
                for row in reader
                if any(x.strip() for x in row)
            ]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; is it really a CSV file?") from None
    except csv.Error as error:
        raise DataError(f"{path}: row {reader.line_num}: {error}") from None
    if not lines:
        raise DataError(f"{path}: the file is empty")
    header = [" ".join(name.split()) for name in lines[0][1]]
    if len(header) == 1 and (mark := next((c for c in ";\t|" if c in header[0]), "")):
        raise DataError(f"{path}: row {lines[0][0]}: columns separated by {mark!r}, expected ','")
    for name in header:
        if not name or header.count(name) > 1:
            raise DataError(
                f"{path}: row {lines[0][0]}: column name {name!r} is empty or stands twice"
            )
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{path}: row {number} has {len(row)} cells, the header has {len(header)}"
            )
    if len(lines) == 1:
        raise DataError(f"{path}: a header but no rows")
    return header, lines[1:]


def _is_numeric(cells: list[str]) -> bool:
    return 2 * sum(map(_is_number, cells)) >= len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _classes(
    cells: list[str], path: str | Path, target: str, lines: list[tuple[int, list[str]]]
) -> list[str]:
    for (number, _), cell in zip(lines, cells, strict=True):
        if not cell:
            raise DataError(f"{path}: row {number}, column {target!r}: the class is missing")
    classes = sorted(set(cells))
    if len(classes) == 1:
        raise DataError(f"{path}: column {target!r} has one class only, {classes[0]!r}")
    if len(classes) > len(cells) // 2:
        raise DataError(
            f"{path}: column {target!r} has {len(classes)} classes in {len(cells)} rows; "
            "a class needs at least two rows"
        )
    return classes


# --- two data sets ---------------------------------------------------------------


def iris() -> Dataset:
    """150 iris flowers, 4 measurements in cm, 3 species with 50 flowers each.

    Sources: Anderson, The irises of the Gaspe Peninsula, Bulletin of the American Iris Society 59
    (1935); Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7
    (1936), whose table these rows reproduce; distributed by the UCI Machine Learning Repository.
    """
    return read_csv(Path(__file__).with_name("iris.csv"), "species")


def two_moons(
    n: int = 100, noise: float = 0.1, rng: Rng = None
) -> tuple[list[list[float]], list[int]]:
    """Two interleaved half circles: X (n, 2), y (n,) of -1 (upper) and +1 (lower), shuffled.

    `noise` is the standard deviation of what is added to each coordinate; the circles have radius
    1.
    """
    if n < 2 or not 0.0 <= noise < math.inf:
        raise DataError(f"two_moons: needs n >= 2 and noise >= 0, got n={n}, noise={noise}")
    random_numbers = generator(rng)
    draw: Callable[[float, float], float] = random_numbers.gauss
    upper = n // 2
    samples = []
    for i in range(n):
        if i < upper:
            angle = math.pi * i / max(1, upper - 1)
            x, y, label = math.cos(angle), math.sin(angle), -1
        else:
            angle = math.pi * (i - upper) / max(1, n - upper - 1)
            x, y, label = 1.0 - math.cos(angle), 0.5 - math.sin(angle), 1
        samples.append(([x + draw(0.0, noise), y + draw(0.0, noise)], label))
    random_numbers.shuffle(samples)
    return [x for x, _ in samples], [label for _, label in samples]
