"""`LOADER:ADDRESS`: a study that another loader than the one of files reads."""

from __future__ import annotations

import pytest

from echokit.recipe.address import split_address
from echokit.recipe.load import load_recipe
from echokit.recipe.resolve import whole_address


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("phantom:http://host/x?a=1", ("phantom", "http://host/x?a=1")),
        ("phantom:", ("phantom", "")),
        ("nobody:http://host", None),
        ("C:/clips", None),
        ("clips/phantom", None),
    ],
)
def test_an_address_names_an_installed_loader(source, parts):
    assert split_address(source) == parts


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phantom:x").touch()
    assert split_address("phantom:x") is None
    assert whole_address("phantom:x") == tmp_path / "phantom:x"


def test_it_replaces_the_loader_of_the_recipe_and_its_options():
    recipe = load_recipe("ph-newborn", data="phantom:", settings=["data.patients=15"])
    assert recipe.data.use == "phantom"
    assert recipe.data.options == {"source": "", "patients": 15}
    assert recipe.test is None
