"""Make the demonstration networks that come with a recipe: train them, keep what predicting takes.

    python benchmarks/demo/make.py ph-newborn plugins/echokit_ph_newborn/demo
    python benchmarks/demo/make.py echo-view plugins/echokit_echo_view/demo

The recipe's preset `demo` says on which synthetic clips and from which seed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

from echokit import open_run, run
from echokit.networks.checkpoint import save_tensors
from echokit.networks.job import Job
from echokit.system.checked import read_json
from echokit.system.digests import WEIGHTS_DIGEST, Digests, file_digest
from echokit.system.files import write_json, write_text

RESULTS = ("crossfit.parquet", "external.json", "learning.json", "metrics.json")
"""Files of a run that a prediction reads beside the networks."""


def main() -> None:
    """Train the preset `demo`, or take a finished run of it, and write its folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("demo", type=Path, help="folder to write, beside the recipe's file")
    parser.add_argument("--run", type=Path, help="folder of the run; resumed if it is there")
    parser.add_argument("--set", nargs="*", default=[], help="key=value, as for `echokit run`")
    given = parser.parse_args()
    folder = given.run or Path("runs") / f"{given.recipe}-demo"
    if (folder / "run.json").is_file():
        run(resume=folder)
    else:
        run(given.recipe, preset="demo", settings=given.set, out=folder)
    keep(folder, given.demo)


def keep(folder: Path, demo: Path) -> None:
    """Copy the first split's networks in half precision, and what predicting with them reads."""
    shutil.rmtree(demo, ignore_errors=True)
    opened = open_run(folder)
    recipe = opened.recipe
    for view in recipe.views.networks:
        for task in recipe.enabled_tasks:
            _copy_network(opened.weights(Job(task, recipe.enabled_approaches[0], view, 0)),
                          folder, demo)  # fmt: skip
    for name in RESULTS:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, demo / name)
    if (folder / "novelty").is_dir():
        shutil.copytree(folder / "novelty", demo / "novelty", dirs_exist_ok=True)
    write_text(demo / "recipe.toml", recipe.to_toml())
    state = {k: opened.folder.state[k] for k in ("schema", "recipe", "preset", "seed", "started")}
    names = {"name": f"{recipe.name}-demo", "synthetic": True, "stages": [], "finished": None}
    write_json(demo / "run.json", state | names | {"finished": opened.folder.state["finished"]})
    Digests(demo).record([*RESULTS, "recipe.toml", "models/**/*", "novelty/**/*"])
    size = sum(path.stat().st_size for path in demo.rglob("*") if path.is_file())
    print(f"{demo}: {size / 1e6:.2f} MB")


def _copy_network(weights: Path, folder: Path, demo: Path) -> None:
    place = demo / weights.relative_to(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    halved = {
        name: tensor.half() if tensor.dtype == torch.float32 else tensor
        for name, tensor in load_file(weights).items()
    }
    save_tensors(place, halved)
    described = read_json(weights.with_suffix(".json"))
    changed = {"history": described["history"][-1:], WEIGHTS_DIGEST: file_digest(place)}
    write_json(place.with_suffix(".json"), described | changed)


if __name__ == "__main__":
    main()
