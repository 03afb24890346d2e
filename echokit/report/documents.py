"""What the report reads: the JSON of result files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
"""A JSON object as it stands in a file, of this version or an earlier one. Any key may be missing
and any value may be of another type, so that readers use `get` and say what is not there."""
