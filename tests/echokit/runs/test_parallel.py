"""Preparing clips in several processes."""

from __future__ import annotations

import numpy as np
import pytest

from echokit.clips.store import Store
from echokit.components.loading import make_loader
from echokit.recipe import load_recipe
from echokit.runs import parallel
from echokit.runs.cohort import find_cohort
from echokit.runs.prepare import prepare_clips
from echokit.system.progress import Silent

CLIPS = ["data.patients=3", "data.size=32", "data.frames=12", "data.frames_sd=0", "data.files=0"]


def recipe(*settings):
    return load_recipe("ph-newborn", preset="quick", settings=[*CLIPS, *settings])


def stored(tmp_path, name, given):
    store = Store(tmp_path / name)
    cohort = find_cohort(given, store, Silent())
    kept, keys = prepare_clips(cohort, given, store, Silent())
    return kept, {clip: store.clip(key).frames for clip, (key, _) in keys.items()}


@pytest.mark.slow
def test_two_processes_store_the_same_clips_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "LEAST", 1)
    monkeypatch.setattr(parallel, "SHARD", 4)
    one = stored(tmp_path, "one", recipe())
    two = stored(tmp_path, "two", recipe("compute.jobs=2"))
    assert one[0] == two[0]
    assert one[1].keys() == two[1].keys()
    assert all(np.array_equal(one[1][clip], two[1][clip]) for clip in one[1])


def test_every_missing_clip_is_in_one_shard_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "LEAST", 1)
    monkeypatch.setattr(parallel, "SHARD", 4)
    given, store, shards = recipe("compute.jobs=2"), Store(tmp_path), []
    refs = find_cohort(given, store, Silent()).clips
    monkeypatch.setattr(
        parallel, "make_executor", lambda _: lambda work, items, sizes, tick: shards.extend(
            items.values()
        )
    )  # fmt: skip
    parallel.prepare_in_processes(given, refs, store, Silent())
    assert [ref for shard in shards for ref in shard.refs] == list(refs)
    assert {len(shard.refs) for shard in shards[:-1]} == {4}


@pytest.mark.parametrize("settings", [(), ("compute.jobs=2",)])
def test_one_job_or_few_clips_start_no_process(tmp_path, monkeypatch, settings):
    given, store = recipe(*settings), Store(tmp_path)
    monkeypatch.setattr(parallel, "make_executor", lambda _: pytest.fail("a process was started"))
    refs = find_cohort(given, store, Silent()).clips
    parallel.prepare_in_processes(given, refs, store, Silent())


def test_a_clip_that_cannot_be_read_there_is_met_again_here(tmp_path, monkeypatch):
    given, store = recipe(), Store(tmp_path)
    refs = find_cohort(given, store, Silent()).clips

    def broken(*_):
        raise OSError("a disk that is not mounted in the other process")

    monkeypatch.setattr(type(make_loader(given.data)), "read", broken)
    parallel._prepare_shard(parallel._Shard(given, refs, store.path), lambda done: None)
    with pytest.raises(OSError, match="not mounted"):
        prepare_clips(find_cohort(given, store, Silent()), given, store, Silent())
