"""Addresses of a user's own data stay out of the recipe that a run saves."""

from __future__ import annotations

import pytest

from echokit import UsageError
from echokit.recipe.resolve import move_data, resolve_recipe
from echokit.system.sources import PREFIX, hide_source, reveal_source


def test_an_address_may_name_a_patient_and_stays_out_of_the_recipe():
    address = "http://host/studies?PatientID=MRN-4711"
    recipe = resolve_recipe("ph-newborn", f"phantom:{address}", None, (), None, None, None)
    hidden = str(recipe.data.options["source"])
    assert hidden.startswith(PREFIX)
    assert reveal_source(hidden) == address
    move_data(recipe, "phantom:http://other/studies")
    assert reveal_source(hidden) == "http://other/studies"
    with pytest.raises(UsageError, match="read by the loader 'phantom', not 'files'"):
        move_data(recipe, "files:elsewhere")


def test_what_is_neither_a_path_nor_an_address_is_not_hidden():
    assert hide_source("twelve patients") == "twelve patients"
