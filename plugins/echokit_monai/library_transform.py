"""Any of MONAI's intensity transforms, by the name of its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
import torch
from monai import transforms
from monai.transforms import RandomizableTransform, Transform
from monai.transforms.traits import InvertibleTrait
from torch import Tensor

from echokit import Clip, OptionError
from echokit_monai.tensors import float_frames, unit_array


@dataclass(frozen=True, slots=True)
class LibraryTransform:
    """One of MONAI's transforms as echokit's; see `echokit_monai.augmenting.monai`."""

    name: str
    """Name of MONAI's class."""
    options: Mapping[str, Any]
    """Keyword arguments of the class."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Change a clip of float32 frames in [0, 1], with one draw for all frames."""
        frames = float_frames(clip)
        transform = make(self.name, self.options)
        if isinstance(transform, transforms.Randomizable):
            seed = int(torch.randint(2**31, (), generator=rng).item())
            transform.set_random_state(seed=seed)
        # some of MONAI's transforms also draw from torch's global generator
        with torch.random.fork_rng():
            changed = transform(frames.clone())
        return replace(clip, frames=unit_array(_plain(changed).float().clone()))


def make(name: str, options: Mapping[str, Any]) -> Transform:
    """Make one of MONAI's transforms.

    Raises:
        OptionError: MONAI refuses the options.
    """
    try:
        transform: Transform = catalogue()[name](**options)
    except (TypeError, ValueError) as error:
        raise OptionError(f"MONAI's {name} cannot be made with {dict(options)}: {error}") from error
    return transform


def check(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a class that does not fit, and options that it does not take.

    Raises:
        OptionError: the class or an option is refused; the message lists valid ones.
    """
    classes = catalogue()
    if name not in classes:
        nearest = get_close_matches(name, classes, n=3, cutoff=0.4)
        guess = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
        raise OptionError(
            f"MONAI has no transform {name!r} that fits here: it must take an array of frames and "
            f"keep their shape and place.{guess} Valid: {', '.join(sorted(classes))}."
        )
    parameters = inspect.signature(classes[name]).parameters
    for option in options:
        if option not in parameters:
            raise OptionError(
                f"MONAI's {name} has no option {option!r}: it takes {', '.join(parameters)}."
            )
    # some options change the shape of the frames; only trying them tells which
    changed = _plain(make(name, options)(torch.rand(4, 16, 16)))
    if changed.shape != (4, 16, 16) or not changed.isfinite().all():
        raise OptionError(
            f"MONAI's {name} turns (4, 16, 16) into {tuple(changed.shape)} with {dict(options)}, "
            "or into values that are not finite: give options that keep the shape of the frames."
        )


@cache
def catalogue() -> dict[str, type[Transform]]:
    """List MONAI's intensity transforms: those that change values and move no pixel."""
    return {
        name: candidate
        for name, candidate in vars(transforms).items()
        if inspect.isclass(candidate)
        and issubclass(candidate, Transform)
        and candidate.__module__ == "monai.transforms.intensity.array"
        and not issubclass(candidate, InvertibleTrait)
        and candidate is not RandomizableTransform
    }


def _plain(changed: Any) -> Tensor:
    """Return an array or one of MONAI's tensors with metadata as a torch tensor."""
    tensor = changed if isinstance(changed, Tensor) else torch.as_tensor(np.asarray(changed))
    return tensor.as_subclass(Tensor)
