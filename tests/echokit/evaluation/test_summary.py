"""Mean and deviation over splits."""

import numpy as np
import pytest

from echokit.evaluation.summary import mean_sd


@pytest.mark.parametrize("unknown", [[], [None], [float("nan"), None]])
def test_it_is_that_of_numpy_over_the_values_that_are_known(unknown):
    values = [0.4, 0.9, 0.7]
    assert mean_sd([*values, *unknown]) == {
        "mean": pytest.approx(np.mean(values)), "sd": pytest.approx(np.std(values, ddof=1)),
    }  # fmt: skip
    assert mean_sd([0.5, *unknown]) == {"mean": 0.5, "sd": None}
    assert mean_sd(unknown) is None
