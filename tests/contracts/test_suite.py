"""Which rules of a contract are collected: those that apply to the component, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from echokit.testing import BackboneContract, Contract, LoaderContract, TransformContract, rules


def collected(suite: type[Contract]) -> set[str]:
    """Names that pytest collects as tests."""
    return {n for n in dir(suite) if n.startswith("test_") and callable(getattr(suite, n))}


class Bare(LoaderContract):
    component = "no-such-loader"


class WithPatients(Bare):
    patients: ClassVar[dict[str, str]] = {"30_A4C": "30"}

    def source(self, folder: Path) -> str:
        return str(folder)


class WithBadFile(WithPatients):
    def bad_source(self, folder: Path) -> tuple[str, str]:
        return str(folder), "notes.txt"


class Noise(TransformContract):
    component = "no-such-transform"
    per_frame = True


class Resize(TransformContract):
    component = "no-such-transform"
    stage = "prepare"


class NoCam(BackboneContract):
    component = "no-such-backbone"
    has_cam_layer = False


def test_what_does_not_apply_is_not_collected():
    everything = {name for name, _ in rules(LoaderContract)}
    assert everything - collected(Bare) == {"test_patients", "test_every_file", "test_bad_file"}
    still = {name for name, _ in rules(TransformContract)} - {"test_one_draw_for_all_frames"}
    assert collected(Noise) == collected(Resize) == still
    assert {name for name, _ in rules(BackboneContract)} - collected(NoCam) == {"test_cam_layer"}


def test_a_subclass_that_says_more_has_the_rule_again():
    assert "test_bad_file" not in collected(WithPatients)
    assert {"test_patients", "test_every_file"} <= collected(WithPatients)
    assert collected(WithBadFile) == {name for name, _ in rules(LoaderContract)}


def test_the_suites_themselves_keep_every_rule():
    assert collected(LoaderContract) == {name for name, _ in rules(LoaderContract)}


def test_a_rule_that_a_subclass_writes_anew_is_listed_once():
    class Own(BackboneContract):
        def test_black(self) -> None:
            """Black is not its concern."""

    names = [name for name, _ in rules(Own)]
    assert len(names) == len(set(names)) == len(list(rules(BackboneContract)))
    assert dict(rules(Own))["test_black"] == "Black is not its concern."
