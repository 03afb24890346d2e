"""What a node is told in its TOML file: how it is called, whom it trusts, what it does with what.

```toml
[node]
ae_title = "ECHOKIT"
allow = ["ARCHIVE"]        # AE titles that may send

[[rule]]
name = "newborn"
run = "runs/ph-newborn"
write = ["folder", "dicom-sr"]
send = "dimse:ARCHIVE@127.0.0.1:4242"
when = { modality = ["US"], description = "neonat|newborn" }
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from echokit import UsageError, resolve

DEMO = Path("demo")
ANYBODY = "*"
"""In `allow`: whoever can reach the port may send."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Table):
    """Certificates of a node that speaks TLS."""

    certificate: Path
    """Its own certificate, in PEM."""
    key: Path
    """The private key of that."""
    clients: Path
    """Certificates of those who may call, or of who signed them, in PEM."""


class When(_Table):
    """Which studies a rule wants: those of which all of this is true."""

    modality: tuple[str, ...] = ("US",)
    """Modality (0008,0060) of at least one file; empty wants any."""
    calling: tuple[str, ...] = ()
    """AE titles that it comes from; empty wants any."""
    description: str = ""
    """Regular expression that is found in the study's or a series' description, in any case."""

    @field_validator("description")
    @classmethod
    def _is_expression(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is no regular expression: {error}") from None
        return text


class Rule(_Table):
    """What is done with a study."""

    name: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    """Its name in the queue and in the audit log."""
    run: Path
    """The run or bundle that predicts it; `demo` are the networks that come with echokit."""
    verify: Path | None = None
    """Public key that the bundle must be signed for, as `echokit predict --verify`."""
    view: str | None = None
    """As `echokit predict --view`: of every clip, or auto."""
    saliency: bool = True
    """Explain each clip."""
    write: tuple[str, ...] = ("folder",)
    """Writers of the result."""
    send: str | None = None
    """Where those that can send it send it to."""
    options: Mapping[str, Any] = Field(default_factory=lambda: {"isolate": True})
    """Options of the loader that reads the files; usually they are read in a process of its own."""
    when: When = When()
    """Which studies."""


class Node(_Table):
    """How a node is called, and how it works."""

    ae_title: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,16}$")] = "ECHOKIT"
    """Its own AE title; a call of another name is refused."""
    allow: tuple[str, ...]
    """AE titles that may call, or "*"."""
    host: str = "127.0.0.1"
    """Address that it listens at."""
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    """Port that it listens at."""
    folder: Path = Path("node")
    """Where it keeps files, results and the queue; a relative path is below the TOML file."""
    queue: str = ""
    """URL of a database for the queue; by default an SQLite file in the folder."""
    quiet: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """Seconds without a file after which a study is complete."""
    tries: Annotated[int, Field(ge=1, le=100)] = 3
    """Tries after which a study is set aside."""
    back_off: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    """Seconds before the second try; each later one waits twice as long."""
    keep_files: bool = True
    """Keep the files of a study that is done."""
    monitor: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Port of loopback for metrics and for the call that a study is complete; None opens none."""
    associations: Annotated[int, Field(ge=1, le=1000)] = 100
    """Associations that may be open at once; others are asked to come again."""
    tls: Tls | None = None
    """TLS in place of plain DICOM."""


class Config(_Table):
    """A node's whole TOML file."""

    node: Node
    rule: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @field_validator("rule")
    @classmethod
    def _named_once(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in rules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two rules are called {', '.join(sorted(twice))}")
        return rules


def read_config(path: Path) -> Config:
    """Read a node's TOML file, and check it before anything listens.

    Raises:
        UsageError: it cannot be read, or says what cannot be done; every fault is named.
    """
    try:
        config = Config.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise UsageError(f"{path}: {faults}.") from None
    base = path.resolve().parent
    for rule in config.rule:
        for name in rule.write:
            resolve("writer", name)  # says which writers there are
        if not _run(base, rule).exists() and rule.run != DEMO:
            raise UsageError(f"{path}, rule {rule.name}: there is no run {_run(base, rule)}.")
    rules = tuple(
        rule.model_copy(
            update={"run": _run(base, rule), "verify": rule.verify and base / rule.verify}
        )
        for rule in config.rule
    )
    node = config.node.model_copy(update={"folder": base / config.node.folder})
    return config.model_copy(update={"node": node, "rule": rules})


def _run(base: Path, rule: Rule) -> Path:
    below = base / rule.run
    return rule.run if rule.run == DEMO and not below.exists() else below
