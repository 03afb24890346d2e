"""Damaged files of every kind end as a clip, a rejection or an error of echokit, within limits.

`make fuzz N=20000` tries more of them; a case is its number, and is the same everywhere.
"""

from __future__ import annotations

import random
from collections import Counter

import fuzzing
import pytest
from fuzz_night import RESULTS, SOUND, broken, tried
from fuzz_seeds import seeds, write

CASES = 300
OF_RESULTS = 40


@pytest.fixture(scope="module")
def cases():
    return tried(0, CASES)


def test_every_case_ends_well(cases):
    assert [case for case in cases if broken(case)] == []
    assert [case["case"] for case in cases] == list(range(CASES))


def test_every_damaged_run_bundle_and_network_ends_well():
    """Half of them are sealed anew, so that no digest gives the damage away."""
    cases = tried(0, OF_RESULTS, RESULTS)
    assert [case for case in cases if broken(case)] == []
    assert [case["case"] for case in cases] == list(range(OF_RESULTS))
    kinds = Counter(case["seed"].partition(":")[0] for case in cases)
    assert kinds == dict.fromkeys(("run", "run, sealed", "bundle", "bundle, sealed"), 10)
    ends = Counter((case["seed"].partition(":")[0], case["end"]) for case in cases)
    # what was not sealed anew is noticed, each time
    assert ends["run", "error"] == ends["bundle", "error"] == 10
    assert ends["run, sealed", "clip"] + ends["bundle, sealed", "clip"] >= 3
    assert ends["run, sealed", "error"] + ends["bundle, sealed", "error"] >= 3


def test_every_seed_was_damaged_and_some_cases_are_still_clips(cases, made):
    assert {case["seed"] for case in cases} == set(made)
    ends = Counter(case["end"] for case in cases)
    assert min(ends[end] for end in SOUND) >= 10


@pytest.fixture(scope="module")
def made():
    return seeds()


def test_an_undamaged_seed_is_read(made, tmp_path):
    ends = {}
    for name, seed in made.items():
        (tmp_path / name).mkdir()
        ends[name] = fuzzing.outcome(seed, write(seed, tmp_path / name, seed.data))
    assert set(ends.values()) == {"clip"}, ends


def test_a_case_is_its_number(made):
    others = [seed.data for seed in made.values()]
    for name in ("mp4", "manifest", "npz"):
        twice = [fuzzing.damaged(made[name], random.Random(7), others) for _ in range(2)]
        if made[name].unpack is not None:  # a ZIP says when it was packed
            twice = [b"".join(made[name].unpack(data)) for data in twice]
        assert twice[0] == twice[1] != made[name].data


def test_a_process_that_dies_is_a_case_that_ends_badly(monkeypatch):
    died = """import os; print('{"case": 5, "begun": true}', flush=True); os.abort()"""
    monkeypatch.setattr("fuzz_night.COMMAND", ("-c", died))
    (case,) = tried(5, 1)
    assert broken(case)
    assert "ended with -6" in case["end"]
