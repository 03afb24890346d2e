"""The tables of the queue of studies: studies, files, the audit log, corrections and readings."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Table, Text, UniqueConstraint

TABLES = MetaData()

STUDIES = Table(
    "studies",
    TABLES,
    Column("study", Text, primary_key=True),
    Column("state", Text, nullable=False, index=True),
    Column("revision", Integer, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("owner", Text, nullable=False, default=""),
    Column("source", Text, nullable=False, default=""),
    Column("received", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Column("finished", Float),
    Column("rule", Text, nullable=False, default=""),
    Column("result", Text, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
)
"""One row for each study; `QueuedStudy` says what its columns mean."""

FILES = Table(
    "files",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("study", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("digest", Text, nullable=False),
    UniqueConstraint("study", "instance"),
)
"""One row for each file that is safely on the disk."""

EVENTS = Table(
    "events",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("time", Float, nullable=False),
    Column("event", Text, nullable=False),
    Column("study", Text, nullable=False, index=True),
    Column("detail", Text, nullable=False),
)
"""The audit log: one row for each thing that happened."""

CORRECTIONS = Table(
    "corrections",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("time", Float, nullable=False),
    Column("study", Text, nullable=False, index=True),
    Column("file", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("view", Text, nullable=False),
    Column("excluded", Boolean, nullable=False),
    Column("anyway", Boolean, nullable=False),
)
"""One row for each correction of a file; the last one of a file counts."""

READINGS = Table(
    "readings",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("time", Float, nullable=False),
    Column("study", Text, nullable=False, index=True),
    Column("user", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("blind", Boolean, nullable=False),
)
"""One row for each time that a user said what he or she reads in a study."""
