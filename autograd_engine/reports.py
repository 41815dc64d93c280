"""What the checks of derivatives take and hand back."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["CheckReport", "listed"]

_SHOWN = 20


class CheckReport:
    """The outcome of a check; true when it passed; prints one line per derivative, failures first.

    A kind of report says in `checks` what was compared; each of those knows whether it `passed`.
    """

    __slots__ = ()

    title: ClassVar[str]
    checks: Any

    @property
    def failures(self) -> list[Any]:
        """The derivatives that disagree."""
        return [check for check in self.checks if not check.passed]

    @property
    def passed(self) -> bool:
        """Whether every derivative agrees."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        head = f"{self.title}: {len(self.failures)} of {len(self.checks)} derivatives disagree"
        lines = [str(check) for check in sorted(self.checks, key=lambda check: check.passed)]
        left = [f"({len(lines) - _SHOWN} more)"] if len(lines) > _SHOWN else []
        return "\n".join([head, *lines[:_SHOWN], *left, *self._advice()])

    def _advice(self) -> list[str]:
        """Where to look, for a report that has failed."""
        return []


def listed(what: str, given: Any) -> tuple[Any, ...]:
    """The arguments of a function that is to be checked.

    Raises
    ------
    TypeError
        When they are not in a list.
    """
    if isinstance(given, str | dict) or not hasattr(given, "__iter__"):
        raise TypeError(f"{what} must list the arguments of f, as [0.5, [1.0, 2.0]]; got {given!r}")
    return tuple(given)
