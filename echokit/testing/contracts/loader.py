"""The contract of a loader.

`index()` lists clips without reading pixels, the same ones in every loader made of the source,
each with an identifier of its own, or says why a file cannot be one; every file of a folder is
named. Clips of one patient, and no others, have one pseudonym. `read()` gives a valid uint8 clip,
the same every time, and refuses a reference it does not know with a `ClipError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from unittest.mock import patch

import numpy as np

from echokit.errors import ClipError
from echokit.interfaces import Loader, SupportsFingerprint
from echokit.testing.contracts.blocks import check_stream
from echokit.testing.contracts.folders import unnamed
from echokit.testing.contracts.pixels import no_pixels
from echokit.testing.contracts.rules import (
    attempt,
    expect,
    expect_valid_clip,
    same_clip,
)
from echokit.testing.contracts.suite import Contract, keep
from echokit.types import ClipRef, Rejection


def check_loader(factory: Callable[..., Loader], source: str) -> None:
    """Check a loader's contract on a source that holds at least one clip.

    Args:
        factory: called as `factory(source)`; bind options with `functools.partial`.
        source: a small source; its first and its last clip are read.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(LoaderContract.of(factory, where=source))


class LoaderContract(Contract):
    """Made as `factory(source)`; see this module."""

    kind = "loader"
    where: str | None = None
    """A source that is there already."""
    patients: Mapping[str, str] = MappingProxyType({})
    """File or clip of the source -> its patient; let one patient be "30" and another "130"."""
    beside: Sequence[str] = ()
    """Patterns of files of the source that are no clips of their own, such as `*_mask.npz`."""

    def source(self, folder: Path) -> str:
        """Override: write a small source below `folder` that holds a clip; return its address."""
        return ""

    def bad_source(self, folder: Path) -> tuple[str, str] | None:
        """Override: write a source with a file that cannot be a clip; return it and the file."""
        return None

    def inapplicable(self) -> Mapping[str, str]:
        """Without the patients, a folder or a bad file there is nothing to compare with."""
        kind, reasons = type(self), {}
        if not self.patients:
            reasons["test_patients"] = (
                "The patient of each clip is not said: set `patients` in a LoaderContract."
            )
        if not (Path(self.where).is_dir() if self.where else kind.source != LoaderContract.source):
            reasons["test_every_file"] = "The source is no folder."
        if kind.bad_source == LoaderContract.bad_source:
            reasons["test_bad_file"] = (
                "No such file is given: override `bad_source` in a LoaderContract."
            )
        return reasons

    def test_index(self, tmp_path: Path) -> None:
        """`index()` lists clips without their pixels, each with an identifier of its own."""
        _, _, found = self._two(self._address(tmp_path))
        _check_refs([entry for entry in found if isinstance(entry, ClipRef)])

    def test_identifiers_are_stable(self, tmp_path: Path) -> None:
        """A second loader of the source lists the same clips in the same order."""
        loader, other, found = self._two(self._address(tmp_path))
        expect(
            _index(loader) == found and _index(other) == found,
            "index() lists other clips the second time, or in a second loader of the same source: "
            "identifiers and order must be stable.",
        )

    def test_patients(self, tmp_path: Path) -> None:
        """Clips of one patient have one pseudonym, and of two patients two: 30 is not 130."""
        _, _, found = self._two(self._address(tmp_path))
        _check_patients([e for e in found if isinstance(e, ClipRef)], self.patients)

    def test_every_file(self, tmp_path: Path) -> None:
        """Every file of a folder is listed as a clip, or named with the reason it is none."""
        source = self._address(tmp_path)
        _, _, found = self._two(source)
        is_folder = bool(source) and Path(source).is_dir()
        silent = unnamed(Path(source), found, self.beside) if is_folder else []
        expect(
            not silent,
            f"index() neither lists nor rejects {', '.join(silent[:5])}: give a Rejection with "
            "the reason; what belongs to another clip, such as a mask, say by `beside` (--beside).",
        )

    def test_read(self, tmp_path: Path) -> None:
        """`read()` gives a valid uint8 clip, the same every time."""
        loader, other, found = self._two(self._address(tmp_path))
        refs = [entry for entry in found if isinstance(entry, ClipRef)]
        for ref in {refs[0].clip: refs[0], refs[-1].clip: refs[-1]}.values():
            _check_read(loader, other, ref)

    def test_unknown_clip(self, tmp_path: Path) -> None:
        """A reference it does not know is refused with a ClipError."""
        loader, _, found = self._two(self._address(tmp_path))
        _check_unknown(loader, next(entry for entry in found if isinstance(entry, ClipRef)))

    def test_bad_file(self, tmp_path: Path) -> None:
        """A file that cannot be a clip is named with its reason: on listing, or on reading it."""
        bad = self.bad_source(tmp_path)
        assert bad is not None, "`bad_source` gives nothing: return the source and its bad file."
        _check_bad(self._made(bad[0]), bad[1])

    def _address(self, folder: Path) -> str:
        return self.where if self.where is not None else self.source(folder)

    def _made(self, source: str) -> Loader:
        loader: Loader = self.make(source) if self.factory else self.make(source=source)
        return loader

    def _two(self, source: str) -> tuple[Loader, Loader, list[ClipRef | Rejection]]:
        """Two loaders of the source, and what the first lists."""
        with no_pixels("Making the loader"):
            loader, other = self._made(source), self._made(source)
        found = _index(loader)
        listed = any(isinstance(entry, ClipRef) for entry in found)
        expect(listed, f"index() of {source!r} lists no clip: give a source that holds one.")
        return loader, other, found


def _check_bad(loader: Loader, name: str) -> None:
    for entry in _index(loader):
        if isinstance(entry, Rejection) and name in (entry.where, Path(entry.where).name):
            return
        if isinstance(entry, ClipRef) and name in (entry.clip, Path(entry.where).name):
            try:
                with attempt(f"read() of {name}, where a ClipError is expected,", (ClipError,)):
                    loader.read(entry)
            except ClipError as error:
                expect(str(error), f"The ClipError of {name} gives no reason.")
                return
            expect(False, f"read() made a clip of {name}, which is none.")
    expect(False, f"{name} is neither listed nor rejected: name every file, with the reason.")


def _index(loader: Loader) -> list[ClipRef | Rejection]:
    def refuse(*_args: object, **_options: object) -> None:
        expect(False, "index() reads a clip: it must list clips without their pixels.")

    unread = patch.object(type(loader), "read", refuse)
    with attempt("index()"), unread, no_pixels("index()"):
        found = list(loader.index())
    for entry in found:
        expect(
            isinstance(entry, ClipRef | Rejection),
            f"index() lists a {type(entry).__name__}: ClipRef or Rejection is expected.",
        )
        if isinstance(entry, Rejection):
            expect(
                entry.where and entry.reason,
                f"index() lists {entry}: a rejection names its file and the reason.",
            )
    return found


def _check_refs(refs: list[ClipRef]) -> None:
    seen: set[str] = set()
    for ref in refs:
        expect(
            isinstance(ref.clip, str) and ref.clip and isinstance(ref.patient, str) and ref.patient,
            f"index() lists {ref}: a clip and its patient need an identifier each, as str.",
        )
        expect(ref.clip not in seen, f"index() lists two clips {ref.clip!r}: they must be unique.")
        seen.add(ref.clip)
        expect(
            isinstance(ref.labels, Mapping)
            and all(isinstance(text, str) for pair in ref.labels.items() for text in pair),
            f"Clip {ref.clip!r} has the labels {ref.labels}: str to str, as written, is expected.",
        )


def _check_patients(refs: list[ClipRef], patients: Mapping[str, str]) -> None:
    said: dict[str, str] = {}
    for name, patient in patients.items():
        listed = [ref for ref in refs if name in (ref.clip, Path(ref.where).name)]
        expect(listed, f"index() does not list {name!r}, which `patients` says is a clip.")
        for ref in listed:
            known = said.setdefault(patient, ref.patient)
            expect(
                ref.patient == known,
                f"Clips of patient {patient!r} are listed as of {known!r} and {ref.patient!r}: "
                "give a patient one pseudonym.",
            )
    for one, other in combinations(said, 2):
        expect(
            said[one] != said[other],
            f"Clips of the patients {one!r} and {other!r} are both listed as of {said[one]!r}: "
            "compare patients exactly; 30 is not 130.",
        )


def _check_read(loader: Loader, other: Loader, ref: ClipRef) -> None:
    with attempt(f"read() of clip {ref.clip!r}"):
        clip, again = loader.read(ref), other.read(ref)
    expect_valid_clip(clip, f"Clip {ref.clip!r}")
    expect(
        clip.frames.dtype == np.uint8,
        f"Clip {ref.clip!r} was read as {clip.frames.dtype}: a loader gives uint8 frames.",
    )
    expect(
        same_clip(clip, again),
        f"Clip {ref.clip!r} is another one when a second loader of the source reads it.",
    )
    check_stream(loader, ref, clip)
    if isinstance(loader, SupportsFingerprint):
        with attempt(f"fingerprint() of clip {ref.clip!r}"):
            prints = {loader.fingerprint(ref), loader.fingerprint(ref)}
        expect(
            len(prints) == 1 and re.fullmatch(r"[0-9a-f]{8,}", next(iter(prints))),
            f"Clip {ref.clip!r} has the fingerprints {sorted(prints)}: one and the same "
            "hexadecimal digest is expected.",
        )


def _check_unknown(loader: Loader, ref: ClipRef) -> None:
    unknown = replace(ref, clip="no-such-clip", where="no-such-clip", view=None, labels={})
    try:
        with attempt("read() of an unknown clip, where a ClipError is expected,", (ClipError,)):
            loader.read(unknown)
    except ClipError:
        return
    expect(False, "read() of an unknown clip gave one: an echokit.ClipError is expected.")
