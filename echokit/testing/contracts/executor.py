"""The contract of an executor.

When the call returns, the work of every item is done, be there none, one or more than run at the
same time; keys name the items, and may hold slashes. The ticks add up to the sizes. A failure
reaches the caller and says what the item said. Called again, it does the items again: to leave
out what is done already is the caller's part. The given items and sizes stay as they were.

Work and items can be pickled, and the work may be called twice for an item.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from echokit.interfaces import Executor
from echokit.testing.contracts.rules import attempt, expect
from echokit.testing.contracts.suite import Contract, keep

SIZE = 3
"""Units of each item."""
KEYS = tuple(f"severity/A4C/split-{number:02d}" for number in range(4))
REASON = "the clip of split-01 is short"


def check_executor(factory: Callable[[], Executor]) -> None:
    """Check an executor's contract.

    Args:
        factory: called without arguments; bind options with `functools.partial`.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(ExecutorContract.of(factory))


class ExecutorContract(Contract):
    """Made without arguments besides its options; see this module."""

    kind = "executor"

    def test_every_item(self, tmp_path: Path) -> None:
        """When it returns, the work of every item is done and the ticks add up to the sizes."""
        ticks = _run(self._made(), tmp_path, KEYS)
        _expect_done(tmp_path, KEYS)
        expect(
            sum(ticks) == SIZE * len(KEYS),
            f"The ticks {ticks} add up to {sum(ticks)}: {SIZE * len(KEYS)} is expected, the sum of "
            "the sizes.",
        )

    def test_few_items(self, tmp_path: Path) -> None:
        """It does a single item, and with no item it returns at once."""
        executor = self._made()
        expect(_run(executor, tmp_path, ()) == [], "It ticked where there was nothing to do.")
        _run(executor, tmp_path, KEYS[:1])
        _expect_done(tmp_path, KEYS[:1])

    def test_failure(self, tmp_path: Path) -> None:
        """A failure of an item reaches the caller, with what the item said."""
        executor, given = self._made(), _items(KEYS[:2])
        sizes = dict.fromkeys(given, SIZE)
        try:
            executor(_fail, given, sizes, lambda done: None)
        except Exception as error:
            expect(
                REASON in _chain(error),
                f"An item raised ValueError({REASON!r}), and the caller was told "
                f"{type(error).__name__}: {error}: quote what the item said.",
            )
            return
        expect(False, "An item raised an error, and the call returned as if it had not.")

    def test_again(self, tmp_path: Path) -> None:
        """Called again with the same keys, it does the items again and leaves what it is given."""
        executor = self._made()
        for _ in range(2):
            (tmp_path / KEYS[0].replace("/", "-")).unlink(missing_ok=True)
            _run(executor, tmp_path, KEYS[:1])
            _expect_done(tmp_path, KEYS[:1])

    def _made(self) -> Executor:
        executor: Executor = self.make()
        expect(callable(executor), f"The factory made a {type(executor).__name__}, not callable.")
        return executor


def _items(keys: tuple[str, ...]) -> dict[str, str]:
    return {key: key.replace("/", "-") for key in keys}


def _run(executor: Executor, folder: Path, keys: tuple[str, ...]) -> list[int]:
    """Have the executor write a note for each key; return its ticks."""
    items, sizes, ticks = _items(keys), dict.fromkeys(keys, SIZE), list[int]()
    with attempt(f"Running {len(keys)} items"):
        executor(partial(_note, folder), items, sizes, ticks.append)
    expect(
        items == _items(keys) and sizes == dict.fromkeys(keys, SIZE),
        "It changed the items or the sizes that it was given.",
    )
    return ticks


def _note(folder: Path, item: str, tick: Callable[[int], None]) -> None:
    """Work of some units that leaves a file, in whatever process this is."""
    for _ in range(SIZE):
        tick(1)
    (folder / item).write_text("done", "utf-8")


def _fail(item: str, tick: Callable[[int], None]) -> None:
    if item.endswith("1"):
        raise ValueError(REASON)


def _expect_done(folder: Path, keys: tuple[str, ...]) -> None:
    missing = [key for key, name in _items(keys).items() if not (folder / name).is_file()]
    expect(
        not missing,
        f"It returned, and of {len(keys)} items {', '.join(missing)} had not been done.",
    )


def _chain(error: BaseException | None) -> str:
    """What an error and its causes say."""
    said = []
    while error is not None:
        said.append(str(error))
        error = error.__cause__
    return " ".join(said)
