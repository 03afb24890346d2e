"""MIMIC-IV-ECHO: DICOM studies of adults, with structured measurements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from echokit import ClipRef, Loader, Rejection
from echokit_datasets.dataset import Dataset, Found, file_fault, require, wrong_layout
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import read_rows

RECORDS, VALUES = "echo-record-list.csv", "structured-measurement.csv"
COLUMNS = ("subject_id", "study_id", "acquisition_datetime", "dicom_filepath")
MEASURED = ("subject_id", "measurement_id", "measurement_datetime", "measurement", "result")
PH = ("phtn_severity", "tr_velocity", "tr_mmhg", "tapse", "rv_function")
"""Measurements that stand for pulmonary hypertension."""
SEVERAL = "; "
TITLE = "MIMIC-IV-ECHO"
EXPECTED = f"{RECORDS} (columns {', '.join(COLUMNS)}) and the folder files/ of .dcm files"
_PATH = re.compile(r"files/p\d+/p(\d+)/s(\d+)/([\w-]+)\.dcm")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def mimic_iv_echo(
    source: str,
    *,
    measurements: Sequence[str] = PH,
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
) -> Loader:
    """MIMIC-IV-ECHO: DICOM clips of adults, with measurements that speak of the right heart.

    Layout, all of it from a secondary source: `files/pNN/p<subject>/s<study>/<study>_0001.dcm`,
    `echo-record-list.csv`, and with version 1.0 `structured-measurement.csv` or `.csv.gz` (a row
    for each result). A path that disagrees with the subject and study of its row is refused. Views
    are not listed, so that clips have none: train a network that tells views (`echo-view`).

    Labels: each of `measurements` as written, of the one measurement of the subject on the day of
    the clip; where there are several on that day, or none, the labels are empty, since nothing
    tells them apart. The joining by day is echokit's. None of them is a diagnosis. No split is
    published. A patient is a subject_id, an examination a study_id.

    Licence: PhysioNet credentialed health data licence; not to be redistributed.
    Access: https://physionet.org/content/mimic-iv-echo/. Nothing is downloaded.

    Args:
        source: the folder of the data set.
        measurements: names of the column `measurement` that become labels.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
    """
    dataset = replace(MIMIC, find=partial(_find, tuple(measurements)))
    return DatasetLoader(dataset, source, limits=limits, isolate=isolate)


def _check(root: Path) -> None:
    if not (root / RECORDS).is_file() and (root / "files").is_dir():
        raise wrong_layout(
            root, TITLE, EXPECTED, f"it has no {RECORDS}, which says whose a file is"
        )
    require(root, TITLE, EXPECTED, RECORDS, "files/")


def _find(measurements: Sequence[str], root: Path) -> Iterator[Found]:
    of_day = _measured(root, measurements)
    for line, cells in read_rows(root / RECORDS, COLUMNS):
        where = f"line {line} of {RECORDS}"
        if isinstance(cells, str):
            yield Found(Rejection(where, cells))
            continue
        file, day = cells["dicom_filepath"], cells["acquisition_datetime"][:10]
        match = _PATH.fullmatch(file)
        if match is None:
            reason = "its dicom_filepath is not files/pNN/p<subject>/s<study>/<name>.dcm"
            yield Found(Rejection(where, reason))
            continue
        subject, study, name = match.groups()
        fault = file_fault(root, file)
        if (subject, study) != (cells["subject_id"], cells["study_id"]):
            fault = "its dicom_filepath is of another subject or study than its row"
        if fault:
            yield Found(Rejection(name, fault, subject), file)
            continue
        known = dict.fromkeys(measurements, "") | dict(of_day.get((subject, day), {}))
        known["acquisition_datetime"] = cells["acquisition_datetime"]
        yield Found(ClipRef(name, subject, None, MappingProxyType(known), file, study=study), file)


def _measured(root: Path, wanted: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """(subject, day) -> results by measurement, where that day has one measurement only."""
    table = next((path for path in _tables(root) if path.is_file()), None)
    if table is None or not wanted:
        return {}
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    values: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
    for _, cells in read_rows(table, MEASURED):
        if isinstance(cells, str):  # a result that cannot be read leaves its label empty
            continue
        key = cells["subject_id"], cells["measurement_datetime"][:10]
        if not _DAY.fullmatch(key[1]):
            continue
        ids[key].add(cells["measurement_id"])
        if cells["measurement"] in wanted:
            values[key].setdefault(cells["measurement"], []).append(cells["result"])
    return {
        key: {name: SEVERAL.join(results) for name, results in own.items()}
        for key, own in values.items()
        if len(ids[key]) == 1
    }


def _tables(root: Path) -> tuple[Path, Path]:
    return root / VALUES, root / f"{VALUES}.gz"


def _remarks(root: Path, clips: Sequence[ClipRef]) -> Iterator[str]:
    if not any(path.is_file() for path in _tables(root)):
        yield f"There is no {VALUES} or {VALUES}.gz: no clip has a measurement."


MIMIC = Dataset(
    name="mimic-iv-echo",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=partial(_find, PH),
    suffixes=(".dcm",),
    known=("*.csv", "*.csv.gz", "LICENSE.txt", "SHA256SUMS.txt", "README*", "files/*/index.html"),
    remarks=_remarks,
)
