"""Clips of one's own: which loader reads them, and several sources as one study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import echokit
from echokit import Box, ClipError, ClipRef, Rejection, UsageError, hookimpl
from echokit.recipe import Slot
from echokit.studies.sources import ClipLoader, loader_of_files, open_study

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def with_recipe(registry, folder, name, loader):
    """Register one more recipe, whose users' files that loader reads."""
    text = registry.find("recipe", "tiny-study").factory.read_text()
    path = folder / f"{name}.toml"
    path.write_text(text.replace('[study]\nuse = "tiny"', f'[study]\nuse = "{loader}"'))

    class Plugin:
        @hookimpl
        def register_recipes(self, register):
            register(name, path)

    registry.add(Plugin(), f"echokit-{name}:{name}")


def test_files_are_read_by_the_loader_that_most_recipes_name(tiny_plugin, tmp_path):
    assert loader_of_files() == "tiny"
    with_recipe(tiny_plugin, tmp_path, "other", "strange")
    with pytest.raises(UsageError, match=r"do not agree which loader.*loader="):
        loader_of_files()
    with_recipe(tiny_plugin, tmp_path, "third", "strange")
    assert loader_of_files() == "strange"


def test_a_recipe_that_does_not_validate_has_no_say(tiny_plugin, tmp_path):
    with_recipe(tiny_plugin, tmp_path, "other", "strange")
    (tmp_path / "other.toml").write_text("name = 3")
    assert loader_of_files() == "tiny"


def test_one_clip_is_read_and_several_are_refused_by_name(tiny_plugin, tmp_path, parts):
    class One:
        def __init__(self, source):
            self.found = [ClipRef("a", "p", "A4C", {}, "a.npy"), Rejection("b.txt", "it is text")]

        def index(self):
            return self.found

        def read(self, ref):
            return parts.square("0", 3)

    class Nothing(One):
        def index(self):
            return self.found[1:]

    class Plugin:
        @hookimpl
        def register_loaders(self, register):
            register("one", One)
            register("nothing", Nothing)

    tiny_plugin.add(Plugin(), "echokit-one:one")
    assert np.array_equal(echokit.read(tmp_path, loader="one").frames, parts.square("0", 3).frames)
    with pytest.raises(ClipError, match=r"b\.txt: it is text"):
        echokit.read(tmp_path, loader="nothing")
    with pytest.raises(UsageError, match=r"holds 10 clips .*p00-A4C, p01-A4C"):
        echokit.read(tmp_path)
    for call in (echokit.read, echokit.check):
        with pytest.raises(UsageError, match=r"There is nothing at .*gone"):
            call(tmp_path / "gone")


def test_a_check_is_told_of_every_file_and_agrees_with_its_rows(tmp_path):
    told = []
    report = echokit.check(tmp_path, progress=lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(12))
    assert len(report.files) == 11
    assert (len(report.used), len(report.rejected)) == (10, 1)
    assert report.summary["patients"] == 10
    assert report.source == str(tmp_path)


def test_several_sources_are_listed_together_and_read_by_the_loader_that_listed_them(
    tmp_path, parts
):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    slot = Slot(use="tiny", patients=1)
    clips = [parts.square("0", 1), parts.square("2", 2)]
    sources = [tmp_path / "a", clips[0], clips[1].frames, tmp_path / "b"]
    loader = open_study(slot, sources, [None, "A4C", "PLAX", None])
    found = list(loader.index())
    refs = [item for item in found if isinstance(item, ClipRef)]
    assert [ref.clip for ref in refs] == ["p00-A4C", "clip", "clip-2", "p00-A4C-2"]
    assert [ref.view for ref in refs] == ["A4C", "A4C", "PLAX", "A4C"]
    assert len(found) == 6, "two sources name a file that is no clip"
    for ref, clip in zip(refs[1:3], clips, strict=True):
        assert np.array_equal(loader.read(ref).frames, clip.frames)
    digests = {loader.fingerprint(ref) for ref in refs}
    assert len(digests) == 3, "the same content twice"


def test_a_clips_digest_changes_with_all_that_preparing_it_depends_on(parts):
    clip = parts.square("0", 1)
    ref = ClipRef("clip", "patient", None)
    others = [
        replace(clip, frames=clip.frames[::-1]),
        replace(clip, fps=24.0),
        replace(clip, spacing=(0.4, 0.5)),
        replace(clip, region=Box(0, 0, 8, 8)),
        replace(clip, sector=~clip.sector),
        replace(clip, structures=None),
    ]
    digests = {ClipLoader(one, None).fingerprint(ref) for one in (clip, *others)}
    assert len(digests) == len(others) + 1
    assert ClipLoader(parts.square("0", 1), "A4C").fingerprint(ref) in digests
