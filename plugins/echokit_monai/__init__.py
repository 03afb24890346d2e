"""Prepare and augment transforms on MONAI: paper section 2.2, step by step.

Crop and mask, resize, equalise; normalise; and the augmentation of training sequences. Frames go
through MONAI's array transforms in the place of channels, so one draw serves all of a sequence.
Where MONAI's own is much slower or means something else, plain torch or numpy does it, and the
place says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from echokit import Transform, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable


@hookimpl
def register_transforms(register: Callable[[str, Callable[..., Transform]], None]) -> None:
    """Register the prepare steps in their order, normalisation, and the augmentations."""
    register("monai-sector", monai_sector)
    register("monai-resize", monai_resize)
    register("monai-equalise", monai_equalise)
    register("monai-normalise", monai_normalise)
    register("monai-sharpness", monai_sharpness)
    register("monai-brightness", monai_brightness)
    register("monai-gamma", monai_gamma)
    register("monai-noise", monai_noise)
    register("monai-background", monai_background)
    register("monai-affine", monai_affine)
    register("monai", monai)


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register MONAI's 3D ResNet-18 and DenseNet-121."""
    register("monai-resnet18", monai_resnet18)
    register("monai-densenet121", monai_densenet121)


def monai_resnet18(
    num_classes: int, in_channels: int, *, width: float = 1.0, weights: str = "none"
) -> Any:
    """MONAI's ResNet with 18 layers of 3D convolutions (33.2 M parameters).

    Hara et al., CVPR 2018, doi:10.1109/CVPR.2018.00685. Time is its first axis of space. Any number
    of frames (from 1) and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: factor of every stage's channels, above 0; 1 as published.
        weights: `none` for fresh ones, or the path of a `.pth`, `.pt` or `.safetensors` state dict
            of the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is out of range, or the weights cannot be read or do not fit.
    """
    from echokit_monai.networks import resnet
    from echokit_monai.options import checked, checked_whole

    checked_whole("num_classes", num_classes, 1, 10_000)
    checked_whole("in_channels", in_channels, 1, 10_000)
    return resnet(num_classes, in_channels, checked("width", width, 1 / 64, 64.0), weights)


def monai_densenet121(num_classes: int, in_channels: int, *, weights: str = "none") -> Any:
    """MONAI's DenseNet with 121 layers of 3D convolutions (11.2 M parameters).

    Huang et al., CVPR 2017, doi:10.1109/CVPR.2017.243. Time is its first axis of space, halved
    five times. Any number of frames (from 1) and any frame size works: where a pooling meets an
    odd size it keeps the rest, and is MONAI's own at multiples of 32.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: as for `monai-resnet18`.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_monai.networks import densenet
    from echokit_monai.options import checked_whole

    checked_whole("num_classes", num_classes, 1, 10_000)
    checked_whole("in_channels", in_channels, 1, 10_000)
    return densenet(num_classes, in_channels, weights)


def monai_sector(frames: int = 24, smallest: float = 0.05) -> Transform:
    """Prepare: find the scanning sector, crop to it, blacken all outside (paper, section 2.2).

    The sector is looked for inside the clip's `region` if it has one, by what moves: a fan, apex up
    or down, or an upright rectangle. A clip that already carries a sector keeps it. Sets `sector`
    and `box`. Text that the scanner writes over the tissue itself stays.

    Args:
        frames: how many frames, spread over the clip, are compared (2 or more).
        smallest: least share of the searched picture that a sector may fill, in [0, 1].

    Raises:
        ClipError: (when called) no sector can be told: a still or black clip, too small, or of
            neither shape. The clip is then refused, never passed on unmasked.
    """
    from echokit_monai.options import checked, checked_whole
    from echokit_monai.sector import sector_transform

    return sector_transform(
        checked_whole("frames", frames, 2, 10_000), checked("smallest", smallest, 0.0, 1.0)
    )


def monai_resize(size: int = 224, mode: Literal["bilinear", "nearest"] = "bilinear") -> Transform:
    """Prepare: resize to a square (paper, section 2.2: 224 x 224, bilinear).

    Samples at pixel centres without antialiasing, like `torch.nn.functional.interpolate` and
    OpenCV's `INTER_LINEAR`; the aspect ratio is not kept. Sector and structures follow by nearest
    neighbour, `spacing` is updated, and outside the sector stays 0.

    Args:
        size: side of the square, in pixels.
        mode: `bilinear` or `nearest`, for the frames.
    """
    from echokit_monai.geometry import resize_transform
    from echokit_monai.options import checked_choice, checked_whole

    checked_choice("mode", mode, ("bilinear", "nearest"))
    return resize_transform(checked_whole("size", size, 1, 10_000), mode)


def monai_equalise(within: Literal["frame", "sector"] = "frame") -> Transform:
    """Prepare: equalise each frame's histogram to 0-255 (paper, section 2.2).

    Args:
        within: `frame` equals OpenCV's `equalizeHist` on the whole frame bit for bit; OpenCV does
            not count a frame's lowest level, so black surroundings hardly weigh. `sector` counts
            the sector's pixels only, so its darkest level becomes 0, and leaves 0 outside it.

    Raises:
        ClipError: (when called) frames are not uint8, or `sector` is asked for and there is none.
    """
    from echokit_monai.equalise import equalise_transform
    from echokit_monai.options import checked_choice

    checked_choice("within", within, ("frame", "sector"))
    return equalise_transform(within)


def monai_normalise(mean: float, sd: float) -> Transform:
    """Normalise float32 frames: (x - mean) / sd, like MONAI's NormalizeIntensity.

    Args:
        mean: grey level in [0, 1] that becomes 0.
        sd: positive standard deviation, in grey levels of [0, 1], that becomes 1.
    """
    from echokit_monai.normalise import normalise_transform
    from echokit_monai.options import checked

    return normalise_transform(checked("mean", mean, -10.0, 10.0), checked("sd", sd, 1e-6, 10.0))


def monai_sharpness(
    probability: float = 0.5,
    soften: Sequence[float] = (0.0, 1.0),
    sharpen: Sequence[float] = (1.0, 8.0),
) -> Transform:
    """Augment: blur or sharpen, with equal chance (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        soften: range of the factor when blurring; 0 is blurred, 1 unchanged.
        sharpen: range of the factor when sharpening, 1 or more. Both mean what they mean in
            torchvision's `adjust_sharpness`.
    """
    from echokit_monai.intensity import sharpness
    from echokit_monai.options import checked, checked_range

    return sharpness(
        checked("probability", probability, 0.0, 1.0),
        checked_range("soften", soften, 0.0, 1.0),
        checked_range("sharpen", sharpen, 1.0, 100.0),
    )


def monai_brightness(probability: float = 0.5, factor: Sequence[float] = (0.5, 1.2)) -> Transform:
    """Augment: multiply grey levels, with MONAI's ScaleIntensity (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        factor: range of the factor; results are clamped to [0, 1].
    """
    from echokit_monai.intensity import brightness
    from echokit_monai.options import checked, checked_range

    return brightness(
        checked("probability", probability, 0.0, 1.0),
        checked_range("factor", factor, 0.0, 100.0),
    )


def monai_gamma(probability: float = 0.5, gamma: Sequence[float] = (0.25, 2.0)) -> Transform:
    """Augment: gamma correction, plain x ** gamma on [0, 1] (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        gamma: range of the exponent; below 1 is brighter, above 1 darker.
    """
    from echokit_monai.intensity import gamma as make
    from echokit_monai.options import checked, checked_range

    return make(
        checked("probability", probability, 0.0, 1.0), checked_range("gamma", gamma, 0.01, 100.0)
    )


def monai_noise(
    probability: float = 0.5, salt: float = 0.005, pepper: float = 0.005, sd: float = 5 / 255
) -> Transform:
    """Augment: salt and pepper or Gaussian noise, with equal chance (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        salt: share of voxels that become 1, drawn with replacement.
        pepper: share of voxels that become 0, drawn with replacement.
        sd: standard deviation of the Gaussian noise, in grey levels of [0, 1].
    """
    from echokit_monai.noise import noise
    from echokit_monai.options import checked

    return noise(
        checked("probability", probability, 0.0, 1.0),
        checked("salt", salt, 0.0, 1.0),
        checked("pepper", pepper, 0.0, 1.0),
        checked("sd", sd, 0.0, 1.0),
    )


def monai_background(
    probability: float = 0.5,
    level: float = 0.3,
    spread: float = 0.3,
    amount: Sequence[float] = (0.0, 1.0),
) -> Transform:
    """Augment: speckle outside the sector only (paper, section 2.2).

    Every voxel outside becomes amount * level * (1 + spread * N(0, 1)), clamped to [0, 1]. A
    clip without a sector stays as it is. Listed after `monai-affine` it also fills what
    the motion uncovers.

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        level: mean grey level at the full amount, in [0, 1].
        spread: standard deviation of the speckle as a share of its mean.
        amount: range in [0, 1] of the amount, drawn once for all frames.
    """
    from echokit_monai.noise import background
    from echokit_monai.options import checked, checked_range

    return background(
        checked("probability", probability, 0.0, 1.0),
        checked("level", level, 0.0, 1.0),
        checked("spread", spread, 0.0, 10.0),
        checked_range("amount", amount, 0.0, 1.0),
    )


def monai_affine(
    probability: float = 0.5,
    rotation: float = 15.0,
    translation: float = 0.1,
    scale: Sequence[float] = (0.8, 1.0),
    zoom: Sequence[float] = (1.0, 1.2),
) -> Transform:
    """Augment: rotate about the image centre, translate, shrink or grow (paper, section 2.2).

    One bilinear resampling does all of it, with zeros from outside; the sector and the structures
    go along by nearest neighbour. `box` still names the source rectangle before the motion.

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        rotation: largest angle either way, in degrees.
        translation: largest shift either way along each axis, as a share of the side.
        scale: range of the factor when shrinking, in (0, 1].
        zoom: range of the factor when growing, 1 or more; as likely as shrinking.
    """
    from echokit_monai.affine import affine
    from echokit_monai.options import checked, checked_range

    return affine(
        checked("probability", probability, 0.0, 1.0),
        checked("rotation", rotation, 0.0, 180.0),
        checked("translation", translation, 0.0, 1.0),
        checked_range("scale", scale, 0.05, 1.0),
        checked_range("zoom", zoom, 1.0, 20.0),
    )


def monai(**options: Any) -> Transform:
    """Augment: any of MONAI's intensity transforms, named by its class.

        [augment.smooth]
        use = "monai"
        class = "RandGaussianSmooth"
        prob = 0.5
        sigma_x = [0.5, 1.5]

    Frames stand in the place of channels, so one draw serves all of them; results are clamped to
    [0, 1]. Every draw follows from the generator that is given. Transforms that move pixels are
    not among them, since sector and structures would stay behind: use `monai-affine`.

    Args:
        options: `class`, the name of one of MONAI's intensity array transforms, and the options
            of that class.

    Raises:
        OptionError: there is no such class, it does not fit, or it does not take an option.
    """
    from echokit import OptionError

    given = dict(options)
    name = given.pop("class", None)
    if not isinstance(name, str):
        raise OptionError(
            "The transform 'monai' needs the option `class`, the name of one of MONAI's intensity "
            'transforms, as in class = "RandGaussianSmooth".'
        )
    from echokit_monai.named import Named, check

    check(name, given)
    return Named(name, given)
