"""Faults of the research code in housekeeping: files, memory, chance, masks and colour."""

from __future__ import annotations

import json
import pickle
import pickletools
import random
import sys
import tracemalloc
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import echokit
from echokit import Clip, ClipError, RecipeError, UsageError, resolve
from echokit.clips.preparation import Preparation, prepare
from echokit.clips.sequences import Item, SequenceSpec
from echokit.clips.store import CHUNK, Store
from echokit.folder import RunFolder
from echokit.networks.sampling import TrainingSequences
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.testing import tiny_clip

TREE = Path(echokit.__file__).parent.parent
SOURCES = sorted(
    path
    for folder in ("echokit", "plugins", "benchmarks")
    for path in (TREE / folder).rglob("*.py")
)


def tiny_run(path: Path, *settings: str) -> RunFolder:
    """A whole run of the tiny study, of one view and one split."""
    small = ["split.splits=1", "train.n=1", "views.use=['A4C']", "evaluate.bootstrap=5", *settings]
    recipe = load_recipe("tiny-study", settings=small)
    folder = RunFolder.create(path, recipe)
    carry_out(recipe, folder)
    return folder


def is_pickle(blob: bytes) -> bool:
    try:
        return [op.name for op, _, _ in pickletools.genops(blob)][-1] == "STOP"
    except (ValueError, UnicodeDecodeError, EOFError):
        return False


@pytest.mark.usefixtures("tiny_plugin")
def test_a_run_folder_holds_no_pickle(tmp_path):
    assert is_pickle(pickle.dumps({"label": 1})), "the check itself"
    tiny_run(tmp_path / "runs" / "one")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {p.suffix for p in files} >= {".safetensors", ".npz", ".parquet", ".json"}
    for path in files:
        assert not is_pickle(path.read_bytes()), path
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype != object for name in arrays)


def test_stored_clips_hold_no_objects(prepared):
    store, _ = prepared(2)
    described = [json.loads(p.read_text()) for p in store.path.rglob("zarr.json")]
    arrays = [one for one in described if one["node_type"] == "array"]
    assert arrays
    assert {one["data_type"] for one in arrays} == {"uint8"}
    assert codecs_in(arrays) <= {"sharding_indexed", "bytes", "zstd", "crc32c"}


def codecs_in(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(codecs_in, node))
    if not isinstance(node, dict):
        return set()
    here = {c["name"] for key in ("codecs", "index_codecs") for c in node.get(key, [])}
    return here.union(*map(codecs_in, node.values()))


def test_not_everything_is_held_in_ram_a_window_takes_two_chunks_of_a_long_clip(tmp_path):
    store, side, length = Store(tmp_path), 64, 640
    rng = np.random.default_rng(0)
    for key in "abc":
        store.put(key, Clip(rng.integers(0, 256, (length, side, side), np.uint8)))
    items = [Item(key, key, length, 0) for key in "abc"]
    data, window = TrainingSequences(items, Store(tmp_path), SequenceSpec(1, 12)), side * side
    data[0, 0]  # what is imported on the way is not the clips'
    tracemalloc.start()
    try:
        for index in range(60):
            data[index % 3, index]
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # a sequence in float32 and the scaling of it, and two chunks of the clip, twice while decoding
    assert peak < window * (12 * 4 * 3 + 4 * CHUNK)
    assert peak < length * window / 4, "one clip alone is four times as much"
    assert held < length * window / 16, "next to nothing stays"


def test_no_global_seed_is_set_by_importing_anything(monkeypatch):
    monkeypatch.setattr(random, "seed", lambda *seed: pytest.fail("random.seed was called"))
    parts = [path.relative_to(TREE).with_suffix("").parts for path in SOURCES]
    names = [".".join(p[p[0] == "plugins" :]).removesuffix(".__init__") for p in parts]
    wanted = [n for n in names if n.startswith("echokit") and not n.endswith("__main__")]
    assert len(wanted) > 100
    there = {name: module for name, module in sys.modules.items() if name.startswith("echokit")}
    for name in there:
        del sys.modules[name]
    try:
        _, numpy, torchs = states()
        for name in wanted:
            import_module(name)
        _, numpy_after, torch_after = states()
    finally:
        for name in [name for name in sys.modules if name.startswith("echokit")]:
            del sys.modules[name]
        sys.modules |= there
    assert (numpy[1] == numpy_after[1]).all()
    assert numpy[2:] == numpy_after[2:]
    assert torch.equal(torchs, torch_after)


@pytest.mark.usefixtures("tiny_plugin")
def test_no_global_seed_is_set_by_running_a_study(tmp_path):
    """Whoever seeds makes two processes alike that were not; a run leaves them as unlike."""
    kept, left = states(), []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the generator that nobody may seed
        torch.manual_seed(seed)
        tiny_run(tmp_path / str(seed), "explain=false")
        left.append(states())
    random.setstate(kept[0])
    np.random.set_state(kept[1])  # noqa: NPY002
    torch.set_rng_state(kept[2])
    (first, second) = left
    assert first[0] != second[0]
    assert (first[1][1] != second[1][1]).any()
    assert not torch.equal(first[2], second[2])


def states() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002


@pytest.mark.usefixtures("tiny_plugin")
def test_an_existing_run_folder_is_refused_and_not_deleted(tmp_path):
    result = tmp_path / "one" / "models" / "weights.safetensors"
    result.parent.mkdir(parents=True)
    result.write_bytes(b"of weeks")
    with pytest.raises(UsageError, match="already exists"):
        RunFolder.create(tmp_path / "one", load_recipe("tiny-study"))
    assert [p for p in (tmp_path / "one").rglob("*") if p.is_file()] == [result]
    assert result.read_bytes() == b"of weeks"


def test_a_failed_mask_does_not_return_the_unmasked_video(tmp_path):
    still = np.repeat(tiny_clip(known=False).frames[:1], 14, axis=0)
    find = resolve("transform", "monai-sector")
    with pytest.raises(ClipError, match="No sector found"):
        find(Clip(still), torch.Generator())

    np.save(tmp_path / "still.npy", still)
    np.save(tmp_path / "beating.npy", tiny_clip(known=False).frames)
    loader, store = resolve("loader", "files", source=str(tmp_path)), Store(tmp_path / "store")
    refs = sorted(loader.index(), key=lambda ref: ref.where)
    (_, key), (_, error) = prepare(loader, refs, Preparation((find,), "sector"), store)
    assert isinstance(error, ClipError)
    assert [path.name for path in store.path.iterdir()] == [key], "nothing unmasked is kept"
    kept = store.clip(key)
    assert not kept.frames[:, ~kept.sector].any()


def test_the_conversion_of_colour_to_grey_is_not_thrown_away(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), np.uint8)
    np.save(tmp_path / "A4C.npy", colours)
    loader = resolve("loader", "files", source=str(tmp_path / "A4C.npy"))
    (ref,) = loader.index()
    expected = [np.asarray(Image.fromarray(frame).convert("L")) for frame in colours]
    np.testing.assert_array_equal(loader.read(ref).frames, np.stack(expected))


@pytest.mark.parametrize("preset", ["paper", "quick"])
def test_no_option_is_given_that_its_component_does_not_take(preset):
    """`sampling_rate=` was given to a constructor that had no such argument."""
    load_recipe("ph-newborn", preset=preset).check_components()
    wrong = load_recipe("ph-newborn", preset=preset, settings=["backbone.sampling_rate=2"])
    with pytest.raises(RecipeError, match="sampling_rate"):
        wrong.check_components()
