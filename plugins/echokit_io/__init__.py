"""Loaders of real files: ultrasound DICOM, MP4/AVI/MOV, NumPy, NIfTI; folders and lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from echokit import Loader, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the loader of files, and the loader of the newborn study's layout."""
    register("files", files)
    register("newborn-sheet", newborn_sheet)


@hookimpl
def register_commands(group: typer.Typer) -> None:
    """Add `echokit data manifest`, which drafts a manifest."""
    from echokit_io.command import data

    group.add_typer(data, name="data")


def files(
    source: str,
    *,
    view: str | None = None,
    patients: Literal["hash", "as-is"] = "hash",
    columns: Mapping[str, str] | None = None,
    colour: Literal["refuse", "remove"] = "refuse",
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
    view_rules: Mapping[str, str] | None = None,
) -> Loader:
    """Clips in your own files, whose format is recognised by their content, never by the suffix.

    Reads multi-frame ultrasound DICOM (PS3.3 C.8.5), MP4, MOV, AVI, Matroska and the like through
    PyAV, NumPy `.npy` and `.npz`, and NIfTI where nibabel is installed.

    A manifest is a CSV with the columns `patient`, `view`, `file` (relative to the CSV, or
    absolute; `..` may not lead out of its folder) and, if there are any, `clip` (the identifier),
    `masks` (an `.npz` of `structures` (T, H, W) uint8 and `names`) and `synthetic` (`1`, `true` or
    `yes`). Every other column is a label, kept as written.

    Without a manifest every file of the folder is examined. The patient is the DICOM PatientID
    (write a manifest if an anonymiser has set the same one for all). If a file has none, it is the
    topmost folder below `source` that is not a view or a word like `videos`, else the file's name
    before its view (`30_A4C.mp4`, `30KAPAP.avi`: patient 30). Views are known by many spellings
    (4CH, Apical 4, Longaxis; docs/your-data.md lists them). The view is that of `view_rules`, else
    DICOM's ViewName, ViewCodeSequence (PS3.16 CID 12226), StageName or SeriesDescription, else the
    one in the name of the file or of a folder. The study of a DICOM file is its StudyDate, else its
    StudyInstanceUID. A folder in the layout of the loader `newborn-sheet`, with that study's sheet
    of grades, is read by that loader.

    Args:
        source: a clip's file, a CSV manifest, a folder with a `manifest.csv`, a ZIP or tar archive
            (tar also gzip or bzip2), a folder of clips in folders and archives, or the DICOMDIR of
            one. Archives are unpacked into a temporary folder; one in another is refused.
        view: the view of every clip; None takes it from the manifest or the files.
        patients: `hash` replaces every patient, wherever it was found, by `echokit.pseudonym` of
            it, and names files that are no clips by a number: no part of a path, a header or a
            cell is shown, but for the column `clip`. `as-is` keeps all of them, for patients and
            files that have pseudonyms already.
        columns: name that is needed -> name of the manifest's column, such as
            `{"patient": "Nummer", "grade": "Score PH"}`.
        colour: `refuse` refuses clips with colour Doppler, which is found in DICOM regions and in
            the pixels of DICOM and video: only its brightness would be left, as if it were tissue.
            `remove` blackens coloured pixels. Spectral Doppler and M-mode are refused always.
        limits: what reading may cost; files that cost more are refused by name. `memory` in
            megabytes at once (500), `pixels` of a frame (16 million), `frames` of a clip (100,000),
            `rows` of a manifest or sheet (200,000), `unpacked` megabytes of all archives (20,000),
            `seconds` of a clip (60), such as `{"memory": 2000}`.
        isolate: read files in another process with hard limits of memory and time, so that a file
            that a decoder dies of is one rejection. Every clip is copied once more.
        view_rules: regular expression -> view, such as `{"long.?ax": "PLAX"}`. The first that is
            found in ViewName, StageName, SeriesDescription, the codes of the view, or the path
            below `source`, whatever its case, says the view; not used with a manifest.

    Returns:
        A loader; `read` returns grey uint8 frames (T, H, W) with frames per second, millimetres
        per pixel and the B-mode region, as far as the file states them.

    Raises:
        DataError: there is nothing at `source`.
        OptionError: `patients` is neither `hash` nor `as-is`, `colour` neither `refuse` nor
            `remove`, `limits` names something else, or a rule is no pattern.
    """
    from echokit_io.budget import Budget
    from echokit_io.loader import FileLoader
    from echokit_io.newborn_layout import recognise

    open_study = partial(newborn_sheet, patients=patients, limits=limits, isolate=isolate)
    if (
        view is None
        and not columns
        and not view_rules
        and colour == "refuse"
        and (study := recognise(source, open_study)) is not None
    ):
        return study
    return FileLoader.at(
        source,
        view=view,
        patients=patients,
        columns=columns or {},
        colour=colour,
        budget=Budget.of(limits),
        isolate=isolate,
        view_rules=view_rules,
    )


def newborn_sheet(
    source: str,
    *,
    sheet: str = "",
    number: str = "Nummer",
    grade: str = "Score PH",
    header: int = 3,
    labels: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
    patients: Literal["hash", "as-is"] = "hash",
) -> Loader:
    """The layout of the newborn pulmonary-hypertension study: named videos and one sheet.

    Clips are `<number><VIEW>.mp4` or `.avi`, at any depth below `source`, with the site's name of
    the view: KAPAP, CV, LA, KAKL or KAAP, in upper or lower case. A recipe's alias table maps
    these. The sheet has a row for each patient; rows above its header, blank rows and cells merged
    downwards are allowed. Every file and every row becomes part of a clip or is refused by name:
    a file without a row, a row without a clip, two files of one number and view, two grades of
    one number.

    Numbers are compared exactly, whole
    numbers by value: `30`, `030` and a spreadsheet's `30.0` are one patient; `130` and `300` are
    others. Half steps (`1 bis 2`, `1-2`, `1,5`) become `1.5`. Any other text stays as written, so
    that a task's map decides about it and the report counts it.

    Args:
        source: the folder, or its sheet.
        sheet: an .xlsx or .csv below the folder, or its whole
            path; empty takes the only sheet in the folder.
        number: name of the column of patients' numbers.
        grade: name of the column of grades, which become the label `grade`.
        header: row of the sheet, from 1, that has the names of the columns.
        labels: further label -> the column that it is copied from, such as `{"kapap": "KAPap"}`.
            Other columns are not read, because they may name people.
        limits: what reading may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.
        patients: `hash` replaces numbers by `echokit.pseudonym` of them, and names files that are
            no clips by a number; `as-is` keeps both, where numbers are the study's own pseudonyms.

    Returns:
        A loader; `read` returns the same as the loader `files`.

    Raises:
        DataError: there is no such folder, or it has no sheet or several.
        OptionError: `header` is below 1, `patients` neither `hash` nor `as-is`, or `limits` names
            something unknown.
    """
    from echokit_io.budget import Budget
    from echokit_io.newborn_layout import SheetLoader

    return SheetLoader(
        source,
        sheet=sheet,
        number=number,
        grade=grade,
        header=header,
        labels=labels or {},
        budget=Budget.of(limits),
        isolate=isolate,
        patients=patients,
    )
