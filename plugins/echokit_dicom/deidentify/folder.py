"""De-identify a folder of clips: every file is cleaned, or left out by a named reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from pydicom.dataset import Dataset

from echokit import (
    VIEWS,
    ClipError,
    ClipRef,
    Loader,
    Rejection,
    SupportsFile,
    Transform,
    UsageError,
    pseudonym,
    resolve,
    whole_folder,
)
from echokit_dicom.deidentify import dicom, video
from echokit_dicom.deidentify.colour import is_coloured
from echokit_dicom.deidentify.contact_sheet import ContactSheet
from echokit_dicom.deidentify.header import clean_header
from echokit_dicom.deidentify.identity import Person, short_name
from echokit_dicom.deidentify.listing import (
    CLEANED,
    LEFT_OUT,
    Outcome,
    write_listing,
    write_manifest,
)
from echokit_dicom.deidentify.quiet import quiet_pydicom
from echokit_dicom.deidentify.sector import find_pixels

CLIPS, SHEETS = "clips", "contact-sheets"
"""Folders of the copies, and of the pages to look at."""
Frame = UInt8[np.ndarray, "H W *C"]
"""Grey (H, W) or RGB (H, W, 3)."""
USUAL_FPS = 25.0
"""Frames per second of the copy of a video that does not say it."""


def deidentify(
    source: Path,
    out: Path,
    *,
    options: Mapping[str, object] | None = None,
    tick: Callable[[int], object] = lambda done: None,
) -> tuple[Outcome, ...]:
    """Write cleaned copies of the clips of a folder; the originals stay as they are.

    The folder `out` appears whole or not at all, and only its owner may open it.

    Args:
        source: a clip's file, a folder, or a manifest.
        out: folder to write; must be new or empty.
        options: options of the loader `files`, such as `{"limits": {"memory": 2000}}`.
        tick: called with 1 after every file.

    Returns:
        What became of every file, in the order of names.

    Raises:
        UsageError: `out` is inside `source`, or holds something.
        DataError: there is nothing at `source`, or its manifest cannot be read.
    """
    root = source if source.is_dir() else source.parent
    if out.resolve().is_relative_to(root.resolve()) and source.is_dir():
        raise UsageError(f"{out} is inside {source}: name a folder outside it for the copies.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder: name a new one.")
    chosen = {**(options or {}), "patients": "as-is", "colour": "remove"}
    loader: Loader = resolve("loader", "files", source=str(source), **chosen)
    with whole_folder(out) as folder:
        desk = _Desk(folder, loader, resolve("transform", "monai-sector"))
        outcomes = []
        for number, item in enumerate(loader.index(), start=1):
            outcomes.append(desk.clean(item, number))
            tick(1)
        (folder / CLIPS).mkdir(exist_ok=True)
        write_manifest(folder / CLIPS, outcomes)
        write_listing(folder, outcomes)
    return tuple(outcomes)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where one folder is worked on."""

    folder: Path
    """What is written to."""
    loader: Loader
    find_sector: Transform

    def clean(self, item: ClipRef | Rejection, number: int) -> Outcome:
        """Clean one file, or say why it is left out."""
        # the key file of the owner says which file that is
        file = pseudonym(item.where, shown=f"file {number}")
        patient = Person.of(item.patient).pseudonym if item.patient else ""
        if isinstance(item, Rejection):
            return Outcome(file, LEFT_OUT, item.reason, patient)
        made: list[Path] = []
        try:
            with quiet_pydicom():
                return self._cleaned(item, file, made)
        except OSError:  # such as a full disk: nothing appears then
            raise
        except ClipError as error:
            reason = str(error)
        except Exception as error:  # a hostile header makes pydicom raise almost anything
            reason = f"it cannot be cleaned ({type(error).__name__})"
        for path in made:
            path.unlink(missing_ok=True)
        return Outcome(file, LEFT_OUT, reason, patient)

    def _cleaned(self, ref: ClipRef, file: str, made: list[Path]) -> Outcome:
        assert isinstance(self.loader, SupportsFile)
        path = self.loader.file(ref)
        tags = dicom.read_header(path) if dicom.is_dicom(path) else None
        if tags is None and not video.is_video(path):
            raise ClipError("it is neither DICOM nor a video, and nothing else is de-identified")
        clip, person = self.loader.read(ref), Person.of(ref.patient)
        kind, count = (video if tags is None else dicom), len(clip.frames)
        in_colour = tags is None or dicom.stores_colour(tags)
        stays, marks = find_pixels(
            clip, self.find_sector, kind.colour_frames(path, count) if in_colour else None
        )
        study, name = _names(tags, ref)
        target = Path(person.pseudonym, study, name)
        whole = self.folder / CLIPS / target
        if whole.exists():
            raise ClipError("its unique identifier is that of another file, which is cleaned")
        whole.parent.mkdir(parents=True, exist_ok=True)
        made.append(whole)
        sheet, changes = ContactSheet(count), None
        coloured = in_colour and any(
            is_coloured(frame, stays) for frame in kind.colour_frames(path, count)
        )
        frames = kind.colour_frames(path, count) if coloured else iter(clip.frames)
        black = _black_outside(frames, stays, sheet)
        if tags is None:
            video.write_video(whole, black, clip.fps or USUAL_FPS, clip.times)
        else:
            header, changes = clean_header(
                tags, person, view=ref.view, synthetic=ref.synthetic, own=ref.where
            )
            dicom.write_dicom(whole, header, black)
        if not _is_black_outside(kind.colour_frames(whole, count), stays, count):
            raise ClipError("its copy is not black outside the sector, and is not kept")
        outcome = Outcome(
            file=file,
            status=CLEANED,
            patient=person.pseudonym,
            study=study,
            copy=target.as_posix(),
            view=ref.view if ref.view in VIEWS else None,
            frames=count,
            rows=stays.shape[0],
            columns=stays.shape[1],
            kept=float(stays.mean()),
            marks=float(marks.mean()),
            colour=coloured,
            synthetic=ref.synthetic,
            attributes=changes,
        )
        page = self.folder / SHEETS / f"{person.pseudonym}.html"
        sheet.write(page, person.pseudonym, _caption(outcome))
        return outcome


def _names(tags: Dataset | None, ref: ClipRef) -> tuple[str, str]:
    """Name the folder of a clip's study, and its file, under the secret; never as they were."""
    study, instance = ("", "") if tags is None else map(str, dicom.identifiers(tags))
    suffix = ".mp4" if tags is None else ".dcm"
    return (
        short_name(study or f"of {ref.patient}", "study folder"),
        short_name(instance or ref.where, "file") + suffix,
    )


def _black_outside(
    frames: Iterable[Frame], stays: Bool[np.ndarray, "H W"], sheet: ContactSheet
) -> Iterator[Frame]:
    """Set all pixels to 0 that do not stay, and show each frame to the contact sheet."""
    for frame in frames:
        black = frame * (stays if frame.ndim == 2 else stays[..., None])
        sheet.add(black)
        yield black


def _is_black_outside(frames: Iterable[Frame], stays: Bool[np.ndarray, "H W"], count: int) -> bool:
    """Tell whether a copy, decoded again, has all its frames, each 0 where nothing stays."""
    rows, columns = stays.shape
    seen = 0
    for frame in frames:
        seen += 1
        beyond = frame.copy()  # a video may have a row and a column more
        beyond[:rows, :columns][stays] = 0
        if beyond.any():
            return False
    return seen == count


def _caption(outcome: Outcome) -> str:
    shape = f"{outcome.frames} frames of {outcome.rows} × {outcome.columns} pixels"
    marks = f", still marks on {outcome.marks:.2%} are made black" if outcome.marks else ""
    view = outcome.view or "view unknown"
    share = f"{outcome.kept:.0%} of each is kept{marks}"
    return f"{outcome.file}, {view}: {shape}; {share}. {outcome.copy}"
