"""Checks of option values, so that a mistyped recipe fails before any clip is read."""

from __future__ import annotations

from collections.abc import Sequence

from echokit import OptionError

Range = tuple[float, float]
"""Smallest and largest value of a uniform distribution."""


def checked(name: str, value: float, least: float, most: float) -> float:
    """Return an option's value if it is a number within its limits.

    Raises:
        OptionError: the value is refused.
    """
    if not _is_number(value) or not least <= value <= most:
        raise OptionError(f"{name}={value!r} is refused: give a number in [{least:g}, {most:g}].")
    return float(value)


def checked_whole(name: str, value: int, least: int, most: int) -> int:
    """Return an option's value if it is a whole number within its limits.

    Raises:
        OptionError: the value is refused.
    """
    if checked(name, value, least, most) != int(value):
        raise OptionError(f"{name}={value!r} is refused: give a whole number, such as {least}.")
    return int(value)


def checked_range(name: str, limits: Sequence[float], least: float, most: float) -> Range:
    """Return an option's two values if they are in order and within their limits.

    Raises:
        OptionError: the values are refused.
    """
    pair = tuple(limits) if isinstance(limits, Sequence) else ()
    if len(pair) != 2 or not all(map(_is_number, pair)):
        raise OptionError(f"{name}={limits!r} is refused: give two numbers, [low, high].")
    low, high = pair
    if not least <= low <= high <= most:
        raise OptionError(
            f"{name}={limits!r} is refused: give [low, high] with "
            f"{least:g} <= low <= high <= {most:g}."
        )
    return float(low), float(high)


def checked_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse an option's value that is not one of its choices.

    Raises:
        OptionError: the value is refused.
    """
    if value not in choices:
        raise OptionError(f"{name}={value!r} is refused: give {' or '.join(map(repr, choices))}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
