"""Engines: whatever runs a network says what torch says, or does not run it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from echokit import UsageError
from echokit.engines import choose as choosing
from echokit.engines import eager
from echokit.engines.agreement import compare
from echokit.engines.choose import ENGINES, EngineRequest, choose
from echokit.engines.eager import has_bfloat16, run_compiled, run_eagerly
from echokit.engines.engine import Engine, EngineWarning, Running

SEQUENCES = np.random.default_rng(0).standard_normal((5, 1, 4, 16, 16), dtype=np.float32)
SAMPLE = SEQUENCES[:2]
INSTALLED = [engine for engine in ENGINES if engine.version is not None]


def tiny_network():
    """Convolutions, normalisation with statistics of its own, pooling, a head."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        norm = nn.BatchNorm3d(6)
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        head = nn.Linear(6, 3)
        nn.init.normal_(head.weight, std=2.0)
        parts = [nn.Conv3d(1, 6, 3, padding=1), norm, nn.ReLU(), nn.AdaptiveAvgPool3d(1)]
        return nn.Sequential(*parts, nn.Flatten(), head).eval()


def logits(network, sequences=SEQUENCES):
    with torch.inference_mode():
        return network(torch.from_numpy(sequences)).numpy()


@pytest.fixture
def network():
    return tiny_network()


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def converted(request, tmp_path_factory):
    """An engine and the file that it made of the tiny network."""
    pytest.importorskip(request.param.distribution)
    file = tmp_path_factory.mktemp(request.param.name) / request.param.file
    request.param.convert(tiny_network(), SAMPLE, file)
    return request.param, file


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_an_engine_says_what_torch_says_of_any_number_of_sequences(converted, network, count):
    engine, file = converted
    running = engine.load(file, "exact")
    assert (running.engine, running.computes_in) == (engine.name, "float32")
    assert running.version == engine.version
    got = running.forward(SEQUENCES[:count])
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, logits(network)[:count], atol=1e-5)


@pytest.mark.slow
def test_a_sequence_does_not_depend_on_its_companions_and_results_are_kept(converted):
    engine, file = converted
    running = engine.load(file, "exact")
    together = running.forward(SEQUENCES)
    before = together.copy()
    alone = np.concatenate([running.forward(one[None]) for one in SEQUENCES[::-1]])
    np.testing.assert_array_equal(together, before)  # no view of a buffer that is written again
    np.testing.assert_allclose(together, alone[::-1], atol=1e-6)


@pytest.mark.slow
def test_fast_is_near_and_says_what_it_computes_in(converted, network):
    engine, file = converted
    running = engine.load(file, "fast")
    can = has_bfloat16(torch.device("cpu")) and engine.name == "openvino"
    assert running.computes_in == ("bfloat16" if can else "float32")
    apart = abs(
        softmax(running.forward(SEQUENCES), axis=1) - softmax(logits(network), axis=1)
    ).max()
    assert apart < 0.02
    assert (apart > 1e-6) == can


@pytest.mark.slow
def test_a_converted_network_tells_nothing_of_the_machine_that_made_it(converted):
    _, file = converted
    for path in file.parent.iterdir():
        content = path.read_bytes()
        for word in (__file__, torch.__file__, str(file.parent)):
            assert word.rpartition("/")[0].encode() not in content


def test_torch_runs_a_network_where_it_is_in_batches(network):
    running = run_eagerly(network, batch=2)
    np.testing.assert_allclose(running.forward(SEQUENCES), logits(network), atol=1e-6)
    assert (running.engine, running.computes_in) == ("torch", "float32")
    assert not torch.is_inference_mode_enabled()


def test_torch_computes_in_bfloat16_only_where_that_is_asked_for_and_there(network, monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(eager, "has_bfloat16", lambda device, there=there: there)
        running = run_eagerly(network, "fast")
        assert running.computes_in == ("bfloat16" if there else "float32")
        apart = abs(running.forward(SEQUENCES) - logits(network)).max()
        assert (apart > 1e-5) == there


def test_on_cuda_sequences_are_copied_from_pinned_memory_and_not_waited_for(monkeypatch):
    met = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: met.append("pinned") or self)
    to = torch.Tensor.to

    def moved(self, *where, **how):
        met.append((*map(str, where), how))
        return self if where else to(self, **how)

    monkeypatch.setattr(torch.Tensor, "to", moved)
    got = eager._to_device(torch.from_numpy(SAMPLE), torch.device("cuda", 0))
    assert met[:2] == ["pinned", ("cuda:0", {"non_blocking": True})]
    assert got.is_contiguous(memory_format=torch.channels_last_3d)


def test_torch_compile_is_torch_with_another_name(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: nn.Sequential(model))
    running = run_compiled(network)
    assert running.engine == "torch-compile"
    np.testing.assert_allclose(running.forward(SEQUENCES), logits(network), atol=1e-6)


class Fake:
    """An engine that is always installed: torch's own answer, and `off` more."""

    def __init__(self, off=0.0):
        self.off, self.converted, self.loaded = off, 0, 0

    def __call__(self, name="fake"):
        self.name = name
        return Engine(name, "numpy", "fake", "model.fake", self.convert, self.load)

    def convert(self, network, example, file):
        self.converted += 1
        file.write_text("a network")

    def load(self, file, precision):
        assert file.read_text() == "a network"
        self.loaded += 1

        def forward(sequences):
            return logits(tiny_network(), sequences) + np.float32([self.off, 0, 0])

        return Running(forward, self.name, "1.0", "float32")


@pytest.fixture
def fakes(monkeypatch):
    """Make these the only engines, and any work worth another than torch."""

    def these(*engines):
        monkeypatch.setattr(choosing, "ENGINES", engines)
        monkeypatch.setattr(choosing, "NAMES", ("auto", "torch", *(e.name for e in engines)))
        monkeypatch.setattr(choosing, "WORTH", 0)

    return these


def test_the_fastest_installed_engine_judges_once_it_agrees(network, fakes, tmp_path):
    fake = Fake()
    fakes(fake(), replace(Fake()("other"), convert=None))
    judge = choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path)
    assert judge.running.engine == "fake"
    assert judge.agreement.probabilities <= 1e-6
    assert judge.as_json()["agreement"]["sequences"] == 2
    json.dumps(judge.as_json(), allow_nan=False)


def test_only_the_first_study_converts_and_compares(network, fakes, tmp_path, monkeypatch):
    fake = Fake()
    fakes(fake())
    first = choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path)
    monkeypatch.setattr(choosing, "compare", lambda *given: pytest.fail("compared again"))
    assert choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path).as_json() == first.as_json()
    assert (fake.converted, fake.loaded) == (1, 2)
    monkeypatch.undo()


def test_another_network_processor_version_or_precision_is_compared_anew(
    network, fakes, tmp_path, monkeypatch
):
    fake = Fake()
    fakes(fake())
    compared = []

    def noted(running, precision, *given):
        compared.append(precision)
        return compare(running, precision, *given)

    monkeypatch.setattr(choosing, "compare", noted)
    choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path)
    choose(network, "a", SAMPLE, 5, EngineRequest(precision="fast"), tmp_path)
    choose(network, "b", SAMPLE, 5, EngineRequest(), tmp_path)
    assert (compared, fake.converted) == (["exact", "fast", "exact"], 2)
    monkeypatch.setattr("echokit.engines.agreement.processor", lambda: "another")
    choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path)
    assert (len(compared), fake.converted) == (4, 2)


@pytest.mark.parametrize("off", [0.01, np.nan, np.inf])
def test_an_engine_that_differs_is_not_used_and_the_next_one_is_tried(
    network, fakes, tmp_path, off
):
    fakes(Fake(off)("bad"), Fake()("good"))
    with pytest.warns(EngineWarning, match=r"bad 1\.0 \(exact\) is not used: its logits differ"):
        judge = choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path / "a")
    assert judge.agreement.holds
    fakes(Fake(off)("bad"))
    with pytest.warns(EngineWarning, match="differ"):
        judge = choose(network, "a", SAMPLE, 5, EngineRequest("bad"), tmp_path / "b")
    assert judge.as_json()["engine"] == "torch"
    assert judge.agreement is None
    with pytest.warns(EngineWarning, match="differ"):  # though it need not be compared again
        choose(network, "a", SAMPLE, 5, EngineRequest("bad"), tmp_path / "b")


def test_an_engine_that_cannot_take_a_network_leaves_it_to_torch(network, fakes, tmp_path):
    def unknown(network, example, file):
        raise RuntimeError("no such operator: Frobnicate\nand forty lines more")

    fakes(replace(Fake()(), convert=unknown))
    words = "fake cannot run this network: RuntimeError: no such operator: Frobnicate$"
    with pytest.warns(EngineWarning, match=words):
        judge = choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path)
    assert judge.running.engine == "torch"
    np.testing.assert_allclose(judge.running.forward(SAMPLE), logits(network, SAMPLE), atol=1e-6)


def test_where_nothing_can_be_kept_nothing_is_and_the_engine_judges_all_the_same(
    network, fakes, tmp_path
):
    (tmp_path / "file").write_text("not a folder")
    fake = Fake()
    fakes(fake())
    for kept in (tmp_path / "file", None):
        assert choose(network, "a", SAMPLE, 5, EngineRequest(), kept).running.engine == "fake"
    assert fake.converted == 2
    assert (tmp_path / "file").read_text() == "not a folder"


def test_little_work_and_missing_engines_are_left_to_torch_without_a_word(
    network, fakes, tmp_path, monkeypatch
):
    fake = Fake()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fakes(replace(fake(), distribution="no-such-distribution"))
        assert choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path).running.engine == "torch"
        fakes(fake())
        monkeypatch.setattr(choosing, "WORTH", 1e9)
        assert choose(network, "a", SAMPLE, 5, EngineRequest(), tmp_path).running.engine == "torch"
        assert (
            choose(network, "a", SAMPLE, 10**9, EngineRequest(), tmp_path).running.engine == "fake"
        )


def test_fast_torch_is_compared_with_exact_torch(network, tmp_path):
    judge = choose(network, "a", SAMPLE, 5, EngineRequest("torch", "fast"), tmp_path)
    assert judge.agreement.precision == "fast"
    exact = choose(network, "a", SAMPLE, 5, EngineRequest("torch"), tmp_path)
    assert exact.as_json() == {
        "engine": "torch",
        "version": torch.__version__,
        "precision": "exact",
        "computes_in": "float32",
        "agreement": None,
    }


def test_what_is_not_known_or_not_installed_is_refused_with_what_to_type(fakes):
    with pytest.raises(UsageError, match=r"no engine 'openvin'.*openvino"):
        EngineRequest("openvin")
    with pytest.raises(UsageError, match="no precision 'quick': take exact or fast"):
        EngineRequest(precision="quick")
    fakes(replace(Fake()(), distribution="no-such-distribution"))
    with pytest.raises(UsageError, match=r"pip install 'echokit-cardiac\[fake\]'"):
        EngineRequest("fake")


def test_difference_is_of_probabilities_and_of_logits_relative_to_their_size(network):
    expected = np.float32([[100.0, 0.0, -100.0]])
    running = Running(lambda x: np.float32([[101.0, 0.0, -100.0]]), "e", "1", "float32")
    agreement = compare(running, "exact", SAMPLE[:1], expected)
    assert agreement.logits == pytest.approx(0.01)  # which the probabilities do not show
    assert agreement.probabilities < 1e-40
    assert not agreement.holds
    assert replace(agreement, precision="fast").holds
    expected = np.float32([[0.1, 0.0]])
    running = Running(lambda x: np.float32([[0.0, 0.0]]), "e", "1", "float32")
    agreement = compare(running, "fast", SAMPLE[:1], expected)
    assert agreement.logits == pytest.approx(0.1)
    assert agreement.probabilities == pytest.approx(1 / (1 + np.exp(-0.1)) - 0.5)
    assert not agreement.holds


@pytest.mark.slow
@pytest.mark.parametrize("engine", INSTALLED, ids=lambda engine: engine.name)
def test_a_signal_is_survived_after_engines_were_let_go_of(engine, tmp_path):
    """OpenVINO leaves a thread with a stack for signals that is gone, if it may."""
    file = tmp_path / engine.file
    engine.convert(tiny_network(), SAMPLE, file)
    code = f"""
import gc, os, signal
from pathlib import Path
import numpy as np
from echokit.engines.choose import ENGINES
signal.signal(signal.SIGUSR1, lambda *_: print("survived"))
engine = {{e.name: e for e in ENGINES}}[{engine.name!r}]
loaded = [engine.load(Path({str(file)!r}), "exact") for _ in range(2)]
for one in loaded:
    one.forward(np.zeros({SAMPLE.shape}, np.float32))
del one
while loaded:
    del loaded[0]
    gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "survived"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("engine", INSTALLED, ids=lambda engine: engine.name)
def test_telemetry_is_off_before_an_engine_is_imported(engine):
    code = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("onnxruntime", "openvino"):
            off = os.environ.get("ORT_DISABLE_TELEMETRY") == "1"
            print(name, off if name == "onnxruntime" else "openvino_telemetry" in sys.modules)
sys.meta_path.insert(0, Watch())
from pathlib import Path
from echokit.engines.choose import ENGINES
try:
    {{e.name: e for e in ENGINES}}[{engine.name!r}].load(Path("nothing"), "exact")
except Exception:
    pass
print(sys.modules.get("openvino_telemetry"), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{engine.name} True", "None False"]
