"""From a name and a kind to a package that pip installs and its own tests pass."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

import echokit
from echokit.errors import UsageError, nearest
from echokit.hookspecs import INTERFACE
from echokit.plugins.registry import KINDS, Kind, registry
from echokit.system.files import whole_folder, write_text

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
USES: dict[Kind, str] = {
    "loader": "echokit run RECIPE --data PATH --set study={name}",
    "transform": "echokit run RECIPE --set augment.{module}.use={name}",
    "backbone": "echokit run RECIPE --set backbone={name}",
    "aggregator": "echokit run RECIPE --set aggregate.view={name}",
    "explainer": "echokit run RECIPE --set explain={name}",
    "recipe": "echokit run {name}",
    "writer": "echokit predict RUN STUDY --writer {name}",
    "executor": "echokit run RECIPE --set executor={name}",
    "command": "echokit {name} --help",
}
"""What uses a component of each kind."""


def write_plugin(name: str, kind: Kind, out: Path) -> Path:
    """Write a plugin's distribution into `out/echokit-<name>`.

    Args:
        name: of the component, such as `tiny3d`: lower-case letters, digits and single hyphens.
        kind: what it is.
        out: the folder to write below.

    Returns:
        The distribution's folder; it appears whole or not at all.

    Raises:
        UsageError: the kind or the name cannot be, the name is taken, or the folder is there.
    """
    if kind not in KINDS:
        raise UsageError(f"There is no kind {kind!r}: {nearest(kind, KINDS)}")
    bare = name.removeprefix("echokit-")
    if not NAME.fullmatch(bare):
        raise UsageError(
            f"{name!r} cannot name a plugin: use lower-case letters, digits and single hyphens, "
            "beginning with a letter, as in tiny3d or mean-vote."
        )
    taken = [c for c in registry().of_kind(kind) if c.name == bare]
    if taken:
        raise UsageError(
            f"{taken[0].owner} already registers the {kind} {bare!r}: choose another name."
        )
    folder = out / f"echokit-{bare}"
    if folder.exists():
        raise UsageError(f"{folder} already exists: choose another name or --out.")
    with whole_folder(folder) as partial:
        for path, text in render(bare, kind).items():
            write_text(partial / path, text)
    return folder


def how_to_use(name: str, kind: Kind) -> str:
    """What to type to use a new component."""
    return USES[kind].format(name=name, module=name.replace("-", "_"))


def render(name: str, kind: Kind) -> dict[str, str]:
    """The files of a new plugin by their path."""
    environment = Environment(
        loader=PackageLoader("echokit.scaffold"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - what is written is Python and TOML
    )
    module = name.replace("-", "_")
    values = {
        "name": name,
        "kind": kind,
        "module": module,
        "package": f"echokit_{module}",
        "distribution": f"echokit-{name}",
        "title": "".join(part.capitalize() for part in name.split("-")),
        "function": f"make_{module}" if kind == "recipe" else module,
        "use": how_to_use(name, kind),
        "interface": INTERFACE,
        "version": echokit.__version__,
    }

    def text(template: str) -> str:
        return environment.get_template(template).render(values)

    files = {
        "pyproject.toml": text("pyproject.toml.j2"),
        "README.md": text("README.md.j2"),
        f"{values['package']}/__init__.py": text(f"{kind}.py.j2"),
        f"{values['package']}/py.typed": "",
        f"tests/test_{module}.py": text("test.py.j2"),
    }
    if kind == "recipe":
        files[f"{values['package']}/recipe.toml"] = text("recipe.toml.j2")
    return files
