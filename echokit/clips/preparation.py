"""Preparing clips: once for each content, and each way of preparing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from echokit.clips.store import Store
from echokit.errors import ClipError
from echokit.interfaces import Loader, Transform
from echokit.system.prefetch import prefetch
from echokit.types import Clip, ClipRef


def undrawn() -> Any:
    """What a transform that draws nothing is handed: a generator, or None where torch is not used.

    So clips are prepared without torch, if their transforms do without it.
    """
    torch = sys.modules.get("torch")
    return None if torch is None else torch.Generator()


@dataclass(frozen=True, slots=True)
class Preparation:
    """The transforms that prepare a clip, and the text that tells two preparations apart."""

    steps: tuple[Transform, ...]
    signature: str
    """Names, options and versions of the steps, in order."""

    def __call__(self, clip: Clip) -> Clip:
        """Prepare one clip.

        Raises:
            ClipError: a step refuses the clip, or hands on something that cannot be stored.
        """
        for step in self.steps:
            clip = step(clip, undrawn())
        if clip.frames.dtype != np.uint8 or clip.frames.ndim != 3 or not clip.frames.size:
            raise ClipError(
                f"preparing made frames of {clip.frames.dtype} {clip.frames.shape}; "
                "uint8 (T, H, W) can be stored"
            )
        return clip

    def masked(self, clip: Clip) -> Clip:
        """Take the steps up to the one that finds the sector: source pixels, nothing outside it."""
        for step in self.steps:
            clip = step(clip, undrawn())
            if clip.sector is not None:
                break
        return clip


def signature(steps: Iterable[tuple[str, str, dict[str, Any]]]) -> str:
    """The text that tells two preparations apart.

    Args:
        steps: (full name, version, options) of each step, in order.
    """
    return json.dumps([[name, version, options] for name, version, options in steps])


def prepare(
    loader: Loader, refs: Sequence[ClipRef], preparation: Preparation, store: Store
) -> Iterator[tuple[ClipRef, str | ClipError]]:
    """Prepare every clip that is not in the store yet; the next is read meanwhile.

    Yields:
        `(ref, key)` of each clip that is there now, or `(ref, ClipError)` of one that is refused.
    """
    begun: set[str] = set()

    def fetch(ref: ClipRef) -> tuple[ClipRef, str | ClipError, Clip | None]:
        try:
            key = store.key(loader, ref, preparation.signature)
            if key in store or key in begun:
                return ref, key, None
            begun.add(key)
            return ref, key, loader.read(ref)
        except ClipError as error:
            return ref, error, None

    for ref, key, clip in prefetch(map(fetch, refs)):
        if isinstance(key, ClipError):
            yield ref, key
            continue
        try:
            if key not in store:  # of the same content as one that was refused: refused, too
                store.put(key, preparation(clip or loader.read(ref)))
            yield ref, key
        except ClipError as error:
            yield ref, error


def too_short(store: Store, key: str, k: int) -> str:
    """Why a prepared clip is too short for a sequence of `k` frames; empty if it is not."""
    frames = store.length(key)
    return f"it has {frames} frame{'s' * (frames != 1)}; a sequence needs {k}" if frames < k else ""
