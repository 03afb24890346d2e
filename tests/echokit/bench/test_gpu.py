"""The GPU benchmark, at tiny size without a GPU: rows, budgets, the script, the skipped tests."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from echokit_benchmarks.gpu import inference, loops, sharing, training
from echokit_benchmarks.gpu.__main__ import main
from echokit_benchmarks.gpu.loops import Loop, samples_per_second
from echokit_benchmarks.gpu.rows import Case, Row, measure_cases, text_of
from echokit_benchmarks.gpu.works import prepared_works, rate_of, with_compute

CPU = torch.device("cpu")
GPU = Path(__file__).parents[3] / "benchmarks" / "gpu"


def fails():
    raise RuntimeError("no kernel\nand more")


def test_a_failing_case_stops_no_other_and_is_named(tmp_path):
    cases = [
        Case("a", "samples/s", lambda: (2.0, "")),
        Case("b", "samples/s", fails),
        Case("c", "samples/s", lambda: (3.0, "fine"), "a", 1.0),
        Case("d", "samples/s", lambda: (1.0, ""), "a", 1.0),
        Case("e", "samples/s", lambda: (1.0, ""), "b"),
    ]
    rows = measure_cases("part", cases, tmp_path / "part.json", 60, CPU)
    assert rows[1] == Row("b", None, "samples/s", note="RuntimeError: no kernel")
    assert [row.ratio for row in rows] == [None, None, 1.5, 0.5, None]
    assert [row.reached for row in rows] == [None, None, True, False, None]
    stored = json.loads((tmp_path / "part.json").read_text())
    assert stored["rows"] == [asdict(row) | {"reached": row.reached} for row in rows]
    assert stored["device"] == "cpu"


def test_no_case_is_begun_out_of_time(tmp_path):
    cases = [Case("a", "samples/s", lambda: pytest.fail("begun"))]
    (row,) = measure_cases("part", cases, tmp_path / "part.json", -1, CPU)
    assert (row.value, row.note) == (None, "not measured: out of time")


def test_the_table_has_every_row_of_every_part(tmp_path, capsys):
    for part in ("one", "two"):
        cases = [Case(f"case {part}", "studies/s", lambda: (1234.5, "a note"))]
        measure_cases(part, cases, tmp_path / f"{part}.json", 60, CPU)
    (tmp_path / "agreement.json").write_text(json.dumps({"bf16, logits": 0.01234}))
    (tmp_path / "strong-metrics.json").write_text(json.dumps({"schema": 1, "rows": [{}]}))
    main(["table", "--out", str(tmp_path)])
    text = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert text.count("| case one | 1234 studies/s |") == text.count("| case two |") == 1
    assert "- bf16, logits: 0.0123" in text
    assert text in capsys.readouterr().out


def test_a_line_says_value_ratio_goal_and_memory():
    row = Row("a", 2.0, "samples/s", "b", 0.5, 0.95, 2048.0, "slow")
    assert text_of(row) == (
        "| a | 2 samples/s | 0.50× of b | ≥ 0.95 not reached | 2,048 MiB | slow |"
    )


def test_a_bare_loop_trains_and_leaves_pytorchs_settings(monkeypatch):
    from echokit.recipe import load_recipe

    small = ["backbone.width=4", "backbone.weights=none", "train.batch=2", "sequences.k=4"]
    recipe = load_recipe("ph-newborn", preset="quick", settings=small)
    monkeypatch.setattr(loops, "WARM_UP", 1)
    seen = []
    original = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, *a: (seen.append(1), original(self, *a))[1]
    )
    before = torch.backends.cudnn.allow_tf32, torch.get_rng_state()
    for loop in (Loop(), Loop(bf16=False, tf32=False)):
        assert samples_per_second(recipe, loop, CPU, side=16, steps=2, seconds=60) > 0
    assert len(seen) == 2 * (1 + 2)
    assert torch.backends.cudnn.allow_tf32 == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    return prepared_works("quick", sharing.TINY, tmp_path_factory.mktemp("works"))


@pytest.mark.slow
def test_trainings_go_through_echokit_and_are_timed_after_their_first_epoch(works, tmp_path):
    work = with_compute(works[0], tmp_path, deterministic=True)
    assert work.recipe.compute.deterministic
    assert not works[0].recipe.compute.deterministic
    assert work.digest == works[0].digest
    work(lambda done: None)
    path = (tmp_path / work.job.stem).with_suffix(".json")
    described = json.loads(path.read_text())
    for epoch, seconds in zip(described["history"], (100.0, 2.0), strict=True):
        epoch["seconds"] = seconds
    path.write_text(json.dumps(described))
    samples = len(work.items) * work.recipe.train.n
    assert rate_of(work)[0] == samples / 2


@pytest.mark.slow
def test_training_has_its_cases(works, tmp_path, monkeypatch):
    cases = {case.name: case for case in training.training_cases(works[0], tmp_path, CPU, True)}
    assert cases["echokit"].at_least == 0.95
    assert cases["echokit"].against == training.BARE
    monkeypatch.setattr(loops, "WARM_UP", 1)
    cuda = training.training_cases(works[0], tmp_path, torch.device("cuda"), True)
    assert {case.name for case in cuda} - set(cases) == {
        "bare loop, bf16, compiled",
        "echokit, compiled",
    }
    for name in (training.BARE, "echokit"):
        assert cases[name].work()[0] > 0


@pytest.mark.slow
def test_networks_are_trained_side_by_side(works, tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "local", lambda jobs: lambda work, items, sizes, tick: [
        work(item, tick) for item in items.values()
    ])  # fmt: skip
    cases = sharing.sharing_cases(works, tmp_path, CPU, True)
    assert [case.name for case in cases][:2] == ["one network", "2 networks at once"]
    value, note = cases[1].work()
    assert value > 0
    assert "with the start" in note
    assert len(list((tmp_path / "jobs-2").rglob("*.safetensors"))) == 2


def test_studies_are_timed_and_their_logits_compared(tmp_path):
    rows = inference.measure(tmp_path, 60, CPU, tiny=True)
    assert [row.value is not None and row.value > 0 for row in rows] == [True] * 3
    assert rows[1].note.startswith("logits differ by 0.0e+00 from exact")


def test_the_script_is_bash_and_has_a_time_for_each_part():
    subprocess.run(["bash", "-n", str(GPU / "run.sh")], check=True)
    text = (GPU / "run.sh").read_text()
    parts = [line.split()[1] for line in text.splitlines() if line.startswith("part ")]
    assert sum(map(int, parts)) <= 8 * 60 - 60, "a minute at least is left for `strong`"


def test_cuda_tests_are_skipped_with_a_reason_where_there_is_no_device(monkeypatch):
    monkeypatch.delenv("ECHOKIT_GPU_TESTS_ON", raising=False)
    spec = spec_from_file_location("cuda_tests", GPU / "test_cuda.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.pytestmark.args == (not torch.cuda.is_available(),)
    assert "there is no CUDA device; ECHOKIT_GPU_TESTS_ON=cpu" in module.pytestmark.kwargs["reason"]
