"""The worker of a node: it claims complete studies one by one, predicts, writes and sends."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from sqlalchemy.exc import SQLAlchemyError

from echokit import (
    CohortError,
    EchokitError,
    Model,
    OptionError,
    QueuedStudy,
    StudyQueue,
    UsageError,
    Writer,
    load,
    resolve,
    whole_folder,
)
from echokit_dicom.node.config import Config, Rule, When
from echokit_dicom.node.spool import Spool

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two looks at an empty queue."""
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Faults of the machine: they are no tries of a study."""
LONGEST = 3600.0
"""Longest wait before a further try, in seconds."""
Timed = Callable[[str, float], None]
"""Told of a stage of the work and its seconds."""


class Worker:
    """Predicts the studies of a queue by the rules of a node; networks stay loaded."""

    def __init__(
        self, config: Config, spool: Spool, queue: StudyQueue, timed: Timed | None = None
    ) -> None:
        self.config, self.spool, self.queue = config, spool, queue
        self.name = f"{socket.gethostname()}:{config.node.ae_title}"
        self._timed = timed or (lambda stage, seconds: None)
        self._models: dict[Path, Model] = {}
        self._writers = {rule.name: make_writers(rule) for rule in config.rule}

    def work(self, stop: threading.Event) -> None:
        """Work until `stop` is set. What a worker before this one had claimed is tried again."""
        released = False
        while not stop.is_set():
            try:
                released = released or self.queue.release(self.name) >= 0
                self.queue.complete(quiet=self.config.node.quiet)
                claimed = self.queue.claim(self.name)
                if claimed is not None:
                    self.try_once(claimed)
                    continue
            except SQLAlchemyError as error:  # it is locked, or its server is away
                log.error("The queue cannot be used: %s", type(error).__name__)
                released = False
            stop.wait(PAUSE)

    def try_once(self, study: QueuedStudy) -> None:
        """Carry out one try of a claimed study, and record how it ended."""
        node = self.config.node
        if study.tries > node.tries:  # each time the process ended in the middle
            self.queue.set_aside(study, f"the node ended {node.tries} times while working on it")
            return
        try:
            rule = self._rule(study)
            if rule is None:
                self.queue.ignore(study, "no rule wants it")
                return
            self._judge(study, rule)
        except CohortError as error:  # another try would find the same
            self.queue.set_aside(study, str(error))
        except SQLAlchemyError:
            raise
        except Exception as error:  # one study must not stop the node
            if isinstance(error, OSError) and error.errno in NO_ROOM:  # no fault of the study
                self.queue.postpone(study, _said(error), node.back_off, counts=False)
                return
            log.error("A try failed: %s", type(error).__name__)
            if study.tries >= node.tries:
                self.queue.set_aside(study, _said(error))
            else:
                later = min(node.back_off * 2 ** (study.tries - 1), LONGEST)
                self.queue.postpone(study, _said(error), later)
        else:
            self.queue.finish(study, rule=rule.name, result=self.spool.result(study.study).name)
            if not node.keep_files:
                self.spool.forget(study.study)

    def _rule(self, study: QueuedStudy) -> Rule | None:
        """Return the first rule that wants a study."""
        with self._stage("rule"):
            files = [self.spool.folder / file for file in self.queue.files(study.study)]
            modalities, text = read_facts(files)
            for rule in self.config.rule:
                if wants(rule.when, modalities, text, study.source):
                    return rule
            return None

    def _judge(self, study: QueuedStudy, rule: Rule) -> None:
        with self._stage("predict"):
            if rule.run not in self._models:
                self._models[rule.run] = load(rule.run, verify=rule.verify)
            result = self._models[rule.run].predict(
                self.spool.files(study.study),
                rule.view,
                saliency=rule.saliency,
                options=rule.options,
            )
        with self._stage("write"):
            out = self.spool.result(study.study)
            shutil.rmtree(out, ignore_errors=True)  # of an earlier revision, or of a killed node
            with whole_folder(out) as partial:
                for name, write in self._writers[rule.name].items():
                    write(result, partial / name)
        if rule.send:
            self.queue.note("sent", study.study, rule.name)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._timed(name, time.monotonic() - started)


def read_facts(files: Iterable[Path]) -> tuple[set[str], str]:
    """Read what rules ask of a study.

    Returns:
        Its modalities, and the descriptions of the study and its series, a line each.
    """
    asked = ["Modality", "StudyDescription", "SeriesDescription"]
    modalities, lines = set[str](), dict[str, None]()
    for path in files:
        try:
            tags = dcmread(path, stop_before_pixels=True, specific_tags=asked)
        except InvalidDicomError:
            continue
        modalities.add(str(tags.get("Modality", "")))
        lines |= dict.fromkeys(str(tags.get(name, "")) for name in asked[1:])
    return modalities, "\n".join(lines)


def wants(when: When, modalities: set[str], text: str, calling: str) -> bool:
    """Whether a rule wants a study."""
    return (
        (not when.modality or bool(modalities.intersection(when.modality)))
        and (not when.calling or calling in when.calling)
        and re.search(when.description, text, re.IGNORECASE) is not None
    )


def make_writers(rule: Rule) -> Mapping[str, Writer]:
    """Make the writers of a rule; those that can send its results send them.

    Raises:
        UsageError: there is an address and no writer that can send.
    """
    writers: dict[str, Writer] = {}
    senders = 0
    for name in rule.write:
        try:
            if not rule.send:
                raise OptionError
            writers[name] = resolve("writer", name, send=rule.send)
            senders += 1
        except OptionError:
            writers[name] = resolve("writer", name)
    if rule.send and not senders:
        raise UsageError(
            f"rule {rule.name}: no writer of {', '.join(rule.write)} can send: add dicom-sr."
        )
    return writers


def _said(error: Exception) -> str:
    """Return why a try failed; of what nobody foresaw its kind alone, as its text may name any."""
    if isinstance(error, EchokitError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
