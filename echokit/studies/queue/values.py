"""What a queue of studies tells: studies as they stand, and lines of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["receiving", "waiting", "working", "done", "ignored", "aside"]
"""Where a study stands: files still come; complete; a worker has claimed it; predicted; no rule
wants it; set aside after its last try."""
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class QueuedStudy:
    """A study in the queue, as it stood when it was asked for.

    >>> queue = echokit.StudyQueue("queue.sqlite")
    >>> queue.receive("1.2.3", "1.2.3.4", "files/4.dcm", digest="9f86d081")
    True
    >>> [(one.study, one.state, one.revision) for one in queue.studies()]
    [('1.2.3', 'receiving', 1)]
    """

    study: str
    """What it is known by: its StudyInstanceUID, or another text that names nobody."""
    state: State
    """Where it stands."""
    revision: int
    """How many files of it were received: a study that grew is predicted again."""
    tries: int
    """How often this revision was claimed."""
    source: str
    """Who sent its last file, such as a calling AE title."""
    received: float
    """When its first file was received, in seconds since 1970."""
    changed: float
    """When its last file was received, in seconds since 1970."""
    finished: float | None
    """When it was done, ignored or set aside last, in seconds since 1970."""
    rule: str
    """Name of the rule that it was predicted by; empty before."""
    result: str
    """Folder of its result; empty before."""
    reason: str
    """Why the last try failed, or why it was ignored or set aside; else empty."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log: what happened to which study, and no name."""

    time: float
    """Seconds since 1970."""
    event: str
    """What happened, such as `received` or `sent`."""
    study: str
    """The study, or empty."""
    detail: str
    """More of it."""
