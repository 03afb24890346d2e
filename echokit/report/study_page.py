"""Write the page of one study: the prediction, the prediction by view, and what was seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from echokit.errors import UsageError
from echokit.report.documents import Json
from echokit.report.page import write_page
from echokit.report.pictures.embed import MEGABYTE, Album, Picture
from echokit.report.sections.checks import Checks, checks
from echokit.report.sections.record import RecordRow, record_of_views
from echokit.report.words import findings, label_set, listing, number, plural, sureness
from echokit.system.checked import read_json

BUDGET = 6 * MEGABYTE
"""Characters of a page that may be pictures."""
UNSURE = 0.6
"""Below this probability a prediction is called unsure, however many sequences agree."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown of the probabilities of a clip or patient."""

    calibrated: bool
    probability: float | None
    """Of the label: calibrated if it can be, else the networks' own; None where it is not known."""
    probabilities: Json
    """Label -> probability, of the same kind."""
    label_set: str
    """The label set in words; empty where none was fitted."""


@dataclass(frozen=True, slots=True)
class Voter:
    """One clip and the predictions of its sequences."""

    facts: Json
    """Its entry of prediction.json."""
    movie: Picture | None
    strip: Picture | None
    file: str
    """Where the movie is, within the folder; empty where there is none."""
    agrees: bool
    """True where it has the label of the combined prediction."""
    tally: str
    """Predictions of its sequences, in words."""
    sentences: tuple[str, ...]
    """Where its saliency lies."""
    checks: Checks | None
    """Whether its saliency can be trusted."""
    answer: Answer


@dataclass(frozen=True, slots=True)
class Subject:
    """One patient of the study."""

    facts: Json
    sentence: str
    """How far its clips and their sequences agree."""
    voters: tuple[Voter, ...]
    answer: Answer
    record: tuple[RecordRow, ...]
    """How well the networks that were asked did on other patients."""
    record_is_exact: bool
    """Whether a row of the record is of exactly the views that were used."""

    @property
    def unlearned(self) -> dict[str, str]:
        """View -> why its network counts as one that did not learn."""
        clips = self.facts.get("clips") or ()
        return {str(c["view"]): str(c["unlearned"]) for c in clips if c.get("unlearned")}


def build_study_page(out: Path) -> Path:
    """Write the page of a study, one file that opens offline and fetches nothing.

    Args:
        out: folder that holds `prediction.json`.

    Returns:
        `out/index.html`.

    Raises:
        UsageError: there is no `prediction.json`, or it is not one.
    """
    path = out / "prediction.json"
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}). Give the folder that `echokit predict` wrote."
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("subjects"), list):
        raise UsageError(f"{path} has no list of subjects, so it is not a prediction of echokit.")
    album = Album(out, BUDGET)
    subjects = [_subject(subject, document, out, album) for subject in document["subjects"]]
    return write_page(
        out / "index.html",
        "study.html.j2",
        study=document,
        classes=tuple(map(str, document.get("classes") or ())),
        subjects=subjects,
        rejected=document.get("rejected") or [],
        engines=_engines(document.get("inference") or {}),
    )


def _engines(inference: Json) -> list[str]:
    """Name each engine that was used, with its precision."""
    said = [f"{one.get('engine')} ({one.get('computes_in')})" for one in inference.values()]
    return list(dict.fromkeys(said))


def _answer(facts: Json, level: object) -> Answer:
    calibrated = facts.get("calibrated_probabilities")
    shares = calibrated or facts.get("probabilities") or {}
    held = facts.get("label_set")
    return Answer(
        calibrated=bool(calibrated),
        probability=shares.get(facts.get("vote") or facts.get("label")),
        probabilities=shares,
        label_set="" if held is None else label_set(list(map(str, held)), level),
    )


def _subject(facts: Json, document: Json, out: Path, album: Album) -> Subject:
    level = document.get("label_set_level")
    clips = [dict(clip) for clip in facts.get("clips") or ()]
    movies = [album.movie(_file(out, clip, "movie")) for clip in clips]
    voters = tuple(
        Voter(
            facts=clip,
            movie=movie,
            strip=album.still(_file(out, clip, "strip")),
            file=str((clip.get("saliency") or {}).get("movie") or ""),
            agrees=clip.get("label") == (facts.get("vote") or facts.get("label")),
            tally=_tally(clip),
            sentences=tuple(findings((clip.get("saliency") or {}).get("scores"))),
            checks=checks((clip.get("saliency") or {}).get("scores")),
            answer=_answer(clip, level),
        )
        for clip, movie in zip(clips, movies, strict=True)
    )
    used = list(map(str, facts.get("views_used") or ()))
    rows, exact = record_of_views(document.get("record") or (), used)
    return Subject(facts, _sentence(facts, voters), voters, _answer(facts, level), rows, exact)


def _file(out: Path, clip: Json, kind: str) -> Path:
    return out / str((clip.get("saliency") or {}).get(kind) or "nothing")


def _tally(clip: Json) -> str:
    counts = Counter(str(s.get("label")) for s in clip.get("sequences") or ())
    if not counts:
        return "no sequence recorded"
    total = sum(counts.values())
    first, *rest = counts.most_common()
    text = f"{first[1]} of {plural(total, 'sequence')}: {first[0]}"
    return text + "".join(f"; {n}: {label}" for label, n in rest)


def _sentence(facts: Json, voters: tuple[Voter, ...]) -> str:
    if facts.get("label") is None:
        return "No prediction: no clip of this patient could be used."
    if facts.get("not_judged"):
        clips = "the clip" if len(voters) == 1 else "each clip"
        return f"Not judged: {facts['not_judged']}. The prediction of {clips} stands below."
    agree = sum(voter.agrees for voter in voters)
    views = listing(map(str, facts.get("views_used") or ()))
    text = f"From one clip ({views})"
    if len(voters) > 1:
        text = (
            f"{agree} of {len(voters)} clips ({views}) {'has' if agree == 1 else 'have'} this label"
        )
    confidence = facts.get("confidence")
    if isinstance(confidence, int | float):
        text += f"; agreement among sequences {number(confidence)} ({sureness(confidence)})"
    share = (facts.get("probabilities") or {}).get(facts["label"])
    if share is not None and share < UNSURE:
        text += f". The networks are unsure: mean probability of this label {share * 100:.0f} %"
    return text + "."
