"""Cut clips into sequences of k frames: where they start, and what a network receives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from echokit.clips.preparation import unused_generator
from echokit.clips.store import Store
from echokit.errors import ClipError
from echokit.interfaces import Transform
from echokit.types import Clip

if TYPE_CHECKING:
    import torch

DRAWS = 64
"""Most times that augmentation is drawn for one sequence until a transform changes it.

If each of the six transforms of the recipe `ph-newborn` acted on one sequence in fifty only, a
sequence in two thousand would still be left as it is.
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A prepared clip, one example of training and voting."""

    clip: str
    """Name of the clip."""
    key: str
    """Key of the clip in the store."""
    frames: int
    """Number of frames of the clip."""
    label: int
    """Index of the label; -1 for none."""


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """How sequences are cut out of a clip and become the input of a network."""

    n: int
    """Number of sequences that vote for a clip."""
    k: int
    """Number of consecutive frames in a sequence."""
    augment: tuple[Transform, ...] = ()
    """Augmenting transforms, in order; none for voting."""
    share: float = 0.0
    """Probability that at least one transform changes a sequence (paper, section 3.1: 0.9)."""
    normalise: Transform | None = None
    """Last transform; None keeps float32 in [0, 1]."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> torch.Tensor:
        """Scale to float32 [0, 1], augment, normalise, add the channel axis: `(1, k, H, W)`."""
        import torch  # not at the top: a bundle predicts without torch

        clip = _unit(clip)
        if self.augment and torch.rand((), generator=rng).item() < self.share:
            clip = self._augmented(clip, rng)
        return torch.from_numpy(self._normalised(clip, rng))

    def plain(self, clip: Clip) -> Float32[np.ndarray, "1 k H W"]:
        """Make the input `(1, k, H, W)` without augmentation, as an array and without torch."""
        return self._normalised(_unit(clip), unused_generator())

    def _augmented(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Apply the transforms; draw again, at most `DRAWS` times, while none changes the frames.

        Each transform acts with a probability of its own, so that all may leave a sequence as it
        is. Drawing again leaves the transforms that act as they are given that at least one does.
        """
        changed = clip
        for _ in range(DRAWS):
            for transform in self.augment:
                changed = transform(changed, rng)
            if _changed(clip, changed):
                break
        return changed

    def _normalised(self, clip: Clip, rng: Any) -> Float32[np.ndarray, "1 k H W"]:
        if self.normalise is not None:
            clip = self.normalise(clip, rng)
        # transforms may return views with negative strides, which torch cannot take
        return np.ascontiguousarray(clip.frames)[None]


def _unit(clip: Clip) -> Clip:
    """Scale uint8 frames to float32 in [0, 1]."""
    return replace(clip, frames=clip.frames.astype(np.float32) / 255)


def _changed(clip: Clip, other: Clip) -> bool:
    """Tell whether two clips have other frames."""
    # a transform that does not act usually returns the clip that it was given, and one that acts
    # changes the first frame, so that few frames are compared
    return other is not clip and not all(map(np.array_equal, other.frames, clip.frames))


def digest(*parts: object) -> int:
    """Compute a 62-bit number from the text of the parts: the seed of one random choice."""
    text = "\n".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 2


def check_length(clip: str, frames: int, k: int) -> None:
    """Check that a clip is long enough for one sequence.

    Raises:
        ClipError: the clip has fewer than `k` frames.
    """
    if frames < k:
        raise ClipError(f"{clip} has {frames} frame{'s' * (frames != 1)}; a sequence needs {k}")


def voting_starts(clip: str, frames: int, k: int, n: int) -> tuple[int, ...]:
    """Draw the starts of the `n` sequences that vote for a clip, the same in every run.

    No start is drawn twice before all starts were drawn once.

    Raises:
        ClipError: the clip has fewer than `k` frames.
    """
    check_length(clip, frames, k)
    # RandomState has the same stream as torch's CPU generator and is frozen by numpy's policy
    rng = np.random.RandomState(digest(clip) & 0xFFFFFFFF)
    possible = frames - k + 1
    drawn = [start for _ in range(-(-n // possible)) for start in _shuffled(possible, rng)]
    return tuple(sorted(drawn[:n]))


def _shuffled(count: int, rng: np.random.RandomState) -> list[int]:
    """Shuffle the numbers below `count` as `torch.randperm` does."""
    order = list(range(count))
    for i, number in enumerate(rng.randint(2**32, size=count - 1, dtype=np.uint32).tolist()):
        j = i + number % (count - i)
        order[i], order[j] = order[j], order[i]
    return order


def window(store: Store, key: str, start: int, k: int) -> Clip:
    """Read one sequence as a `Clip`, with the sector for the transforms that need it."""
    return Clip(frames=store.window(key, start, k), sector=store.sector(key))
