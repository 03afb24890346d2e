"""Without SQLAlchemy a queue is a sentence that says what to type."""

from __future__ import annotations

import subprocess
import sys


def test_without_sqlalchemy_a_queue_says_what_to_type() -> None:
    code = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'sqlalchemy' else find(name, *a)\n"
        "import echokit\n"
        "try: echokit.StudyQueue\n"
        "except echokit.UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'echokit-cardiac[web]'" in done.stdout
