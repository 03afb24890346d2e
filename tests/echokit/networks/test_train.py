"""Training one network: it learns, it repeats, it goes on where it stopped, it leaves no pickle."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from echokit import TrainingError
from echokit.clips.sequences import SequenceSpec
from echokit.networks import train as training
from echokit.networks.checkpoint import load_weights
from echokit.networks.data import TrainingSet
from echokit.networks.job import Job, is_trained, job_seed
from echokit.networks.settings import Settings
from echokit.networks.train import train
from echokit.recipe import Compute
from echokit.runs.jobs import workers_of

JOB = Job("severity", "spatio-temporal", "A4C", 0)
SETTINGS = Settings(
    epochs=3,
    n=2,
    batch=4,
    lr=1e-2,
    weight_decay=1e-3,
    schedule="one-cycle",
    balanced=True,
    seed=5,
    device="cpu",
    workers=0,
    compile=False,
    digest="abc",
)


def silent(done: int) -> None:
    """Tick for nobody."""


@pytest.fixture
def learn(prepared, parts, tmp_path):
    """Train the tiny network on moving squares; return the folder of the result."""
    store, items = prepared(8)
    data = TrainingSet(items, ("none", "severe"), store, SequenceSpec(2, 4))

    def run(name="models", tick=silent, make=None, data=data, job=JOB, **changes):
        make = make or (lambda: parts.backbone(2, 1, dropout=0.2))
        folder = tmp_path / name
        train(job, make, data, replace(SETTINGS, **changes), folder, tick)
        return folder

    run.data = data
    return run


def weights(folder):
    return load_file((folder / JOB.stem).with_suffix(".safetensors"))


def described(folder):
    return json.loads((folder / JOB.stem).with_suffix(".json").read_text())


def losses(folder):
    return [row["loss"] for row in described(folder)["history"]]


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_a_square_that_moves_across_is_told_from_one_that_moves_down(prepared, parts, tmp_path):
    from echokit.engines.eager import run_eagerly
    from echokit.voting.votes import vote_clips

    store, items = prepared(24)
    spec = SequenceSpec(3, 4)
    data = TrainingSet(items[:12], ("none", "severe"), store, spec)
    settings = replace(SETTINGS, epochs=14, n=4, batch=8)
    train(JOB, lambda: parts.backbone(2, 1), data, settings, tmp_path, silent)
    assert losses(tmp_path)[-1] < losses(tmp_path)[0] / 2
    network = load_weights(parts.backbone(2, 1), (tmp_path / JOB.stem).with_suffix(".safetensors"))
    held_out = vote_clips(
        run_eagerly(network).forward, items[12:], ("none", "severe"), store, spec, parts.vote()
    )
    right = [v.prediction.label == ("none", "severe")[v.item.label] for v in held_out]
    assert len(right) == 12
    assert sum(right) / len(right) > 0.9


def test_the_same_seed_gives_the_same_weights_to_the_bit_whatever_was_drawn_before(learn):
    first = weights(learn("a"))
    torch.rand(7)
    assert equal(first, weights(learn("b")))


class FlatFilters(nn.Module):
    """Convolves frames one by one, by kernels `(out, in, H, W)`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        maps = self.conv(x.transpose(1, 2).flatten(0, 1)).relu()
        return self.head(maps.mean(dim=(2, 3)).unflatten(0, (len(x), -1)).mean(dim=1))


def test_a_network_with_2d_convolutions_is_trained_and_loaded_too(learn):
    folder = learn(make=FlatFilters)
    network = load_weights(FlatFilters(), (folder / JOB.stem).with_suffix(".safetensors"))
    assert equal(network.state_dict(), weights(folder))


def test_3d_convolutions_are_trained_in_the_faster_layout(learn, parts):
    made = []

    def make():
        made.append(parts.backbone(2, 1))
        return made[0]

    learn(make=make)
    kernels = [tensor for tensor in made[0].parameters() if tensor.ndim == 5]
    assert kernels
    assert all(k.is_contiguous(memory_format=torch.channels_last_3d) for k in kernels)


def test_whoever_makes_the_sequences_the_weights_are_the_same_to_the_bit(learn):
    here, elsewhere = weights(learn()), weights(learn("elsewhere", workers=2))
    assert all(torch.equal(here[name], elsewhere[name]) for name in here)


def test_on_a_cpu_no_thread_takes_cores_from_the_network(learn, monkeypatch):
    from echokit.networks.sampling import TrainingSequences

    makers, draw = set(), TrainingSequences.__getitem__

    def watched(self, index):
        makers.add(threading.current_thread())
        return draw(self, index)

    monkeypatch.setattr(TrainingSequences, "__getitem__", watched)
    learn()
    assert makers == {threading.main_thread()}


@pytest.mark.slow
def test_a_compiled_network_is_kept_as_it_is_without(learn, monkeypatch):
    asked = []

    def compiled(network, **options):
        asked.append(network)
        return network

    monkeypatch.setattr(torch, "compile", compiled)
    plain, through = weights(learn()), weights(learn("compiled", compile=True))
    assert len(asked) == 1
    assert all(torch.equal(plain[name], through[name]) for name in plain)


@pytest.mark.parametrize(
    ("asked", "device", "jobs", "expected"),
    [("auto", "cpu", 1, 0), ("auto", "cuda", 1, 5), ("auto", "cuda", 3, 1), (3, "cpu", 1, 3)],
)
def test_beside_a_gpu_processes_make_sequences_unless_told(
    monkeypatch, asked, device, jobs, expected
):
    monkeypatch.setattr("echokit.runs.jobs.device_of", lambda _: torch.device(device))
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert workers_of(Compute(workers=asked, jobs=jobs)) == expected


def test_another_seed_gives_other_weights(learn):
    assert not equal(weights(learn("a")), weights(learn("b", seed=6)))


def test_the_global_generator_is_left_as_it_was(learn):
    before = torch.get_rng_state()
    learn()
    assert torch.equal(before, torch.get_rng_state())


def stop_after(samples):
    def tick(n: int) -> None:
        nonlocal samples
        samples -= n
        if samples <= 0:
            raise KeyboardInterrupt

    return tick


@pytest.mark.parametrize("schedule", ["one-cycle", "constant"])
def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(learn, monkeypatch, schedule):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole = learn("whole", schedule=schedule)
    with pytest.raises(KeyboardInterrupt):
        learn("parts", stop_after(2 * 16 + 4), schedule=schedule)  # in the third epoch
    ticks: list[int] = []
    resumed = learn("parts", ticks.append, schedule=schedule)
    assert equal(weights(whole), weights(resumed))
    assert ticks[0] == 2 * 16, "two epochs are not trained again"
    assert losses(whole) == losses(resumed)


def test_a_checkpoint_of_another_recipe_is_not_taken_up(learn, monkeypatch):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    with pytest.raises(KeyboardInterrupt):
        learn("parts", stop_after(2 * 16 + 4), digest="another recipe")
    ticks: list[int] = []
    resumed = learn("parts", ticks.append)
    assert ticks[0] == 0
    assert equal(weights(resumed), weights(learn("whole")))


def test_a_finished_training_leaves_its_two_files_and_no_checkpoint(learn, monkeypatch):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    folder = learn()
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    stem = "severity/spatio-temporal/A4C/split-00"
    assert files == {f"{stem}.safetensors", f"{stem}.json"}


def test_nothing_is_pickled_while_training_either(learn, monkeypatch):
    import pickle

    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    monkeypatch.setattr(pickle, "dumps", lambda *a, **k: pytest.fail("pickled"))
    monkeypatch.setattr(torch, "save", lambda *a, **k: pytest.fail("pickled"))
    with pytest.raises(KeyboardInterrupt):
        learn("parts", stop_after(2 * 16 + 4))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_what_to_do_and_leaves_no_result(learn, value):
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.flatten(1).sum(1) * self.scale * value] * 2, 1)

    with pytest.raises(TrainingError, match=r"epoch 1 of severity, A4C.*--set train\.lr=0\.001"):
        learn("broken", make=Broken)
    assert list((learn.data.store.path.parent / "broken").rglob("*.*")) == []


def test_the_last_epochs_weights_are_kept_however_bad(learn):
    """The loss of the last epoch is made the worst: a choice of the best epoch would show."""
    last: dict[str, torch.Tensor] = {}

    class Worsening(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))
            self.register_buffer("steps", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.steps += self.training  # not while it is judged by its training clips
            last["steps"] = self.steps.clone()
            wrong = torch.stack([x.mean((1, 2, 3, 4)), -x.mean((1, 2, 3, 4))], 1)
            return wrong * self.scale * self.steps**2

    folder = learn(make=Worsening)
    assert losses(folder)[-1] == max(losses(folder))
    assert weights(folder)["steps"] == last["steps"] == 3 * 4


def test_the_learning_rate_follows_its_schedule(learn):
    rates = [row["lr"] for row in described(learn("a", schedule="constant"))["history"]]
    assert rates == [1e-2] * 3
    rates = [row["lr"] for row in described(learn("b", epochs=10))["history"]]
    assert rates.index(max(rates)) == 2
    assert max(rates) == pytest.approx(1e-2, rel=0.2)
    assert rates[-1] < 1e-2 / 100


def test_every_epoch_sees_sequences_that_no_other_saw(learn, parts):
    seen: list[bytes] = []
    calls: list[float] = []

    class Watching(torch.nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:  # it is judged by its training clips, which are not augmented
                seen.extend(one.numpy().tobytes() for one in x)
            return super().forward(x)

    def shade(clip, rng):
        calls.append(float(torch.rand((), generator=rng)))
        return replace(clip, frames=clip.frames * calls[-1])

    spec = SequenceSpec(2, 4, (shade,), 1.0)
    data = replace(learn.data, spec=spec)
    learn(make=lambda: Watching(*parts.backbone(2, 1)), data=data)
    assert len(calls) == len(set(calls)) == 3 * 16
    assert len(set(seen)) == len(seen) == 3 * 16


def test_what_is_written_beside_the_weights_says_what_they_are(learn):
    ticks: list[int] = []
    facts = described(learn(tick=ticks.append))
    assert sum(ticks) == 3 * 16
    assert facts["classes"] == ["none", "severe"]
    assert facts["input_shape"] == [1, 4, 16, 16]
    assert (facts["task"], facts["view"], facts["split"]) == ("severity", "A4C", 0)
    assert (facts["recipe_digest"], facts["seed"], facts["clips"]) == ("abc", 5, 8)
    assert [row["epoch"] for row in facts["history"]] == [1, 2, 3]


def test_a_last_batch_of_one_sample_is_left_out(learn):
    sizes = []

    class Watching(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return super().forward(x.flatten(1))

    learn(make=lambda: Watching(4 * 16 * 16, 2), batch=5)
    assert set(sizes) == {5}


def test_is_trained_asks_for_the_two_files_of_this_recipe_and_these_clips(learn):
    folder, items = learn(), learn.data.items
    assert is_trained(JOB, folder, "abc", items)
    assert not is_trained(JOB, folder, "another", items)
    assert not is_trained(JOB, folder, "abc", items[1:])
    assert not is_trained(JOB, folder, "abc", [replace(items[0], label=1), *items[1:]])
    assert not is_trained(replace(JOB, split=1), folder, "abc", items)
    (folder / JOB.stem).with_suffix(".safetensors").unlink()
    assert not is_trained(JOB, folder, "abc", items)


def test_a_jobs_seed_depends_on_the_run_and_the_job_alone():
    seeds = {
        job_seed(s, Job("t", a, v, n)) for s in (0, 1) for a in "xy" for v in "vw" for n in (0, 1)
    }
    assert len(seeds) == 16


OPTIONS = [
    {"average": 0.9},
    {"schedule": "cosine", "warm_up": 0.2, "optimizer": "adamw", "loss": "ordinal"},
    {"batch_norm": "re-estimated", "clip": 0.5, "scales": (0.5, 1.0)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_with_every_option_a_resumed_training_is_the_same_to_the_bit(learn, monkeypatch, options):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole = learn("whole", **options)
    with pytest.raises(KeyboardInterrupt):
        learn("parts", stop_after(2 * 16 + 4), **options)
    assert equal(weights(whole), weights(learn("parts", **options)))
    assert not equal(weights(whole), weights(learn("plain"))), "the option does something"


class Watching(nn.Module):
    """Remembers the size of its inputs and the norm of its gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.sizes, self.norms = nn.Linear(1, 2), [], []

    def forward(self, x):
        if self.training:
            self.sizes.append(tuple(x.shape[2:]))
            norm = self.head.weight.grad
            self.norms.append(0.0 if norm is None else float(norm.norm()))
        return 1e3 * self.head(x.mean((2, 3, 4)))


def test_frames_are_small_first_and_full_size_last(learn):
    made = []
    learn(make=lambda: made.append(Watching()) or made[0], epochs=4, scales=(0.5, 1.0))
    sizes = made[0].sizes
    k, height, width = sizes[-1]
    assert sizes[: len(sizes) // 2] == [(k, height // 2, width // 2)] * (len(sizes) // 2)
    assert sizes[len(sizes) // 2 :] == [(k, height, width)] * (len(sizes) // 2)


def test_gradients_are_clipped_to_the_norm_asked_for(learn):
    made = []
    learn(make=lambda: made.append(Watching()) or made[0])
    assert max(made[0].norms) > 1
    made = []
    learn("clipped", make=lambda: made.append(Watching()) or made[0], clip=0.5)
    assert 0 < max(made[0].norms) < 0.501


class Deaf(nn.Module):
    """Ignores its input: nothing can be learned. With `ears` it hears the label's brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return self.bias.expand(len(x), 2)


def test_a_network_that_does_not_learn_is_trained_again_and_then_said_to_have_not(learn):
    made: list[nn.Module] = []
    folder = learn(make=lambda: made.append(Deaf()) or made[-1], retries=2)
    assert len(made) == 3
    assert described(folder)["attempts"] == 3
    assert described(folder)["learned"]["reason"]
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert len(files) == 2, "no checkpoint of an attempt stays"


def test_the_second_seed_is_kept_if_it_learns(learn, parts):
    made: list[nn.Module] = []

    def make():
        made.append(parts.backbone(2, 1) if made else Deaf())
        return made[-1]

    folder = learn(make=make, retries=2, epochs=20, n=4, batch=8)
    assert len(made) == 2
    assert described(folder)["learned"]["reason"] == ""
    assert described(folder)["seed"] != SETTINGS.seed
    parts.backbone(2, 1).load_state_dict(weights(folder))


def test_a_stop_between_two_attempts_trains_none_of_them_twice(learn, monkeypatch):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole = learn("whole", make=Deaf, retries=1)
    ticks: list[int] = []

    def tick(n):
        ticks.append(n)
        if sum(n for n in ticks if n > 0) > 3 * 16 + 4:  # in the second attempt
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn("parts", tick, make=Deaf, retries=1)
    ticks = []
    resumed = learn("parts", ticks.append, make=Deaf, retries=1)
    assert ticks[0] == 3 * 16, "the first attempt is read"
    assert equal(weights(whole), weights(resumed))


def test_one_attempt_is_all_there_is_unless_more_are_asked(learn):
    made: list[nn.Module] = []
    folder = learn(make=lambda: made.append(Deaf()) or made[-1])
    assert len(made) == 1
    assert described(folder)["learned"]["reason"]
