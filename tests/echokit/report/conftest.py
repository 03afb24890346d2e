"""Result files as the stages write them, at a size that a test can afford."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from echokit import Box
from echokit.report import build_run_report, build_study_page
from echokit.saliency.pictures import saliency_movie, saliency_strip

CLASSES = {"severity": ["none", "mild", "moderate-severe"], "binary": ["none", "PH"]}
BINARY = {"binary": ["none", "PH"]}
SETS = {"MV-3": ["A4C", "PLAX", "PSAX-P"], "MV-All": ["PLAX", "A4C", "PSAX-P", "PSAX-S", "PSAX-A"]}
VIEWS = SETS["MV-All"]
SKILL = dict(zip([*VIEWS, *SETS], (1.2, 0.8, 1.6, 0.6, 0.9, 1.7, 1.9), strict=True))
HOSTILE = '<script>alert("x")</script>'


def fan(frames=12, size=96, seed=0):
    """A beating ring in a sector, saliency on its left wall."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - [[[0.0]], [[0.5]]]
    sector = (np.abs(np.arctan2(x, y + 0.02)) < 0.7) & (np.hypot(x, y) < 0.97)
    speckle = rng.gamma(2, 0.5, (size, size))
    pixels, saliency = [], []
    for t in range(frames):
        beat = np.sin(2 * np.pi * t / frames)
        wall = np.exp(-(((np.hypot(x, y - 0.55) - 0.2 - 0.03 * beat) / 0.04) ** 2))
        pixels.append(np.clip((30 + 180 * wall) * np.roll(speckle, t // 3, 0), 0, 255) * sector)
        saliency.append(wall * (x < -0.05) * (0.6 + 0.4 * beat) * sector)
    values = np.array(saliency, np.float32)
    return np.array(pixels).astype(np.uint8), values / values.max(), sector


def figures(rows, classes, splits, rng):
    """The metrics of some predictions, with made-up deviations and intervals."""
    from sklearn.metrics import balanced_accuracy_score as balanced
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    mine = pd.DataFrame(rows)
    precision, recall, f1, _ = precision_recall_fscore_support(
        mine["label"], mine["predicted"], average="weighted", zero_division=0
    )
    p = np.stack(mine["probabilities"].tolist())
    truth = mine["label"].map(classes.index)
    auroc = roc_auc_score(truth, p[:, 1] if len(classes) == 2 else p, multi_class="ovo")
    values = {"auroc": auroc, "f1": f1, "precision": precision, "recall": recall}
    values["balanced_accuracy"] = balanced(mine["label"], mine["predicted"])
    values["confidence"] = mine["confidence"].mean()
    return {
        "n_splits": splits,
        "n_subjects": int(mine["patient"].nunique()),
        "n_predictions": len(mine),
        "classes": classes,
        **{
            name: {
                "mean": float(value),
                "sd": float(rng.uniform(0.02, 0.07)) if splits > 1 else None,
                "ci95": [float(value) - 0.08, min(1.0, float(value) + 0.07)],
            }
            for name, value in values.items()
        },
    }


BOTH = ("spatial", "spatio-temporal")


def write_run(root, patients=60, splits=3, tasks=CLASSES, approaches=BOTH, evil="", synthetic=True):
    """Write a small run; `evil` is put wherever a stranger's words may stand."""
    rng = np.random.default_rng(0)
    run = root / "demo"
    names = [f"p{i:03d}" for i in range(patients)]
    grade = dict(zip(names, rng.choice(3, patients, p=[0.6, 0.2, 0.2]).tolist(), strict=True))
    held = {s: sorted(rng.permutation(names)[: patients // 5].tolist()) for s in range(splits)}
    predictions, rows = [], []
    for task, classes in tasks.items():
        for approach in approaches:
            for view, skill in SKILL.items():
                place = {"task": task, "approach": approach, "view": view}
                mine = []
                for split, patient in [(s, p) for s in held for p in held[s]]:
                    truth = min(grade[patient], len(classes) - 1)
                    logits = rng.normal(0, 1, len(classes))
                    logits[truth] += skill * (0.8 if approach == "spatial" else 1)
                    p = np.exp(logits) / np.exp(logits).sum()
                    voted = {"label": classes[truth], "predicted": classes[int(p.argmax())]}
                    what = {"level": "subject", "clip": ""}
                    if view not in SETS:
                        what = {"level": "view", "clip": f"{patient}-{view}"}
                    what |= {"split": split, "patient": patient, "start": -1}
                    surety = {"confidence": float(p.max()), "probabilities": p.tolist()}
                    mine.append(place | what | voted | surety)
                predictions += mine
                where = {"task": task, "approach": approach, "views": view}
                rows.append(where | figures(mine, classes, splits, rng))
                if view not in SETS:
                    write_history(run / "models" / task / approach / view, classes, splits, rng)
    pd.DataFrame(predictions).to_parquet(run / "predictions.parquet")
    dump(run / "metrics.json", {"schema": 1, "synthetic": synthetic, "rows": rows})
    write_cohort(run, grade, held, tasks, evil, synthetic)
    write_saliency(run, tasks, evil)
    write_facts(run, patients, splits, evil, synthetic)
    return run


def dump(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def write_history(folder, classes, splits, rng):
    for split in range(splits):
        losses = (np.exp(-np.arange(14) / 5) + rng.uniform(0.02, 0.1, 14)).tolist()
        history = [
            {"epoch": e, "loss": loss, "accuracy": 1 - loss / 2, "lr": 1e-3, "seconds": 4.0}
            for e, loss in enumerate(losses, start=1)
        ]
        dump(folder / f"split-{split:02d}.json", {"classes": classes, "history": history})


def write_facts(run, patients, splits, evil, synthetic):
    seconds = {"cohort": 0.4, "prepare": 21.3, "train": 214.0, "predict": 33.1, "evaluate": 2.2}
    stages = [
        {"name": n, "seconds": s, "peak_memory_mb": 500 + 7 * s, "done": True, "detail": evil}
        for n, s in seconds.items()
    ]
    cohort = {"patients": patients, "clips": 5 * patients, "rejected": 2}
    cohort |= {"views": dict.fromkeys(VIEWS, patients), "labels": {}}
    cohort |= {"dropped": {"severity": {"grade 0.5 is dropped by the task's map": 3}, "binary": {}}}
    facts = {"name": f"demo{evil}", "recipe": "ph-newborn", "preset": "quick", "seed": 0}
    facts |= {"started": "2026-11-23T15:00:00", "finished": "2026-11-23T15:04:45"}
    facts |= {"schema": 1, "synthetic": synthetic, "stages": stages, "cohort": cohort}
    facts["splits"] = {"method": "repeated", "n": splits, "held_out": 0.2}
    dump(run / "run.json", facts)
    machine = {"cpu": "AMD EPYC", "cores": 2, "memory_gb": 24, "device": "cpu"}
    versions = {"echokit": "0.1.0", "python": "3.11.2", "torch": "2.14.1", "commit": "f57ba9a"}
    packages = {"monai": "1.6.1", "numpy": evil or "2.4.6", "captum": None}
    dump(run / "environment.json", versions | {"seed": 0, "packages": packages, "machine": machine})
    (run / "recipe.toml").write_text(
        'name = "ph-newborn"\ntitle = "Pulmonary hypertension in newborns"\n'
        'explain = { use = "captum-gradcam" }\n[view_sets]\n'
        + "".join(f"{name} = {json.dumps(views)}\n" for name, views in SETS.items())
    )


def write_cohort(run, grade, held, tasks, evil, synthetic):
    columns = ["clip", "patient", "view", "status", "reason", "synthetic", "grade"]
    columns += [f"{t}_label" for t in tasks] + [f"{t}_split_{s:02d}" for t in tasks for s in held]
    with (run / "cohort.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for patient, g in grade.items():
            row = {"patient": patient, "status": "used", "synthetic": synthetic, "grade": g}
            for task, classes in tasks.items():
                row[f"{task}_label"] = classes[min(g, len(classes) - 1)]
                for s, names in held.items():
                    row[f"{task}_split_{s:02d}"] = "test" if patient in names else "train"
            writer.writerows(row | {"clip": f"{patient}-{view}", "view": view} for view in VIEWS)
        rejected = {"IMG_0042.dcm": "no scanning sector was found", f"x{evil}.mp4": f"no {evil}"}
        for name, reason in rejected.items():
            writer.writerow({"clip": name, "view": "A4C", "status": "rejected", "reason": reason})


def write_saliency(run, tasks, evil):
    pixels, values, sector = fan()
    here = run / "saliency"
    saliency_movie(pixels, values, here / "one.webp", 12.0, sector=sector, size=160)
    saliency_strip(pixels, values, here / "one.png", fps=25.0, sector=sector, size=120)
    septum = {"energy": 0.31, "area": 0.06}
    scores = {"sector": {"energy": 0.97, "area": 0.41}, "structures": {f"septum{evil}": septum}}
    maps = []
    for task, classes in tasks.items():
        for view in ("PLAX", "A4C", "PSAX-P"):
            for i, label in enumerate(classes):
                guess = classes[0] if (view, i) == ("A4C", 1) else label
                what = {"task": task, "approach": "spatio-temporal", "view": view, "split": 0}
                what |= {"patient": f"p00{i}", "clip": f"p00{i}-{view}{evil}", "start": 7}
                what |= {"label": label, "predicted": guess, "confidence": 0.9, "scores": scores}
                files = {"movie": "saliency/one.webp", "strip": "saliency/one.png"}
                maps.append(what | files | {"method": "captum-gradcam"})
    dump(run / "saliency" / "index.json", {"schema": 1, "maps": maps})


def write_study(root, *, evil="", views=("PLAX", "A4C", "PSAX-P")):
    """Write a prediction over source frames that are larger than the box the network saw."""
    out = root / "study"
    classes = CLASSES["severity"]
    pixels, values, sector = fan(30)
    box = Box(30, 60, 96, 96)
    source = np.zeros((30, 140, 200), np.uint8)
    source[:, *box.slices] = pixels
    shares = {"none": 0.05, "mild": 0.2, "moderate-severe": 0.75}
    clips = []
    for i, view in enumerate(views):
        label = classes[1] if view == "A4C" else classes[2]
        movie, strip = out / f"{view}.webp", out / f"{view}.png"
        saliency_movie(source, values[:12], movie, 15.0, box=box, sector=sector, start=5)
        saliency_strip(source, values[:12], strip, box=box, sector=sector, start=5)
        votes = [label] * (9 - i) + [classes[1]] * (1 + i)
        clip = {"clip": f"IMG_{i}{evil}.dcm", "view": view, "view_from": "file", "label": label}
        clip |= {"confidence": votes.count(label) / 10, "probabilities": shares, "frames": 30}
        clip["sequences"] = [{"start": 2 * n, "label": v} for n, v in enumerate(votes)]
        clip["saliency"] = {"array": "", "movie": movie.name, "strip": strip.name}
        clips.append(clip | {"fps": 25.0})
    subject = {"patient": f"017{evil}", "label": "moderate-severe", "confidence": 0.83}
    subject |= {"probabilities": shares, "views_used": list(views), "clips": clips}
    subject["views_missing"] = ["PSAX-S", "PSAX-A"]
    document = {"schema": 1, "study": f"017{evil}", "run": "demo", "recipe": "ph-newborn"}
    document |= {"task": "severity", "classes": classes, "synthetic_training": True}
    document["subjects"] = [subject] if views else []
    reason = "colour Doppler only; there is no B-mode region"
    document["rejected"] = [{"where": f"IMG_9{evil}.dcm", "reason": reason, "view": None}]
    dump(out / "prediction.json", document)
    return out


class Page(HTMLParser):
    """A page's tags, attributes and words; fails on tags that do not close in order."""

    VOID = ("meta", "link", "img", "br", "path", "polyline", "circle")

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text("utf-8")
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(self.source)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    @property
    def ids(self):
        """The places of the page that can be linked to."""
        return {attributes["id"] for _, attributes in self.attributes if "id" in attributes}

    def data(self, name):
        """The values of one `data-` attribute, in the order of the page."""
        return [a[f"data-{name}"] for _, a in self.attributes if f"data-{name}" in a]

    def inside(self, place):
        """The words of the section with this id."""
        section = re.search(rf'<section[^>]*labelledby="{place}".*?</section>', self.source, re.S)
        return re.sub(r"<[^>]+>|\s+", " ", section[0])

    def all(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture(scope="session")
def kit():
    """What these tests share."""
    return SimpleNamespace(
        write_run=write_run, write_study=write_study, Page=Page, dump=dump, fan=fan,
        CLASSES=CLASSES, BINARY=BINARY, SETS=SETS, SKILL=SKILL, HOSTILE=HOSTILE,
    )  # fmt: skip


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A full run: two tasks, two approaches, five views. Not to be changed."""
    return write_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def run_page(run):
    return Page(build_run_report(run))


@pytest.fixture(scope="session")
def _small(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    return write_run(root, patients=20, splits=1, tasks=BINARY, approaches=("spatial",))


@pytest.fixture
def small(_small, tmp_path):
    """A run of one task, approach and split, to be changed at will."""
    return shutil.copytree(_small, tmp_path / "runs" / "demo")


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("studies"))


@pytest.fixture(scope="session")
def study_page(study):
    return Page(build_study_page(study))
