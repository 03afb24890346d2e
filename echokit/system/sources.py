"""Keep the paths of a user's own data out of what is written: `private:` and digits stand for one.

What they stand for is kept in the user's own folder, `~/.config/echokit/sources`, mode 0700.
"""

from __future__ import annotations

from pathlib import Path

from echokit.errors import UsageError
from echokit.system.files import whole_file
from echokit.system.pseudonyms import FOLDER, config_folder, keyed_digest

PREFIX = "private:"


def hide_source(source: str) -> str:
    """Return what stands for an address of the user's own data: a path, or one with `://` or `@`.

    Any other text is returned as it is.

    Raises:
        UsageError: it cannot be kept.
    """
    if not source or source.startswith(PREFIX):
        return source
    if Path(source).expanduser().exists():
        path = str(Path(source).expanduser().resolve())
    elif "://" in source or "@" in source:  # a query may name a patient
        path = source
    else:
        return source
    hidden = f"{PREFIX}{keyed_digest(path, 16)}"
    keep_source(hidden, path)
    return hidden


def keep_source(hidden: str, source: str) -> None:
    """Keep the path that a text from `hide_source` stands for, also after the data were moved.

    Raises:
        UsageError: it cannot be kept.
    """
    place = _place(hidden)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with whole_file(place) as partial:
            partial.touch(0o600)
            partial.write_text(source, "utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(
            f"{place.parent} cannot be written ({error.strerror}): set {FOLDER} to a folder that "
            "is yours."
        ) from error


def reveal_source(source: str) -> str | None:
    """Return the path that a text stands for; None if that is not known on this machine."""
    if not source.startswith(PREFIX):
        return source
    try:
        return _place(source).read_text("utf-8", errors="surrogateescape")
    except (OSError, ValueError):
        return None


def _place(hidden: str) -> Path:
    name = hidden.removeprefix(PREFIX)
    if not name.isalnum():
        raise UsageError(f"{hidden!r} stands for no data: write the path itself.")
    return config_folder() / "sources" / name
