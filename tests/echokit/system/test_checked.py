"""Reading what echokit wrote: whole, or refused by name with what to type."""

import json

import numpy as np
import pandas as pd
import pytest

from echokit import DamagedError
from echokit.system.checked import read_csv, read_json, read_parquet, read_rows
from echokit.system.sheets import csv_text

TABLE = pd.DataFrame({"patient": ["01", "02"], "p": [0.25, 0.75]})
READERS = {
    "a.json": lambda path: read_rows(path, ["view"]),
    "a.csv": lambda path: read_csv(path, ["patient"]),
    "a.parquet": lambda path: read_parquet(path, ["patient"]),
}
DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "junk": lambda content: np.random.default_rng(0).bytes(len(content)),
    "gone": lambda content: None,
}


@pytest.fixture
def folder(tmp_path):
    """A run with one file of each kind."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").touch()
    (run / "a.json").write_text(json.dumps({"rows": [{"view": "A4C", "n": 3}]}))
    (run / "a.csv").write_text(csv_text(TABLE))
    TABLE.to_parquet(run / "a.parquet")
    return run


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_with_what_makes_it_again(folder, name, damage):
    path = folder / name
    assert len(READERS[name](path)) in (1, 2)
    content = DAMAGES[damage](path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    if (name, damage) == ("a.csv", "half"):  # half a CSV is a CSV: digests tell
        return
    with pytest.raises(DamagedError) as refused:
        READERS[name](path)
    assert str(refused.value).startswith(f"{path} is damaged: ")
    assert str(refused.value).endswith(f"Type `echokit run --resume {folder}` to make it again.")
    assert "\n" not in str(refused.value)


FORMS = ("[]", "3", '{"row": []}', '{"rows": {}}', '{"rows": [3]}', '{"rows": [{"n": 1}]}')


@pytest.mark.parametrize("text", [*FORMS, "[" * 99999, '{"rows": [{}]}', "\ufeff{}"])
def test_json_of_another_form_is_refused(folder, text):
    (folder / "a.json").write_text(text, "utf-8")
    with pytest.raises(DamagedError, match=r"a\.json is damaged"):
        read_rows(folder / "a.json", ["view"])


@pytest.mark.parametrize(("read", "name"), [(read_csv, "a.csv"), (read_parquet, "a.parquet")])
def test_a_table_without_a_column_is_refused(folder, read, name):
    with pytest.raises(DamagedError, match="it has no column 'clip'"):
        read(folder / name, ["patient", "clip"])


def test_a_file_of_a_bundle_is_to_be_copied_again(tmp_path):
    (tmp_path / "bundle.json").touch()
    with pytest.raises(DamagedError, match=r"it is missing\. Copy the bundle again"):
        read_json(tmp_path / "models" / "a.json")
