"""Addresses as they are typed; no error quotes a query."""

from __future__ import annotations

import pytest

from echokit import UsageError, resolve
from echokit_dicom.archive.address import (
    DimseAddress,
    WebAddress,
    parse_destination,
    parse_dimse,
    parse_web,
)


def test_a_web_address_is_a_base_and_a_query():
    address = parse_web("https://pacs:8443/dicom-web/?StudyDate=2026*&PatientID=MRN%204711")
    assert address.url == "https://pacs:8443/dicom-web"
    assert dict(address.query) == {"StudyDate": "2026*", "PatientID": "MRN 4711"}
    assert address.shown == "dicomweb:https://pacs:8443/dicom-web"
    assert "4711" not in repr(address)


def test_a_dimse_address_names_both_ends():
    address = parse_dimse("PACS 1@10.0.0.7:104?aet=ECHO&move_port=11112&AccessionNumber=7")
    assert address == DimseAddress("PACS 1", "10.0.0.7", 104, "ECHO", False, 11112, {
        "AccessionNumber": "7"
    })  # fmt: skip
    assert parse_dimse("PACS@host:104?tls=1").tls
    assert parse_dimse("PACS@[::1]:104").host == "::1"


def test_results_go_to_either_kind():
    assert parse_destination("dicomweb:http://pacs/dw") == WebAddress("http://pacs/dw")
    assert parse_destination("dimse:PACS@pacs:104") == DimseAddress("PACS", "pacs", 104)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pacs/dicom-web", "begins with http:// or https://"),
        ("http://user:secret@pacs", "ECHOKIT_ARCHIVE_USER"),
        ("http://pacs:port", "port of the archive's address is no number"),
        ("http://[pacs", "cannot be read"),
        ("http://pacs?Studyinstanceuid=4711", "did you mean StudyInstanceUID"),
        ("http://pacs?PatientID=*", "says nothing of PatientID"),
    ],
)
def test_a_wrong_web_address_is_refused(text, told):
    with pytest.raises(UsageError, match=told) as caught:
        parse_web(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pacs:104", "not complete"),
        ("PACS@host", "not complete"),
        ("PACS@host:104/path", "not complete"),
        ("SEVENTEEN-LETTERS@host:104", "is no AE title"),
        ("PACS@host:104?aet=a%5Cb", "is no AE title"),
        ("PACS@host:104?tls=yes", "tls is 1"),
        ("PACS@host:104?move_port=0", "1 to 65535"),
        ("PACS@host:104?move_port=104&tls=1", "in the clear"),
        ("PACS@host:99999", "is no number"),
    ],
)
def test_a_wrong_dimse_address_is_refused(text, told):
    with pytest.raises(UsageError, match=told):
        parse_dimse(text)


@pytest.mark.parametrize(
    ("loader", "source"), [("dicomweb", "http://pacs/dw"), ("dimse", "PACS@pacs:104?tls=0")]
)
def test_the_whole_archive_is_never_asked_for(loader, source):
    with pytest.raises(UsageError, match="asks for the whole archive"):
        resolve("loader", loader, source=source)
