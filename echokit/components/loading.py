"""Make the loader that a slot of a recipe names."""

from __future__ import annotations

from echokit.errors import UsageError
from echokit.interfaces import Loader
from echokit.plugins.registry import resolve
from echokit.recipe import Slot
from echokit.system.sources import reveal_source


def make_loader(slot: Slot, **more: object) -> Loader:
    """Make the loader that a slot names; `more` overrides its options.

    Raises:
        UsageError: nobody knows on this machine where the data are.
    """
    options: dict[str, object] = {"source": ""} | slot.options | more
    source = reveal_source(str(options["source"]))
    if source is None:
        raise UsageError(
            "Where the run's data are is kept apart from it, and not known on this machine: say it "
            "with --data, as in echokit run --resume RUN --data PATH."
        )
    loader: Loader = resolve("loader", slot.use, **options | {"source": source})
    return loader
