"""`echokit plugins new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def new(
    name: Annotated[str, typer.Argument(help="Name of the component, such as tiny3d.")],
    kind: Annotated[
        str,
        typer.Option(help="loader, transform, backbone, aggregator, explainer or recipe."),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write below.")] = Path(),
) -> None:
    """Write a new plugin: a package that pip installs, with its tests, to make your own."""
    from echokit.cli.console import out as console
    from echokit.scaffold import write_plugin
    from echokit.scaffold.write import SWAPS

    folder = write_plugin(name, kind, out)  # type: ignore[arg-type]
    bare = folder.name.removeprefix("echokit-")
    package = folder / folder.name.replace("-", "_") / "__init__.py"
    swap = SWAPS.get(kind, "").format(name=bare, module=bare.replace("-", "_"))
    run = f"echokit run {bare}" if kind == "recipe" else f"echokit run ph-newborn {swap}"
    source = " --source PATH" if kind == "loader" else ""
    for line in (
        f"Wrote {folder}. Its {kind} is in {package}. Next:",
        f'  pip install -e "{folder}[test]"',
        f"  echokit plugins check {bare}{source}",
        f"  pytest {folder}",
        f"  {run}",
    ):
        console.print(line, markup=False, soft_wrap=True)
