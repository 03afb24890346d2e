"""What every archive can do, and how failures are retried."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from echokit import DataError

TRIES, FIRST_WAIT = 4, 0.5
"""How often something is tried, and seconds before the second try; each wait is twice the last."""
LIBRARIES = ("pynetdicom", "dicomweb_client", "urllib3")
"""Loggers of libraries that write queries and identifiers of patients."""
KEPT = "What has arrived is kept: type the command again to go on."

T = TypeVar("T")


class Unreachable(Exception):  # noqa: N818 - it is no error of the user's, and may pass
    """The archive did not answer, or broke off; the message is the reason."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an instance stands in an archive."""

    study: str
    series: str
    instance: str


@dataclass(frozen=True, slots=True)
class Found:
    """An instance as an archive lists it."""

    place: Place
    modality: str
    """Empty where the archive does not say."""
    storage: str
    """SOP class UID; empty where the archive does not say."""
    frames: int | None
    """Number of frames; None where the archive does not say."""


class Archive(Protocol):
    """An archive that is asked and given instances. Each method may raise `Unreachable`."""

    shown: str
    """Its address without a query."""

    def find(self, query: Mapping[str, str]) -> Iterator[Found]:
        """List the instances of the studies that match, study by study.

        Raises:
            DataError: the archive refuses, or answers what cannot be read.
        """
        ...

    def fetch(self, place: Place, out: Path) -> None:
        """Write an instance to a file, which appears whole or not at all.

        Raises:
            DataError: the archive refuses, or does not hold it.
        """
        ...

    def holds(self, place: Place) -> bool:
        """Say whether an instance is there."""
        ...

    def store(self, path: Path) -> None:
        """Give the archive a file.

        Raises:
            DataError: the archive refuses it.
        """
        ...


def persist(
    shown: str,
    action: Callable[[], T],
    *,
    tries: int = TRIES,
) -> T:
    """Do something with an archive, again and again where it cannot be reached.

    Args:
        shown: address of the archive, without a query.
        action: what is done; it can be done twice.
        tries: how often it is tried.

    Raises:
        DataError: no try succeeded; what else `action` raises is passed on.
    """
    for number in range(1, tries + 1):
        try:
            return action()
        except Unreachable as error:
            if number == tries:
                raise DataError(
                    f"{shown} cannot be reached, or broke off ({error}), {tries} times. {KEPT}"
                ) from None
            time.sleep(FIRST_WAIT * 2 ** (number - 1))
    raise AssertionError("no try was made")


def hush() -> None:
    """Keep the libraries from logging, since they log queries and whole data sets."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
