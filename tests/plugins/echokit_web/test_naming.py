"""Names of files on the disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echokit_web.naming import plain_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("clip.dcm", "0001.dcm"),
        ("30_A4C.mp4", "0001-A4C.mp4"),
        ("Doe_John/psax-p loop.AVI", "0001-PSAX-P.avi"),
        ("PSAX_S.npz", "0001-PSAX-S.npz"),
        ("PLAX and A4C.mp4", "0001.mp4"),
        ("A4Cx.mp4", "0001.mp4"),
        ("name.with-a-long-suffix", "0001"),
        ("", "0001"),
    ],
)
def test_a_name_is_a_number_a_view_and_a_suffix(given, name):
    assert plain_name(1, given) == name


@given(st.text())
def test_no_other_part_of_a_name_is_kept(text):
    name = plain_name(7, text)
    assert name.startswith("0007")
    assert "/" not in name
    assert len(name) <= 20
