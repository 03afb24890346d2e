"""The contract of a command.

Its name is lower-case words with hyphens. `--help` of it, and of every command below it, says what
it does and what every argument and option is for, and runs nothing. Registering it imports no
heavy library: those belong inside the command's function, so that `echokit --help` stays instant.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from echokit.plugins.commands import collect_commands
from echokit.plugins.registry import registry
from echokit.testing.contracts.rules import attempt, expect
from echokit.testing.contracts.suite import Contract, keep

if TYPE_CHECKING:
    import typer

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
HEAVY = ("torch", "pandas", "scipy", "sklearn", "matplotlib", "zarr", "monai", "torchvision")
"""Libraries that take longer to import than help may take."""
REGISTER = """
import json, sys, warnings
from importlib.metadata import distribution
from echokit.plugins.registry import Registry
name, entry, *heavy = sys.argv[1:]
(found,) = {e for e in distribution(name).entry_points if (e.group, e.name) == ("echokit", entry)}
warnings.simplefilter("ignore")
Registry().load(found)
print(json.dumps([module for module in heavy if module in sys.modules]))
"""
"""Registers one plugin in a fresh process, and tells which libraries that imported."""


def check_commands(register_commands: Callable[[typer.Typer], None]) -> None:
    """Check the contract of every command that a hook adds.

    Args:
        register_commands: the hook.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    for command in collect_commands(register_commands).values():
        keep(CommandContract.of(partial(_same, command)))


class CommandContract(Contract):
    """A command is not made but found, as typer made it; see this module."""

    kind = "command"

    def inapplicable(self) -> Mapping[str, str]:
        """Without an installed distribution there is nothing to import in a fresh process."""
        if self.factory is not None:
            return {"test_light": "It is no command of an installed plugin."}
        return {}

    def test_name(self) -> None:
        """Its name is lower-case words with hyphens between them."""
        for words, _ in _every(self.make()):
            expect(
                NAME.fullmatch(words[-1]),
                f"A command is called {words[-1]!r}: write it in lower-case words with hyphens.",
            )

    def test_help(self) -> None:
        """`--help` of it and of every command below it says what it does, and runs nothing."""
        for words, command in _every(self.make()):
            written = " ".join(words)
            expect(
                (command.help or "").strip(),
                f"{written!r} does not say what it does: give its function a docstring.",
            )
            with attempt(f"echokit {written} --help"):
                code, shown = _typed(command, "--help")
            expect(
                code == 0 and "--help" in shown,
                f"echokit {written} --help ended with {code} and showed {shown.strip()!r}: help "
                "and exit code 0 are expected.",
            )

    def test_words(self) -> None:
        """Every argument and option of it says what it is for."""
        for words, command in _every(self.make()):
            silent = [
                parameter.name
                for parameter in command.params
                if not getattr(parameter, "hidden", False) and not getattr(parameter, "help", None)
            ]
            expect(
                not silent,
                f"{' '.join(words)!r} does not say what {', '.join(map(str, silent))} is for: "
                'write Annotated[..., typer.Option(help="...")].',
            )

    def test_light(self) -> None:
        """Registering it imports no heavy library; those belong inside the command's function."""
        owner, _, entry_point = registry().find("command", self.component).owner.partition(":")
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-c", REGISTER, owner, entry_point, *HEAVY],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
        expect(done.returncode == 0, f"Registering it alone failed: {done.stderr.strip()}")
        heavy = json.loads(done.stdout.splitlines()[-1])
        expect(
            not heavy,
            f"Registering it imports {', '.join(heavy)}: import that inside its function.",
        )


def _same(command: Any) -> Any:
    return command


def _every(command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and all below it, each with the words that call it."""
    yield (command.name,), command
    for below in getattr(command, "commands", {}).values():
        for words, one in _every(below):
            yield (command.name, *words), one


def _typed(command: Any, *words: str) -> tuple[object, str]:
    """Exit code and output of a command."""
    shown = StringIO()
    with redirect_stdout(shown), redirect_stderr(shown):
        try:
            command.main(list(words), prog_name=f"echokit {command.name}")
        except SystemExit as end:
            return end.code or 0, shown.getvalue()
    return 0, shown.getvalue()
