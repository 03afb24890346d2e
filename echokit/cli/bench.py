"""`echokit bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure accuracy and speed, repeatably.", no_args_is_help=True)


@app.command("speed")
def speed(
    only: Annotated[
        list[str] | None, typer.Option("--case", help="Only this case. Repeatable.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny sizes: shows that the suite works.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Where the tables go.")] = Path("runs/bench-speed"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure every stage against what a user would write otherwise, in one run.

    Leave the machine alone meanwhile: the ratios are of this run, and other work blurs them.
    """
    from echokit.bench.speed import measure_all, sentence, write_speed
    from echokit.cli.console import Bars, print_json
    from echokit.cli.console import out as console
    from echokit.files import read_json
    from echokit.progress import Silent

    rows = measure_all(quick, only or [], Silent() if as_json else Bars())
    page = write_speed(rows, quick, out)
    if as_json:
        print_json(read_json(out / "speed.json"))
    else:
        for row in rows:
            console.print(sentence(row), markup=False, soft_wrap=True)
        console.print(f"Result: {page}", markup=False, soft_wrap=True)
