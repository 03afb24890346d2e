"""The folder of a run: the paths of its results, and the record of its steps."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import echokit
from echokit.errors import UsageError
from echokit.recipe import Recipe, load_recipe
from echokit.recipe.resolve import Address, move_data, resolve_recipe
from echokit.recipe.settings import Settings
from echokit.system.cost import Cost
from echokit.system.files import private_folder, read_json, write_json, write_text
from echokit.system.machine import machine, packages, version_of
from echokit.system.pseudonyms import SALT, fingerprint, is_pseudonym

RESULTS = {
    "crossfit": "crossfit.parquet",
    "predict": "predictions.parquet",
    "fuse": "fusion.json",
    "evaluate": "metrics.json",
    "external": "external.json",
    "calibrate": "calibration.json",
    "novelty": "novelty.json",
    "explain": "",
}
"""Steps that depend on the networks -> result file; empty for a folder of several files."""


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = {}

    @property
    def models(self) -> Path:
        """Folder of the trained networks."""
        return self.path / "models"

    @property
    def predictions(self) -> Path:
        """File of all predictions of held-out patients."""
        return self.path / "predictions.parquet"

    @property
    def crossfit(self) -> Path:
        """File of predictions of training patients; exists only with cross-fitting."""
        return self.path / "crossfit.parquet"

    @property
    def feature_fusion(self) -> Path:
        """File of predictions by feature fusion; exists only if it is enabled."""
        return self.path / "fusion.parquet"

    @property
    def external_predictions(self) -> Path:
        """File of predictions of the external test cohort; exists only where there is one."""
        return self.path / "external.parquet"

    @property
    def novelty(self) -> Path:
        """Folder of what notices clips unlike the training clips."""
        return self.path / "novelty"

    @property
    def store(self) -> Path:
        """Store of prepared clips, shared by all runs in the same parent folder."""
        return self.path.parent / "store.zarr"

    @classmethod
    def create(cls, path: Path, recipe: Recipe) -> RunFolder:
        """Create the folder of a new run, with the resolved recipe and the environment.

        Raises:
            UsageError: the folder exists and is not empty.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(
                f"{path} already exists. Finish it with `echokit run --resume {path}`, or choose "
                "another folder with --out."
            )
        folder = cls(path)
        private_folder(path)
        write_text(path / "recipe.toml", recipe.to_toml())
        write_json(path / "environment.json", environment(recipe))
        folder.state = {
            "schema": 1,
            "name": path.name,
            "recipe": recipe.name,
            "preset": recipe.preset,
            "seed": recipe.seed,
            "synthetic": None,
            "started": _now(),
            "finished": None,
            "stages": [],
        }
        folder.save()
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the folder of a run, finished or not.

        Raises:
            UsageError: the folder is not a run.
        """
        folder = cls(path)
        if not (path / "run.json").is_file() or not (path / "recipe.toml").is_file():
            raise UsageError(
                f"{path} is not a run: it has no run.json and recipe.toml. "
                "`echokit run RECIPE` makes one below runs/."
            )
        try:
            folder.state = read_json(path / "run.json")
            folder.state["stages"]
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{path / 'run.json'} is damaged: {error}. Make the run anew."
            ) from error
        return folder

    def recipe(self) -> Recipe:
        """Load the resolved recipe of the run."""
        return load_recipe(str(self.path / "recipe.toml"))

    def is_done(self, step: str) -> bool:
        """Return True if a step is finished and its result still exists."""
        result = RESULTS.get(step, "")
        done = any(row["name"] == step and row["done"] for row in self.state["stages"])
        return done and (self.path / result).exists()

    def follow(self, recipe: Recipe) -> None:
        """Record the recipe's digests; if one changed, forget the results that depend on it."""
        digest, test = recipe.digest(), recipe.test_digest()
        if self.state.get("recipe_digest", digest) != digest:
            self.forget_results()
        if self.state.get("test_digest", "") != test:
            self.forget_results(("external",))
            for path in self.path.glob("external.*"):
                path.unlink()
        self.state |= {"recipe_digest": digest, "test_digest": test}

    def keep_secret(self, patients: Collection[str]) -> None:
        """Record the mark of the secret that the run's pseudonyms were made with.

        Raises:
            UsageError: the run was begun with another secret, so that its patients would get other
                pseudonyms.
        """
        if not any(map(is_pseudonym, patients)):
            return
        known, now = self.state.get("secret"), fingerprint()
        if known != now and self.state["stages"] and self.is_done("prepare"):
            raise UsageError(
                f"{self.path} has pseudonyms by another secret: resume it as the user who began "
                f"it, or with the same {SALT}, or begin a new run."
            )
        self.state["secret"] = now

    def forget_results(self, steps: Collection[str] = tuple(RESULTS)) -> None:
        """Mark steps as not done; by default those that depend on networks or the cohort."""
        self.state["stages"] = [row for row in self.state["stages"] if row["name"] not in steps]

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Run a step and record its seconds, its peak memory and whether it finished.

        The block receives the step's row of `run.json` and may add to it.
        """
        previous = next((r for r in self.state["stages"] if r["name"] == name), None)
        row = {"name": name, **asdict(Cost()), "done": False, "detail": ""}
        if previous is None:
            self.state["stages"].append(row)
        else:
            self.state["stages"][self.state["stages"].index(previous)] = row
        earlier = previous or row  # the cost of an interrupted attempt counts too
        cost = Cost(earlier["seconds"], earlier["peak_memory_mb"])
        try:
            with cost.measured():
                yield row
            row["done"] = True
        finally:
            row |= asdict(cost) | {"seconds": round(cost.seconds, 3)}
            self.save()

    def remove_begun(self) -> None:
        """Remove the files of a run without results; other files in the folder stay."""
        for name in ("recipe.toml", "environment.json", "run.json"):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def finish(self) -> None:
        """Record that every step is done."""
        self.state["finished"] = _now()
        self.save()

    def save(self) -> None:
        """Write `run.json`."""
        write_json(self.path / "run.json", self.state)


def next_free(parent: Path, name: str) -> Path:
    """Return `parent/name`, or `name-2`, `name-3` ... if that exists."""
    path, number = parent / name, 1
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path


def begin_run(
    recipe: str | None,
    data: Address | None,
    preset: str | None,
    settings: Settings,
    config: Address | Sequence[Address] | None,
    out: Address | None,
    seed: int | None,
    resume: Address | None,
    test_data: Address | None = None,
    check: Callable[[Recipe], object] | None = None,
) -> RunFolder:
    """Create the folder of a new run, or open that of a run to resume.

    Args:
        recipe: name of a recipe, or the path of its TOML file.
        data: the user's own clips.
        preset: one of the recipe's presets.
        settings: overrides by key, or texts as `--set` takes them.
        config: a TOML file that overrides the recipe and the preset, or several, later ones first.
        out: the run's folder; None takes one below `runs/`.
        seed: short for the setting `seed`.
        resume: the folder of a run to resume; excludes all other arguments but `data`, which
            says where its data are now.
        test_data: an external test cohort.
        check: refuses a new run that cannot be carried out, before anything is written.

    Raises:
        EchokitError: the recipe cannot be used, or the folder is not empty.
    """
    if resume is not None:
        others = (recipe, test_data, preset, settings, config, out)
        if any(others) or seed is not None:
            raise UsageError(
                "--resume takes only the run's folder, and --data where its data were moved; the "
                "recipe is the one saved in it."
            )
        folder = RunFolder.open(Path(resume))
        if data is not None:
            move_data(folder.recipe(), Path(data).expanduser().resolve())
        return folder
    resolved = resolve_recipe(recipe, data, preset, settings, config, seed, test_data)
    if check is not None:
        check(resolved)
    place = next_free(Path("runs"), resolved.name) if out is None else Path(out)
    return RunFolder.create(place, resolved)


def environment(recipe: Recipe) -> dict[str, object]:
    """Describe the versions, seed, commit and machine of a run, without names or addresses."""
    import torch  # not at the top: commands that only read a run need no torch

    return {
        "echokit": echokit.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "packages": {name: version_of(name) for name in packages()},
        "seed": recipe.seed,
        "recipe_digest": recipe.digest(),
        "commit": _commit(),
        "machine": machine(),
    }


def _commit() -> str | None:
    """Return the commit of echokit's source; None if it is not a git checkout."""
    source = Path(echokit.__file__).parent
    if not (source.parent / ".git").exists():
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(source), "rev-parse", "HEAD"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 - fixed words
        return answer.stdout.strip()
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
