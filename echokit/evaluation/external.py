"""Compare figures of cross-validation with those on patients of another cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from echokit.evaluation.bootstrap import metric_courses, percentiles, resample
from echokit.evaluation.metric_names import HEADLINE
from echokit.evaluation.rows import ExternalDifference, Interval
from echokit.voting.table import APPROACH, TASK, VIEW, PredictionTable


def external_differences(
    held_out: PredictionTable,
    external: PredictionTable,
    classes: Mapping[str, Sequence[str]],
    bootstrap: int,
    seed: int,
) -> list[ExternalDifference]:
    """Compute the external figure minus that of cross-validation, for each view and view set.

    Both cohorts have other patients, so that each is resampled by itself: the interval holds the
    uncertainty of both figures. In cross-validation a patient is predicted by the networks of the
    splits that held the patient out, in the external cohort by those of every split.

    Args:
        held_out: predictions of held-out patients in cross-validation.
        external: predictions of the external cohort's patients.
        classes: task -> label names, least severe first.
        bootstrap: number of resamples of each cohort for 95 % intervals; 0 for no intervals.
        seed: seed of the resampling.
    """
    rows = []
    for (task, approach, views), outside in external.evaluated.groups(TASK, APPROACH, VIEW):
        inside = held_out.evaluated.where(task=task, approach=approach, view=views)
        if not len(inside):
            continue
        courses = [
            _courses(table, classes[task], bootstrap, seed + place)
            for place, table in enumerate((inside, outside))
        ]
        rows.append(
            ExternalDifference(
                task=task,
                approach=approach,
                views=views,
                n_subjects=inside.n_subjects,
                n_external=outside.n_subjects,
                **{name: _interval(*(c[name] for c in courses)) for name in HEADLINE},  # type: ignore[typeddict-item]
            )
        )
    return rows


def _courses(
    table: PredictionTable, classes: Sequence[str], bootstrap: int, seed: int
) -> Mapping[str, Float[np.ndarray, " draws"]]:
    """Compute each metric without resampling, followed by that of every resample."""
    drawn = resample(table.patients, bootstrap, seed)
    weights = np.vstack([np.ones((1, len(table)), np.int64), drawn])
    return metric_courses(
        table.truth(classes),
        table.predicted(classes),
        table.probabilities,
        table.confidence,
        table.split,
        weights,
    )


def _interval(
    inside: Float[np.ndarray, " draws"], outside: Float[np.ndarray, " draws"]
) -> Interval | None:
    """Return outside minus inside; None where one of them is undefined."""
    difference = outside - inside
    if np.isnan(difference[0]):
        return None
    return Interval(mean=float(difference[0]), ci95=percentiles(difference[1:]))
