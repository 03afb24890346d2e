"""The secondary capture: the overlay itself, the source's times, words that are burned in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from dciodvfy import errors
from dicom_study import ROOT
from pydicom import dcmread
from pydicom.examples import get_path

from echokit_dicom.objects.overlay import burn_in, make_overlays
from echokit_dicom.objects.source import read_sources


def films(result: Any) -> list[Any]:
    subject = result.subjects[0]
    return make_overlays(result, subject, read_sources(result, subject))


def test_its_frames_are_the_overlay_enlarged_with_words_below(result_of, tmp_path):
    result = result_of()
    film = films(result)[0]
    film.save_as(tmp_path / "sc", enforce_file_format=True)
    pixels = dcmread(tmp_path / "sc").pixel_array
    expected = result.clips[0].saliency.overlay()
    times = pixels.shape[2] // expected.shape[2]
    assert (pixels[:, : 24 * times : times, ::times] == expected).all()
    band = pixels[:, 24 * times :]
    assert (band[0] == band[-1]).all()
    assert band.max() == 255
    assert "Research use only, not for diagnosis" in film.ImageComments
    assert "synthetic clips" in film.ImageComments


def test_the_words_are_burned_in_line_by_line():
    frames = np.zeros((2, 24, 24, 3), np.uint8)
    one, two = burn_in(frames, ["words"]), burn_in(frames, ["words", "more words"])
    assert two.shape[1] - one.shape[1] == 18
    assert burn_in(frames, [""]).max() == 0 < one.max()
    assert all(made.shape[1] % 2 == 0 for made in (one, two))


def test_it_is_derived_from_the_frames_that_it_shows(result_of):
    film = films(result_of())[1]
    assert list(film.ImageType) == ["DERIVED", "SECONDARY"]
    (source,) = film.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == f"{ROOT}.2.2"
    assert list(source.ReferencedFrameNumber) == [4, 5, 6, 7]
    assert (film.InstanceNumber, film.NumberOfFrames) == (2, 4)


def test_a_clip_that_was_resampled_refers_to_no_frames(result_of):
    (source,) = films(result_of(frames=28))[0].SourceImageSequence
    assert "ReferencedFrameNumber" not in source


def test_a_clip_that_was_resampled_has_the_times_of_its_own_rate(result_of):
    assert films(result_of(FrameTime=20))[0].FrameTime == 20
    assert films(result_of(FrameTime=20, frames=28))[0].FrameTime == 40, "25 frames a second"
    result = result_of(FrameTime=20)
    (subject,) = result.subjects
    clips = tuple(replace(clip, source_fps=50.0) for clip in subject.clips)
    film = films(replace(result, subjects=(replace(subject, clips=clips),)))[0]
    assert film.FrameTime == 40
    assert "ReferencedFrameNumber" not in film.SourceImageSequence[0]


def test_the_times_are_those_of_the_source(result_of):
    assert films(result_of())[0].FrameTime == 40
    vector = [0.0, *(30.0 + n for n in range(13))]
    film = films(result_of(FrameTimeVector=vector, FrameIncrementPointer=0x00181065))[0]
    assert list(film.FrameTimeVector) == [0, 33, 34, 35]
    assert film.FrameIncrementPointer == 0x00181065
    assert "FrameTime" not in film


@pytest.mark.parametrize("source", ["made", "real", "vector"])
def test_dciodvfy_finds_no_error(result_of, tmp_path, source):
    vector = {"FrameTimeVector": [0.0] + [40.0] * 13} if source == "vector" else {}
    result = result_of(path=get_path("ybr_color") if source == "real" else None, **vector)
    for number, film in enumerate(films(result)):
        film.save_as(tmp_path / str(number), enforce_file_format=True)
        assert errors(tmp_path / str(number)) == []


def test_loss_by_compression_of_the_source_is_said(result_of):
    film = films(result_of(path=get_path("ybr_color")))[0]
    assert film.LossyImageCompression == "01"
    assert "LossyImageCompression" not in films(result_of())[0]


def test_identifiers_follow_from_pixels(result_of):
    first, again = films(result_of()), films(result_of())
    assert [one.SOPInstanceUID for one in first] == [one.SOPInstanceUID for one in again]
    assert len({one.SOPInstanceUID for one in first}) == 2
    assert len({one.SeriesInstanceUID for one in first}) == 1
