"""The pixels that stay."""

from __future__ import annotations

import numpy as np
import pytest
from deidentified import fan, screen

from echokit import Clip, ClipError, resolve
from echokit_dicom.deidentify.sector import find_pixels

SECTOR = resolve("transform", "monai-sector")


def test_letters_in_the_sector_are_made_black_as_rectangles():
    frames = screen()
    letters = np.zeros(frames.shape[1:], bool)
    for left in (60, 70, 80):  # three letters of one stroke and a bar each
        letters[50:60, left : left + 2] = letters[50:52, left : left + 7] = True
    frames[:, letters] = 230
    stays, marks = find_pixels(Clip(frames), SECTOR)
    assert not stays[letters].any()
    for left in (60, 70, 80):  # nobody can read a rectangle
        assert not stays[48:62, left - 2 : left + 9].any()
        assert marks[55, left + 4]
    assert stays[80:95, 60:100].all()


def test_a_line_is_made_black_and_what_it_encloses_stays():
    frames = screen()
    frames[:, 36:98, 56] = frames[:, 36:98, 108] = 255
    frames[:, 36, 56:109] = frames[:, 97, 56:109] = 255
    stays, _ = find_pixels(Clip(frames), SECTOR)
    assert not stays[36:98, 56].any()
    assert stays[50:85, 65:100].all()


def test_living_tissue_has_no_marks():
    stays, marks = find_pixels(Clip(screen()), SECTOR)
    assert not marks.any()
    assert stays[fan()].mean() > 0.95


def test_a_clip_without_a_sector_is_refused():
    with pytest.raises(ClipError, match="No sector found"):
        find_pixels(Clip(np.repeat(screen()[:1], 12, axis=0)), SECTOR)


def test_a_letter_among_doppler_is_found_in_colour():
    """Where colour comes and goes, the grey frames that a loader reads are black."""
    grey = screen()
    grey[:, 50:60, 70:73] = 230
    coloured = np.repeat(grey[..., None], 3, axis=3)
    grey[::2, 45:65, 60:90] = 0
    without, _ = find_pixels(Clip(grey), SECTOR)
    assert without[52:58, 70:73].all()
    stays, _ = find_pixels(Clip(grey), SECTOR, iter(coloured))
    assert not stays[48:62, 68:75].any()
