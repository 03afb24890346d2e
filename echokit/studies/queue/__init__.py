"""The queue of studies that wait to be predicted, and what users say of them."""

from __future__ import annotations

from importlib.util import find_spec

from echokit.errors import UsageError

if find_spec("sqlalchemy") is None:
    raise UsageError(
        "A queue of studies needs SQLAlchemy: pip install 'echokit-cardiac[web]', or "
        "'echokit-cardiac[dicom-net]' for a node."
    )
