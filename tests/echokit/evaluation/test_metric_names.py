"""Every metric of a run has its names in one table."""

import numpy as np
import pandas as pd

from echokit.evaluation.metric_names import ARGUED, HEADLINE, METRICS, NAMES, REPORTED
from echokit.evaluation.metrics import evaluate
from echokit.voting.table import PredictionTable


def test_every_metric_that_is_written_has_its_names():
    rows = pd.DataFrame(
        {
            "level": "view", "task": "t", "approach": "a", "view": "PLAX", "split": 0,
            "patient": ["1", "2"], "label": ["no", "yes"], "predicted": ["no", "no"],
            "confidence": [0.9, 0.6], "probabilities": [[0.9, 0.1], [0.6, 0.4]],
        }
    )  # fmt: skip
    (row,) = evaluate(PredictionTable(rows), {"t": ("no", "yes")}, bootstrap=0, seed=0)
    metrics = {name for name, value in row.items() if isinstance(value, dict)}
    assert metrics == set(NAMES)


def test_every_choice_of_metrics_is_of_the_table():
    for keys in (METRICS, REPORTED, HEADLINE, ARGUED):
        assert set(keys) <= set(NAMES)
    assert all(key == name.key for key, name in NAMES.items())
    for heading in ("heading", "short"):
        assert len({getattr(name, heading) for name in NAMES.values()}) == len(NAMES)
    widths = sum(len(NAMES[key].short) for key in METRICS)
    assert widths + np.size(METRICS) <= 60  # beside the view's name in 80 columns
