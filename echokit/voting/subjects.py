"""Let the views of each subject vote, for every set of views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from echokit.interfaces import Aggregator
from echokit.types import Prediction, Votes
from echokit.voting.abstain import Abstention
from echokit.voting.ballots import of_views
from echokit.voting.table import (
    APPROACH,
    PATIENT,
    SPLIT,
    TASK,
    Place,
    PredictionTable,
    Row,
)


def vote_subjects(
    views: PredictionTable,
    classes: Mapping[str, tuple[str, ...]],
    truth: Mapping[str, Mapping[str, str]],
    sets: Mapping[str, Sequence[str]],
    rule: Callable[[str, str, int], Aggregator],
    abstain: Callable[[Votes, Prediction], Abstention | None],
) -> Iterator[Row]:
    """Predict every subject with every set of views, from the predictions of its clips.

    A subject votes with the available views of a set, and has no row without any.

    Args:
        views: predictions of clips.
        classes: task -> label names, least severe first.
        truth: task -> patient -> true label.
        sets: name of a set -> its views.
        rule: makes the voting rule of a task, approach and split.
        abstain: says for which reason a subject is not judged; None if it is judged.
    """
    voting = [
        ((task, approach, int(split), str(patient)), clips.votes(classes[task]))
        for (task, approach, split, patient), clips in views.groups(TASK, APPROACH, SPLIT, PATIENT)
    ]
    for name, members in sets.items():
        for (task, approach, split, patient), votes in voting:
            if set(votes.voters).isdisjoint(members):
                continue
            voting_views = of_views(votes, members)
            prediction = rule(task, approach, split)(voting_views)
            abstention = abstain(voting_views, prediction)
            yield Row(
                "subject",
                Place(task, approach, name, split),
                patient,
                truth[task][patient],
                prediction,
                abstained=abstention.reason if abstention else "",
            )
