"""Any of MONAI's array transforms that fits, by its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from monai import transforms
from monai.transforms import RandomizableTransform, Transform
from monai.transforms.traits import InvertibleTrait
from torch import Tensor

from echokit import Clip, OptionError
from echokit_monai.bridge import float_frames, unit_array


@dataclass(frozen=True, slots=True)
class Named:
    """The transform; see `echokit_monai.monai`."""

    name: str
    options: Mapping[str, Any]

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Change a clip of float32 frames in [0, 1], one draw for all frames."""
        frames = float_frames(clip)
        change = make(self.name, self.options)
        if isinstance(change, transforms.Randomizable):
            state = int(torch.randint(2**31, (), generator=rng).item())
            change.set_random_state(seed=state)
        with torch.random.fork_rng():  # some of MONAI's draw from torch's own generator as well
            changed = change(frames.clone())
        return replace(clip, frames=unit_array(_plain(changed).float().clone()))


def make(name: str, options: Mapping[str, Any]) -> Transform:
    """Make one of MONAI's transforms.

    Raises:
        OptionError: MONAI refuses the options.
    """
    try:
        made: Transform = catalogue()[name](**options)
    except (TypeError, ValueError) as error:
        raise OptionError(f"MONAI's {name} cannot be made with {dict(options)}: {error}") from error
    return made


def check(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a class that does not fit, and options that it does not take.

    Raises:
        OptionError: the nearest valid ones are named.
    """
    from difflib import get_close_matches

    known = catalogue()
    if name not in known:
        close = get_close_matches(name, known, n=3, cutoff=0.4)
        guess = f" Did you mean {' or '.join(close)}?" if close else ""
        raise OptionError(
            f"MONAI has no transform {name!r} that fits here: it must take an array of frames and "
            f"leave their shape and place.{guess} Those that fit: {', '.join(sorted(known))}."
        )
    parameters = inspect.signature(known[name]).parameters
    for option in options:
        if option not in parameters:
            raise OptionError(
                f"MONAI's {name} has no option {option!r}: it takes {', '.join(parameters)}."
            )
    changed = _plain(make(name, options)(torch.rand(4, 16, 16)))
    if changed.shape != (4, 16, 16) or not changed.isfinite().all():
        raise OptionError(
            f"MONAI's {name} makes {tuple(changed.shape)} of (4, 16, 16) with {dict(options)}: "
            "frames must keep their number and size here."
        )


@cache
def catalogue() -> dict[str, type[Transform]]:
    """MONAI's intensity transforms: those that change values and leave every pixel's place."""
    found = {}
    for name in transforms.__all__ if hasattr(transforms, "__all__") else dir(transforms):
        one = getattr(transforms, name)
        if (
            inspect.isclass(one)
            and issubclass(one, Transform)
            and one.__module__ == "monai.transforms.intensity.array"
            and not issubclass(one, InvertibleTrait)
            and one is not RandomizableTransform
        ):
            found[name] = one
    return found


def _plain(changed: Any) -> Tensor:
    tensor = changed if isinstance(changed, Tensor) else torch.as_tensor(np.asarray(changed))
    return tensor.as_subclass(Tensor)
