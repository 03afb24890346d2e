"""What an executor or a command may get wrong is caught, each by its own rule."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any

import pytest
import typer

from echokit.executors.local import Local
from echokit.plugins.commands import collect_commands
from echokit.plugins.registry import registry
from echokit.testing import (
    CommandContract,
    ContractError,
    ExecutorContract,
    check_commands,
    check_executor,
    judge,
)


def broken_rules(contract: Any) -> set[str]:
    return {verdict.rule for verdict in judge(contract) if verdict.broken is not None}


# --- executors -----------------------------------------------------------------------------------


def in_turn(work, items, sizes, tick):
    for item in items.values():
        work(item, tick)


def forgets_the_last(work, items, sizes, tick):
    in_turn(work, dict(list(items.items())[:-1]), sizes, tick)
    for key in list(items)[-1:]:
        tick(sizes[key])


def never_begins(work, items, sizes, tick):
    for key in items:
        tick(sizes[key])


def ticks_twice(work, items, sizes, tick):
    in_turn(work, items, sizes, tick)
    for size in sizes.values():
        tick(size)


def never_ticks(work, items, sizes, tick):
    in_turn(work, items, sizes, lambda done: None)


def needs_an_item(work, items, sizes, tick):
    max(sizes.values())
    in_turn(work, items, sizes, tick)


def needs_two(work, items, sizes, tick):
    if len(items) != 1:
        in_turn(work, items, sizes, tick)


def swallows(work, items, sizes, tick):
    for item in items.values():
        try:
            work(item, tick)
        except Exception:
            continue


def says_nothing(work, items, sizes, tick):
    try:
        in_turn(work, items, sizes, tick)
    except Exception:
        raise RuntimeError("a job failed") from None


class Remembers:
    def __init__(self):
        self.done = set()

    def __call__(self, work, items, sizes, tick):
        in_turn(work, {k: i for k, i in items.items() if k not in self.done}, sizes, tick)
        self.done |= set(items)


def empties(work, items, sizes, tick):
    while items:
        work(items.popitem()[1], tick)


def quotes(work, items, sizes, tick):
    """As an executor on other machines may: an error of its own that quotes the item's."""
    try:
        in_turn(work, items, sizes, tick)
    except Exception as error:
        raise RuntimeError(f"job 3 ended with 1: {error}") from None


@pytest.mark.parametrize("executor", [in_turn, quotes, Local(1)])
def test_a_good_executor_keeps_every_rule(executor):
    check_executor(lambda: executor)
    assert all(verdict.kept for verdict in judge(ExecutorContract.of(lambda: executor)))


@pytest.mark.parametrize(
    ("executor", "rules"),
    [
        (forgets_the_last, {"every item", "few items", "failure", "again"}),
        (never_begins, {"every item", "few items", "again", "failure"}),
        (ticks_twice, {"every item"}),
        (never_ticks, {"every item"}),
        (needs_an_item, {"few items"}),
        (needs_two, {"few items", "again"}),
        (swallows, {"failure"}),
        (says_nothing, {"failure"}),
        (Remembers(), {"again"}),
        (empties, {"every item", "few items", "again"}),
        (3, {"every item", "few items", "failure", "again"}),
    ],
)
def test_a_broken_executor_breaks_these_rules(executor, rules):
    if isinstance(executor, Remembers):
        found = broken_rules(ExecutorContract.of(Remembers))
    else:
        found = broken_rules(ExecutorContract.of(lambda: executor))
    assert found == rules


def test_an_executor_that_does_not_wait_is_caught(tmp_path):
    told, threads = Event(), []

    def does_not_wait(work, items, sizes, tick):
        def later(item):
            told.wait()
            work(item, lambda done: None)

        threads.extend(Thread(target=later, args=(item,)) for item in items.values())
        for key, thread in zip(items, threads, strict=True):
            thread.start()
            tick(sizes[key])

    try:
        with pytest.raises(ContractError):
            ExecutorContract.of(lambda: does_not_wait).test_every_item(tmp_path)
    finally:
        told.set()
        for thread in threads:
            thread.join()


# --- commands ------------------------------------------------------------------------------------


def good(group):
    @group.command("count-clips")
    def count(folder: Annotated[str, typer.Argument(help="Where the clips are.")]) -> None:
        """Count clips."""

    more = typer.Typer(help="Tables of a run.", no_args_is_help=True)
    group.add_typer(more, name="tables")

    @more.command("write")
    def write(out: Annotated[str, typer.Option(help="Where to.")] = ".") -> None:
        """Write tables."""


def shouts(group):
    group.command("CountClips", help="Count clips.")(lambda: None)


def undocumented(group):
    @group.command("count")
    def count() -> None: ...


def undocumented_below(group):
    more = typer.Typer(help="Tables of a run.")
    group.add_typer(more, name="tables")
    more.command("one", help="Write one.")(lambda: None)

    @more.command("two")
    def two() -> None: ...


def silent_option(group):
    @group.command("count")
    def count(folder: str, deep: bool = False) -> None:
        """Count clips."""


def no_help(group):
    group.command("count", help="Count clips.", add_help_option=False)(lambda: None)


def contracts(register):
    return [CommandContract.of(lambda c=c: c) for c in collect_commands(register).values()]


def test_good_commands_keep_every_rule_that_applies():
    check_commands(good)
    for contract in contracts(good):
        assert {v.rule for v in judge(contract) if not v.kept} == {"light"}


@pytest.mark.parametrize(
    ("register", "rule"),
    [
        (shouts, "name"),
        (undocumented, "help"),
        (undocumented_below, "help"),
        (silent_option, "words"),
        (no_help, "help"),
    ],
)
def test_a_broken_command_breaks_this_rule(register, rule):
    (contract,) = contracts(register)
    assert broken_rules(contract) == {rule}
    with pytest.raises(ContractError):
        check_commands(register)


COMMAND = """
from echokit import hookimpl
{top}

@hookimpl
def register_commands(group):
    {inside}
    @group.command("count-clips")
    def count() -> None:
        '''Count clips.'''
        import torch
"""


@pytest.mark.parametrize(
    ("top", "inside", "broken"),
    [
        ("", "", set()),
        ("import scipy", "", {"light"}),
        ("", "import matplotlib", {"light"}),
    ],
)
def test_a_command_that_is_heavy_to_register_is_caught(tmp_path, monkeypatch, top, inside, broken):
    (tmp_path / "echokit_heavy.py").write_text(COMMAND.format(top=top, inside=inside))
    info = Path(tmp_path / "echokit_heavy-1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echokit-heavy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[echokit]\nheavy = echokit_heavy\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "echokit_heavy", raising=False)
    registry.cache_clear()
    try:
        suite = type("Suite", (CommandContract,), {"component": "echokit-heavy/count-clips"})
        assert broken_rules(suite()) == broken
    finally:
        registry.cache_clear()
