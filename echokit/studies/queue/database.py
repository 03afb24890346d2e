"""Open the database of a queue: SQLite or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from echokit.errors import UsageError
from echokit.studies.queue.tables import TABLES

PATIENCE = 30.0
"""Seconds that a database may be locked by another process before that is an error."""


def open_database(url: str | Path) -> Engine:
    """Open a database, and make the tables where there are none.

    Args:
        url: path of an SQLite file, or a URL of SQLAlchemy.

    Raises:
        UsageError: it is no URL, or the database cannot be opened.
    """
    text = str(url) if "://" in str(url) else f"sqlite:///{url}"
    try:
        made = make_url(text)
        options: dict[str, Any] = {"pool_pre_ping": True}
        if made.get_backend_name() == "sqlite":
            options["connect_args"] = {"timeout": PATIENCE}
        engine = create_engine(made, **options)
        if made.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        TABLES.create_all(engine)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            f"{_bare(text)} is no database that can be opened ({type(error).__name__}): give "
            "the path of a file, or postgresql+psycopg://USER@HOST/DATABASE with psycopg "
            "installed."
        ) from None
    except DBAPIError as error:
        raise UsageError(f"{_bare(text)} cannot be opened: {_said(error)}.") from None
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Let readers and a writer go side by side, and bring each transaction to the disk."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _bare(url: str) -> str:
    """Return a URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url)


def _said(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0].rstrip(".")
