"""Checks of options that are made before torch is imported."""

from __future__ import annotations

from echokit import OptionError


def check_colour(name: str, in_channels: int) -> None:
    """Refuse a number of channels that is neither that of grey frames nor that of RGB.

    Raises:
        OptionError: it is neither 1 nor 3.
    """
    if in_channels not in (1, 3):
        raise OptionError(
            f"The backbone {name!r} was given in_channels={in_channels}: give 1 or 3."
        )
