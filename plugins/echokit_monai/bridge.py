"""From numpy frames to tensors and back, without surprises about whose memory it is."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from echokit import Clip, ClipError


def as_tensor(array: Shaped[np.ndarray, "..."]) -> Shaped[Tensor, "..."]:
    """View an array as a tensor; copy it only if torch cannot view it.

    The tensor may share the array's memory: never write to it.
    """
    array = np.ascontiguousarray(array)
    # torch warns of an array that it must not write to, as slices of a zarr store or memmap are
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def float_frames(clip: Clip) -> Float32[Tensor, "T H W"]:
    """Return a clip's frames as a float32 tensor, the frames in the place of MONAI's channels.

    Raises:
        ClipError: they are not float32, so they are not of a sequence that was drawn.
    """
    if clip.frames.dtype != np.float32:
        raise ClipError(
            f"This transform works on sequences, float32 frames in [0, 1], and these frames are "
            f"{clip.frames.dtype}: list it under [augment] or [normalise], not under [prepare]."
        )
    return as_tensor(clip.frames)


def as_array(tensor: Float32[Tensor, "T H W"]) -> Float32[np.ndarray, "T H W"]:
    """Return a tensor, or one of MONAI's that carries metadata, as a plain array."""
    array: Float32[np.ndarray, "T H W"] = tensor.as_subclass(Tensor).numpy()
    return array


def unit_array(frames: Float32[Tensor, "T H W"]) -> Float32[np.ndarray, "T H W"]:
    """Clamp a new tensor to [0, 1] in place and return it as a plain array."""
    return as_array(frames.clamp_(0.0, 1.0))
