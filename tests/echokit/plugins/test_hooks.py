"""What is wrong with a plugin's hooks is told with its distribution and what to type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner

from echokit import PluginError, deprecated_option, hookimpl, resolve
from echokit.plugins.renamed import DeprecatedOptionWarning


def install(site: Path, distribution: str, source: str, module: str = "") -> None:
    """Lay out a distribution as pip does: a module and its dist-info."""
    site.mkdir(exist_ok=True)
    name = distribution.replace("-", "_")
    (site / f"{name}.py").write_text(dedent(source), "utf-8")
    info = site / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[echokit]\nx = {module or name}\n")


def problems(site: Path) -> list[str]:
    """What a fresh process says of the distributions in `site`."""
    code = (
        "import json; from echokit.plugins.registry import registry;"
        "print(json.dumps([p for p in registry().problems if 'cardiac' not in p]))"
    )
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def command(*words: str) -> tuple[int, str]:
    from echokit.cli import app

    done = CliRunner().invoke(app, ["plugins", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


MISSPELT = """
def register_backbone(register): ...
"""

HALF_MISSPELT = """
from echokit import hookimpl
def vote(): ...
def register_agregators(register): ...
@hookimpl
def register_aggregators(register): register("vote", vote)
"""

NO_HOOK = "def tiny3d(num_classes, in_channels): ..."

MARKED_MISSPELT = """
from echokit import hookimpl
@hookimpl
def register_backbone(register): ...
"""

WRONG_ARGUMENT = """
from echokit import hookimpl
@hookimpl
def register_backbones(add): ...
"""

NO_ARGUMENT = """
from echokit import hookimpl
@hookimpl
def register_backbones(): ...
"""

RAISING = """
from echokit import hookimpl
def half_way():
    raise ValueError("half way")
@hookimpl
def register_backbones(register):
    half_way()
"""

ENDING = """
from echokit import hookimpl
@hookimpl
def register_backbones(register): raise SystemExit(3)
"""

NAMELESS = """
from echokit import hookimpl
@hookimpl
def register_backbones(register): register(3, lambda num_classes, in_channels: None)
"""

SIGNATURELESS = """
from echokit import hookimpl
@hookimpl
def register_aggregators(register): register("x", dict)
"""


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (MISSPELT, "is not used: Its register_backbone is no hook: if register_backbones is meant"),
        (NO_HOOK, "is not used: It has no hook: write one, such as `def register_backbones(reg"),
        (HALF_MISSPELT, ": Its register_agregators is no hook: if register_aggregators is meant"),
        (MARKED_MISSPELT, "There is no hook 'register_backbone': did you mean 'register_backbones"),
        (WRONG_ARGUMENT, "takes add: write `def register_backbones(register):`"),
        (NO_ARGUMENT, "takes nothing: write `def register_backbones(register):`"),
        (RAISING, "echokit_x.py:4. Correct it there; to remove it: pip uninstall echokit-x"),
        (ENDING, "a hook of it raised SystemExit: 3, in"),
        (NAMELESS, 'under the name 3: give it a name as text, as in register("my-backbone", ...)'),
        (SIGNATURELESS, "register a function whose keyword arguments are its options"),
        ("import no_such_module.part", "say by pip install no_such_module."),
        ("raise RuntimeError('no')", 'python -c "import echokit_x"'),
    ],
)
def test_what_is_wrong_is_told_once_with_its_distribution(tmp_path, source, says):
    install(tmp_path, "echokit-x", source)
    (problem,) = problems(tmp_path)
    assert problem.startswith("Plugin echokit-x:x")
    assert says in problem
    assert "<module" not in problem


def test_an_entry_point_that_names_nothing_is_the_authors_to_mend(tmp_path):
    install(tmp_path, "echokit-x", "", module="echokit_y.plugin:x")
    (problem,) = problems(tmp_path)
    assert "names a module that is not there" in problem
    assert "pip install echokit_y" not in problem
    assert 'python -c "import echokit_y.plugin"' in problem


def test_a_misspelt_hook_beside_a_good_one_leaves_the_plugin_in_use(tmp_path):
    install(tmp_path, "echokit-x", HALF_MISSPELT)
    (problem,) = problems(tmp_path)
    assert "not used" not in problem
    assert "write @hookimpl above it" in problem


class Named:
    def __init__(self, doc: str) -> None:
        self.doc = doc

    @hookimpl
    def register_aggregators(self, register):
        def vote(*, power: float = 1.0) -> None: ...

        vote.__doc__ = self.doc
        register("vote", vote)


LONG = f"{'A long first line, ' * 8}which ends here."


def test_a_name_of_two_distributions_is_shown_twice(isolated_plugins):
    isolated_plugins.add(Named("The first."), "echokit-a:a", "1")
    isolated_plugins.add(Named("The second."), "echokit-b:b", "2")
    code, out = command("show", "vote")
    assert code == 0
    assert "aggregator of echokit-a:a 1" in out
    assert "aggregator of echokit-b:b 2" in out
    assert [row["doc"] for row in json.loads(command("show", "vote", "--json")[1])] == [
        "The first.",
        "The second.",
    ]
    assert "The first." not in command("show", "echokit-b/vote")[1]
    with pytest.raises(PluginError, match="No component is called 'echokit-c/vote'"):
        command("show", "echokit-c/vote")


def test_a_pipe_does_not_cut_what_is_listed(isolated_plugins):
    isolated_plugins.add(Named(LONG), "echokit-a:a", "1")
    assert f"vote                       [echokit-a:a] {LONG}\n" in command("list")[1]


def test_a_renamed_option_warns_once_whatever_its_values(isolated_plugins):
    class Renaming:
        @hookimpl
        def register_aggregators(self, register):
            @deprecated_option("strength", instead="power", since="0.2")
            def vote(*, power: float = 1.0) -> float:
                return power

            register("renamed", vote)

    isolated_plugins.add(Renaming(), "echokit-values:x")
    with pytest.warns(DeprecatedOptionWarning) as caught:
        assert [resolve("aggregator", "renamed", strength=n) for n in (2, 3)] == [2, 3]
    assert len(caught) == 1
