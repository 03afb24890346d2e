"""What a writer may get wrong is caught, each by its own rule."""

from __future__ import annotations

import pytest

from echokit import UsageError, whole_file, whole_folder
from echokit.testing import WriterContract, check_writer, judge, tiny_result


def broken_rules(writer):
    return {v.rule for v in judge(WriterContract.of(lambda: writer)) if v.broken is not None}


def table(result):
    return result.to_frame().to_csv(index=False)


def good(result, out):
    if out.exists():
        raise UsageError(f"{out} already exists.")
    with whole_folder(out) as partial:
        (partial / "predictions.csv").write_text(table(result))
    return [out / "predictions.csv"]


def adds(result, out):
    """Also good: it adds to a folder, where nothing of its name stands."""
    path = out / "predictions.csv"
    if path.exists():
        raise UsageError(f"{path} already exists.")
    with whole_file(path) as partial:
        partial.write_text(table(result))
    return [path]


def sends(result, out):
    """Good as well: what it writes is not below `out`."""
    return []


def in_place(result, out):
    out.mkdir()
    (out / "predictions.csv").write_text(table(result))
    return [out / "predictions.csv"]


def by_open(result, out):
    out.mkdir()
    with (out / "predictions.csv").open("w") as file:
        file.write(table(result))
    return [out / "predictions.csv"]


def promises(result, out):
    return [*good(result, out), out / "index.html"]


def keeps_silent(result, out):
    good(result, out)
    return []


def leaves_scratch(result, out):
    written = good(result, out)
    with whole_file(out / "scratch.tmp") as partial:
        partial.touch()
    return written


def elsewhere(result, out):
    good(result, out.with_name(f"{out.name}-elsewhere"))
    return [out.with_name(f"{out.name}-elsewhere") / "predictions.csv"]


def replaces(result, out):
    with whole_file(out / "predictions.csv") as partial:
        partial.write_text(table(result))
    return [out / "predictions.csv"]


def clears(result, out):
    if out.exists():
        for path in out.iterdir():
            path.unlink()
        out.rmdir()
    return good(result, out)


def one_patient(result, out):
    assert result.label
    return good(result, out)


def needs_saliency(result, out):
    assert result.clips[0].saliency.frames.any()
    return good(result, out)


def needs_rejected(result, out):
    assert result.rejected[0].reason
    return good(result, out)


def blackens(result, out):
    for clip in result.clips:
        if clip.saliency is not None:
            clip.saliency.frames[:] = 0
    return good(result, out)


def forgets(result, out):
    result.subjects[0].probabilities.clear()
    return good(result, out)


def one_path(result, out):
    return good(result, out)[0]


def texts(result, out):
    return [str(path) for path in good(result, out)]


@pytest.mark.parametrize("writer", [good, adds, sends])
def test_a_good_writer_keeps_every_rule(writer):
    check_writer(lambda: writer)
    assert all(verdict.kept for verdict in judge(WriterContract.of(lambda: writer)))


@pytest.mark.parametrize(
    ("writer", "rules"),
    [
        (in_place, {"whole"}),
        (by_open, {"whole"}),
        (promises, {"files", "any result"}),
        (keeps_silent, {"files"}),
        (leaves_scratch, {"files"}),
        (elsewhere, {"files"}),
        (replaces, {"nothing is replaced"}),
        (clears, {"nothing is replaced"}),
        (one_patient, {"any result"}),
        (needs_saliency, {"any result"}),
        (needs_rejected, {"any result"}),
        (blackens, {"result is kept"}),
        (forgets, {"result is kept"}),
    ],
)
def test_a_broken_writer_breaks_these_rules(writer, rules):
    assert broken_rules(writer) == rules


@pytest.mark.parametrize("writer", [one_path, texts, 3])
def test_what_gives_no_paths_is_caught(writer):
    assert "files" in broken_rules(writer)


def test_a_tiny_result_is_what_it_says():
    result = tiny_result(("P1", "P2"), saliency=False, rejected=["a", "b"])
    assert [subject.patient for subject in result.subjects] == ["P1", "P2"]
    assert {clip.saliency for clip in result.clips} == {None}
    assert result.without_saliency
    assert [item.where for item in result.rejected] == ["a", "b"]
    both = tiny_result()
    assert both.label == both.classes[-1]
    assert all(clip.saliency.frames.any() for clip in both.clips)
    assert sum(both.probabilities.values()) == pytest.approx(1)
