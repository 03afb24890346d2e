"""Bundles: what was exported predicts as the run does, tells nobody's secrets, and is checked."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from echokit import (
    DamagedError,
    DataError,
    EchokitError,
    UsageError,
    hookimpl,
    make_signing_key,
)
from echokit.cli import app
from echokit.clips.sequences import SequenceSpec
from echokit.engines.choose import EngineRequest
from echokit.engines.engine import EngineWarning
from echokit.export.write import FORMATS, export_run
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.studies import bundle as opening
from echokit.studies.bundle import open_bundle
from echokit.studies.load import load
from echokit.studies.manifest import is_bundle, probe, seal, sign, unseal
from echokit.system.checked import read_json
from echokit.system.files import write_json

pytestmark = [pytest.mark.usefixtures("tiny_plugin"), pytest.mark.slow]

SETTINGS = [
    "split.splits=1",
    "train.n=1",
    "study.patients=2",
    "report.examples=0",
    "data.source='/home/somebody/cohort'",
    "crossfit.folds=2",
]


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Make a folder once for all tests, which only read it."""
    made = {}

    def make(name, maker):
        if name not in made:
            made[name] = maker(tmp_path_factory.mktemp(name))
        return made[name]

    return make


@pytest.fixture
def trained(once):
    """A finished run of one split, whose study loader finds two patients with one view each."""

    def train(parent):
        folder = RunFolder.create(parent / "one", load_recipe("tiny-study", settings=SETTINGS))
        carry_out(folder.recipe(), folder)
        return folder.path

    return once("run", train)


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


@pytest.fixture
def exported(once, trained):
    """A function that gives the bundle of a format."""
    return lambda to: once(to, lambda parent: export_run(trained, to, parent))


@pytest.fixture
def bundle(exported, tmp_path):
    """A bundle in ONNX that a test may change."""
    whole = exported("onnx")
    return shutil.copytree(whole, tmp_path / "bundles" / whole.name)


def sequences_of(document):
    return [
        list(sequence["probabilities"].values())
        for subject in document["subjects"]
        for clip in subject["clips"]
        for sequence in clip["sequences"]
    ]


@pytest.mark.parametrize("to", FORMATS)
def test_a_bundle_predicts_what_the_run_predicts(to, trained, exported, study, tmp_path):
    bundle = exported(to)
    assert bundle.name.startswith("tiny-study-severity-")
    assert list(bundle.parent.iterdir()) == [bundle]
    with_run = load(trained).predict(study).to_json()
    result = load(bundle).predict(study)
    result.save(tmp_path / "b")
    with_bundle = result.to_json()
    np.testing.assert_allclose(sequences_of(with_bundle), sequences_of(with_run), atol=1e-5)
    for one, other in zip(with_bundle["subjects"], with_run["subjects"], strict=True):
        assert one["label"] == other["label"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-4)
        assert one["views_missing"] == other["views_missing"]
    unlike = {"subjects", "inference", "without_saliency", "stages"}
    assert {k: v for k, v in with_bundle.items() if k not in unlike} == {
        k: v for k, v in with_run.items() if k not in unlike
    }
    clip = with_bundle["subjects"][0]["clips"][0]
    engine = with_bundle["inference"]["A4C"]["engine"]
    if to == "torch-export":
        assert (engine, with_bundle["without_saliency"]) == ("torch", "")
        assert (tmp_path / "b" / clip["saliency"]["array"]).is_file()
    else:
        assert engine == "openvino"
        assert clip["saliency"] is None
        assert with_bundle["without_saliency"] in (tmp_path / "b" / "index.html").read_text()


def test_onnx_is_read_by_either_engine_and_held_to_what_torch_said(
    bundle, study, tmp_path, monkeypatch
):
    for engine in ("onnxruntime", "openvino"):
        document = load(bundle, engine=engine).predict(study).to_json()
        assert {one["engine"] for one in document["inference"].values()} == {engine}
    # another processor than the one it was exported on: compared now, with logits in the bundle
    monkeypatch.setattr("echokit.engines.agreement.processor", lambda: "another")
    networks = load(bundle).networks
    opened = networks.open("A4C", np.zeros((2, 1, 4, 16, 16), np.float32), 2)
    assert opened.engine.agreement.processor == "another"
    assert opened.engine.agreement.probabilities < 1e-6
    manifest = read_json(bundle / "bundle.json")
    manifest["views"]["A4C"]["logits"] = [[5.0, 0.0], [0.0, 5.0]]
    open_a4c, given = networks.opener.func, networks.opener.args
    args = [manifest["views"] if a == unseal(bundle)["views"] else a for a in given]
    with (
        pytest.warns(EngineWarning, match="is not used: its logits differ"),
        pytest.raises(UsageError, match="No engine agrees with what torch said of A4C"),
    ):
        open_a4c(*args, "A4C", np.zeros((2, 1, 4, 16, 16), np.float32), 2)


def test_clips_of_another_size_than_the_networks_are_refused(bundle):
    with pytest.raises(UsageError, match=r"prepared to \(1, 4, 8, 8\), the network wants"):
        load(bundle).networks.open("A4C", np.zeros((2, 1, 4, 8, 8), np.float32), 2)


def test_every_file_is_checked_and_named_if_it_was_changed(bundle):
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "bundle.json",
        "recipe.toml",
        "MODEL_CARD.md",
        "model.onnx",
        "calibration.json",
    }
    for path in files:
        content = path.read_bytes()
        changed = bytearray(content)
        changed[len(content) // 2] ^= 1
        path.write_bytes(changed)
        with pytest.raises(UsageError, match=str(path)):
            open_bundle(bundle, None, EngineRequest())
        path.unlink()
        if path.name != "bundle.json":
            with pytest.raises(UsageError, match=f"{path} is missing"):
                open_bundle(bundle, None, EngineRequest())
        path.write_bytes(content)
    open_bundle(bundle, None, EngineRequest())


def test_a_bundle_of_another_name_or_with_files_of_others_is_refused(bundle, tmp_path):
    copied = shutil.copytree(bundle, tmp_path / "copied.echokit")
    with pytest.raises(UsageError, match=f"the name ends with {bundle.stem[-12:]}.echokit"):
        load(copied)
    evil = tmp_path / "evil"
    evil.mkdir()
    facts = read_json(bundle / "bundle.json") | {"files": {"../../secret": "0" * 64}}
    write_json(evil / "bundle.json", facts)
    end = hashlib.sha256((evil / "bundle.json").read_bytes()).hexdigest()[:12]
    with pytest.raises(DataError, match="leads out of"):
        unseal(evil.rename(tmp_path / f"evil-{end}.echokit"))


def sealed_again(bundle, change):
    """Change a bundle's facts, and seal it as its export does."""
    facts = read_json(bundle / "bundle.json")
    change(facts)
    (bundle / "bundle.json").unlink()
    changed = {key: value for key, value in facts.items() if key not in ("schema", "files")}
    return bundle.rename(bundle.with_name(f"sealed-{seal(bundle, changed)}.echokit"))


CHANGES = {
    "outside": (lambda facts: facts["views"]["A4C"].update(file="../../x.onnx"), "leads out of"),
    "unsealed": (lambda facts: facts["views"]["A4C"].update(file=".x.onnx"), "has no digest"),
    "labels": (lambda facts: facts["classes"].append("third"), "does not have 3 labels' logits"),
    "logits": (lambda facts: facts["views"]["A4C"]["logits"][0].pop(), "2 labels' logits"),
    "task": (lambda facts: facts.update(task="other"), "no task 'other'"),
    "format": (lambda facts: facts.update(format="other"), "its 'format' is 'other'"),
    "view": (lambda facts: facts["views"].update(A4C=3), "it says 3"),
    **{
        key: (lambda facts, key=key: facts.pop(key), f"it lacks '{key}'")
        for key in ("echokit", "format", "task", "classes", "views", "synthetic", "records")
    },
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_bundle_that_was_changed_and_sealed_again_is_refused_in_a_sentence(bundle, name):
    change, words = CHANGES[name]
    with pytest.raises(EchokitError, match=words) as refused:
        load(sealed_again(bundle, change))
    assert "bundle.json" in str(refused.value)


def test_a_network_that_is_junk_or_has_other_logits_is_refused_by_its_file(bundle, study):
    for file in bundle.rglob("model.onnx"):
        file.write_bytes(np.random.default_rng(0).bytes(9999))
    junk = sealed_again(bundle, lambda facts: None)
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(DamagedError, match=rf"model\.onnx is damaged: {engine} cannot read"):
            load(junk, engine=engine).predict(study)


def test_a_network_with_fewer_logits_than_labels_is_refused_though_it_once_agreed(bundle, study):
    def third(facts):
        facts["classes"].append("third")
        for network in facts["views"].values():
            network["logits"] = [[*row, 0.0] for row in network["logits"]]

    with pytest.raises(DamagedError, match="it gives 2 logits for 3 labels"):
        load(sealed_again(bundle, third)).predict(study)


def test_a_file_that_was_added_to_a_bundle_is_refused(bundle):
    (bundle / ".DS_Store").touch()  # of a desktop, which nobody reads
    load(bundle)
    (bundle / "crossfit.parquet").touch()
    with pytest.raises(DamagedError, match=r"crossfit\.parquet was added to the bundle"):
        load(bundle)


def test_the_same_run_makes_the_same_bundle_and_leaves_nothing_else(trained, bundle):
    before = {path: path.stat().st_mtime_ns for path in bundle.rglob("*")}
    assert export_run(trained, "onnx", bundle.parent) == bundle
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("*")} == before
    assert list(bundle.parent.iterdir()) == [bundle]


@pytest.mark.parametrize("to", FORMATS)
def test_a_bundle_tells_neither_patients_nor_paths_nor_unpickles(
    to, trained, exported, monkeypatch
):
    bundle = exported(to)
    assert is_bundle(bundle)
    patients = {f"p{n:02d}-" for n in range(10)}
    for path in bundle.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in ("somebody", str(trained.parent), __file__, torch.__file__, *patients):
                assert word.encode() not in content, (path, word)
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("torch.load"))
    monkeypatch.setattr(torch.export, "load", lambda *a, **k: pytest.fail("torch.export.load"))
    opened = load(bundle).networks.open("PLAX", np.zeros((2, 1, 4, 16, 16), np.float32), 2)
    assert np.isfinite(opened.engine.running.forward(np.zeros((1, 1, 4, 16, 16), np.float32))).all()


def test_what_torch_export_writes_for_other_programs_is_the_network(exported):
    bundle = exported("torch-export")
    manifest = unseal(bundle)
    spec = SequenceSpec(3, 4)
    program = torch.export.load(bundle / "models" / "PLAX" / "model.pt2")
    facts = manifest["views"]["PLAX"]
    given = torch.from_numpy(probe(tuple(facts["shape"]), spec))
    with torch.inference_mode():
        logits = program.module()(given).numpy()
    np.testing.assert_allclose(logits, facts["logits"], atol=1e-5)


def test_the_card_holds_the_runs_own_figures_their_subjects_and_the_warnings(trained, bundle):
    card = (bundle / "MODEL_CARD.md").read_text()
    rows = read_json(trained / "metrics.json")["rows"]
    for row in rows:
        line = next(one for one in card.splitlines() if one.startswith(f"| {row['views']} |"))
        assert f"| {row['n_subjects']} | {row['n_splits']} |" in line
        assert f"{row['f1']['mean']:.2f}" in line
    for words in ("not a medical device", "**synthetic**", "tiny3d", "(batch, 1, 4, 16, 16)"):
        assert words in card
    assert "/home/somebody" not in card


def test_a_voting_rule_that_learned_is_the_same_without_names(tmp_path, study, tiny_plugin, parts):
    class Rule:
        def fit(self, votes, labels):
            self.seen = [(v.voters, v.probabilities.tolist()) for v in votes], list(labels)

        def __call__(self, votes):
            return parts.vote()(votes)

    class Learner:
        @hookimpl
        def register_aggregators(self, register):
            register("tiny-rule", Rule)

    tiny_plugin.add(Learner(), "echokit-learner:learner")
    settings = [*SETTINGS, "aggregate.subject.use='tiny-rule'"]
    recipe = load_recipe("tiny-study", settings=settings)
    folder = RunFolder.create(tmp_path / "runs" / "two", recipe)
    carry_out(recipe, folder)
    bundle = export_run(folder.path, "onnx", tmp_path / "bundles")
    assert load(bundle).rule.seen == load(folder.path).rule.seen
    kept = pd.read_parquet(bundle / "crossfit.parquet")
    assert set(kept["patient"]) <= {f"{n:08d}" for n in range(len(kept))}
    assert "clip" not in kept
    assert not any(b"p0" in path.read_bytes() for path in bundle.glob("*.parquet"))


def test_a_bundle_abstains_by_the_rule_of_its_run(trained, study, tmp_path):
    run = shutil.copytree(trained, tmp_path / "runs" / "one")
    with (run / "recipe.toml").open("a") as file:
        file.write("\n[aggregate.abstain]\nviews = 2\n")
    bundle = export_run(run, "onnx", tmp_path / "bundles")
    for subject in load(bundle).predict(study).subjects:
        assert (subject.label, subject.not_judged) == ("not judged", "only 1 of 2 views")
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "No verdict is given where fewer than 2 views voted." in card


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(trained, tmp_path, monkeypatch):
    out = tmp_path / "bundles"
    with pytest.raises(UsageError, match=r"no format 'onxx'.*onnx"):
        export_run(trained, "onxx", out)
    with pytest.raises(UsageError, match="has no task 'other'"):
        export_run(trained, "onnx", out, "other")
    with pytest.raises(UsageError, match="is not a run"):
        export_run(tmp_path, "onnx", out)
    monkeypatch.setattr("echokit.engines.agreement.TOLERANCE", {"exact": -1.0, "fast": -1.0})
    with pytest.raises(UsageError, match="cannot be exported to onnx: its logits differ"):
        export_run(trained, "onnx", out)
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "task", "words"),
    [
        (
            EngineRequest("torch"),
            None,
            "is in the format onnx: take --engine openvino or onnxruntime",
        ),
        (EngineRequest(), "other", "is for the task 'severity' alone"),
    ],
)
def test_what_a_bundle_cannot_do_is_refused_with_what_to_type(bundle, asked, task, words):
    with pytest.raises(UsageError, match=words):
        open_bundle(bundle, task, asked)


def test_saliency_cannot_be_tested_where_none_is_made(bundle, study):
    with pytest.raises(UsageError, match="no saliency to test: No saliency"):
        load(bundle).predict(study, test_saliency=True)


def test_without_an_engine_a_bundle_says_what_to_install(bundle, monkeypatch):
    absent = {
        k: tuple(replace(e, distribution="absent") for e in v) for k, v in opening.READERS.items()
    }
    monkeypatch.setattr(opening, "READERS", absent)
    with pytest.raises(UsageError, match=r"pip install 'echokit-cardiac\[openvino\]' or"):
        load(bundle)


def test_prediction_json_stays_json(bundle, study, tmp_path):
    result = load(bundle).predict(study)
    result.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "prediction.json").read_text()) == result.to_json()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    private = tmp_path_factory.mktemp("keys") / "signing.key"
    return private, make_signing_key(private)


def test_a_bundle_is_signed_and_verified_from_the_command_line(trained, keys, study, tmp_path):
    run = CliRunner().invoke
    made = tmp_path / "my.key"
    assert run(app, ["export", "--new-key", str(made)]).exit_code == 0
    words = ["export", str(trained), "--out", str(tmp_path), "--sign", str(made), "--quiet"]
    path = run(app, words).output.strip()
    assert (tmp_path / path / "bundle.json.sig").is_file()
    out = tmp_path / "out"
    predict = ["predict", path, str(study), "--out", str(out), "--quiet", "--verify"]
    refused = run(app, [*predict, str(keys[1])]).exception
    assert isinstance(refused, DamagedError)
    assert not out.exists()
    assert run(app, [*predict, f"{made}.pub"]).exit_code == 0
    assert (out / "prediction.json").is_file()
    evaluate = ["evaluate", path, str(study), "--verify", str(keys[1])]
    assert "another key" in str(run(app, evaluate).exception)


def test_signing_a_bundle_that_is_there_changes_only_its_signature(
    trained, bundle, keys, tmp_path, monkeypatch
):
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    with pytest.raises(DamagedError, match="is not signed"):
        load(bundle, verify=keys[1])
    monkeypatch.setattr("echokit.export.write.seal", lambda folder, facts: bundle.stem[-12:])
    assert export_run(trained, "onnx", bundle.parent, sign=keys[0]) == bundle
    assert {path: path.read_bytes() for path in before} == before
    load(bundle, verify=keys[1])
    load(bundle)  # the signature is no added file


def test_a_signed_bundle_that_was_changed_and_sealed_again_is_refused(bundle, keys):
    sign(bundle, keys[0])
    facts = read_json(bundle / "bundle.json")
    kept = {key: value for key, value in facts.items() if key not in ("schema", "files")}
    signature = (bundle / "bundle.json.sig").read_bytes()
    for name in ("bundle.json", "bundle.json.sig"):
        (bundle / name).unlink()
    end = seal(bundle, kept | {"run": "another"})
    (bundle / "bundle.json.sig").write_bytes(signature)
    again = bundle.rename(bundle.with_name(f"x-{end}.echokit"))
    load(again)  # by itself it is a sound bundle
    with pytest.raises(DamagedError, match=r"is not what the owner of .* signed: bundle.json"):
        load(again, verify=keys[1])


def test_a_changed_network_of_a_signed_bundle_is_refused_though_the_signature_holds(bundle, keys):
    sign(bundle, keys[0])
    network = next(bundle.rglob("model.onnx"))
    network.write_bytes(network.read_bytes() + b"\0")
    with pytest.raises(UsageError, match="is not what was exported"):
        load(bundle, verify=keys[1])


def test_a_run_cannot_be_verified_and_a_bad_key_is_refused_before_the_work(trained, keys, tmp_path):
    with pytest.raises(UsageError, match="is no bundle, and only bundles are signed"):
        load(trained, verify=keys[1])
    with pytest.raises(UsageError, match="a public key, which cannot sign"):
        export_run(trained, "onnx", tmp_path / "none", sign=keys[1])
    assert not (tmp_path / "none").exists()
