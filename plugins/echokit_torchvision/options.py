"""Options that are refused before torch is imported."""

from __future__ import annotations

from echokit import OptionError


def check_numbers(name: str, **numbers: int) -> None:
    """Refuse a number below 1.

    Raises:
        OptionError: one is.
    """
    for option, value in numbers.items():
        if value < 1:
            raise OptionError(
                f"The backbone {name!r} was given {option}={value}: give a whole number from 1."
            )


def check_colour(name: str, in_channels: int) -> None:
    """Refuse channels that are neither grey nor RGB.

    Raises:
        OptionError: they are.
    """
    if in_channels not in (1, 3):
        raise OptionError(
            f"The backbone {name!r} was given in_channels={in_channels}: give 1 or 3."
        )
