"""`echokit plugins new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from echokit.cli.console import out as console
from echokit.plugins.component import KINDS, Kind
from echokit.scaffold import how_to_use, write_plugin


def new(
    name: Annotated[str, typer.Argument(help="Name of the component, such as tiny3d.")],
    kind: Annotated[
        str,
        typer.Option(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}."),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write below.")] = Path(),
) -> None:
    """Write a new plugin: a package that pip installs, with its tests, to make your own."""
    wanted = cast(Kind, kind)
    folder = write_plugin(name, wanted, out)
    bare = folder.name.removeprefix("echokit-")
    package = folder / folder.name.replace("-", "_") / "__init__.py"
    source = " --source PATH" if kind == "loader" else ""
    for line in (
        f"Wrote {folder}. Its {kind} is in {package}. Next:",
        f'  pip install -e "{folder}[test]"',
        f"  echokit plugins check {bare}{source}",
        f"  pytest {folder}",
        f"  {how_to_use(bare, wanted)}",
    ):
        console.print(line, markup=False, soft_wrap=True)
