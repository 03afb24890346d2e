"""Make pseudonyms of whatever may name a person, salted by a secret that only this user has.

Without the secret a list of patients cannot be hashed to find out who a pseudonym is.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import hmac
import os
import re
import secrets
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from echokit.errors import UsageError
from echokit.system.files import whole_file

SALT = "ECHOKIT_SALT"
"""Environment variable: a text that several people share, in the place of the user's secret."""
FOLDER = "ECHOKIT_CONFIG"
"""Environment variable: the folder of the secret, by default `~/.config/echokit`."""
DIGITS = 12
"""Hexadecimal digits of a pseudonym: two of a million patients share one once in three times
ten thousand cohorts."""
_PSEUDONYM = re.compile(rf"P-[0-9a-f]{{{DIGITS}}}")
_recorded: list[dict[tuple[str, str], None]] = []
"""What pseudonyms stand for, in each `recorded` block that is open."""


def pseudonym(original: str, *, shown: str = "") -> str:
    """Make the pseudonym of a text that may name a person, such as a patient's identifier.

    The same text has the same pseudonym wherever the same secret is used: that of the user, made at
    first use in `~/.config/echokit/secret`, or the text in the environment variable `ECHOKIT_SALT`.

    Args:
        original: the text; spaces around it do not count.
        shown: a name to show in place of digits, such as `file 3`; it must not hold any of the
            original.

    Returns:
        `P-` and twelve hexadecimal digits, or `shown`.

    Raises:
        UsageError: the secret can be neither read nor made.
    """
    name = shown or f"P-{keyed_digest(original.strip(), DIGITS)}"
    for record in _recorded:
        record[name, original] = None
    return name


def is_pseudonym(text: str) -> bool:
    """Return True if a text looks like what `pseudonym` makes."""
    return _PSEUDONYM.fullmatch(text) is not None


def keyed_digest(text: str, digits: int) -> str:
    """Return hexadecimal digits of the text's HMAC-SHA-256 under the secret.

    For what must be the same under one secret, and tell nothing without it, such as an identifier
    or a number of days. Begin the text with what it is for, so that two uses never meet.

    Args:
        text: what is digested.
        digits: number of digits, 1 to 64.

    Raises:
        UsageError: the secret can be neither read nor made.
    """
    return hmac.digest(_secret(), text.encode("utf-8", "surrogateescape"), "sha256").hex()[:digits]


def fingerprint() -> str:
    """Return a mark of the secret, by which a run knows its own; it tells nothing of the secret."""
    return keyed_digest("echokit: fingerprint of the secret", 16)


@contextmanager
def key_file(path: Path | None) -> Iterator[None]:
    """Write what each pseudonym stands for that is made in a block; None writes nothing.

    The file is a CSV of the columns `pseudonym` and `original`, which its owner alone may read.

    Raises:
        UsageError: the file exists.
    """
    if path is None:
        yield
        return
    if path.exists():
        raise UsageError(f"--key-file {path} exists already: name a new file beside your own data.")
    record: dict[tuple[str, str], None] = {}
    _recorded.append(record)
    try:
        yield
    finally:
        _recorded.remove(record)
        _write_key(path, record)


def _write_key(path: Path, record: Collection[tuple[str, str]]) -> None:
    with whole_file(path) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(("pseudonym", "original"))
            writer.writerows(sorted(record))


def config_folder() -> Path:
    """Return the folder of what echokit keeps for this user alone; it is made when it is needed."""
    if named := os.environ.get(FOLDER):
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "echokit"


def _secret() -> bytes:
    if shared := os.environ.get(SALT):
        return hashlib.sha256(shared.encode()).digest()
    return _own_secret(config_folder() / "secret")


@cache
def _own_secret(path: Path) -> bytes:
    """Read the user's secret; makes it at first use."""
    try:
        if not path.exists():
            _make_secret(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        written = path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The secret of pseudonyms, {path}, can be neither read nor made "
            f"({getattr(error, 'strerror', None) or error}): set {FOLDER} to a folder that is "
            f"yours, or {SALT} to a text that is known to nobody else."
        ) from error
    if len(written) < 32:
        raise UsageError(
            f"The secret of pseudonyms, {path}, is damaged: bring back a copy of it, or remove it; "
            "patients then have other pseudonyms than before."
        )
    return hashlib.sha256(written.encode()).digest()


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".secret.{os.getpid()}.{threading.get_ident()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its secret counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
