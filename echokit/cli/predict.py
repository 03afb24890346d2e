"""`echokit predict`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.text import Text

import echokit
from echokit.cli.console import out as console
from echokit.cli.console import print_json, warn_of_changed_recipe
from echokit.cli.log_lines import progress_of
from echokit.cli.writing import make_writers, write_all
from echokit.folder import next_free
from echokit.recipe.settings import isolating, loader_options
from echokit.report.words import duration, label_set
from echokit.studies.outcomes import SubjectResult
from echokit.studies.result import StudyResult
from echokit.studies.write import refuse_existing
from echokit.system.pseudonyms import key_file as keep_key

NOTHING_JUDGED = 3
"""Exit status of a study none of whose clips was judged."""


def predict(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of a finished run, a bundle that was exported of one, or demo: the "
            "networks that come with echokit, which learned from synthetic clips."
        ),
    ],
    study: Annotated[
        str,
        typer.Argument(
            help="A DICOM or video file, a folder of them, or LOADER:ADDRESS for another loader "
            "of `echokit plugins list --kind loader`."
        ),
    ],
    view: Annotated[
        str | None,
        typer.Option(
            help="View of every clip (PLAX, A4C, PSAX-P ...); by default the files say. "
            "auto: where they do not, a network does."
        ),
    ] = None,
    view_run: Annotated[
        Path | None,
        typer.Option(
            help="A run that tells views; by default the newest beside RUN, else that of "
            "echokit. With --view auto it "
            "finds them, and it checks those that are given."
        ),
    ] = None,
    view_threshold: Annotated[
        float | None,
        typer.Option(help="How sure that network must be, 0 to 1; by default as in RUN."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the result. By default below predictions/.")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="What runs the networks: auto (the fastest installed, where that is worth it), "
            "torch, torch-compile, openvino or onnxruntime. One that differs from torch is not "
            "used."
        ),
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="exact: 32 bits; fast: bfloat16 where the processor has it.")
    ] = "exact",
    task: Annotated[str | None, typer.Option(help="Task of the run; by default its first.")] = None,
    saliency: Annotated[
        bool,
        typer.Option(
            "--saliency/--no-saliency", help="Explain each clip, or leave that out to be faster."
        ),
    ] = True,
    test_saliency: Annotated[
        bool,
        typer.Option(
            "--test-saliency",
            help="Test each saliency map; else the run's tests of the same network are shown.",
        ),
    ] = False,
    judge_anyway: Annotated[
        bool,
        typer.Option(
            "--judge-anyway",
            help="Predict also clips that are unlike the training clips, or that a network takes "
            "for another view; each is marked.",
        ),
    ] = False,
    writers: Annotated[
        list[str] | None,
        typer.Option(
            "--write",
            "--writer",
            help="What writes the result, as in `echokit plugins list --kind writer`; by default "
            "folder, which writes JSON, saliency and a page. Repeatable: each then has a folder.",
        ),
    ] = None,
    send: Annotated[
        str | None,
        typer.Option(
            help="Address that writers with the option `send` send to what they wrote, such as "
            "an archive's."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of the loader, as in --set colour=remove. Repeatable."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(help="TOML file whose table [study] holds options of the loader. Repeatable."),
    ] = None,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate",
            help="Read files in another process with hard limits of memory and time.",
        ),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(help="New file, for your eyes only, that says whom each pseudonym is of."),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="PUBLIC_KEY",
            help="Refuse a bundle that the owner of this key did not sign, or that was changed "
            "since.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print prediction.json on standard output.")
    ] = False,
) -> None:
    """Predict your own study with a trained run.

    Writes prediction.json, saliency as arrays and playable clips, and a page.
    A clip that cannot be used, or is unlike the training clips, is named there with its reason;
    where none is left, the exit status is 3.
    Research software, not a medical device.
    """
    chosen = make_writers(writers or (), send)
    model = echokit.load(run, task, engine, cast(Any, precision), verify=verify)
    warn_of_changed_recipe(model.folder)
    target = out or next_free(Path("predictions"), f"study-{date.today()}")
    refuse_existing(target)
    with keep_key(key_file):
        result = model.predict(
            study,
            view,
            view_run=view_run,
            view_threshold=view_threshold,
            saliency=saliency,
            test_saliency=test_saliency,
            judge_anyway=judge_anyway,
            options=loader_options(config or (), [*(settings or ()), *isolating(isolate, "")]),
            progress=progress_of(quiet or as_json),
        )
    started = time.monotonic()
    written = write_all(chosen, result, target)
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        _tell(result, written, time.monotonic() - started)
    if not result.subjects:
        raise typer.Exit(NOTHING_JUDGED)


def _tell(result: StudyResult, written: list[Path], writing: float) -> None:
    for subject in result.subjects:
        missing = ", ".join(subject.views_missing)
        why = subject.not_judged or _answer(subject, result)
        told = (
            f": {subject.label} ({why}; views {', '.join(subject.views_used)}"
            f"{f'; without {missing}' if missing else ''})"
        )
        console.print(Text.assemble((subject.name, "bold"), told), soft_wrap=True)
        for clip in subject.clips:
            if clip.unlearned:
                told = f"the network of {clip.view} did not learn: {clip.unlearned}"
                console.print(told, markup=False, soft_wrap=True, style="yellow")
            if clip.judged_anyway:
                told = f"judged anyway: {clip.clip}: {clip.judged_anyway}"
                console.print(told, markup=False, soft_wrap=True, style="yellow")
    for item in result.rejected:
        console.print(f"not used: {item.where}: {item.reason}", markup=False, soft_wrap=True)
    if not result.subjects:
        console.print(
            "No prediction: no clip was judged. Those that can be read are predicted with "
            "--judge-anyway, and marked.",
            style="yellow",
            soft_wrap=True,
        )
    elif result.uncalibrated:
        console.print(result.uncalibrated, markup=False, soft_wrap=True)
    if result.synthetic_training:
        console.print(
            "The networks learned from a synthetic cohort: software test only, no clinical "
            "validity.",
            style="yellow",
        )
    if result.without_saliency:
        console.print(result.without_saliency, markup=False, soft_wrap=True)
    seconds = {stage["name"]: stage["seconds"] for stage in result.stages} | {"write": writing}
    console.print(_took(seconds), style="dim", soft_wrap=True)
    pages = {path.parent: path for path in written if path.suffix == ".html"}
    for page in pages.values():
        console.print(f"Page: {page}", markup=False, soft_wrap=True)
    for path in written:
        if path.parent not in pages:
            console.print(f"Written: {path}", markup=False, soft_wrap=True)


def _answer(subject: SubjectResult, result: StudyResult) -> str:
    """The probability of a patient's label, and the label set."""
    kind = "calibrated" if subject.calibrated else "not calibrated"
    told = f"probability {subject.probability:.2f}, {kind}"
    if subject.label_set is not None:
        told += f"; {label_set(subject.label_set, result.label_set_level)}"
    return told


def _took(seconds: Mapping[str, float]) -> str:
    """Say where the seconds went, most first."""
    steps = sorted(seconds, key=seconds.__getitem__, reverse=True)
    parts = ", ".join(f"{step} {duration(seconds[step])}" for step in steps)
    return f"Took {duration(sum(seconds.values()))}: {parts}."
