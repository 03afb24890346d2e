"""The folder of a run: the paths of its results, and the record of its steps."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from echokit.errors import DamagedError, RecipeError, UsageError
from echokit.recipe import Recipe, load_recipe
from echokit.recipe.environment import environment
from echokit.system.cost import Cost
from echokit.system.digests import NAME as DIGESTS
from echokit.system.digests import Digests, write_sealed
from echokit.system.files import private_folder, write_json, write_text
from echokit.system.locks import NAME as LOCK
from echokit.system.locks import FolderLock, lock_folder
from echokit.system.pseudonyms import SALT, fingerprint, is_pseudonym
from echokit.system.run_record import (
    BEGUN,
    FILES,
    changed_records,
    is_sound,
    read_state,
    warn,
    weights_digests,
    without_advice,
)

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
        self.digests = Digests(path)
        self.lock: FolderLock | None = None
        """Held while a process works in the folder; None while it is only read."""

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
        _refuse_filled(path)
        folder = cls(path)
        private_folder(path)
        folder.lock = lock_folder(path)
        try:
            _refuse_filled(path)  # another process may have been first
        except UsageError:
            folder.release()
            raise
        write_text(path / "recipe.toml", recipe.to_toml())
        write_json(path / "environment.json", environment(recipe))
        folder.digests.record(BEGUN)
        folder.state = folder._new_state(recipe)
        folder.save()
        return folder

    def _new_state(self, recipe: Recipe) -> dict[str, Any]:
        return {
            "schema": 1,
            "name": self.path.name,
            "recipe": recipe.name,
            "preset": recipe.preset,
            "seed": recipe.seed,
            "synthetic": None,
            "started": _now(),
            "finished": None,
            "stages": [],
        }

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the folder of a run, finished or not.

        Raises:
            UsageError: the folder is not a run.
            DamagedError: `run.json` or `digests.json` is damaged.
        """
        folder = cls(path)
        if not (path / "run.json").is_file() or not (path / "recipe.toml").is_file():
            raise UsageError(
                f"{path} is not a run: it has no run.json and recipe.toml. "
                "`echokit run RECIPE` makes one below runs/."
            )
        folder.state = read_state(path)
        folder.digests = Digests.read(path)
        return folder

    @classmethod
    def open_to_resume(cls, path: Path) -> RunFolder:
        """Open the folder of a run and lock it; what is damaged of its records is begun anew.

        Steps that are not on record are carried out again; trained networks are kept.

        Raises:
            UsageError: the folder is not a run, or another process works in it.
        """
        if not (path / "recipe.toml").is_file():
            return cls.open(path)
        folder = cls(path)
        folder.lock = lock_folder(path)
        try:
            folder.state = read_state(path)
        except DamagedError as error:
            told = without_advice(error)
            warn(f"{told}. The record is begun anew, and results are made again.")
            folder.state = folder._new_state(folder.recipe())
        try:
            folder.digests = Digests.read(path)
        except DamagedError as error:
            warn(f"{without_advice(error)}. What was changed since cannot be noticed.")
        return folder

    def release(self) -> None:
        """Let other processes work in the folder."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def recipe(self) -> Recipe:
        """Load the resolved recipe of the run.

        Raises:
            RecipeError: the recipe is damaged.
        """
        try:
            return load_recipe(str(self.path / "recipe.toml"))
        except RecipeError as error:
            raise RecipeError(
                f"{error} Correct it, or make the run again: `echokit run "
                f"{self.state.get('recipe', 'RECIPE')} --out ANOTHER`."
            ) from error

    def check_records(self) -> None:
        """Renew what a run begins with, where it was changed, and say so."""
        if "environment.json" in changed_records(self.path, self.digests, self.state["stages"]):
            write_json(self.path / "environment.json", environment(self.recipe()))
        self.digests.record(BEGUN)

    def is_done(self, step: str) -> bool:
        """Return True if a step is finished and its result still exists."""
        result = RESULTS.get(step, "")
        done = any(row["name"] == step and row["done"] for row in self.state["stages"])
        return done and (self.path / result).exists()

    def is_sound(self, step: str) -> bool:
        """Return True if a step is finished and its files are as it wrote them; else say so.

        Results of later steps depend on it and count as not done any more.
        """
        if not self.is_done(step):
            return False
        sound = is_sound(self.path, self.digests, step, RESULTS[step])
        if not sound:
            order = list(RESULTS)
            self.forget_results(order[order.index(step) :])
        return sound

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
        cost = Cost(earlier.get("seconds", 0.0), earlier.get("peak_memory_mb", 0))
        if name in RESULTS:  # its files are about to change
            self.digests.forget(FILES.get(name, ()))
        try:
            with cost.measured():
                yield row
            self._refuse_removed()
            known = weights_digests(self.path) if name == "train" else None
            self.digests.record(FILES.get(name, ()), known)
            row["done"] = True
        finally:
            row |= asdict(cost) | {"seconds": round(cost.seconds, 3)}
            if (self.path / "recipe.toml").is_file():
                self.save()

    def _refuse_removed(self) -> None:
        """Refuse to go on in a folder that was removed: half a run would look like a run."""
        if not (self.path / "recipe.toml").is_file():
            raise UsageError(
                f"{self.path} was removed while the run worked in it: make the run again, "
                f"`echokit run {self.state['recipe']}`."
            )

    def remove_begun(self) -> None:
        """Remove the files of a run without results; other files in the folder stay."""
        self.release()
        for name in (*BEGUN, "run.json", DIGESTS):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def finish(self) -> None:
        """Record that every step is done, and the digests of files that have none yet."""
        every = [pattern for patterns in FILES.values() for pattern in patterns]
        self.digests.record([*BEGUN, *every], dict(self.digests.files))
        self.state["finished"] = _now()
        self.save()

    def save(self) -> None:
        """Write `run.json`."""
        write_sealed(self.path / "run.json", self.state)


def _refuse_filled(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(p.name != LOCK for p in path.iterdir())):
        raise UsageError(
            f"{path} already exists. Finish it with `echokit run --resume {path}`, or choose "
            "another folder with --out."
        )


def next_free(parent: Path, name: str) -> Path:
    """Return `parent/name`, or `name-2`, `name-3` ... if that exists."""
    path, number = parent / name, 1
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
