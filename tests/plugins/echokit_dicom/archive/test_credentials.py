"""Secrets come from the environment, and are in no text."""

from __future__ import annotations

import pytest

from echokit import UsageError
from echokit_dicom.archive.credentials import PREFIX, Credentials


def given(**values: str) -> Credentials:
    return Credentials.of({f"{PREFIX}{name}": value for name, value in values.items()})


def test_secrets_are_not_shown():
    shown = repr(given(USER="quentin", PASSWORD="hidden")) + repr(given(TOKEN="hidden"))
    assert "hidden" not in shown
    assert "quentin" not in shown


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"TOKEN": "t", "USER": "u", "PASSWORD": "p"}, "not both"),
        ({"USER": "u"}, "set together"),
        ({"PASSWORD": "p"}, "set together"),
        ({"CERT": "c"}, "set together"),
        ({"CA": "nowhere.pem"}, "there is no such file"),
    ],
)
def test_what_contradicts_itself_is_refused(values, told):
    with pytest.raises(UsageError, match=told):
        given(**values)


def test_a_file_without_certificates_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="cannot be used"):
        given(CA=str(tmp_path / "ca.pem")).context()
