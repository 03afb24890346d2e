"""Who asks an archive, and whom it trusts: from environment variables, never from an address."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from echokit import UsageError

PREFIX = "ECHOKIT_ARCHIVE_"
"""Of the environment variables TOKEN, USER, PASSWORD, CA, CERT and KEY."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is shown to an archive. Secrets are not in its text."""

    token: str = field(default="", repr=False)
    """Bearer token (RFC 6750)."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    """Basic authentication (RFC 7617)."""
    authorities: str = ""
    """File of the certificates that are trusted; empty for those of the system."""
    certificate: str = ""
    key: str = ""
    """Files of one's own certificate and its key, for archives that ask for one."""

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Credentials:
        """Read them from the environment.

        Raises:
            UsageError: they contradict each other, or a file is not there.
        """
        given = os.environ if environment is None else environment
        token, user, password, authorities, certificate, key = (
            given.get(f"{PREFIX}{name}", "")
            for name in ("TOKEN", "USER", "PASSWORD", "CA", "CERT", "KEY")
        )
        if token and user:
            raise UsageError(f"Set {PREFIX}TOKEN, or {PREFIX}USER and {PREFIX}PASSWORD, not both.")
        if bool(user) != bool(password):
            raise UsageError(f"{PREFIX}USER and {PREFIX}PASSWORD are set together.")
        if bool(certificate) != bool(key):
            raise UsageError(f"{PREFIX}CERT and {PREFIX}KEY are set together.")
        for name, path in (("CA", authorities), ("CERT", certificate), ("KEY", key)):
            if path and not Path(path).is_file():
                raise UsageError(f"{PREFIX}{name} is {path}: there is no such file.")
        return cls(token, user, password, authorities, certificate, key)

    def context(self) -> ssl.SSLContext:
        """Make what checks an archive's certificate and name.

        Raises:
            UsageError: a file holds no certificate or no key.
        """
        try:
            made = ssl.create_default_context(cafile=self.authorities or None)
            if self.certificate:
                made.load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError) as error:
            raise UsageError(
                f"{PREFIX}CA, {PREFIX}CERT or {PREFIX}KEY cannot be used ({error.strerror})."
            ) from None
        return made
