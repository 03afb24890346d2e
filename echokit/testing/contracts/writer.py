"""The contract of a writer.

It returns the files and folders that it wrote: each is there and below `out`, and nothing else
was left there. Files appear whole: each is written beside its place and renamed, so that whoever
watches `out` never meets half of one. It writes any result: of one patient or several, with or
without saliency, with files that were not used. What stands at `out` already stays as it was; a
writer may refuse such a folder by an `EchokitError`. The result stays as it was.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from echokit.errors import EchokitError
from echokit.interfaces import Writer
from echokit.testing.contracts.rules import attempt, expect, same
from echokit.testing.contracts.suite import Contract, keep
from echokit.testing.results import tiny_result

if TYPE_CHECKING:
    from echokit.studies.result import StudyResult

RESULTS: tuple[tuple[str, Callable[[], StudyResult]], ...] = (
    ("of two patients", lambda: tiny_result(("P1", "P20"))),
    ("without saliency", lambda: tiny_result(saliency=False)),
    ("without rejected files", lambda: tiny_result(rejected=())),
)
KEPT = "what was here before"


def check_writer(factory: Callable[[], Writer]) -> None:
    """Check a writer's contract.

    Args:
        factory: called without arguments; bind options with `functools.partial`.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(WriterContract.of(factory))


class WriterContract(Contract):
    """Made without arguments besides its options; see this module."""

    kind = "writer"
    where: str | None = None
    """A file that every clip of the results is said to have been read from."""

    def file(self, clip: str, folder: Path) -> Path | None:
        """Override: write the file of a clip below `folder`, for a writer that reads it."""
        return Path(self.where) if self.where else None

    def test_files(self, tmp_path: Path) -> None:
        """It returns the paths that it wrote below `out`; each is there, and nothing besides."""
        out = tmp_path / "out"
        written = _write(self._made(), self._result(tmp_path), out)
        for path in written:
            expect(
                path.exists() and path.is_relative_to(out),
                f"It returned {path}, which is not there or not below {out}.",
            )
        silent = _files(out) - {file for path in written for file in _files(path)}
        expect(
            not silent,
            f"It left {', '.join(sorted(map(str, silent)))} below `out` and did not return it.",
        )

    def test_any_result(self, tmp_path: Path) -> None:
        """It writes a result of several patients, without saliency, without rejected files."""
        for number, (words, make) in enumerate(RESULTS):
            with attempt(f"Writing a result {words}"):
                result = self._with_files(make(), tmp_path)
                written = _write(self._made(), result, tmp_path / str(number))
            expect(
                all(path.exists() for path in written),
                f"Of a result {words} it returned a path that is not there.",
            )

    def test_whole(self, tmp_path: Path) -> None:
        """Files appear whole: each is written beside its place and renamed."""
        writer, out = self._made(), tmp_path / "out"
        result = self._result(tmp_path)
        with _opened_to_write() as opened:
            written = _write(writer, result, out)
        at_once = {file for path in written for file in _files(path)} & opened
        expect(
            not at_once,
            f"It writes {', '.join(sorted(map(str, at_once)))} in its place, where half of it can "
            "be met: use echokit.whole_file or echokit.whole_folder.",
        )

    def test_nothing_is_replaced(self, tmp_path: Path) -> None:
        """What stands at `out` stays as it was; such a folder may be refused by EchokitError."""
        first, out = tmp_path / "first", tmp_path / "out"
        _write(self._made(), self._result(tmp_path), first)
        out.mkdir()
        names = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
        for name in [Path("kept.txt"), *names]:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(KEPT, "utf-8")
        with suppress(EchokitError, OSError):  # it may refuse
            self._made()(self._result(tmp_path), out)
        for name in [Path("kept.txt"), *names]:
            kept = (out / name).is_file() and (out / name).read_bytes() == KEPT.encode()
            expect(kept, f"It replaced or removed {name}, which stood at `out` before.")

    def test_result_is_kept(self, tmp_path: Path) -> None:
        """The result stays as it was."""
        result = self._result(tmp_path)
        _write(self._made(), result, tmp_path / "out")
        _expect_same(result, tiny_result())

    def _result(self, folder: Path) -> StudyResult:
        return self._with_files(tiny_result(), folder)

    def _with_files(self, result: StudyResult, folder: Path) -> StudyResult:
        (below := folder / "files").mkdir(exist_ok=True)
        files = {clip.clip: self.file(clip.clip, below) for clip in result.clips}
        return replace(result, files={clip: path for clip, path in files.items() if path})

    def _made(self) -> Writer:
        writer: Writer = self.make()
        expect(callable(writer), f"The factory made a {type(writer).__name__}, not callable.")
        return writer


def _write(writer: Writer, result: StudyResult, out: Path) -> list[Path]:
    with attempt("Writing a result"):
        written = writer(result, out)
    expect(
        isinstance(written, list) and all(isinstance(path, Path) for path in written),
        f"It returned {written!r}: a list of the paths that it wrote is expected.",
    )
    return written


def _files(path: Path) -> set[Path]:
    """The files of a folder, or the file itself, in full."""
    found = path.rglob("*") if path.is_dir() else [path]
    return {file.absolute() for file in found if file.is_file()}


@contextmanager
def _opened_to_write() -> Iterator[set[Path]]:
    """The paths that are opened to write by Python's own `open` within the block."""
    opened, original = set[Path](), builtins.open

    def watched(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        if isinstance(file, str | os.PathLike) and set(mode) & set("wax+"):
            opened.add(Path(file).absolute())
        return original(file, mode, *more, **options)

    with patch.object(builtins, "open", watched), patch.object(io, "open", watched):
        yield opened


def _expect_same(result: StudyResult, fresh: StudyResult) -> None:
    expect(result.to_json() == fresh.to_json(), "It changed the result that it was given.")
    for one, other in zip(result.clips, fresh.clips, strict=True):
        assert one.saliency is not None
        assert other.saliency is not None
        expect(
            same(one.saliency.frames, other.saliency.frames)
            and same(
                one.saliency.explanation.saliency.values,
                other.saliency.explanation.saliency.values,
            ),
            f"It changed the frames or the saliency of the clip {one.clip!r}.",
        )
