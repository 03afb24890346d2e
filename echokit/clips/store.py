"""Store prepared clips in zarr, each under a key made of its content and its preparation."""

from __future__ import annotations

import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from jaxtyping import UInt8
from zarr.codecs import ZstdCodec

from echokit.errors import ClipError, DamagedError
from echokit.interfaces import Loader, SupportsFingerprint
from echokit.system.digests import MISSING, Digests
from echokit.system.digests import NAME as DIGESTS
from echokit.system.files import private_folder, whole_folder
from echokit.types import Box, Clip, ClipRef

CHUNK = 16
"""Frames in a chunk: a sequence of 12 frames touches two at most."""
SHARD = 128
"""Frames in a shard, which is one file."""
ENCODING = "differences"
"""How frames are encoded: the first frame of each chunk as it is, and every other frame as its
difference from the frame before, modulo 256. Speckle changes little between frames, so that this
takes a seventh less space. Part of every key: another text would orphan all stored clips."""

SMALL = 2**20
"""Bytes of frames up to which a clip is decoded once and kept: reading a window of it from its
chunks takes longer than augmenting the window."""
KEPT = 64 * SMALL
"""Bytes of frames that are kept at most; the clips kept longest go first."""


class Store:
    """A folder of prepared clips; each clip is stored whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: OrderedDict[str, UInt8[np.ndarray, "T H W"]] = OrderedDict()
        self._kept_bytes = 0
        self._open: dict[tuple[str, str], Any] = {}  # opening costs as much as a window

    def key(self, loader: Loader, ref: ClipRef, signature: str) -> str:
        """Compute a clip's key: a digest of its content and its preparation.

        Args:
            loader: reads the clip.
            ref: the clip.
            signature: identifies the preparation.

        Raises:
            ClipError: the clip cannot be read.
        """
        if isinstance(loader, SupportsFingerprint):
            content = loader.fingerprint(ref)
        else:
            clip = loader.read(ref)
            content = hashlib.sha256(np.ascontiguousarray(clip.frames).data).hexdigest()
        identity = f"{content}\n{signature}\n{ENCODING}"
        return hashlib.sha256(identity.encode()).hexdigest()[:32]

    def __contains__(self, key: str) -> bool:
        return (self.path / key / "zarr.json").is_file()

    def put(self, key: str, clip: Clip) -> None:
        """Keep a prepared clip."""
        self._put(key, lambda folder: _write(folder, clip))

    def put_blocks(self, key: str, known: Clip, length: int, blocks: Iterable[Clip]) -> None:
        """Keep a long prepared clip whose frames are made some at a time.

        The files are those that `put` would write of the whole clip.

        Args:
            key: its key.
            known: any frames of it, with all that is known of the clip; it has no structures.
            length: number of its frames.
            blocks: all frames, in order.
        """
        self._put(key, lambda folder: _write_blocks(folder, known, length, blocks))

    def _put(self, key: str, write: Callable[[Path], None]) -> None:
        try:
            private_folder(self.path)
            with whole_folder(self.path / key) as partial:
                write(partial)
                Digests(partial).record(("**/*",))
        except OSError:
            if key not in self:  # else another process was first; its copy is the same
                raise

    def discard(self, key: str) -> None:
        """Remove a clip, so that it can be prepared again."""
        for opened in [place for place in self._open if place[0] == key]:
            del self._open[opened]
        if (kept := self._kept.pop(key, None)) is not None:
            self._kept_bytes -= kept.nbytes
        shutil.rmtree(self.path / key, ignore_errors=True)

    def problem(self, key: str) -> str:
        """State what is wrong with a stored clip; empty if it is as it was written.

        Of clips stored before digests were kept, missing files alone are noticed.
        """
        if key not in self:
            return MISSING
        try:
            digests = Digests.read(self.path / key)
            problems = digests.problems(("*",))
            if not digests.files:
                problems = _missing_shards(zarr.open_group(self.path / key, mode="r"))
        except DamagedError:
            return f"its {DIGESTS} is damaged"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return str(error) or type(error).__name__
        return "; ".join(f"{name}: {problem}" for name, problem in problems.items())

    def length(self, key: str) -> int:
        """Number of frames in a clip."""
        return int(self._array(key, "frames").shape[0])

    def shape(self, key: str) -> tuple[int, int, int]:
        """Number, height and width of a clip's frames."""
        count, height, width = self._array(key, "frames").shape
        return count, height, width

    def blocks(self, key: str) -> Iterator[UInt8[np.ndarray, "t H W"]]:
        """Read all frames of a clip, some at a time."""
        length = self.length(key)
        for start in range(0, length, SHARD):
            yield self._movie(key, "frames", start, min(start + SHARD, length))

    def window(self, key: str, start: int, k: int) -> UInt8[np.ndarray, "k H W"]:
        """Read frames `start` to `start + k` of a clip: from its chunks, or a small one whole."""
        if (kept := self._small(key)) is not None:
            return kept[start : start + k].copy()
        return self._movie(key, "frames", start, start + k)

    def _small(self, key: str) -> UInt8[np.ndarray, "T H W"] | None:
        """Return all frames of a small clip, decoded once; None for a larger clip."""
        if (kept := self._kept.get(key)) is not None:
            return kept
        array = self._array(key, "frames")
        if array.nbytes > SMALL:
            return None
        frames = self._movie(key, "frames", 0, array.shape[0])
        self._kept[key] = frames
        self._kept_bytes += frames.nbytes
        while self._kept_bytes > KEPT:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return frames

    def clip(self, key: str, start: int = 0, k: int | None = None) -> Clip:
        """Read a clip, or `k` frames of it from `start`, with everything stored about it."""
        group, stop = self._group(key), self.length(key) if k is None else start + k
        attributes: Any = dict(group.attrs)
        box, spacing = attributes["box"], attributes["spacing"]
        has_structures = "structures" in group
        return Clip(
            frames=self._movie(key, "frames", start, stop),
            fps=attributes["fps"],
            source_fps=attributes.get("source_fps"),  # clips stored earlier do not say it
            spacing=(spacing[0], spacing[1]) if spacing else None,
            sector=self.sector(key),
            structures=self._movie(key, "structures", start, stop) if has_structures else None,
            structure_names=tuple(attributes["structure_names"]),
            box=Box(*box) if box else None,
        )

    def sector(self, key: str) -> Any:
        """Return the scanning sector `(H, W)` bool, or None if no step found it."""
        if (key, "sector") not in self._open:  # needed by every sequence: kept in memory, as bits
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
        """Read and decode frames; decoding starts at the first frame of a chunk."""
        first = start - start % CHUNK
        array = self._array(key, name)
        try:
            frames = np.asarray(array[first:stop])
        except (OSError, ValueError, RuntimeError) as error:  # gone or changed since it was opened
            raise self._damaged(key, str(error)) from error
        for i in range(1, len(frames)):
            if i % CHUNK:
                frames[i] += frames[i - 1]
        return frames[start - first :].copy()  # a view would keep the frames before in memory

    def _group(self, key: str) -> zarr.Group:
        if (key, "") not in self._open:
            if problem := self.problem(key):
                raise self._damaged(key, problem)
            self._open[key, ""] = zarr.open_group(self.path / key, mode="r")
        group: zarr.Group = self._open[key, ""]
        return group

    def _damaged(self, key: str, problem: str) -> DamagedError:
        return DamagedError(
            f"The prepared clip {self.path / key} is damaged: {problem}. Resume the run, which "
            "prepares it again: `echokit run --resume RUN`."
        )

    def _array(self, key: str, name: str) -> Any:
        if (key, name) not in self._open:
            self._open[key, name] = self._group(key)[name]
        return self._open[key, name]


def _write(path: Path, clip: Clip) -> None:
    group = zarr.open_group(path, mode="w")
    for name, movie in {"frames": clip.frames, "structures": clip.structures}.items():
        if movie is not None:
            _make_array(group, name, movie.shape[1:], data=_differences(movie))
    _write_facts(group, clip)


def _write_blocks(path: Path, known: Clip, length: int, blocks: Iterable[Clip]) -> None:
    """Write a clip shard by shard."""
    group = zarr.open_group(path, mode="w")
    size = known.frames.shape[1:]
    array = _make_array(group, "frames", size, shape=(length, *size), dtype=np.uint8)
    shard: UInt8[np.ndarray, "T H W"] = np.empty((SHARD, *size), np.uint8)
    done = filled = 0
    for block in blocks:
        frames = block.frames
        while len(frames):
            part = frames[: SHARD - filled]
            shard[filled : filled + len(part)] = part
            filled, frames = filled + len(part), frames[len(part) :]
            if filled == SHARD:
                array[done : done + SHARD] = _differences(shard)
                done, filled = done + SHARD, 0
    if filled:
        array[done : done + filled] = _differences(shard[:filled])
    if done + filled != length:
        raise ClipError(f"it changed while it was read: {done + filled} of its {length} frames")
    _write_facts(group, known)


def _make_array(group: zarr.Group, name: str, size: tuple[int, ...], **content: Any) -> Any:
    return group.create_array(
        name,
        chunks=(CHUNK, *size),
        shards=(SHARD, *size),
        compressors=ZstdCodec(level=1),
        **content,
    )


def _write_facts(group: zarr.Group, clip: Clip) -> None:
    if clip.sector is not None:
        group.create_array("sector", data=clip.sector.astype(np.uint8))
    group.attrs.update(
        {
            "fps": clip.fps,
            "source_fps": clip.source_fps,
            "spacing": clip.spacing,
            "box": [getattr(clip.box, f.name) for f in fields(Box)] if clip.box else None,
            "structure_names": list(clip.structure_names),
        }
    )


def _missing_shards(group: zarr.Group) -> dict[str, str]:
    """Return the arrays of which files are missing: zarr reads those as zeros, without a word."""
    return {
        name: MISSING for name, array in group.arrays() if array.nchunks_initialized < array.nchunks
    }


def _differences(movie: UInt8[np.ndarray, "T H W"]) -> UInt8[np.ndarray, "T H W"]:
    """Encode frames as differences; the first frame of each chunk stays as it is."""
    encoded = movie.copy()
    encoded[1:] -= movie[:-1]
    encoded[::CHUNK] = movie[::CHUNK]
    return encoded
