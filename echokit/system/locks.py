"""Lock a folder for one process: `.lock`, which names the machine, the process and its start."""

from __future__ import annotations

import json
import os
import sys
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from echokit.errors import UsageError
from echokit.system.processes import Process, parse_process, this_process

if sys.platform != "win32":
    import fcntl

NAME = ".lock"


class FolderLock:
    """A lock that is held until it is released, or its process ends in whatever way."""

    def __init__(self, file: Path, descriptor: int) -> None:
        self.file = file
        # a lock that nobody holds any more is released too
        self._release = weakref.finalize(self, _release, file, descriptor, os.getpid())

    def release(self) -> None:
        """Remove the lock."""
        self._release()


def _release(file: Path, descriptor: int, pid: int) -> None:
    if os.getpid() == pid:  # not in a process that was forked from the one that holds it
        with suppress(OSError):
            if _is_same(file, descriptor):
                file.unlink()
    with suppress(OSError):
        os.close(descriptor)  # which gives up the system's own lock


def lock_folder(folder: Path) -> FolderLock:
    """Lock a folder.

    A lock of a dead process is taken over. The system's own lock on the file decides between
    processes of one machine; between machines, where that may not work, what the file says.

    Raises:
        UsageError: another process holds the lock; the message says which, and what to type.
    """
    file = folder / NAME
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                if sys.platform != "win32":
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _refusal(folder, _read(descriptor)) from None
            except OSError:  # a filesystem without locks: the file's text decides alone
                pass
            if not _is_same(file, descriptor):  # removed by its holder in the meantime
                os.close(descriptor)
                continue
            holder, since = _read(descriptor)
            if holder is not None and holder != this_process() and not holder.is_dead:
                raise _refusal(folder, (holder, since))
            _write(descriptor)
        except BaseException:
            with suppress(OSError):
                os.close(descriptor)
            raise
        return FolderLock(file, descriptor)


def _is_same(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> tuple[Process | None, str]:
    """Read who holds a lock, and since when; None if the text says nobody."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        document = json.loads(os.read(descriptor, 4096))
        return parse_process(document["process"]), str(document["since"])
    except (OSError, ValueError, TypeError, KeyError):
        return None, ""


def _write(descriptor: int) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"process": str(this_process()), "since": since})
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, text.encode())


def _refusal(folder: Path, holder: tuple[Process | None, str]) -> UsageError:
    process, since = holder
    if process is None:
        who, what = "Another process", "Wait until it ends"
    else:
        who = f"Process {process.pid} on {process.host}, since {since},"
        what = "Wait until it ends"
        if process.is_elsewhere:
            what += f", or remove {folder / NAME} if no such process runs on {process.host}"
    return UsageError(f"{who} works in {folder}. {what}, or choose another folder with --out.")
