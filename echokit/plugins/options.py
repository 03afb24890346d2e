"""Checks of option values that many plugins need, made before a heavy library is imported."""

from __future__ import annotations

from numbers import Integral

from echokit.errors import OptionError


def check_whole(component: str, *, least: int = 1, **options: int) -> None:
    """Refuse options that are not whole numbers, or are below `least`.

    ```python
    check_whole("backbone 'tiny3d'", num_classes=num_classes, width=width)
    ```

    Args:
        component: kind and name of the component, for the error.
        least: smallest value that each of the options may have.
        options: the options' values by name.

    Raises:
        OptionError: an option is refused; the message names it and its value.
    """
    for option, value in options.items():
        if not isinstance(value, Integral) or value < least:
            raise OptionError(
                f"The {component} was given {option}={value!r}: give a whole number from {least}."
            )
