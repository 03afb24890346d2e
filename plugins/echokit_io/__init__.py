"""Loaders of real files: ultrasound DICOM, MP4/AVI/MOV, NumPy, NIfTI; folders and lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from echokit import Loader, hookimpl


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the loader of files, and that of the newborn study's own layout."""
    register("files", files)
    register("newborn-sheet", newborn_sheet)


def files(
    source: str,
    *,
    view: str | None = None,
    patients: Literal["hash", "as-is"] = "hash",
    columns: Mapping[str, str] | None = None,
) -> Loader:
    """Clips in files of one's own, told apart by their content and never by their suffix.

    Reads multi-frame ultrasound DICOM (PS3.3 C.8.5), MP4, MOV, AVI, Matroska and the like through
    PyAV, NumPy `.npy` and `.npz`, and NIfTI where nibabel is installed.

    A manifest is a CSV with the columns `patient`, `view`, `file` (relative to the CSV, or
    absolute; `..` may not lead out of its folder) and, if there are any, `clip` (the identifier),
    `masks` (an `.npz` of `structures` (T, H, W) uint8 and `names`) and `synthetic` (`1`, `true` or
    `yes`). Every further column is a label, kept as written. Its patients are taken as written
    too: they are the pseudonyms that its author chose.

    Without a manifest every file of the folder is looked at. The patient is the DICOM PatientID
    (give a manifest where an anonymiser has set the same one for all). Where a file has none, it
    is the topmost folder below `source` that is not a view or a word like `videos`, else the
    file's name before its view (`30_A4C.mp4`, `30KAPAP.avi`: patient 30). The view is DICOM's
    ViewName, ViewCodeSequence or SeriesDescription, else the one that the file's name or a
    folder's holds. A folder in the layout of the loader `newborn-sheet`, with the sheet of grades
    as that study has it, is read as that loader reads it.

    Args:
        source: a clip's file, a CSV manifest, a folder with a `manifest.csv`, or a folder of
            clips in folders.
        view: the view of every clip; None takes it from the manifest or the files.
        patients: `hash` turns a patient found in a file or a path into `P-` and ten hexadecimal
            digits of its SHA-256, in identifiers of clips as well (a pseudonym: whoever has a
            list of patients can hash it too); `as-is` leaves it.
        columns: names that a manifest's columns bear -> by what is wanted of them, such as
            `{"patient": "Nummer", "grade": "Score PH"}`.

    Returns:
        A loader; `read` gives grey uint8 frames (T, H, W) with frames per second, millimetres per
        pixel and the B-mode region where the file says them.

    Raises:
        DataError: there is nothing at `source`.
        OptionError: `patients` is neither word.
    """
    from echokit_io.loader import FileLoader
    from echokit_io.study_sheet import recognise

    if view is None and not columns and (study := recognise(source, newborn_sheet)) is not None:
        return study
    return FileLoader.at(source, view=view, patients=patients, columns=columns or {})


def newborn_sheet(
    source: str,
    *,
    sheet: str = "",
    number: str = "Nummer",
    grade: str = "Score PH",
    header: int = 3,
    labels: Mapping[str, str] | None = None,
) -> Loader:
    """The layout of the newborn pulmonary-hypertension study: named videos and one sheet.

    Clips are `<number><VIEW>.mp4` or `.avi`, at any depth below `source`, with the view as the
    site calls it: KAPAP, CV, LA, KAKL or KAAP, in either case. A recipe's alias table maps these.
    The sheet has a row for each patient; rows above its header, blank ones and cells merged
    downwards are allowed. Every file and every row becomes part of a clip or is refused by name:
    a file without a row, a row without a clip, two files of one number and view, two grades of
    one number.

    Numbers are the study's own pseudonyms and are taken as they are. They are compared exactly,
    whole ones by value: `30`, `030` and a spreadsheet's `30.0` are one patient, and neither is
    `130` or `300`. Half steps (`1 bis 2`, `1-2`, `1,5`) become `1.5`. Any other text stays as
    written, so that a task's map decides about it and the report counts it.

    Args:
        source: the folder, or its sheet.
        sheet: an .xlsx (which needs the extra `sheet`) or .csv below the folder, or its whole
            path; empty takes the only one in the folder.
        number: name of the column of patients' numbers.
        grade: name of the column of grades, which become the label `grade`.
        header: row of the sheet, from 1, that names the columns.
        labels: further labels -> the columns that they are taken from, as written, such as
            `{"kapap": "KAPap"}`. Other columns are left unread, for they may name people.

    Returns:
        A loader; `read` gives what the loader `files` gives.

    Raises:
        DataError: there is no such folder, or which sheet is meant cannot be told.
        OptionError: `header` is below 1.
    """
    from echokit_io.study_sheet import SheetLoader

    return SheetLoader(
        source, sheet=sheet, number=number, grade=grade, header=header, labels=labels or {}
    )
