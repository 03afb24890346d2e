"""Prepared clips in zarr, each under a name that tells its content and how it was prepared."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from echokit.interfaces import Loader, SupportsFingerprint
from echokit.system.files import whole_folder
from echokit.types import Box, Clip, ClipRef

if TYPE_CHECKING:
    import zarr

CHUNK = 16
"""Frames in a chunk: a window of 12 touches two at most."""
SHARD = 128
"""Frames in a shard, which is one file."""
LAYOUT = "differences"
"""How movies are kept: the first frame of each chunk as it is, of the others what to add to the one
before, modulo 256. Speckle changes little from frame to frame, so that takes a seventh less."""


class Store:
    """A folder of prepared clips. A clip is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[tuple[str, str], Any] = {}

    def key(self, loader: Loader, ref: ClipRef, signature: str) -> str:
        """The name a clip is kept under: a digest of its content and how it is prepared.

        Args:
            loader: knows the clip's content.
            ref: the clip.
            signature: tells its preparation from any other.

        Raises:
            ClipError: the clip's content cannot be reached.
        """
        if isinstance(loader, SupportsFingerprint):
            content = loader.fingerprint(ref)
        else:
            clip = loader.read(ref)
            content = hashlib.sha256(np.ascontiguousarray(clip.frames).data).hexdigest()
        told = f"{content}\n{signature}\n{LAYOUT}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def __contains__(self, key: str) -> bool:
        return (self.path / key / "zarr.json").is_file()

    def put(self, key: str, clip: Clip) -> None:
        """Keep a prepared clip."""
        try:
            with whole_folder(self.path / key) as partial:
                _write(partial, clip)
        except OSError:
            if key not in self:  # else another process was first; its copy is the same
                raise

    def length(self, key: str) -> int:
        """Frames in a clip."""
        return int(self._array(key, "frames").shape[0])

    def window(self, key: str, start: int, k: int) -> UInt8[np.ndarray, "k H W"]:
        """Frames `start` to `start + k` of a clip; only their chunks are read."""
        return self._movie(key, "frames", start, start + k)

    def clip(self, key: str, start: int = 0, k: int | None = None) -> Clip:
        """A clip, or `k` frames of it from `start`, with all that is known of it."""
        group, stop = self._group(key), self.length(key) if k is None else start + k
        attributes: dict[str, Any] = dict(group.attrs)
        box, spacing = attributes["box"], attributes["spacing"]
        has_structures = "structures" in group
        return Clip(
            frames=self._movie(key, "frames", start, stop),
            fps=attributes["fps"],
            spacing=(spacing[0], spacing[1]) if spacing else None,
            sector=self.sector(key),
            structures=self._movie(key, "structures", start, stop) if has_structures else None,
            structure_names=tuple(attributes["structure_names"]),
            box=Box(*box) if box else None,
        )

    def sector(self, key: str) -> Any:
        """The scanning sector `(H, W)` bool, or None if no step found one."""
        if (key, "sector") not in self._open:  # every window asks for it: kept, as bits
            group = self._group(key)
            mask = np.asarray(group["sector"]) if "sector" in group else None
            packed = None if mask is None else (np.packbits(mask), mask.shape)
            self._open[key, "sector"] = packed
        packed = self._open[key, "sector"]
        if packed is None:
            return None
        bits, (height, width) = packed
        return np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)

    def _movie(self, key: str, name: str, start: int, stop: int) -> UInt8[np.ndarray, "k H W"]:
        first = start - start % CHUNK
        frames = np.asarray(self._array(key, name)[first:stop])
        for i in range(1, len(frames)):
            if i % CHUNK:
                frames[i] += frames[i - 1]
        return frames[start - first :].copy()  # lets go of the frames before

    def _group(self, key: str) -> zarr.Group:
        import zarr

        if (key, "") not in self._open:
            self._open[key, ""] = zarr.open_group(self.path / key, mode="r")
        group: zarr.Group = self._open[key, ""]
        return group

    def _array(self, key: str, name: str) -> Any:
        if (key, name) not in self._open:
            self._open[key, name] = self._group(key)[name]
        return self._open[key, name]


def _write(path: Path, clip: Clip) -> None:
    import zarr
    from zarr.codecs import ZstdCodec

    group = zarr.open_group(path, mode="w")
    for name, movie in {"frames": clip.frames, "structures": clip.structures}.items():
        if movie is not None:
            group.create_array(
                name,
                data=_differences(movie),
                chunks=(CHUNK, *movie.shape[1:]),
                shards=(SHARD, *movie.shape[1:]),
                compressors=ZstdCodec(level=1),
            )
    if clip.sector is not None:
        group.create_array("sector", data=clip.sector.astype(np.uint8))
    group.attrs.update(
        {
            "fps": clip.fps,
            "spacing": clip.spacing,
            "box": [getattr(clip.box, f.name) for f in fields(Box)] if clip.box else None,
            "structure_names": list(clip.structure_names),
        }
    )


def _differences(movie: UInt8[np.ndarray, "T H W"]) -> UInt8[np.ndarray, "T H W"]:
    kept = movie.copy()
    kept[1:] -= movie[:-1]
    kept[::CHUNK] = movie[::CHUNK]
    return kept
