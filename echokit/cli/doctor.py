"""`echokit doctor`."""

from __future__ import annotations

import platform
import warnings
from pathlib import Path
from typing import Annotated

import typer

import echokit
from echokit.cli.console import out, print_json
from echokit.cli.doctor_run import check
from echokit.plugins.registry import KINDS, PluginWarning, registry
from echokit.system.machine import installed_torch, machine, packages, version_of


def doctor(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a run or a bundle to check, file by file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print versions, device and plugin problems; or check a run whole.

    With RUN, every file and prepared clip is compared with its digest, and what can be made again
    is said; the exit code is 2 where something is damaged.
    """
    if run is not None:
        check(run, as_json)
        return

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # shown below, with what to do
        found = registry()
    torch = installed_torch()
    torch_version = None if torch is None else torch.__version__
    facts = {
        "echokit": echokit.__version__,
        "python": platform.python_version(),
        "torch": torch_version,
        "packages": {name: version_of(name) for name in packages()},
        "machine": machine(),
        "components": {kind: len(list(found.of_kind(kind))) for kind in KINDS},
        "problems": [*found.problems, *found.clashes],
    }
    if as_json:
        print_json(facts)
        return
    here = machine()
    out.print(
        f"echokit {echokit.__version__}, Python {platform.python_version()}, "
        f"torch {torch_version or 'missing'}"
    )
    out.print(", ".join(f"{name} {version_of(name) or 'missing'}" for name in packages()))
    out.print(
        f"{here['cpu']}, {here['cores']} cores, {here['memory_gb']} GiB, device {here['device']}"
    )
    if here["device"] == "cpu":
        out.print("No CUDA device: `--preset quick` is made for this; `paper` wants a GPU.")
    out.print(", ".join(f"{len(list(found.of_kind(kind)))} {kind}s" for kind in KINDS))
    for problem in [*found.problems, *found.clashes]:
        out.print(problem, style="yellow", markup=False, soft_wrap=True)
    if not found.problems and not found.clashes:
        out.print("[green]No problem found.[/green]")
