"""The TOML of a node: each fault is named before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_node import write_config

from echokit import EchokitError, UsageError, load
from echokit_dicom.node.config import read_config


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_paths_are_below_the_file_and_what_is_not_said_is_careful(tmp_path, run):
    config = read_config(write_config(tmp_path, "run", isolate=True))
    assert config.rule[0].run == run
    assert config.node.folder == tmp_path / "node"
    assert config.node.host == "127.0.0.1"
    assert config.node.monitor is None
    assert config.rule[0].options == {"isolate": True}
    assert config.rule[0].when.modality == ("US",)


@pytest.mark.parametrize(
    ("node", "rule", "says"),
    [
        ({"prt": 1}, "", r"node\.prt: Extra inputs are not permitted"),
        ({"port": 70000}, "", r"node\.port: .*less than or equal to 65535"),
        ({"ae_title": "MUCH TOO LONG A TITLE"}, "", r"node\.ae_title"),
        ({"tries": 0}, "", r"node\.tries"),
        ({}, 'when = { description = "(" }', r"no regular expression"),
        ({}, 'write = ["foldre"]', r"did you mean 'folder'"),
        ({}, '[[rule]]\nname = "newborn"\nrun = "run"', r"two rules are called newborn"),
    ],
)
def test_each_fault_is_named(tmp_path, run, node, rule, says):
    with pytest.raises(EchokitError, match=says):
        read_config(write_config(tmp_path, run, rule=rule, **node))


def test_who_may_call_must_be_said(tmp_path, run):
    path = write_config(tmp_path, run)
    path.write_text(path.read_text().replace("allow = ['SENDER']", ""))
    with pytest.raises(UsageError, match=r"node\.allow: Field required"):
        read_config(path)


def test_the_networks_that_come_with_echokit_are_called_demo(tmp_path):
    (rule,) = read_config(write_config(tmp_path, Path("demo"))).rule
    assert load(rule.run).synthetic


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="rule newborn: there is no run"):
        read_config(write_config(tmp_path, tmp_path / "gone"))


@pytest.mark.parametrize(
    ("data", "says"),
    [(None, "cannot be read"), (b"[node", "is not TOML"), (b"\xff", "is not TOML")],
)
def test_a_file_that_is_no_toml_is_a_sentence(tmp_path, data, says):
    path = tmp_path / "node.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=says):
        read_config(path)
