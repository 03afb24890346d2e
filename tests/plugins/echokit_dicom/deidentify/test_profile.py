"""Table E.1-1 of PS3.15."""

from __future__ import annotations

import pytest

from echokit_dicom.deidentify.profile import actions, convert


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (0x00100010, "Z"),
        (0x00104000, "X"),
        (0x0020000D, "U"),
        (0x00080020, "C"),
        (0x50100010, "X"),
        (0x60023000, "X"),
        (0x60020010, "not listed"),
        (0x00280010, "not listed"),
        (0x00190010, "private"),
    ],
)
def test_what_the_table_says(tag, said):
    from echokit_dicom.deidentify.profile import action

    assert action(tag) == said


def test_the_table_is_whole():
    assert len(actions()) == 620
    parts = {part for said in actions().values() for part in said.split("/")}
    assert parts == {"X", "Z", "D", "U", "U*", "C"}


def test_rows_are_converted():
    rows = [
        {"id": "00080050", "basicProfile": "Z"},
        {"id": "00080022", "basicProfile": "X/Z", "rtnLongModifDatesOpt": "C"},
        {"id": "ggggeeee-where-gggg-is-odd", "basicProfile": "X"},
    ]
    assert convert(rows) == {"00080050": "Z", "00080022": "C"}
