"""Pseudonyms: the same under one secret, others under another, and a secret that is kept."""

import csv
import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from echokit import UsageError, pseudonym
from echokit.system import pseudonyms
from echokit.system.pseudonyms import fingerprint, is_pseudonym, key_file


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user without a secret yet, who shares none."""
    monkeypatch.delenv("ECHOKIT_SALT", raising=False)
    monkeypatch.setenv("ECHOKIT_CONFIG", str(tmp_path / "config"))
    pseudonyms._own_secret.cache_clear()
    yield tmp_path / "config" / "secret"
    pseudonyms._own_secret.cache_clear()


def test_the_secret_is_made_at_first_use_for_its_owner_alone_and_kept(own):
    first, mark = pseudonym("MRN12345"), fingerprint()
    assert is_pseudonym(first)
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(own.parent.stat().st_mode) == 0o700
    pseudonyms._own_secret.cache_clear()
    assert (pseudonym(" MRN12345 "), fingerprint()) == (first, mark)
    assert [path.name for path in own.parent.iterdir()] == ["secret"]


def test_no_list_of_patients_undoes_a_pseudonym_without_the_secret(own):
    shown = pseudonym("MRN12345").removeprefix("P-")
    for name in ("md5", "sha1", "sha256", "sha512", "blake2b"):
        assert not hashlib.new(name, b"MRN12345").hexdigest().startswith(shown)
    own.unlink()
    pseudonyms._own_secret.cache_clear()
    assert pseudonym("MRN12345") != f"P-{shown}"


def test_a_shared_salt_gives_two_users_the_same_pseudonyms(own, monkeypatch):
    monkeypatch.setenv("ECHOKIT_SALT", "our study")
    first = pseudonym("30")
    monkeypatch.setenv("ECHOKIT_SALT", "another")
    assert pseudonym("30") != first
    monkeypatch.setenv("ECHOKIT_SALT", "our study")
    assert pseudonym("30") == first
    assert not own.exists()


def test_a_secret_that_others_may_read_is_closed(own):
    pseudonym("30")
    own.chmod(0o644)
    pseudonyms._own_secret.cache_clear()
    pseudonym("30")
    assert stat.S_IMODE(own.stat().st_mode) == 0o600


def test_threads_that_start_together_make_one_secret(own):
    def fresh(_):
        return pseudonyms._own_secret.__wrapped__(own)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(fresh, range(8)))) == 1


def test_a_damaged_secret_and_a_place_that_cannot_be_written_are_refused(own, monkeypatch):
    own.parent.mkdir()
    own.write_text("short")
    with pytest.raises(UsageError, match="is damaged: bring back a copy"):
        pseudonym("30")
    monkeypatch.setenv("ECHOKIT_CONFIG", str(own))
    with pytest.raises(
        UsageError, match="ECHOKIT_CONFIG to a folder that is yours, or ECHOKIT_SALT"
    ):
        pseudonym("30")


def test_a_key_file_names_what_was_shown_in_its_block_alone(tmp_path):
    pseudonym("before")
    with key_file(tmp_path / "key.csv"):
        hidden = pseudonym("Müller, Baby")
        assert pseudonym("Müller/still.png", shown="file 3") == "file 3"
        pseudonym("Müller, Baby")
    pseudonym("after")
    with (tmp_path / "key.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["pseudonym", "original"]
    assert sorted(rows[1:]) == sorted([[hidden, "Müller, Baby"], ["file 3", "Müller/still.png"]])
    assert stat.S_IMODE((tmp_path / "key.csv").stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="exists already"), key_file(tmp_path / "key.csv"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["key.csv"]
