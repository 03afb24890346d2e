"""Conversion between numpy frames and torch tensors, with the rules of shared memory."""

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
    # torch warns about read-only arrays, such as slices of a zarr store or a memmap
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def float_frames(clip: Clip) -> Float32[Tensor, "T H W"]:
    """Return a clip's frames as a float32 tensor, in the place of MONAI's channels.

    Raises:
        ClipError: the frames are not float32, so they are those of a whole clip.
    """
    if clip.frames.dtype != np.float32:
        raise ClipError(
            f"This transform works on sequences, float32 frames in [0, 1], and these frames are "
            f"{clip.frames.dtype}: list it under [augment] or [normalise], not under [prepare]."
        )
    return as_tensor(clip.frames)


def as_array(tensor: Float32[Tensor, "T H W"]) -> Float32[np.ndarray, "T H W"]:
    """Return a torch tensor, or one of MONAI's with metadata, as an array."""
    array: Float32[np.ndarray, "T H W"] = tensor.as_subclass(Tensor).numpy()
    return array


def unit_array(frames: Float32[Tensor, "T H W"]) -> Float32[np.ndarray, "T H W"]:
    """Clamp a tensor to [0, 1] in place and return it as an array."""
    return as_array(frames.clamp_(0.0, 1.0))
