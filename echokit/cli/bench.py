"""`echokit bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from echokit.bench.suite import Suite, brought_suite, read_suite, slots
from echokit.cli.console import out as console
from echokit.cli.console import print_json
from echokit.cli.groups import WithPlugins
from echokit.cli.log_lines import progress_of
from echokit.recipe.settings import config_texts
from echokit.system.checked import read_json

app = typer.Typer(
    cls=WithPlugins, help="Measure accuracy and speed, repeatably.", no_args_is_help=True
)


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

    rows = measure_all(quick, only or [], progress_of(as_json))
    page = write_speed(rows, quick, out)
    if as_json:
        print_json(read_json(out / "speed.json"))
    else:
        for row in rows:
            console.print(sentence(row), markup=False, soft_wrap=True)
        console.print(f"Result: {page}", markup=False, soft_wrap=True)


@app.command("accuracy")
def accuracy(
    backbone: Annotated[
        str | None, typer.Option(help="Backbones, comma-separated; the first is the baseline.")
    ] = None,
    aggregator: Annotated[str | None, typer.Option(help="Voting rules, comma-separated.")] = None,
    explainer: Annotated[str | None, typer.Option(help="Explainers, comma-separated.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Repeats, each with splits of its own.")] = None,
    suite: Annotated[
        Path | None,
        typer.Option(
            help="TOML file that defines the benchmark; options override it. By default the one "
            "that a recipe's plugin brings."
        ),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="The recipe that parts are put into.")] = None,
    preset: Annotated[str | None, typer.Option(help="Its preset.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override one key of the recipe. Repeatable.")
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option(help="TOML file laid over the recipe. Repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where runs and tables go.")] = Path(
        "runs/bench-accuracy"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Swap backbones, voting rules and explainers on identical splits: a leaderboard.

    Each backbone is trained once for each seed and serves every voting rule. Stopped, the same
    command goes on where it was.
    """
    from echokit.bench.accuracy import train_all
    from echokit.bench.leaderboard import write_leaderboard

    given = {
        "backbone": slots(backbone.split(",")) if backbone else None,
        "aggregator": slots(aggregator.split(",")) if aggregator else None,
        "explainer": slots(explainer.split(",")) if explainer else None,
        "seeds": seeds,
        "recipe": recipe,
        "preset": preset,
        "settings": [*config_texts(config or ()), *(settings or ())] or None,
    }
    if suite is None and recipe and backbone and aggregator:
        asked = Suite.model_validate({k: v for k, v in given.items() if v is not None})
    else:
        asked = read_suite(suite or brought_suite(recipe)[1], **given)
    progress = progress_of(as_json)
    page = write_leaderboard(asked, train_all(asked, out, progress), out, progress)
    if as_json:
        print_json(read_json(out / "accuracy.json"))
    else:
        console.print((out / "accuracy.md").read_text("utf-8"), markup=False, soft_wrap=True)
        console.print(f"Result: {page}", markup=False, soft_wrap=True)
