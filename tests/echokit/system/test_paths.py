"""Paths and names that come from a file: what leaves its folder is refused."""

from pathlib import Path

import pytest

from echokit import DataError, is_below
from echokit.system.paths import LONGEST, name_problem, resolve_below

GOOD = (
    "A4C",
    "PSAX-P",
    "MV-3",
    "spatio-temporal",
    "1",
    "Zürich",
    "apical 4",
    "A4C (zoomed)",
    "a.b",
)
BAD = ("", ".", "..", "../x", "a/b", "/x", "a\\b", " a", "a ", ".a", "a.", "a\nb", "a\0", "[/bold]",
       "-x", "x" * (LONGEST + 1), "a:b", "a*", "\x1b[31m")  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_names_of_the_field_become_files(name):
    assert name_problem(name) == ""


@pytest.mark.parametrize("name", BAD)
def test_other_names_are_refused_with_one_that_is_accepted(name):
    problem = name_problem(name)
    suggested = problem.rpartition("as in ")[2].strip("'\"")
    assert name_problem(suggested) == "", (problem, suggested)


@pytest.mark.parametrize(
    "written", ["../b.txt", "/etc/passwd", "c/../../b.txt", "out/b.txt", "..", ""]
)
def test_what_leaves_a_folder_is_refused_links_included(tmp_path, written):
    (tmp_path / "in" / "c").mkdir(parents=True)
    (tmp_path / "b.txt").touch()
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    with pytest.raises(DataError, match=r"list\.json names"):
        resolve_below(tmp_path / "in", written, Path("list.json"))


def test_what_stays_in_a_folder_is_found_by_way_of_links_too(tmp_path):
    (tmp_path / "in" / "c").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "inner").symlink_to(tmp_path / "in" / "c")
    root = tmp_path / "link"
    for written in ("c", "c/../c", "inner/x", "absent/y"):
        assert resolve_below(root, written, Path("list.json")) == root / written
    assert not is_below(root, tmp_path)
