"""Networks that learned nothing, as the run's page and the terminal show them."""

from __future__ import annotations

from collections.abc import Iterator

from echokit.report.results import Results
from echokit.report.words import plural


def unlearned_sentences(results: Results) -> Iterator[str]:
    """Name each network that did not learn, and why it counts as one, in a sentence."""
    for row in results.learning:
        if row.get("reason"):
            tries = int(row.get("attempts") or 1)
            trained = f", trained from {plural(tries, 'seed')}," if tries > 1 else ""
            yield (
                f"The network of {row['view']} ({row['task']}, {row['approach']}, split "
                f"{row['split']}){trained} did not learn: {row['reason']}. It votes all the same"
            )
