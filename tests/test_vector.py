"""exp, expm1, log, log1p, tanh of `_vector.h`: as near to the truth, and the same bits, anywhere.

The header is compiled here, for each instruction set that this processor has, and called with
whole arrays: what is tested is the vector code that GCC makes of a plain loop.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import platform
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

import autograd_engine

Floats = NDArray[np.float64]

INF, NAN = math.inf, math.nan
LARGEST, TINY = sys.float_info.max, 5e-324
LOG_2, ROOT_OF_HALF = math.log(2.0), math.sqrt(0.5)

HEADERS = Path(autograd_engine.__file__).parent
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
WHOLE = "-ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv".split()  # as it is built

# the function, how many ulp its error may be by the header, its true value
FUNCTIONS: dict[str, tuple[float, Callable[[mpmath.mpf], mpmath.mpf]]] = {
    "exp": (1.0, mpmath.exp),
    "expm1": (1.75, mpmath.expm1),
    "log": (1.0, mpmath.log),
    "log1p": (1.0, mpmath.log1p),
    "tanh": (1.75, mpmath.tanh),
}
ROWS = ["sigmoid", "softplus", "elu", "silu"]  # that consist of them

# the instruction set, and the flag in /proc/cpuinfo that says it is there
TARGETS = {"x86-64": "sse2", "haswell": "avx2", "skylake-avx512": "avx512dq"}
ON_X86 = platform.machine() in ("x86_64", "AMD64")

SOURCE = """
#include <math.h>
#include <stddef.h>
#define AE_VECTOR_MATH
#include "_vector.h"
#include "_kernels.h"
#define LOOP(name) \\
    void loop_##name(ptrdiff_t n, const double *restrict x, double *restrict z) \\
    { for (ptrdiff_t i = 0; i < n; i++) z[i] = ae_##name(x[i]); }
""" + "\n".join(f"LOOP({name})" for name in [*FUNCTIONS, *ROWS])


def compile_c(source: str, *arguments: str) -> str:
    """What the compiler says, which is no error."""
    if COMPILER is None:
        pytest.skip("there is no C compiler (cc, gcc, clang)")
    command = [COMPILER, "-std=c99", f"-I{HEADERS}", *arguments, "-x", "c", "-"]
    run = subprocess.run(command, input=source, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stderr


def the_compiler_is_gcc() -> bool:
    """Only of GCC it is known which loops become vectors."""
    return COMPILER is not None and "Free Software" in subprocess.getoutput(
        f"'{COMPILER}' --version"
    )


def targets() -> dict[str, list[str]]:
    """The instruction sets of this processor, and how they are asked for."""
    if not ON_X86:
        return {platform.machine(): []}
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = {"sse2"}
    return {name: [f"-march={name}"] for name, flag in TARGETS.items() if flag in flags}


class Library:
    """The loops of one target."""

    def __init__(self, path: Path) -> None:
        self._loops = ctypes.CDLL(str(path))

    def __call__(self, name: str, x: Floats) -> Floats:
        x, z = np.ascontiguousarray(x), np.full(len(x), NAN)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (x, z)]
        getattr(self._loops, f"loop_{name}")(ctypes.c_ssize_t(len(x)), *pointers)
        return z


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Library]:
    """The loops for each instruction set of this processor."""
    directory, result = tmp_path_factory.mktemp("vector"), {}
    for name, flags in targets().items():
        path = directory / f"{name}.so"
        compile_c(SOURCE, "-O3", *WHOLE, *flags, "-fPIC", "-shared", "-o", str(path))
        result[name] = Library(path)
    return result


@pytest.fixture(scope="module")
def library(libraries: dict[str, Library]) -> Library:
    """The loops with the widest vectors."""
    return list(libraries.values())[-1]


def around(x: float) -> list[float]:
    """The number and its neighbours, and some a little farther off."""
    return [x + step * math.ulp(x) for step in (-1000, -3, -2, -1, 0, 1, 2, 3, 1000)]


def points(name: str) -> Floats:
    """Numbers of all sizes and signs, and where the function changes its ways."""
    rng = random.Random(name)
    sizes = [math.ldexp(rng.uniform(1, 2), rng.randint(-1074, 1023)) for _ in range(500)]
    sizes += [math.ldexp(rng.uniform(1, 2), rng.randint(-60, 9)) for _ in range(1000)]
    sizes += [rng.uniform(0, end) for end in (0.4, 1, 3, 20, 40) for _ in range(150)]
    sizes += [rng.randint(1, 2**52) * TINY for _ in range(50)]  # subnormal
    sizes += [TINY, 2.0**-1022, LARGEST, *itertools.chain(*map(around, (1.0, 2.0**-54, 2.0)))]
    if name in ("exp", "expm1"):
        sizes += [rng.uniform(*ends) for ends in ((707, 746), (709, 710)) for _ in range(100)]
        sizes += [x for k in range(1077) for x in around((k + 0.5) * LOG_2)[k % 3 :: 3]]
        sizes += [x for end in (745.13, 745.14, 708.4, 709.78, 709.79, 1000.0) for x in around(end)]
        sizes += [x for end in (37.0, 37.5, 109.9, 110.0, 709.99, 710.0) for x in around(end)]
    if name == "tanh":
        sizes += [x for k in range(60) for x in around((k + 0.5) * LOG_2 / 2)]
        sizes += [rng.uniform(*ends) for ends in ((0.17, 0.26), (17, 20)) for _ in range(200)]
    if name in ("log", "log1p"):
        turns = [math.ldexp(ROOT_OF_HALF, k) for k in range(-1021, 1024, 5 if name == "log" else 1)]
        turns += [math.ldexp(ROOT_OF_HALF, k) for k in range(-60, 60)] + [0.5, 1.0, 2.0]
        turns = [x - (name == "log1p") for x in turns]
        sizes += [near for x in turns for near in around(x)]
        sizes += [1 - rng.random() ** 9 - (name == "log1p") for _ in range(300)]
    lowest = {"log": 0.0, "log1p": -1.0}.get(name, -INF)
    return np.array([x for size in sizes for x in (size, -size) if x > lowest])


def ulps(z: float, truth: mpmath.mpf) -> float:
    """How far it is from the truth, in the distance of the doubles there."""
    nearest = float(truth)
    if math.isinf(z) or math.isinf(nearest):
        return 0.0 if z == nearest else INF
    return float(abs(mpmath.mpf(z) - truth) / math.ulp(nearest))


def bits(x: Floats) -> list[int]:
    """They tell 0.0 and -0.0 apart; one nan is as good as another."""
    return np.where(np.isnan(x), NAN, x).view(np.int64).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_as_small_as_the_header_promises(name: str, library: Library) -> None:
    bound, exact = FUNCTIONS[name]
    x = points(name)
    with mpmath.workdps(50):
        errors = [ulps(z, exact(mpmath.mpf(a))) for a, z in zip(x, library(name, x), strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] < bound, f"{name}({x[worst].hex()}) is off by {errors[worst]} ulp"


def test_sigmoid_of_the_kernels_is_as_near_as_with_the_c_library(library: Library) -> None:
    """Both come to 2.4 ulp, just below powers of two such as sigmoid(-5.5413) = 1/256."""
    rng = random.Random("sigmoid")
    x = np.concatenate([points("exp"), [rng.uniform(-5.57, -5.54) for _ in range(1000)]])
    with mpmath.workdps(50):
        truth = [1 / (1 + mpmath.exp(-mpmath.mpf(a))) for a in x]
        errors = [ulps(z, t) for z, t in zip(library("sigmoid", x), truth, strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] < 2.5, f"sigmoid({x[worst].hex()}) is off by {errors[worst]} ulp"


# what Annex F of the C standard says, and where the range ends
SPECIAL: dict[str, dict[float, float]] = {
    "exp": {
        **{0.0: 1.0, TINY: 1.0, INF: INF, -INF: 0.0, -745.0: TINY},
        **dict.fromkeys((710.0, 1000.0, 1001.0, LARGEST), INF),
        **dict.fromkeys((-746.0, -1000.0, -1001.0, -LARGEST), 0.0),
    },
    "expm1": {
        **{x: x for x in (0.0, TINY, -TINY, 3 * TINY, INF)},
        **dict.fromkeys((710.0, 711.0, LARGEST), INF),
        **dict.fromkeys((-60.0, -110.0, -500.0, -710.0, -LARGEST, -INF), -1.0),
    },
    "log": {
        **{1.0: 0.0, 0.0: -INF, INF: INF},
        **dict.fromkeys((-1.0, -TINY, -LARGEST, -INF), NAN),
    },
    "log1p": {
        **{x: x for x in (0.0, TINY, -TINY, 3 * TINY, INF)},
        **{-1.0: -INF},
        **dict.fromkeys((math.nextafter(-1.0, -2.0), -2.0, -LARGEST, -INF), NAN),
    },
    "tanh": {
        **{x: x for x in (0.0, TINY, -TINY, 3 * TINY)},
        **dict.fromkeys((20.0, 20.1, 355.0, 400.0, LARGEST, INF), 1.0),
        **dict.fromkeys((-20.0, -20.1, -355.0, -400.0, -LARGEST, -INF), -1.0),
    },
}
OF_MINUS_0 = {"exp": 1.0, "expm1": -0.0, "log": -INF, "log1p": -0.0, "tanh": -0.0}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_are_those_of_the_c_library(name: str, library: Library) -> None:
    table = [*SPECIAL[name].items(), (-0.0, OF_MINUS_0[name]), (NAN, NAN), (-NAN, NAN)]
    x, expected = (np.array(column) for column in zip(*table, strict=True))
    z = library(name, x)
    assert bits(z) == bits(expected), f"{name} of {x} is {z}, not {expected}"


def test_tanh_is_odd_to_the_bit_and_never_above_1(library: Library) -> None:
    x = np.concatenate([points("tanh"), np.random.default_rng(0).uniform(0, 20, 100_000)])
    z = library("tanh", x)
    assert bits(library("tanh", -x)) == bits(-z)
    assert abs(z).max() == 1


@pytest.mark.parametrize("name", [*FUNCTIONS, *ROWS])
def test_bits_are_those_of_every_target(name: str, libraries: dict[str, Library]) -> None:
    if len(libraries) == 1:
        pytest.skip(f"this processor has one instruction set of these: {[*libraries]}")
    x = np.concatenate([points(name), [*SPECIAL.get(name, SPECIAL["exp"]), -0.0, NAN]])
    first, *others = (bits(library(name, x)) for library in libraries.values())
    assert all(other == first for other in others)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_the_position_in_a_loop(name: str, library: Library) -> None:
    x = np.random.default_rng(1).choice(points(name), 34)
    z = bits(library(name, x))
    for n in range(1, 18):
        for start in range(17):
            assert bits(library(name, x[start : start + n])) == z[start : start + n]


def test_header_is_plain_c99() -> None:
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
    compile_c('#include "_vector.h"', *warnings, "-fsyntax-only")


@pytest.mark.skipif(not ON_X86, reason="the targets are those of x86-64")
@pytest.mark.parametrize("target", TARGETS)
def test_gcc_makes_vectors_of_every_loop_and_calls_nothing(target: str, tmp_path: Path) -> None:
    if not the_compiler_is_gcc():
        pytest.skip("the compiler is not GCC")
    listing = tmp_path / "loops.s"
    said = compile_c(
        SOURCE,
        "-O3",
        *WHOLE,
        f"-march={target}",
        "-fopt-info-vec-optimized",
        "-S",
        "-o",
        f"{listing}",
    )
    for number, line in enumerate(SOURCE.splitlines(), start=1):
        if re.match(r"LOOP\(", line):
            assert re.search(rf"^<stdin>:{number}:\d+: optimized: loop vectorized", said, re.M), (
                line
            )
    for name in [*FUNCTIONS, *ROWS]:
        body = re.search(
            rf"^loop_{name}:.*?^\s*\.size\s+loop_{name}", listing.read_text(), re.M | re.S
        )
        assert body is not None
        assert not re.findall(r"\bcall\b.*", body[0]), name


@pytest.mark.skipif(not ON_X86, reason="the targets are those of x86-64")
def test_loops_of_every_clone_of_a_function_become_vectors() -> None:
    source = """
    #include "_vector.h"
    __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
    void loop(int n, const double *restrict x, double *restrict z)
    { for (int i = 0; i < n; i++) z[i] = ae_vtanh(ae_vlog(ae_vexp(x[i]))); }
    """
    if not the_compiler_is_gcc() or platform.libc_ver()[0] != "glibc":
        pytest.skip("target_clones are of GCC with glibc")
    said = compile_c(source, "-O3", *WHOLE, "-fopt-info-vec-optimized", "-S", "-o", os.devnull)
    widths = {int(width) for width in re.findall(r"loop vectorized using (\d+) byte", said)}
    assert {16, 32, 64} <= widths
