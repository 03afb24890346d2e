"""Damages runs, bundles and weights at random, predicts with them, and says how each case ends.

    python tests/support/fuzz_results.py FIRST COUNT    one line of JSON for each case

Half of the cases are sealed anew after the damage, as somebody would who wants it not to be seen:
digests then hide nothing, and whatever reads the files must refuse them by itself.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import SECONDS, mutant

from echokit import EchokitError, load
from echokit.recipe.demo import demo_folders
from echokit.studies.manifest import NAME, seal
from echokit.system.digests import SEAL, WEIGHTS_DIGEST, Digests, file_digest, write_sealed

MEMORY = 12 * 2**30
"""Bytes of addresses that the process may have; torch takes some without using them."""
RUN = demo_folders()["ph-newborn"]
"""A small finished run: the one that comes with the recipe of the newborns."""
TASK, APPROACH = "severity", "spatio-temporal"
VIEWS = ("PLAX", "A4C", "PSAX-P")


def make_bundle(folder: Path) -> Path:
    """Make a bundle of the run in the format that echokit reads its own weights from."""
    shutil.copyfile(RUN / "recipe.toml", folder / "recipe.toml")
    shutil.copytree(RUN / "novelty" / TASK / APPROACH, folder / "novelty")
    described: dict[str, Any] = {}
    for view in VIEWS:
        source = RUN / "models" / TASK / APPROACH / view
        facts = json.loads((source / "split-00.json").read_text())
        file = folder / "models" / view / "model.safetensors"
        file.parent.mkdir(parents=True)
        shutil.copyfile(source / "split-00.safetensors", file)
        described[view] = {
            "file": file.relative_to(folder).as_posix(),
            "shape": facts["input_shape"],
            "logits": [[0.0] * len(facts["classes"])] * 2,
            "agreement": [],
        }
    classes = facts["classes"]
    known = {"echokit": "0.1.0", "format": "torch-export", "run": "demo", "recipe": "ph-newborn"}
    known |= {"task": TASK, "approach": APPROACH, "classes": classes, "synthetic": True}
    end = seal(folder, known | {"views": described, "records": {}})
    return folder.rename(folder.with_name(f"demo-{end}.echokit"))


def fan(frames: int = 24, height: int = 96, width: int = 128) -> np.ndarray:
    """Frames of tissue that flickers in a fan."""
    row, column = np.mgrid[:height, :width]
    down, right = row + 5, column - width / 2
    inside = (np.abs(np.arctan2(right, down)) < 0.6) & (np.hypot(down, right) < 0.95 * height)
    noise = np.random.default_rng(0).integers(60, 200, (frames, height, width))
    return (noise * inside).astype(np.uint8)


def copy_linked(source: Path, target: Path) -> Path:
    """Copy a folder; its files stay those of the source until they are written anew."""
    return Path(shutil.copytree(source, target, copy_function=os.link))


def put(path: Path, data: bytes) -> None:
    """Write a file anew, and not the one that it is linked to."""
    path.unlink()
    path.write_bytes(data)


def seal_run(run: Path, file: Path) -> None:
    """Seal a run anew after a file of it was changed."""
    if file.suffix == ".safetensors" and file.with_suffix(".json").is_file():
        description = file.with_suffix(".json")
        facts = json.loads(description.read_bytes()) | {WEIGHTS_DIGEST: file_digest(file)}
        put(description, json.dumps(facts).encode())
    if file.name == "run.json":
        _seal_json(file)
    if file.name == "digests.json":
        _seal_json(file)
        return
    digests = Digests.read(run)
    names = tuple(digests.files)
    shutil.copyfile(run / "digests.json", run / "copied")
    (run / "copied").replace(run / "digests.json")
    digests.files = {name: file_digest(run / name) for name in names if (run / name).is_file()}
    write_sealed(run / "digests.json", {"schema": 1, "files": digests.files})


def _seal_json(file: Path) -> None:
    try:
        document = json.loads(file.read_bytes())
        document.pop(SEAL, None)
        file.unlink()
        write_sealed(file, document)
    except (ValueError, AttributeError, RecursionError):  # it holds no object any more
        return


def seal_bundle(bundle: Path, file: Path) -> Path:
    """Seal a bundle anew after a file of it was changed, and give it its new name."""
    manifest = bundle / NAME
    if file != manifest:
        facts = json.loads(manifest.read_bytes())
        digests = facts["files"] | {file.relative_to(bundle).as_posix(): file_digest(file)}
        put(manifest, json.dumps(facts | {"files": digests}).encode())
    return bundle.rename(bundle.with_name(f"demo-{file_digest(manifest)[:12]}.echokit"))


def outcome(path: Path) -> str:
    """Predict with a run or a bundle: `clip`, `error`, or what is wrong with how it ended."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = load(path, engine="torch")
            result = model.predict(fan(), view="A4C", saliency=False, judge_anyway=True)
            document = result.to_json()
        json.dumps(document, allow_nan=False)
        for subject in document["subjects"]:
            total = sum(subject["probabilities"].values())
            assert math.isclose(total, 1, abs_tol=1e-3), f"probabilities sum to {total}"
            assert subject["label"] in subject["probabilities"], "a label without probability"
        return "clip" if document["subjects"] else "rejection"
    except EchokitError as error:
        return "error" if str(error) else "an error without a reason"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]


def damage(number: int, sound: Path, bundle: Path, place: Path) -> tuple[str, Path]:
    """Damage one file of a run or of a bundle; return what was damaged, and where it is."""
    rng = random.Random(number)
    is_run, sealed = number % 2 == 0, number % 4 >= 2
    source = sound if is_run else bundle
    folder = copy_linked(source, place / source.name)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    of_weights = [path for path in files if path.suffix == ".safetensors"]
    # half of the cases are of what describes a run, which is small and read in many places
    described = [path for path in files if path not in of_weights]
    file = rng.choice(described if rng.random() < 0.5 else of_weights)
    data, is_text = file.read_bytes(), file.suffix in (".json", ".toml")
    put(file, mutant(data, is_text, rng, [data, rng.choice(files).read_bytes()]))
    name = f"{'run' if is_run else 'bundle'}{', sealed' * sealed}: {file.relative_to(folder)}"
    if sealed and is_run:
        seal_run(folder, file)
    elif sealed:
        folder = seal_bundle(folder, file)
    return name, folder


def run(first: int, count: int) -> None:
    """Print one line of JSON for each case: number, what was damaged, end and seconds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        (folder / "bundle").mkdir()
        bundle = make_bundle(folder / "bundle")
        sound = Path(shutil.copytree(RUN, folder / "demo"))
        print(json.dumps({"undamaged": [outcome(sound), outcome(bundle)]}), flush=True)
        for number in range(first, first + count):
            print(json.dumps({"case": number, "begun": True}), flush=True)
            place = folder / str(number)
            place.mkdir()
            name, damaged = damage(number, sound, bundle, place)
            began = time.process_time()
            end = outcome(damaged)
            seconds = time.process_time() - began
            if seconds > SECONDS:
                end = f"it took {seconds:.1f} seconds"
            line = {"case": number, "seed": name, "end": end, "seconds": round(seconds, 3)}
            print(json.dumps(line), flush=True)
            shutil.rmtree(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]))
