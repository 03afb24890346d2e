"""A real PostgreSQL server for the tests, on a socket that nobody else sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
OWNER = "postgres"
"""The server refuses to run as root: it runs as this user of Debian's package."""


def skip_without_postgres() -> None:
    """Skip a test where there is no server; CI installs one, and must not skip."""
    if not PLACES and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")


@contextmanager
def postgres() -> Iterator[str]:
    """Run a new server while the block runs, and give the URL of an empty database."""
    bin_ = PLACES[-1]
    folder = Path(tempfile.mkdtemp(prefix="echokit-pg-"))
    as_owner = ["runuser", "-u", OWNER, "--"] if os.geteuid() == 0 else []
    if as_owner:
        shutil.chown(folder, OWNER, OWNER)
    data = folder / "data"

    def call(*words: str | Path) -> None:
        subprocess.run(
            [*as_owner, *map(str, words)], check=True, stdout=subprocess.DEVNULL, cwd=folder
        )

    call(bin_ / "initdb", "--auth=trust", "--username=echokit", "--no-sync", "-D", data)
    started = ["-o", f"-c listen_addresses='' -k {folder} -c fsync=off", "-l", folder / "log"]
    try:
        call(bin_ / "pg_ctl", "-D", data, "-w", *started, "start")
        yield f"postgresql+psycopg://echokit@/postgres?host={folder}"
    finally:
        call(bin_ / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)
