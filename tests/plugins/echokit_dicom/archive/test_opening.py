"""Without the extra `dicom-net` the command to install it is named."""

from __future__ import annotations

import sys

import pytest

from echokit import UsageError, resolve


@pytest.mark.parametrize(
    ("loader", "source", "module", "library"),
    [
        ("dicomweb", "http://archive/dw?PatientID=1", "web", "dicomweb_client"),
        ("dimse", "PACS@archive:104?PatientID=1", "dimse", "pynetdicom"),
    ],
)
def test_a_missing_library_names_the_extra(monkeypatch, loader, source, module, library):
    monkeypatch.delitem(sys.modules, f"echokit_dicom.archive.{module}", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=r"pip install 'echokit-cardiac\[dicom-net\]'"):
        resolve("loader", loader, source=source)


def test_the_report_needs_highdicom_and_says_so_before_anything_is_predicted(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs highdicom: pip install"):
        resolve("writer", "dicom-sr")
