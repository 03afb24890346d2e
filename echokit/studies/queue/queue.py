"""Studies that wait to be predicted, in a database that several processes share.

A study is received file by file, complete after a quiet time, claimed by one worker, and then done,
ignored because no rule wants it, or set aside by name. A process that is killed at any moment
leaves every study in one of these states: what it had claimed, `release` gives back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from echokit.studies.queue.database import open_database
from echokit.studies.queue.remarks import Remarks
from echokit.studies.queue.tables import CORRECTIONS, EVENTS, FILES, READINGS, STUDIES
from echokit.studies.queue.values import STATES, Event, QueuedStudy, State


class StudyQueue:
    """A queue of studies in SQLite or PostgreSQL.

    Several threads and processes may share it. Every method is one transaction: it happened whole,
    or not at all.

    >>> queue = echokit.StudyQueue("queue.sqlite")
    >>> queue.receive("1.2.3", "1.2.3.4", "files/4.dcm", digest="9f86d081")
    True
    >>> queue.complete(quiet=0.0), queue.claim("me").state
    (1, 'working')
    """

    def __init__(self, url: str | Path) -> None:
        """Open a queue, and make its tables where there are none.

        Args:
            url: path of an SQLite file, or a URL of SQLAlchemy such as
                `postgresql+psycopg://echokit@localhost/echokit`, its password in ~/.pgpass.

        Raises:
            UsageError: it is no URL, or the database cannot be opened.
        """
        self._engine = open_database(url)
        self._insert = (
            postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        )

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def receive(
        self, study: str, instance: str, file: str, digest: str, *, source: str = ""
    ) -> bool:
        """Record a file of a study that is safely on the disk.

        Args:
            study: what the study is known by.
            instance: what the file is known by, such as its SOPInstanceUID.
            file: its path below the folder of the node.
            digest: SHA-256 of the file.
            source: who sent it.

        Returns:
            False if this instance of the study was recorded before: nothing changes.
        """
        now = time.time()
        with self._begin() as db:
            db.execute(
                self._insert(STUDIES)
                .values(study=study, state="receiving", received=now, changed=now, source=source)
                .on_conflict_do_nothing()
            )
            added = db.execute(
                self._insert(FILES)
                .values(study=study, instance=instance, file=file, digest=digest)
                .on_conflict_do_nothing()
                .returning(FILES.c.id)
            )
            if added.first() is None:
                return False
            kept = STUDIES.c.state == "working"  # whoever works on it finds that it grew
            db.execute(
                update(STUDIES)
                .where(STUDIES.c.study == study, kept)
                .values(revision=STUDIES.c.revision + 1, changed=now, source=source)
            )
            db.execute(
                update(STUDIES)
                .where(STUDIES.c.study == study, ~kept)
                .values(
                    revision=STUDIES.c.revision + 1,
                    changed=now,
                    source=source,
                    state="receiving",
                    tries=0,
                    not_before=0.0,
                    reason="",
                )
            )
            _note(db, "received", study, source)
        return True

    def complete(self, study: str | None = None, *, quiet: float = 0.0) -> int:
        """Call studies complete of which no file came for some time, and return how many.

        Args:
            study: only this one.
            quiet: seconds without a file.
        """
        asked = (STUDIES.c.state == "receiving") & (STUDIES.c.changed <= time.time() - quiet)
        if study is not None:
            asked &= STUDIES.c.study == study
        with self._begin() as db:
            return db.execute(update(STUDIES).where(asked).values(state="waiting")).rowcount

    def claim(self, owner: str) -> QueuedStudy | None:
        """Claim the study that waits longest, for one try; None if none waits.

        Args:
            owner: the worker, by which `release` finds what it had claimed.
        """
        with self._begin() as db:
            first = (
                select(STUDIES.c.study)
                .where(STUDIES.c.state == "waiting", STUDIES.c.not_before <= time.time())
                .order_by(STUDIES.c.changed, STUDIES.c.study)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            row = db.execute(
                update(STUDIES)
                .where(STUDIES.c.study == first.scalar_subquery(), STUDIES.c.state == "waiting")
                .values(state="working", owner=owner, tries=STUDIES.c.tries + 1)
                .returning(STUDIES)
            ).one_or_none()
            if row is None:
                return None
            _note(db, "claimed", row.study, owner)
            return _study(row)

    def finish(self, claimed: QueuedStudy, *, rule: str, result: str) -> None:
        """Record the result of a claimed study; one that grew meanwhile is received again."""
        self._end(claimed, "done", rule=rule, result=result, reason="")

    def ignore(self, claimed: QueuedStudy, reason: str) -> None:
        """Record that no rule wants a claimed study."""
        self._end(claimed, "ignored", reason=reason)

    def set_aside(self, claimed: QueuedStudy, reason: str) -> None:
        """Record that a claimed study is not tried again, and why."""
        self._end(claimed, "aside", reason=reason)

    def postpone(
        self, claimed: QueuedStudy, reason: str, seconds: float, *, counts: bool = True
    ) -> None:
        """Record that a try failed, and try again after some time.

        Args:
            claimed: the study.
            reason: why it failed.
            seconds: how long to wait.
            counts: False if the machine is to blame, such as a full disk, and not the study.
        """
        tries = claimed.tries - (not counts)
        later = time.time() + seconds
        self._end(claimed, "waiting", reason=reason, not_before=later, tries=tries)

    def release(self, owner: str) -> int:
        """Give back what a worker had claimed that is no more, and return how many studies."""
        with self._begin() as db:
            return db.execute(
                update(STUDIES)
                .where(STUDIES.c.state == "working", STUDIES.c.owner == owner)
                .values(state="waiting", owner="")
            ).rowcount

    def again(self, study: str) -> bool:
        """Have a study that is done, ignored or set aside predicted anew; False if none is."""
        ended = STUDIES.c.state.in_(("done", "ignored", "aside"))
        with self._begin() as db:
            changed = db.execute(
                update(STUDIES)
                .where(STUDIES.c.study == study, ended)
                .values(state="waiting", tries=0, not_before=0.0, reason="")
            ).rowcount
            if changed:
                _note(db, "again", study)
            return bool(changed)

    def find(self, study: str) -> QueuedStudy | None:
        """Return one study; None if it is not in the queue."""
        with self._begin() as db:
            row = db.execute(select(STUDIES).where(STUDIES.c.study == study)).one_or_none()
            return None if row is None else _study(row)

    def remove(self, study: str) -> bool:
        """Remove a study that nobody works on, with its remarks; False if there is none such.

        The audit log keeps its lines.
        """
        free = (STUDIES.c.study == study) & (STUDIES.c.state != "working")
        with self._begin() as db:
            removed = db.execute(delete(STUDIES).where(free)).rowcount
            if removed:
                for table in (FILES, CORRECTIONS, READINGS):
                    db.execute(delete(table).where(table.c.study == study))
                _note(db, "removed", study)
            return bool(removed)

    @property
    def remarks(self) -> Remarks:
        """Corrections and readings of users."""
        return Remarks(self._begin)

    def files(self, study: str) -> tuple[str, ...]:
        """Paths of the files of a study below the folder of the node, in the order they came."""
        asked = select(FILES.c.file).where(FILES.c.study == study).order_by(FILES.c.id)
        with self._begin() as db:
            return tuple(db.execute(asked).scalars())

    def studies(self, state: State | None = None, *, limit: int = 1000) -> list[QueuedStudy]:
        """List studies, those that changed last first.

        Args:
            state: only those in this state.
            limit: largest number of studies.
        """
        asked = select(STUDIES).order_by(STUDIES.c.changed.desc()).limit(limit)
        if state is not None:
            asked = asked.where(STUDIES.c.state == state)
        with self._begin() as db:
            return [_study(row) for row in db.execute(asked)]

    def counts(self) -> Mapping[State, int]:
        """State -> number of studies, every state named."""
        asked = select(STUDIES.c.state, func.count()).group_by(STUDIES.c.state)
        with self._begin() as db:
            found = {row[0]: int(row[1]) for row in db.execute(asked)}
        return {state: found.get(state, 0) for state in STATES}

    def note(self, event: str, study: str = "", detail: str = "") -> None:
        """Write a line of the audit log; neither a name nor a text of a file belongs in it."""
        with self._begin() as db:
            _note(db, event, study, detail)

    def events(self, study: str | None = None) -> list[Event]:
        """Return the audit log, oldest first.

        Args:
            study: only of this one.
        """
        asked = select(EVENTS).order_by(EVENTS.c.id)
        if study is not None:
            asked = asked.where(EVENTS.c.study == study)
        with self._begin() as db:
            rows = db.execute(asked).all()
        return [Event(row.time, row.event, row.study, row.detail) for row in rows]

    def _end(self, claimed: QueuedStudy, state: State, **values: Any) -> None:
        """End a try; if the study grew meanwhile, its new files are received instead."""
        with self._begin() as db:
            same = STUDIES.c.revision == claimed.revision
            mine = (STUDIES.c.study == claimed.study) & (STUDIES.c.state == "working")
            ended = {"owner": "", "finished": None if state == "waiting" else time.time()}
            db.execute(
                update(STUDIES).where(mine, ~same).values(state="receiving", tries=0, owner="")
            )
            db.execute(update(STUDIES).where(mine, same).values(state=state, **ended, **values))
            _note(db, state, claimed.study, str(values.get("reason") or values.get("rule", "")))

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._engine.begin() as db:
            yield db


def _study(row: Row[Any]) -> QueuedStudy:
    return QueuedStudy(**{name: row._mapping[name] for name in QueuedStudy.__slots__})


def _note(db: Connection, event: str, study: str, detail: str = "") -> None:
    values = {"time": time.time(), "event": event, "study": study, "detail": detail}
    db.execute(EVENTS.insert().values(values))
