"""Writes the parts of these pages that are told by the code: the hooks, and each contract's rules.

Type `python docs/plugins/reference.py`; a test fails where a page is behind.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from echokit import hookspecs
from echokit.plugins.registry import KINDS, Kind
from echokit.testing import CONTRACTS, rules

HERE = Path(__file__).parent
BEGIN, END = "<!-- rules, written by reference.py -->", "<!-- end of rules -->"


def hooks() -> str:
    """The page of hooks."""
    parts = [
        "# The hooks",
        f"Everything that a plugin can add, as `echokit/hookspecs.py` says it; interface "
        f"{hookspecs.INTERFACE}. Written by `python docs/plugins/reference.py`.",
        "A plugin is a module that an entry point of the group `echokit` names. It implements the "
        "hooks it needs, each marked with `@hookimpl`, and echokit calls each with a function "
        "`register`, or for commands with a group.",
    ]
    for kind in KINDS:
        function = getattr(hookspecs, f"register_{kind}s")
        text = " ".join((inspect.getdoc(function) or "").split())
        parts.append(
            f"## `{function.__name__}({', '.join(inspect.signature(function).parameters)})`"
        )
        parts.append(f"{text} [What {article(kind)} must do]({kind}.md).")
    return "\n\n".join(parts) + "\n"


def article(kind: Kind) -> str:
    """`a loader`, `an aggregator`."""
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def contract(kind: Kind) -> str:
    """A contract's rules as a list."""
    lines = [
        f"- **{name.removeprefix('test_').replace('_', ' ')}** – {sentence}"
        for name, sentence in rules(CONTRACTS[kind])
    ]
    return "\n".join(lines)


def with_rules(page: str, kind: Kind) -> str:
    """A kind's page with its rules as they are now."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{contract(kind)}\n\n{END}", page)


def pages() -> dict[Path, str]:
    """Every page that holds a written part, as it should be."""
    result = {HERE / "hooks.md": hooks()}
    for kind in KINDS:
        path = HERE / f"{kind}.md"
        result[path] = with_rules(path.read_text("utf-8"), kind)
    return result


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
