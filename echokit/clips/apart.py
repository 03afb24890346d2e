"""Keep patients on whom networks are tested apart from those of whom the networks learned."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from echokit.errors import CohortError
from echokit.system.sources import reveal_source

INSTEAD = "Leave them out of the test cohort, or take it from elsewhere."


def same_folder(one: str, other: str) -> bool:
    """Return True if one of two sources of clips lies in the folder of the other.

    The name of a patient then means the same person in both. Elsewhere a name such as `1` may
    belong to several people.
    """
    sources = [reveal_source(source) for source in (one, other)]
    if None in sources:  # where one of them is, is not known on this machine
        return False
    a, b = (_folder(Path(source or "").expanduser().resolve()) for source in sources)
    return a.is_relative_to(b) or b.is_relative_to(a)


def _folder(path: Path) -> Path:
    return path.parent if path.is_file() else path


def refuse_patients(tested: Collection[str], learned: Collection[str]) -> None:
    """Refuse a test cohort with the names of patients of whom networks learned.

    Raises:
        CohortError: there are such patients; the message names some.
    """
    if shared := sorted(set(tested) & set(learned)):
        raise CohortError(
            f"{len(shared)} of the {len(set(tested))} patients of the test cohort are patients of "
            f"the run's own cohort too, such as {', '.join(shared[:3])}: figures on them would be "
            f"too good. {INSTEAD}"
        )


def refuse_clips(tested: Mapping[str, str], learned: Mapping[str, str]) -> None:
    """Refuse a test cohort with clips of whose content networks learned, whatever their names.

    Args:
        tested: clip -> key in the store, a digest of the clip's content and preparation.
        learned: the same of the run's own cohort.

    Raises:
        CohortError: there are such clips; the message names one.
    """
    named = {key: clip for clip, key in learned.items()}
    if shared := [clip for clip, key in tested.items() if key in named]:
        first = shared[0]
        raise CohortError(
            f"{len(shared)} of the {len(tested)} clips of the test cohort have the content of "
            f"clips of the run's own cohort, such as {first}, which is {named[tested[first]]} "
            f"there: figures on them would be too good. {INSTEAD}"
        )
