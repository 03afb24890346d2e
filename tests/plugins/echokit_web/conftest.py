"""A page that runs, for all tests of it."""

from __future__ import annotations

from web_page import idle, page  # noqa: F401 - fixtures
