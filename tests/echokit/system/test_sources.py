"""Paths of a user's own data: kept apart from what is written, and found again."""

import stat

import pytest

from echokit import UsageError
from echokit.system.sources import hide_source, keep_source, reveal_source


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("ECHOKIT_CONFIG", str(tmp_path / "own"))


def test_a_path_is_hidden_and_found_again(tmp_path):
    folder = tmp_path / "Müller, Baby"
    folder.mkdir()
    hidden = hide_source(str(folder))
    assert "ller" not in hidden
    assert (hide_source(hidden), hide_source(str(folder))) == (hidden, hidden)
    assert reveal_source(hidden) == str(folder)
    (kept,) = (tmp_path / "own" / "sources").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    keep_source(hidden, "elsewhere")
    assert reveal_source(hidden) == "elsewhere"


def test_what_is_no_path_stays(tmp_path):
    for text in ("", "no/such/place"):
        assert (hide_source(text), reveal_source(text)) == (text, text)


def test_a_path_of_another_machine_is_not_known():
    assert reveal_source("private:0123456789abcdef") is None
    with pytest.raises(UsageError, match="stands for no data"):
        reveal_source("private:../../etc/passwd")
