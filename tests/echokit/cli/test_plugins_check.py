"""`echokit plugins check`, and what pytest gives a plugin's author."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from echokit import hookimpl
from echokit.errors import EchokitError
from echokit.testing import CONTRACTS, rules


def check(*words: str) -> tuple[int, str]:
    from echokit.cli import app

    done = CliRunner().invoke(app, ["plugins", "check", *words])
    if isinstance(done.exception, EchokitError):
        raise done.exception
    return done.exit_code, done.stdout


class Stranger:
    """A plugin with a good rule and a bad one."""

    @hookimpl
    def register_aggregators(self, register: Any) -> None:
        from echokit_voting import majority_vote

        register("good-vote", majority_vote)
        register("first-come", first_come)


def first_come() -> Any:
    """The first voter decides."""
    from echokit import DataError, Prediction

    def vote(votes: Any) -> Prediction:
        if not votes.voters:
            raise DataError("nobody")
        return Prediction(votes.classes[votes.labels[0]], 1.0, votes.probabilities[0])

    return vote


def test_a_kept_contract_is_told_rule_by_rule(isolated_plugins):
    isolated_plugins.add(Stranger(), "echokit-stranger:votes", "1.2")
    code, out = check("good-vote")
    assert code == 0
    assert "good-vote  aggregator of echokit-stranger:votes 1.2" in out
    assert out.count("✓") == len(list(rules(CONTRACTS["aggregator"])))
    assert out.rstrip().endswith("It keeps its contract.")


def test_a_broken_rule_is_told_with_how(isolated_plugins):
    isolated_plugins.add(Stranger(), "echokit-stranger:votes", "1.2")
    code, out = check("first-come")
    assert code == 1
    assert "✗ The order of the voters never matters" in out
    assert "in another order" in " ".join(out.split())
    assert "2 rules are broken." in out  # nor does a majority win


def test_a_distribution_stands_for_all_its_components(isolated_plugins):
    isolated_plugins.add(Stranger(), "echokit-stranger:votes", "1.2")
    code, out = check("echokit-stranger", "--json")
    assert code == 1
    assert {row["name"]: row["passed"] for row in json.loads(out)} == {
        "good-vote": True,
        "first-come": False,
    }


def test_a_transform_is_tried_for_the_stage_that_it_declares_or_that_is_told():
    code, out = check("monai-gamma")
    assert (code, "augment transform of" in out) == (0, True)
    code, out = check("monai-equalise")
    assert (code, "prepare transform of" in out) == (0, True)
    assert check("monai-equalise", "--stage", "augment")[0] == 1
    assert check("monai-noise", "--stage", "augment")[0] == 1
    assert check("monai-noise", "--per-frame", "--stage", "augment")[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuch-vote"], "No component or distribution is called 'nosuch-vote'"),
        (["monai-normalise"], r"needs 'mean', 'sd'.*--set"),
        (["majority-vote", "--set", "power=2"], "no option 'power'"),
        (["files"], "--source PATH"),
        (["monai-gamma", "--stage", "argument"], "did you mean 'augment'"),
    ],
)
def test_what_cannot_be_checked_says_what_to_type(words, says):
    with pytest.raises(EchokitError, match=says):
        check(*words)


def flickering():
    """Another brightness for each frame; its stage is not said."""

    def flicker(clip: Any, rng: Any) -> Any:
        import torch

        factors = torch.rand(len(clip.frames), 1, 1, generator=rng).numpy()
        return replace(clip, frames=(clip.frames * factors).astype(clip.frames.dtype))

    return flicker


def rooting():
    """The square root of grey levels; its stage is not said."""
    return lambda clip, rng: replace(clip, frames=clip.frames**0.5)


class Mixed:
    """A plugin of transforms that do not say their stage, a loader and a backbone."""

    @hookimpl
    def register_transforms(self, register: Any) -> None:
        register("flickering", flickering)
        register("rooting", rooting)

    @hookimpl
    def register_loaders(self, register: Any) -> None:
        register("reading", lambda source: None)

    @hookimpl
    def register_backbones(self, register: Any) -> None:
        register("failing", failing)


def failing(num_classes: int, in_channels: int, *, width: int = 4) -> Any:
    """A backbone that cannot be made."""
    raise RuntimeError("no GPU today")


def test_a_guessed_stage_is_no_pass_and_tells_what_fails_as_the_others(isolated_plugins):
    isolated_plugins.add(Mixed(), "echokit-mixed:mixed", "0.1")
    code, out = check("rooting")
    assert code == 1
    assert "augment (guessed) transform of" in out
    assert "as prepare it breaks result, randomness" in out
    assert "as normalise it breaks none" in out
    assert "--stage augment" in out
    assert check("rooting", "--stage", "augment")[0] == 0
    (row,) = json.loads(check("rooting", "--json")[1])
    assert (row["guessed"], row["passed"]) == (True, False)


@pytest.mark.parametrize("stage", ["prepare", "augment", "normalise"])
def test_a_broken_augmentation_passes_as_nothing(isolated_plugins, stage):
    isolated_plugins.add(Mixed(), "echokit-mixed:mixed", "0.1")
    assert check("flickering")[0] == 1
    assert check("flickering", "--stage", stage)[0] == 1


def test_a_distribution_is_checked_as_far_as_what_is_given_goes(isolated_plugins):
    isolated_plugins.add(Mixed(), "echokit-mixed:mixed", "0.1")
    code, out = check("echokit-mixed", "--set", "width=8")
    assert code == 1
    said = " ".join(out.split())
    assert "reading loader of echokit-mixed:mixed 0.1 It was not tried." in said
    assert "has no option 'width'" in said
    assert out.count("no GPU today") == 1
    rows = {row["name"]: row for row in json.loads(check("echokit-mixed", "--json")[1])}
    assert "--source PATH" in rows["reading"]["not_tried"]
    assert rows["reading"]["rules"] == []
    assert [rule["passed"] for rule in rows["failing"]["rules"]][:2] == [False, None]


def test_a_broken_plugin_is_named_by_its_whole_name(isolated_plugins):
    isolated_plugins.problems.append("Plugin echokit-mixed-more:x is not used: it is broken")
    with pytest.raises(EchokitError, match="No component or distribution is called"):
        check("echokit-mixed")
    for name in ("echokit-mixed-more", "echokit-mixed-more:x"):
        with pytest.raises(EchokitError, match="it is broken"):
            check(name)


def test_a_loader_that_drops_files_is_told(echo_cohort):
    (echo_cohort / "stray.bin").write_bytes(b"?")
    code, out = check("files", "--source", str(echo_cohort))
    assert code == 0, out
    assert "✓ Every file of a folder is listed" in out
    assert "- not tried: Clips of one patient" in out
    assert "2 rules are not tried" in out


def test_a_loader_reads_the_source_it_is_given(echo_cohort):
    code, out = check("files", "--source", str(echo_cohort))
    assert code == 0, out


THEIRS = """
from echokit.testing import AggregatorContract, LoaderContract


class TestMajority(AggregatorContract):
    component = "majority-vote"


class TestMisspelt(AggregatorContract):
    component = "majority-vot"


class TestFiles(LoaderContract):
    component = "files"

    def source(self, folder):
        import numpy as np
        from echokit.testing import tiny_clip

        np.save(folder / "A4C.npy", tiny_clip(known=False).frames)
        return str(folder)


def test_fixtures(echo_clip, echo_votes, echo_cohort, isolated_plugins):
    assert echo_clip(6).frames.shape == (6, 72, 96)
    assert echo_votes([0, 1]).labels.tolist() == [0, 1]
    assert len(list(echo_cohort.glob("*.npy"))) == 8
    assert isolated_plugins.components == []
"""


def test_a_strangers_tests_subclass_the_suites(tmp_path: Path):
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "11 passed" in done.stdout, done.stdout
    assert "skipped" not in done.stdout  # what does not apply is not collected
    assert "5 failed" in done.stdout
    assert "did you mean 'majority-vote'" in done.stdout


def test_the_pytest_plugin_imports_nothing_heavy():
    code = (
        "import sys, echokit.pytest_plugin;"
        "print([m for m in ('torch', 'numpy', 'jaxtyping') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_rule_is_a_sentence():
    for kind, contract in CONTRACTS.items():
        found = dict(rules(contract))
        assert len(found) >= 3, kind
        assert all(sentence.endswith(".") for sentence in found.values()), kind
