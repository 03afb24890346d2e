"""Hostile XML in a workbook: entities and outside references are refused, and sizes are counted."""

from __future__ import annotations

import io
import zipfile

import pytest
from openpyxl import Workbook

import echokit_io.bounded_xml
from echokit import DataError, resolve
from echokit_io.bounded_xml import Damaged, parse
from echokit_io.budget import Budget

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x>&l8;</x>',
    "outside entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x>&e;</x>',
    "outside definition": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]><x/>',
}


def read(document: str, **limits: float) -> list[str]:
    seen: list[str] = []
    parse(
        io.BytesIO(document.encode()),
        "sheet1.xml",
        None,
        lambda name, text: seen.append(text),
        {"x": {"x"}},
        Budget.of(limits).start(),
    )
    return seen


def test_what_is_harmless_is_read():
    assert read("<x>one &amp; two</x>") == ["one & two"]


@pytest.mark.parametrize("name", HOSTILE)
def test_entities_and_outside_references_are_refused(name):
    with pytest.raises(Damaged):
        read(HOSTILE[name])


@pytest.mark.parametrize(
    ("limit", "document"),
    [
        ("ELEMENTS", "<x>" + "<y/>" * 50 + "</x>"),
        ("CHARACTERS", "<x>" + "a" * 50 + "</x>"),
        ("PART", "<x>" + " " * 50 + "</x>"),
    ],
)
def test_what_is_larger_than_any_part_is_refused(limit, document, monkeypatch):
    read(document)
    monkeypatch.setattr(echokit_io.bounded_xml, limit, 40)
    with pytest.raises(Damaged):
        read(document)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_workbook_with_such_a_part_is_one_error_that_names_it(name, tmp_path):
    book, file = Workbook(), io.BytesIO()
    book.active.append(["Nummer", "Score PH"])
    book.save(file)
    with zipfile.ZipFile(file) as sound, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as hostile:
        for part in sound.namelist():
            content = sound.read(part)
            hostile.writestr(part, HOSTILE[name] if "sheet1.xml" in part else content)
    with pytest.raises(DataError, match=r"a\.xlsx"):
        list(resolve("loader", "newborn-sheet", source=str(tmp_path)).index())
