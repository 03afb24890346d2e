"""What a loader, transform or aggregator may get wrong beyond its values is caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from echokit import Clip, ClipError, ClipRef, ClipStream, DataError, Prediction, Rejection
from echokit.plugins.registry import registry
from echokit.testing import (
    AggregatorContract,
    LoaderContract,
    TransformContract,
    check_recipe,
    judge,
    tiny_clip,
)
from echokit.testing.contracts.folders import unnamed
from echokit.testing.contracts.transform import declared_stage


def verdicts(contract):
    return {verdict.rule: verdict for verdict in judge(contract)}


# --- transforms: what moves, and the stage -------------------------------------------------------


def moved(change, *, structures=True, sector=True):
    """Moves the pixels, and what else is asked for."""

    def transform(clip: Clip, rng: torch.Generator) -> Clip:
        result = replace(clip, frames=change(clip.frames).copy())
        if structures and clip.structures is not None:
            result = replace(result, structures=change(clip.structures).copy())
        if sector and clip.sector is not None:
            result = replace(result, sector=change(clip.sector[None])[0].copy())
        return result

    return transform


def rolled(pixels):
    return np.roll(pixels, 30, axis=2)


def mirrored(pixels):
    return pixels[..., ::-1]


def upside_down(pixels):
    return pixels[:, ::-1]


def backwards(pixels):
    return pixels[::-1]


@pytest.mark.parametrize("change", [rolled, mirrored, upside_down, backwards])
@pytest.mark.parametrize("stage", ["prepare", "augment", "normalise"])
def test_structures_that_stay_behind_are_caught(change, stage):
    behind = TransformContract.of(lambda: moved(change, structures=False), stage=stage)
    assert "outside its structures" in (verdicts(behind)["movement"].broken or "")
    good = TransformContract.of(lambda: moved(change), stage=stage)
    assert verdicts(good)["movement"].kept


@pytest.mark.parametrize("change", [rolled, mirrored, upside_down])
def test_a_sector_that_stays_behind_is_caught(change):
    behind = TransformContract.of(lambda: moved(change, sector=False))
    assert "outside its sector" in (verdicts(behind)["movement"].broken or "")


def test_what_moves_only_now_and_then_is_met_in_the_act():
    def transform(clip, rng):
        acts = float(torch.rand((), generator=rng)) < 0.5
        return moved(mirrored, sector=False, structures=False)(clip, rng) if acts else clip

    assert verdicts(TransformContract.of(lambda: transform))["movement"].broken


def test_normalising_is_not_random():
    def jitter(clip, rng):
        return replace(clip, frames=clip.frames + np.float32(torch.rand((), generator=rng)))

    contract = TransformContract.of(lambda: jitter, stage="normalise")
    assert "'normalise' a transform is not random" in (verdicts(contract)["result"].broken or "")


def test_every_shipped_transform_declares_its_stage():
    stages = {c.name: declared_stage(c.factory) for c in registry().of_kind("transform")}
    assert None not in stages.values(), stages
    assert stages["monai-resize"] == "prepare"
    assert stages["monai-normalise"] == "normalise"
    assert declared_stage(jittered) is None


def jittered():
    """A transform of no stage."""


class Darker:
    """Prepare: subtract the mean of all frames; it may say that it needs too few of them."""

    def __init__(self, needs=None, told=0) -> None:
        self.needs, self.told = needs, told

    def __call__(self, clip, rng):
        return self.settle(clip, len(clip.frames))(clip, rng)

    def needed(self, length):
        return range(length if self.needs is None else self.needs)

    def settle(self, few, length):
        mean = few.frames.mean(axis=0).astype(np.uint8) // 4
        fps = few.fps + self.told * len(few.frames)

        def darken(clip, rng):
            return replace(clip, frames=clip.frames - np.minimum(clip.frames, mean), fps=fps)

        return darken


@pytest.mark.parametrize(
    ("needs", "told", "says"),
    [
        (None, 0, ""),
        (2, 0, "Block by block it makes other frames"),
        (2, 1, "Block by block it makes other frames"),
    ],
)
def test_a_transform_whose_blocks_are_not_those_of_the_whole_clip(needs, told, says):
    contract = TransformContract.of(lambda: Darker(needs, told), stage="prepare")
    broken = verdicts(contract)["result"].broken
    assert says in broken if says else broken is None


# --- loaders -------------------------------------------------------------------------------------


class Folder:
    """A good loader of `<patient>_<view>.npy`."""

    def __init__(self, source: str) -> None:
        self.folder = Path(source)

    def patient(self, name: str) -> str:
        return name.partition("_")[0]

    def look(self, path: Path) -> None:
        """What it does to a file while it lists."""

    def index(self):
        for path in sorted(self.folder.iterdir()):
            if path.suffix == ".npy":
                self.look(path)
                yield ClipRef(path.stem, self.patient(path.stem), None, where=path.name)
            else:
                yield from self.other(path)

    def other(self, path: Path):
        yield Rejection(path.name, "it is no array")

    def read(self, ref):
        try:
            return Clip(np.load(self.folder / ref.where))
        except (OSError, ValueError, EOFError) as error:
            raise ClipError(f"{ref.where}: {error}") from None


class Streams(Folder):
    """Hands out blocks of two frames; `wrong` says what is not as it is read."""

    wrong = ""

    def stream(self, ref, needed):
        clip = self.read(ref)
        length = len(clip.frames) + (self.wrong == "length")
        few = replace(clip, frames=clip.frames[list(needed(len(clip.frames)))])
        if self.wrong == "few":
            few = replace(few, frames=few.frames[::-1])
        if self.wrong == "rate":
            few = replace(few, fps=3.0)
        left = [2 if self.wrong == "once" else 99]

        def blocks():
            left[0] -= 1
            for start in range(0, len(clip.frames), 2):
                part = clip.frames[start : start + 2]
                yield part ^ 1 if self.wrong == "frames" or left[0] < 1 else part

        return ClipStream(few, length, blocks)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("", ""),
        ("length", "has 6 frames, and 5 when it is read whole"),
        ("few", "other frames at hand"),
        ("rate", "another frame rate"),
        ("frames", "has other frames."),
        ("once", "has other frames."),
    ],
)
def test_a_loader_whose_blocks_are_not_what_it_reads(folder, monkeypatch, wrong, says):
    monkeypatch.setattr(Streams, "wrong", wrong)
    broken = judged(Streams, folder)["read"].broken
    assert says in broken if says else broken is None


class Loads(Folder):
    def look(self, path):
        np.load(path)


class Swallows(Folder):
    """Takes the refusal for a damaged file."""

    def look(self, path):
        try:
            np.load(path)
        except Exception:
            return


class Films(Folder):
    def look(self, path):
        with av.open(str(path.with_suffix(".mp4"))) as film:
            next(film.decode(video=0))


class Packets(Folder):
    def look(self, path):
        with av.open(str(path.with_suffix(".mp4"))) as film:
            next(iter(film.demux(video=0))).decode()


class Heads(Folder):
    """Asks the container for what it says, which is allowed."""

    def look(self, path):
        np.load(path, mmap_mode="r")
        with av.open(str(path.with_suffix(".mp4"))) as film:
            assert film.streams.video[0].frames == 5
        with Image.open(path.with_suffix(".png")) as image:
            assert image.size == (16, 16)


class Stills(Folder):
    def look(self, path):
        with Image.open(path.with_suffix(".png")) as image:
            np.asarray(image)


class Eager(Folder):
    def __init__(self, source):
        super().__init__(source)
        self.clips = [np.load(path) for path in self.folder.glob("*.npy")]


class Within(Folder):
    """Matches a patient where the number is somewhere in the name."""

    def patient(self, name):
        return next(number for number in ("30", "130") if number in name)


class Scattered(Folder):
    def patient(self, name):
        return name


class Silent(Folder):
    def other(self, path):
        return ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("30_A4C", "30_PLAX", "130_A4C"):
        np.save(tmp_path / name, tiny_clip(5, 16, 16, known=False).frames)
        Image.new("L", (16, 16)).save(tmp_path / f"{name}.png")
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as film:
            stream = film.add_stream("mpeg4", rate=25)
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
            for image in tiny_clip(5, 16, 16, known=False).frames:
                rgb = np.repeat(image[..., None], 3, axis=2)
                film.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            film.mux(stream.encode(None))
    return tmp_path


PATIENTS = {"30_A4C.npy": "30", "30_PLAX": "30", "130_A4C.npy": "130"}


def judged(loader, folder, **attributes):
    return verdicts(LoaderContract.of(loader, where=str(folder), patients=PATIENTS, **attributes))


@pytest.mark.parametrize(
    ("loader", "rule", "says"),
    [
        (Loads, "index", "index() decodes pixels with numpy"),
        (Swallows, "index", "index() decodes pixels with numpy"),
        (Films, "index", "index() decodes pixels with av"),
        (Packets, "index", "index() decodes pixels with av"),
        (Stills, "index", "index() decodes pixels with PIL"),
        (Eager, "index", "Making the loader decodes pixels with numpy"),
        (Within, "patients", "both listed as of '30'"),
        (Scattered, "patients", "give a patient one pseudonym"),
        (Silent, "every file", "neither lists nor rejects 130_A4C.mp4, 130_A4C.png"),
    ],
)
def test_a_loader_that_breaks_one_rule(folder, loader, rule, says):
    found = judged(loader, folder)
    assert says in (found[rule].broken or "")
    if rule != "index":
        assert [name for name, verdict in found.items() if verdict.broken] == [rule]


@pytest.mark.parametrize("loader", [Folder, Heads])
def test_a_good_loader_keeps_what_is_tried(folder, loader):
    found = judged(loader, folder)
    assert [name for name, verdict in found.items() if not verdict.kept] == ["bad file"]
    assert "bad_source" in (found["bad file"].not_tried or "")


def test_files_beside_the_clips_are_said(folder):
    assert judged(Silent, folder, beside=["*.mp4", "*.png"])["every file"].kept


def test_a_mask_in_the_row_of_its_clip_belongs_to_it(tmp_path):
    for name in ("30_A4C", "31_A4C"):
        np.save(tmp_path / name, tiny_clip(5, 16, 16, known=False).frames)
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "masks" / f"{name}.npz").write_bytes(b"")
    rows = [f"{n},{n}_A4C.npy,masks/{n}_A4C.npz" for n in (30, 31)]
    (tmp_path / "manifest.csv").write_text("\n".join(["patient,file,masks", *rows]))
    thirty = [ClipRef("30_A4C", "30", None, where="30_A4C.npy")]
    silent = ["31_A4C.npy", str(Path("masks", "31_A4C.npz"))]
    assert unnamed(tmp_path, thirty, []) == silent
    assert unnamed(tmp_path, thirty, ["*.npz"]) == silent[:1]
    rejected = Rejection("31_A4C.npy", "it is short")
    assert unnamed(tmp_path, [*thirty, rejected], []) == []


def test_what_a_source_cannot_show_is_not_tried(tmp_path):
    np.save(tmp_path / "30_A4C", tiny_clip(known=False).frames)

    def one(source):
        return Folder(str(tmp_path))

    found = verdicts(LoaderContract.of(one, where="database://clips"))
    tried = {name for name, verdict in found.items() if verdict.not_tried is None}
    assert tried == {"index", "identifiers are stable", "read", "unknown clip"}


def test_decoding_works_again_afterwards(folder):
    judged(Heads, folder)
    assert np.load(folder / "30_A4C.npy").shape == (5, 16, 16)
    with av.open(str(folder / "30_A4C.mp4")) as film:
        assert len(list(film.decode(video=0))) == 5


# --- aggregators and recipes ---------------------------------------------------------------------


def pooled(votes):
    if not votes.voters:
        raise DataError("nobody")
    return votes.probabilities.mean(axis=0)


def minority(votes):
    """The label that fewest of the voters chose."""
    p = pooled(votes)
    chosen = np.bincount(votes.labels, minlength=len(p)).astype(float)
    chosen[chosen == 0] = np.inf
    winner = max(range(len(p)), key=lambda label: (-chosen[label], label))
    return Prediction(votes.classes[winner], 0.5, p)


def odd_numbers_only(votes):
    """Wrong of five voters who agree, as an off-by-one may be."""
    p = pooled(votes)
    winner = 0 if len(votes.voters) == 5 else int(p.argmax())
    return Prediction(votes.classes[winner], 0.5, p)


def fixed_views(votes):
    """Expects its first view to be there."""
    p = pooled(votes)
    if len(votes.voters) == 2 and votes.voters[0] != "voter-0":
        raise KeyError("voter-0")
    return Prediction(votes.classes[int(p.argmax())], 0.5, p)


@pytest.mark.parametrize(
    ("aggregator", "rule", "says"),
    [
        (minority, "majority", "such a majority must win"),
        (odd_numbers_only, "agreement", "5 of 5 voters chose"),
        (fixed_views, "missing views", "raised KeyError"),
    ],
)
def test_an_aggregator_that_breaks_one_rule(aggregator, rule, says):
    assert says in (verdicts(AggregatorContract.of(lambda: aggregator))[rule].broken or "")


def test_a_recipe_may_use_the_old_name_of_an_option(isolated_plugins, tmp_path):
    from echokit import deprecated_option, hookimpl

    class Plugin:
        @hookimpl
        def register_aggregators(self, register):
            @deprecated_option("strength", instead="power", since="0.2")
            def vote(*, power: float = 1.0):
                return pooled

            register("mine", vote)

    isolated_plugins.add(Plugin(), "echokit-old:old")
    path = tmp_path / "recipe.toml"
    path.write_text('[aggregate.view]\nuse = "mine"\nstrength = 2\n')
    from echokit.testing.contracts.recipe import RecipeContract

    RecipeContract.of(lambda: path).test_parts()
    path.write_text('[aggregate.view]\nuse = "mine"\nstrenght = 2\n')
    with pytest.raises(AssertionError, match="the option 'strenght'"):
        check_recipe(path)
