"""What a run left behind, read file by file; a file that is absent or broken is named, with why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from echokit.errors import DamagedError
from echokit.system.checked import read_csv, read_json, read_parquet
from echokit.system.digests import NAME as DIGESTS
from echokit.system.digests import Digests, read_sealed
from echokit.voting.table import REQUIRED

T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """A result that the page has to do without."""

    file: str
    """Path within the run."""
    reason: str
    """What is wrong with it, as the end of a sentence that begins with the path."""
    damaged: bool = False
    """Whether the file is there and cannot be trusted, or is gone though it was written."""


@dataclass(frozen=True, slots=True)
class History:
    """The course of one network's training."""

    task: str
    approach: str
    view: str
    split: str
    epochs: tuple[Json, ...]
    """Per epoch: `epoch`, `loss`, `accuracy`, `lr`, `seconds`."""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a report is made of."""

    root: Path
    run: Json
    """run.json, empty where there is none, as are all the others."""
    recipe: Json
    environment: Json
    rows: tuple[Json, ...]
    """The rows of metrics.json."""
    maps: tuple[Json, ...]
    """The entries of saliency/index.json."""
    networks: tuple[Json, ...]
    """What shuffling frames does to each network and how its maps fared, of the same file."""
    histories: tuple[History, ...]
    cohort: pd.DataFrame | None
    predictions: pd.DataFrame | None
    fusion: Json = field(default_factory=dict)
    """fusion.json, voting rules compared."""
    paired: tuple[Json, ...] = ()
    """How far one approach leads another on the same patients, of metrics.json."""
    calibration: Json = field(default_factory=dict)
    """calibration.json, how far probabilities and confidences can be trusted."""
    learning: tuple[Json, ...] = ()
    """The rows of learning.json: which networks did not learn."""
    external: Json = field(default_factory=dict)
    """external.json, the figures on an external test cohort."""
    gaps: tuple[Gap, ...] = field(default=())

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.run.get("name") or self.root.resolve().name)

    @property
    def synthetic(self) -> bool:
        """True where any of the files says that the cohort is simulated."""
        return (
            bool(self.run.get("synthetic"))
            or any(row.get("synthetic") for row in self.rows)
            or _any_synthetic(self.cohort)
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task that has a figure, in the order of the figures."""
        return tuple(dict.fromkeys(str(row["task"]) for row in self.rows))

    def classes(self, task: str) -> tuple[str, ...]:
        """Label names of a task, least severe first; empty where no file says."""
        for row in self.rows:
            if row["task"] == task and row.get("classes"):
                return tuple(map(str, row["classes"]))
        return ()

    def is_set(self, views: str) -> bool:
        """True for a set of views that vote together, such as MV-All; False for one view."""
        if self.predictions is not None:
            levels = self.predictions.loc[self.predictions["view"] == views, "level"]
            return bool((levels == "subject").any())
        return views in (self.recipe.get("view_sets") or ())


def _any_synthetic(cohort: pd.DataFrame | None) -> bool:
    return cohort is not None and bool((cohort.get("synthetic", pd.Series()) == "True").any())


def read_results(run: Path) -> Results:
    """Read a run's result files; nothing here raises for a file that is absent or broken."""
    gaps: list[Gap] = []
    digests = _digests(run, gaps)

    def get(file: str, read: Callable[[Path], T], absent: T) -> T:
        path = run / file
        if not path.is_file():
            gaps.append(Gap(file, "is not there", file in digests.files))
            return absent
        if digests.problem(file) and file != "recipe.toml":  # which may be corrected by hand
            gaps.append(Gap(file, "is not what the run wrote", damaged=True))
            return absent
        try:
            return read(path)
        except Exception as error:  # a broken file may raise anything; the page names it
            gaps.append(Gap(file, f"cannot be read ({_reason(error)})", damaged=True))
            return absent

    def besides(file: str, name: str, keys: Iterable[str]) -> tuple[Json, ...]:
        return () if digests.problem(file) else _besides(run / file, name, keys)

    recipe: Json = get("recipe.toml", _toml, {})
    wants_maps = not recipe or "explain" in recipe or (run / "saliency").exists()
    wants_fusion = bool(recipe.get("fusion")) or (run / "fusion.json").exists()
    wants_trust = bool((recipe.get("crossfit") or {}).get("folds"))
    wants_trust = wants_trust or (run / "calibration.json").exists()
    wants_external = "test" in recipe or (run / "external.json").exists()
    return Results(
        root=run,
        run=get("run.json", read_sealed, {}),
        recipe=recipe,
        environment=get("environment.json", _object, {}),
        rows=get("metrics.json", _metrics, ()),
        maps=_whole_maps(get("saliency/index.json", _maps, ()), digests, gaps)
        if wants_maps
        else (),
        networks=besides("saliency/index.json", "networks", ("task", "approach", "view")),
        paired=besides("metrics.json", "paired", ("task", "approaches", "views")),
        histories=_histories(run, digests, gaps),
        cohort=get("cohort.csv", _csv, None),
        predictions=get("predictions.parquet", _predictions, None),
        fusion=get("fusion.json", _fusion, {}) if wants_fusion else {},
        learning=get("learning.json", _learning, ()) if (run / "learning.json").exists() else (),
        external=get("external.json", _external, {}) if wants_external else {},
        calibration=get("calibration.json", _calibration, {}) if wants_trust else {},
        gaps=tuple(gaps),
    )


def _digests(run: Path, gaps: list[Gap]) -> Digests:
    """Read the digests of the run's files; a damaged file of digests is a gap, and holds none."""
    try:
        return Digests.read(run)
    except DamagedError:
        gaps.append(Gap(DIGESTS, "is damaged: no other file was checked", damaged=True))
        return Digests(run)


def _reason(error: Exception) -> str:
    """What is wrong with a file, without its path and without what to type."""
    if isinstance(error, DamagedError):
        return str(error).partition(" is damaged: ")[2].partition(". Type `")[0]
    return f"{type(error).__name__}: {error}"


def _whole_maps(maps: tuple[Json, ...], digests: Digests, gaps: list[Gap]) -> tuple[Json, ...]:
    """Return the maps whose files are as they were written; others are gaps."""
    whole = []
    for entry in maps:
        files = [str(entry[kind]) for kind in ("array", "movie", "strip") if kind in entry]
        broken = [file for file in files if digests.problem(file)]
        gaps += [Gap(file, "is not what the run wrote", damaged=True) for file in broken]
        whole += [] if broken else [entry]
    return tuple(whole)


def _object(path: Path) -> Json:
    value = read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def _toml(path: Path) -> Json:
    return tomllib.loads(path.read_text("utf-8"))


def _csv(path: Path) -> pd.DataFrame | None:
    return read_csv(path, ("clip", "patient", "view", "status", "reason"))


def _predictions(path: Path) -> pd.DataFrame | None:
    return read_parquet(path, REQUIRED)


def _metrics(path: Path) -> tuple[Json, ...]:
    document = _object(path)
    synthetic = {"synthetic": bool(document.get("synthetic"))}
    rows = _rows(document.get("rows"), ("task", "approach", "views"))
    return tuple(row | synthetic for row in rows)


def _learning(path: Path) -> tuple[Json, ...]:
    return _rows(_object(path).get("rows"), ("task", "approach", "view", "split"))


def _maps(path: Path) -> tuple[Json, ...]:
    return _rows(_object(path).get("maps"), ("task", "approach", "view"))


def _fusion(path: Path) -> Json:
    document = _object(path)
    _rows(document.get("rows"), ("task", "approach", "method", "views"))
    for summary in _rows(document.get("summary"), ("task", "approach", "methods")):
        _rows(summary["methods"], ("method", "all_views"))
    return document


def _external(path: Path) -> Json:
    document = _object(path)
    keys = ("task", "approach", "views")
    for rows in ("rows", "differences"):
        _rows(document.get(rows), keys)
    return document


def _calibration(path: Path) -> Json:
    document = _object(path)
    keys = ("task", "approach", "views", "n_subjects", "n_predictions", "vote", "raw", "selective")
    _rows(document.get("rows"), keys)
    return document


def _besides(path: Path, name: str, keys: Iterable[str]) -> tuple[Json, ...]:
    """A list that earlier versions did not write; that its file is broken is said elsewhere."""
    try:
        return _rows(_object(path).get(name), keys)
    except (DamagedError, ValueError):
        return ()


def _rows(rows: Any, keys: Iterable[str]) -> tuple[Json, ...]:
    if not isinstance(rows, list):
        raise ValueError("its list of rows is missing")
    for row in rows:
        if not isinstance(row, Mapping) or any(key not in row for key in keys):
            raise ValueError(f"a row lacks one of {', '.join(keys)}")
    return tuple(dict(row) for row in rows)


def _histories(run: Path, digests: Digests, gaps: list[Gap]) -> tuple[History, ...]:
    found = []
    for path in sorted((run / "models").glob("*/*/*/split-*.json")):
        if "-fold-" in path.stem:  # an inner network, which judges nobody of the figures
            continue
        task, approach, view, _ = path.relative_to(run / "models").parts
        if digests.problem(file := path.relative_to(run).as_posix()):
            gaps.append(Gap(file, "is not what the run wrote", damaged=True))
            continue
        try:
            epochs = tuple(_object(path)["history"])
            for epoch in epochs:
                float(epoch["loss"])
        except Exception as error:  # as above
            gaps.append(Gap(file, f"cannot be read ({_reason(error)})", damaged=True))
            continue
        found.append(History(task, approach, view, path.stem.removeprefix("split-"), epochs))
    if not found:
        gaps.append(Gap("models/", "holds no history of training"))
    return tuple(found)


_SPLIT = re.compile(r"(?:(?P<task>.+)_)?split_(?P<number>\d+)")


def split_columns(table: pd.DataFrame) -> dict[str, list[str]]:
    """The split columns of cohort.csv by task; '' where all tasks share the splits."""
    found: dict[str, list[str]] = {}
    for column in table.columns:
        if match := _SPLIT.fullmatch(str(column)):
            found.setdefault(match["task"] or "", []).append(str(column))
    return found


def split_number(column: str) -> str:
    """The number of a split column: `severity_split_03` -> `03`."""
    match = _SPLIT.fullmatch(column)
    return match["number"] if match else column
