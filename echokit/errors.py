"""Every error echokit raises on purpose. Catch `EchokitError` to catch them all.

    EchokitError
    ├── UsageError            a command or call that cannot be carried out as typed
    │   └── DamagedError      a file of echokit's own that is damaged, changed or missing
    ├── RecipeError           a recipe, preset, config or --set that does not validate
    ├── PluginError           a plugin or component that is unknown, ambiguous or broken
    │   └── OptionError       an option a component does not take, or one it misses
    ├── DataError             data that cannot be used
    │   ├── ClipError         one clip that cannot be read, prepared or sampled
    │   └── CohortError       a set of clips that cannot be split or trained on
    └── TrainingError         training that cannot go on (a NaN loss, say)

A message says what was given, why it is refused, and what to type instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EchokitError(Exception):
    """Base of every error echokit raises on purpose."""


class UsageError(EchokitError):
    """A command or call that cannot be carried out as typed."""


class DamagedError(UsageError):
    """A file of a run, a store or a bundle that is damaged, changed or missing."""


class RecipeError(EchokitError):
    """A recipe, preset, config file or override that does not validate."""


class PluginError(EchokitError):
    """A plugin or component that is unknown, ambiguous or broken."""


class OptionError(PluginError):
    """An option that a component does not take, or one that it misses."""


class DataError(EchokitError):
    """Data that cannot be used."""


class ClipError(DataError):
    """One clip that cannot be read, prepared or sampled; the message is the reason."""


class CohortError(DataError):
    """A set of clips that cannot be validated, split or trained on."""


class TrainingError(EchokitError):
    """Training that cannot go on, such as a loss that is not a number."""


def nearest(given: str, valid: Iterable[str]) -> str:
    """Say which valid names lie nearest to a refused one, as the end of an error message.

    Args:
        given: the name that was refused.
        valid: every name that would have been accepted.

    Returns:
        `did you mean 'x'? Valid: x, y, z.`, without the question where nothing is near.
    """
    names = sorted(valid)
    if not names:
        return "There are none to choose from."
    close = get_close_matches(given, names, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{guess}Valid: {', '.join(names)}."
