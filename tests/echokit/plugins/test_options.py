"""Options that many components share are refused before anything heavy is imported."""

import numpy as np
import pytest

from echokit import OptionError, check_whole


@pytest.mark.parametrize("value", [0, -1, 2.5, "3", None])
def test_what_is_no_whole_number_or_too_small_is_refused_by_name(value):
    with pytest.raises(OptionError) as error:
        check_whole("backbone 'tiny3d'", num_classes=3, width=value)
    for part in ("backbone 'tiny3d'", f"width={value!r}", "from 1"):
        assert part in str(error.value)


def test_the_least_value_is_allowed_and_can_be_set():
    check_whole("backbone 'tiny3d'", num_classes=1, width=np.int64(8))
    check_whole("backbone 'tiny3d'", least=4, width=4)
    with pytest.raises(OptionError, match="width=3"):
        check_whole("backbone 'tiny3d'", least=4, width=3)
