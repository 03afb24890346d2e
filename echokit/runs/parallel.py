"""Prepare clips in several processes, where `compute.jobs` allows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from echokit.clips.preparation import Preparation, prepare
from echokit.clips.store import Store
from echokit.components.loading import make_loader
from echokit.components.slots import make_executor, make_preparation
from echokit.errors import ClipError
from echokit.interfaces import Loader, SupportsFingerprint
from echokit.recipe import Recipe
from echokit.system.progress import Progress, Tick
from echokit.types import ClipRef

LEAST = 64
"""Missing clips from which processes, which take seconds to start, save time."""
SHARD = 24
"""Clips that a process prepares in one go."""


@dataclass(frozen=True, slots=True)
class _Shard:
    """Clips that one process prepares."""

    recipe: Recipe
    refs: tuple[ClipRef, ...]
    store: Path


def prepare_in_processes(
    recipe: Recipe, refs: Sequence[ClipRef], store: Store, progress: Progress
) -> None:
    """Put clips that are not in the store yet into it, several at a time.

    Nothing is decided here: what is refused, or cannot be read in another process, is met again
    when the clips are gone through in order. With one job, or a loader whose clips cannot be told
    without reading them, nothing is done.
    """
    loader = make_loader(recipe.data)
    if recipe.compute.jobs == 1 or not isinstance(loader, SupportsFingerprint):
        return
    missing = _missing(loader, refs, make_preparation(recipe), store)
    if len(missing) < LEAST:
        return
    shards = {
        str(first): _Shard(recipe, tuple(missing[first : first + SHARD]), store.path)
        for first in range(0, len(missing), SHARD)
    }
    sizes = {name: len(shard.refs) for name, shard in shards.items()}
    title = f"Preparing clips, {recipe.compute.jobs} at a time"
    with progress.bar(title, len(missing), "clips") as tick:
        make_executor(recipe)(_prepare_shard, shards, sizes, tick)


def _missing(
    loader: Loader, refs: Sequence[ClipRef], preparation: Preparation, store: Store
) -> list[ClipRef]:
    found: dict[str, ClipRef] = {}
    for ref in refs:
        try:
            key = store.key(loader, ref, preparation.signature)
        except ClipError:
            continue
        if key not in store:
            found.setdefault(key, ref)
    return list(found.values())


def _prepare_shard(shard: _Shard, tick: Tick) -> None:
    """Prepare the clips of a shard; a module-level function, because another process imports it."""
    recipe = shard.recipe
    loader, steps = make_loader(recipe.data), make_preparation(recipe)
    try:
        for _ in prepare(loader, shard.refs, steps, Store(shard.store)):
            tick(1)
    except Exception:  # noqa: S110 - whatever it is, it is met again and told in the right order
        pass
