"""The loader of files: one clip, a manifest, or a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, final

from echokit import Clip, ClipError, ClipRef, ClipStream, DataError, OptionError, Rejection
from echokit_io import discreet, folder, manifest
from echokit_io.archives import Archives
from echokit_io.budget import Budget
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import CHOICES, Colour
from echokit_io.entry import Entry
from echokit_io.formats import USUAL, examine, read, stream
from echokit_io.naming import canonical
from echokit_io.recognise import open_regular

if TYPE_CHECKING:
    from echokit_io.isolated import Isolated

MANIFEST = "manifest.csv"
"""Name of the file that makes a folder a listed cohort."""
TABLES = (".csv", ".tsv")
"""Suffixes of manifests that are given as the source."""


@final
class FileLoader:
    """Loader of one clip, an archive, a manifest or a folder; see `echokit_io.files`."""

    def __init__(
        self,
        root: Path,
        *,
        only: str | None = None,
        table: Path | None = None,
        view: str | None = None,
        hashed: bool = True,
        columns: Mapping[str, str] | None = None,
        colour: Colour = "refuse",
        budget: Budget = USUAL,
        isolate: bool = False,
        rules: folder.Rules = (),
    ) -> None:
        """Make a loader of a known kind of source; `FileLoader.at` finds out the kind.

        Args:
            root: the folder that all files are in.
            only: the file in it that is the source; None takes the whole folder.
            table: the manifest.
            view: the view of every clip.
            hashed: replace patients by pseudonyms.
            columns: name that is needed -> name of the manifest's column.
            colour: what happens to clips with colour Doppler.
            budget: what reading may cost.
            isolate: read files in another process, with hard limits.
            rules: patterns of texts, and the view of each.
        """
        self.rules = rules
        self.colour = colour
        self._isolated: Isolated | None = None
        if isolate:
            from echokit_io.isolated import Isolated  # needs NumPy; listing clips does not

            self._isolated = Isolated(budget)
        self._archives = Archives(budget)
        self.budget = budget
        self.root = root
        self.only = only
        self.table = table
        self.view = canonical(view) if view else None
        self.hashed = hashed
        self.columns = dict(columns or {})

    @classmethod
    def at(
        cls,
        source: str,
        *,
        view: str | None,
        patients: Literal["hash", "as-is"],
        columns: Mapping[str, str],
        colour: Colour = "refuse",
        budget: Budget = USUAL,
        isolate: bool = False,
        view_rules: Mapping[str, str] | None = None,
    ) -> FileLoader:
        """Make a loader of a file, a manifest or a folder.

        Raises:
            DataError: there is nothing at `source`.
            OptionError: `patients` is neither `hash` nor `as-is`, `colour` neither `refuse` nor
                `remove`, or a rule is no pattern.
        """
        if colour not in CHOICES:
            raise OptionError(f"colour is {colour!r}: write 'refuse' or 'remove'.")
        if patients not in discreet.CHOICES:
            raise OptionError(f"patients is {patients!r}: write 'hash' or 'as-is'.")
        hint = "Give a clip's file, a CSV manifest, or a folder of clips."
        if not source:
            raise DataError(f"The loader 'files' was given no source. {hint}")
        path = Path(source).expanduser()
        if path.name.upper() == "DICOMDIR":  # the index of a disc: its files lie beside it
            path = path.parent
        try:
            is_folder, exists = path.is_dir(), path.is_symlink() or path.exists()
        except (OSError, ValueError):  # a name that the file system refuses
            is_folder, exists = False, False
        if not is_folder and not exists:
            raise DataError(f"There is no file or folder {source!r}. {hint}")
        make = partial(
            cls,
            view=view,
            hashed=patients == "hash",
            columns=columns,
            colour=colour,
            budget=budget,
            isolate=isolate,
            rules=folder.compile_rules(view_rules),
        )
        if is_folder:
            table = path / MANIFEST
            return make(path, table=table if table.is_file() else None)
        is_table = path.suffix.lower() in TABLES
        return make(path.parent, only=path.name, table=path if is_table else None)

    def index(self) -> Iterator[ClipRef | Rejection]:
        """List every clip, and every other file with the reason; reads headers only.

        Raises:
            DataError: the manifest cannot be used.
        """
        if self.table is not None:
            listed, explicit = self._listed(), self._manifest.explicit
        else:
            listed, explicit = self._found(), frozenset()
        yield from discreet.hide(listed, explicit) if self.hashed else listed

    def _found(self) -> Iterator[ClipRef | Rejection]:
        """List the clips of a folder without a manifest, or the one file."""
        files = [Entry(PurePosixPath(self.only))] if self.only else folder.walk(self.root)
        yield from folder.index(
            self.root,
            chain.from_iterable(self._archives.expand(self.root, file) for file in files),
            view=self.view,
            root_name=self.root.resolve().name or "unknown",
            colour=self.colour,
            look=self.examine,
            rules=self.rules,
        )

    def examine(self, path: Path) -> ClipInfo:
        """Read the head of a file.

        Raises:
            ClipError: it is not a clip; the message is the reason.
        """
        if self._isolated is not None:
            return self._isolated.examine(path)
        return examine(path, self.budget)

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip as grey uint8 frames (T, H, W).

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        path, masks = self._find(ref)
        if self._isolated is not None:
            clip = self._isolated.read(path, self.colour)
        else:
            clip = read(path, self.colour, self.budget)
        if masks is None:
            return clip
        from echokit_io.arrays import read_structures  # needs NumPy; listing clips does not

        structures, names = read_structures(masks, clip.frames.shape, self.budget)
        return replace(clip, structures=structures, structure_names=names)

    def stream(self, ref: ClipRef, needed: Callable[[int], Sequence[int]]) -> ClipStream | None:
        """Open a long video to be read block by block; None for any other clip.

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        path, masks = self._find(ref)
        if masks is not None or self._isolated is not None or self.colour != "refuse":
            return None
        return stream(path, needed, self.budget)

    def fingerprint(self, ref: ClipRef) -> str:
        """Digest the clip's file, and its masks' file if it has one, by SHA-256.

        Raises:
            ClipError: a file cannot be read; the message is the reason.
        """
        digest = hashlib.sha256()
        if self.colour != "refuse":
            digest.update(self.colour.encode())
        clock = self.budget.start()
        for path in self._find(ref):
            if path is not None:
                with open_regular(path) as file:
                    try:
                        while block := file.read(1 << 20):  # a clip need not fit into memory
                            digest.update(block)
                            clock.check()
                    except OSError as error:
                        raise ClipError(f"it cannot be read: {error.strerror}") from None
        return digest.hexdigest()

    def file(self, ref: ClipRef) -> Path:
        """Return the file of a clip.

        Raises:
            ClipError: the clip is not below the source, or the manifest does not list it.
        """
        return self._find(ref)[0]

    @cached_property
    def _manifest(self) -> manifest.Manifest:
        assert self.table is not None
        return manifest.read_manifest(self.table, self.columns, self.view, self.budget)

    def _listed(self) -> Iterator[ClipRef | Rejection]:
        """List the manifest's clips, then reject the files in its folder that it does not list."""
        for row in self._manifest.rows:
            if isinstance(row, Rejection):
                yield row
                continue
            try:
                info = self.examine(row.path)
                folder.check_colour(info, self.colour)
                yield replace(manifest.flagged(row, info.synthetic), study=info.study)
            except ClipError as error:
                where = row.ref.clip if row.explicit else discreet.LINE.format(row.line)
                yield Rejection(where, str(error), row.ref.patient, row.ref.view)
        if self.only is None:
            for entry in folder.walk(self.root):
                if self.root / entry.relative not in self._manifest.mentioned:
                    reason = entry.reason or "the manifest does not list it"
                    yield Rejection(folder.printable(entry.relative), reason)

    def _find(self, ref: ClipRef) -> tuple[Path, Path | None]:
        """Find the file of a clip and that of its masks."""
        if self.table is not None:
            row = self._manifest.by_file.get(ref.where)
            if row is None:
                raise ClipError("the manifest lists no such clip that can be used")
            return row.path, row.masks
        where = PurePosixPath(ref.where)
        # a reference may come from a file that somebody else wrote
        if not ref.where or where.is_absolute() or ".." in where.parts:
            raise ClipError("its address is not below the source")
        path = self.root / where
        return path if path.exists() else self._archives.find(self.root, where), None
