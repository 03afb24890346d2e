"""Factories of the transforms that prepare a clip: sector, resize, equalise; and normalise."""

from __future__ import annotations

from typing import Literal

from echokit import Transform
from echokit_monai.options import checked, checked_choice, checked_whole


def monai_sector(frames: int = 24, smallest: float = 0.05) -> Transform:
    """Prepare: find the scanning sector, crop to it, blacken all outside (paper, section 2.2).

    The sector is searched for inside the clip's `region` if it has one, by what moves: a fan, apex
    up or down, or an upright rectangle. A clip that already has a sector keeps it. Sets `sector`
    and `box`. Text that the scanner writes over the tissue stays.

    Args:
        frames: number of frames, spread over the clip, that are compared (2 or more).
        smallest: smallest share of the searched picture that a sector may fill, in [0, 1].

    Raises:
        ClipError: (when called) no sector is found: a still or black clip, too small an area, or
            neither shape. The clip is then refused, never passed on unmasked.
    """
    from echokit_monai.sector import sector_transform

    return sector_transform(
        checked_whole("frames", frames, 2, 10_000), checked("smallest", smallest, 0.0, 1.0)
    )


def monai_resize(size: int = 224, mode: Literal["bilinear", "nearest"] = "bilinear") -> Transform:
    """Prepare: resize to a square (paper, section 2.2: 224 x 224, bilinear).

    Samples at pixel centres without antialiasing, like `torch.nn.functional.interpolate` and
    OpenCV's `INTER_LINEAR`; the aspect ratio is not kept. Sector and structures are resized by
    nearest neighbour, `spacing` is updated, and pixels outside the sector stay 0.

    Args:
        size: side of the square, in pixels.
        mode: `bilinear` or `nearest`, for the frames.
    """
    from echokit_monai.geometry import resize_transform

    checked_choice("mode", mode, ("bilinear", "nearest"))
    return resize_transform(checked_whole("size", size, 8, 10_000), mode)


def monai_equalise(within: Literal["frame", "sector"] = "frame") -> Transform:
    """Prepare: equalise each frame's histogram to 0-255 (paper, section 2.2).

    Args:
        within: `frame` equals OpenCV's `equalizeHist` on the whole frame bit for bit; OpenCV does
            not count a frame's lowest level, so black surroundings have little influence. `sector`
            counts only the sector's pixels, so its darkest level becomes 0, and leaves 0 outside.

    Raises:
        ClipError: (when called) frames are not uint8, or `sector` is asked for and there is none.
    """
    from echokit_monai.equalise import equalise_transform

    checked_choice("within", within, ("frame", "sector"))
    return equalise_transform(within)


def monai_normalise(mean: float, sd: float) -> Transform:
    """Normalise float32 frames: (x - mean) / sd, like MONAI's NormalizeIntensity.

    Args:
        mean: grey level in [0, 1] that becomes 0.
        sd: positive standard deviation, in grey levels of [0, 1], that becomes 1.
    """
    from echokit_monai.normalise import normalise_transform

    return normalise_transform(checked("mean", mean, -10.0, 10.0), checked("sd", sd, 1e-6, 10.0))
