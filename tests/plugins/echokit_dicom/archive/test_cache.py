"""The cache is private, and its names tell nothing."""

from __future__ import annotations

import os
import time

import pytest

from echokit import UsageError
from echokit_dicom.archive.archive import Place
from echokit_dicom.archive.cache import Cache

PLACE = Place("1.2.3", "1.2.4", "1.2.5")


def test_its_folder_is_its_owners_alone_even_if_it_was_not(tmp_path):
    (tmp_path / "cache").mkdir(mode=0o755)
    Cache(tmp_path / "cache", 7)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_names_are_digests_in_which_no_view_can_be_read(tmp_path):
    path = Cache(tmp_path, 7).path(PLACE)
    assert set(path.stem) == set("jqyz")
    assert len(path.stem) == 64
    assert path != Cache(tmp_path, 7).path(Place("1.2.3", "1.2.4", "1.2.6"))


def test_what_is_old_goes_and_what_is_asked_for_stays(tmp_path):
    cache, old = Cache(tmp_path, 7), time.time() - 8 * 86400
    asked, forgotten = cache.path(PLACE), cache.path(Place("1", "2", "3"))
    for path in (asked, forgotten):
        path.touch()
        os.utime(path, (old, old))
    assert cache.has(PLACE)
    Cache(tmp_path, 7)
    assert (asked.exists(), forgotten.exists()) == (True, False)


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="ECHOKIT_ARCHIVE_CACHE"):
        Cache(tmp_path / "file", 7)


def test_the_environment_says_where_and_an_option_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("ECHOKIT_ARCHIVE_CACHE", str(tmp_path / "one"))
    assert Cache.at("", 7).folder == tmp_path / "one"
    assert Cache.at(str(tmp_path / "two"), 7).folder == tmp_path / "two"
