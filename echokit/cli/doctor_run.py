"""`echokit doctor RUN`: check every file of a run or a bundle, and say what can be made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from echokit.cli.console import out, print_json
from echokit.clips.store import Store
from echokit.errors import DamagedError, RecipeError
from echokit.folder import RunFolder
from echokit.studies.manifest import is_bundle, unseal
from echokit.system.checked import read_csv
from echokit.system.digests import Digests
from echokit.system.run_record import FILES, read_state

DAMAGED = 2
"""Exit status where something is damaged."""
BY_HAND = "cannot be made again: correct it, or copy it back; else the run is made by what it says"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one file."""

    file: str
    problem: str
    remedy: str
    """How it is made again."""


def check(folder: Path, as_json: bool) -> None:
    """Print what is wrong with a run or a bundle; exit with status 2 where something is.

    Raises:
        UsageError: the folder is neither.
    """
    if is_bundle(folder):
        files = unseal(folder)["files"]  # raises what is wrong
        checked, unknown, findings = len(files), 0, list[Finding]()
    else:
        checked, unknown, findings = check_run(folder)
    if as_json:
        print_json(
            {"checked": checked, "without_digest": unknown, "problems": list(map(asdict, findings))}
        )
    else:
        for one in findings:
            told = f"{one.file}: {one.problem}; {one.remedy}"
            out.print(told, markup=False, soft_wrap=True, style="yellow")
        out.print(f"{checked} files checked, {len(findings)} damaged.", markup=False)
        if unknown:
            out.print(
                f"{unknown} files have no digest: they were written before digests were kept, or "
                "by a step that is not finished.",
                markup=False,
                soft_wrap=True,
            )
    if findings:
        raise typer.Exit(DAMAGED)


def check_run(run: Path) -> tuple[int, int, list[Finding]]:
    """Check the files of a run and its prepared clips.

    Returns:
        How many files were checked, how many have no digest, and what is wrong.
    """
    if not (run / "recipe.toml").is_file():
        RunFolder.open(run)  # says that it is no run
    findings, resume = list[Finding](), f"`echokit run --resume {run}`"
    digests = Digests(run)
    try:
        read_state(run)
    except DamagedError as error:
        findings.append(_finding(run, error, f"begun anew by {resume}"))
    try:
        digests = Digests.read(run)
    except DamagedError as error:
        findings.append(_finding(run, error, f"begun anew by {resume}"))
    for name, problem in digests.problems(("*",)).items():
        remedy = BY_HAND if name == "recipe.toml" else f"made again by {resume}"
        findings.append(Finding(name, problem, remedy))
    try:
        RunFolder(run).recipe()
    except RecipeError as error:
        findings.append(Finding("recipe.toml", str(error).partition(" Correct it")[0], BY_HAND))
    present = {
        path.relative_to(run).as_posix()
        for patterns in FILES.values()
        for pattern in patterns
        for path in run.glob(pattern)
        if path.is_file()
    }
    checked = len(digests.files) + 1
    for key, problem in _clips(run):
        checked += 1
        if problem:
            remedy = f"prepared again from its source by {resume}"
            findings.append(Finding(f"../store.zarr/{key}", problem, remedy))
    return checked, len(present - set(digests.files)), findings


def _finding(run: Path, error: Exception, remedy: str) -> Finding:
    where, _, problem = str(error).partition(" is damaged: ")
    return Finding(Path(where).name or str(run), problem.partition(". Type `")[0], remedy)


def _clips(run: Path) -> Iterator[tuple[str, str]]:
    """Check the prepared clips of a run; nothing is said of a store that was removed whole."""
    store, cohort = Store(RunFolder(run).store), run / "cohort.csv"
    if not cohort.is_file() or not store.path.is_dir():
        return
    try:
        table = read_csv(cohort)
    except DamagedError:  # said above
        return
    for key in sorted(set(table.get("content", ())) - {""}):
        yield key, store.problem(key)
