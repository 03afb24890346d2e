"""The newborn study's own layout: numbers are matched exactly, and nothing is silently dropped."""

import csv
import io
import re
import sys
from datetime import datetime

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from echokit import ClipError, ClipRef, DataError, OptionError, Rejection, resolve
from echokit.clips.cohort import gather
from echokit.clips.labels import label
from echokit.components.loading import make_loader
from echokit.recipe import load_recipe
from echokit.testing import check_loader

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 32, 48), dtype=np.uint8)
HEAD = [["Screening"], [], ["Nummer", "KAPap", "Score PH"]]


def video(path, metadata=None):
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for frame in FRAMES:
            rgb = av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, 2), "rgb24")
            container.mux(stream.encode(rgb))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def cine(tmp_path_factory):
    return video(tmp_path_factory.mktemp("cine") / "a.mp4").read_bytes()


@pytest.fixture
def folder(tmp_path, cine):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(cine)
        return tmp_path

    return make


def write_csv(path, rows, separator=";", encoding="utf-8", end="\n", head=HEAD):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(head + rows)
    path.write_bytes(text.getvalue().encode(encoding))


def write_xlsx(path, rows, head=HEAD, merged=()):
    book = Workbook()
    for row in head + rows:
        book.active.append(row)
    for cells in merged:
        book.active.merge_cells(cells)
    book.save(path)


WRITERS = {"csv": write_csv, "xlsx": write_xlsx}


@pytest.fixture(params=WRITERS)
def sheet(request):
    """Write a sheet in either format into a folder."""

    def write(folder, rows, **more):
        path = folder / f"Liste.{request.param}"
        WRITERS[request.param](path, rows, **more)
        return path

    return write


def index_study(source, **options):
    """(clips by identifier, reasons by what they are given for)."""
    options = {"patients": "as-is"} | options
    items = list(resolve("loader", "newborn-sheet", source=str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    refused = [item for item in items if isinstance(item, Rejection)]
    assert len(clips) + len(refused) == len(items)
    return clips, {item.where: item.reason for item in refused}


def test_a_patient_has_its_views_and_the_grade_of_its_row(folder, sheet):
    names = ["30KAPAP.mp4", "30CV.avi", "30la.MP4", "31KaKl.mp4", "deeper/31KAAP.mp4"]
    place = folder(*names)
    sheet(place, [[30, "x", 2], [31, "", "0"]])
    clips, refused = index_study(place)
    assert refused == {}
    assert {(ref.patient, ref.view, ref.labels["grade"]) for ref in clips.values()} == {
        ("30", "KAPAP", "2"),
        ("30", "CV", "2"),
        ("30", "LA", "2"),
        ("31", "KAKL", "0"),
        ("31", "KAAP", "0"),
    }
    assert set(clips) == {"30KAPAP", "30CV", "30LA", "31KAKL", "31KAAP"}
    assert not any(ref.synthetic for ref in clips.values())


def test_patient_30_takes_neither_130_nor_300(folder, sheet):
    """Regression: the research code matched patients by substring."""
    place = folder("30CV.mp4", "130CV.mp4", "300CV.mp4", "3CV.mp4")
    sheet(place, [[300, "", 3], [30, "", 1], [130, "", 0]])
    clips, refused = index_study(place)
    assert {ref.patient: ref.labels["grade"] for ref in clips.values()} == {
        "30": "1",
        "130": "0",
        "300": "3",
    }
    assert list(refused) == ["3CV.mp4"]
    assert "the sheet has no row of its number" in refused["3CV.mp4"]


@pytest.mark.parametrize("written", ["30", "030", 30, 30.0, "30.0", " 30 ", "30,0"])
def test_whole_numbers_are_compared_by_value(folder, sheet, written):
    place = folder("30CV.mp4", "0030LA.mp4")
    sheet(place, [[written, "", 1]])
    clips, refused = index_study(place)
    assert ({ref.patient for ref in clips.values()}, refused) == ({"30"}, {})


@pytest.mark.parametrize("written", ["30a", "3O", 30.5, "-30", "30 31"])
def test_what_is_not_that_number_is_another_patient(folder, sheet, written):
    place = folder("30CV.mp4")
    sheet(place, [[written, "", 1]])
    clips, refused = index_study(place)
    assert clips == {}
    assert len(refused) == 2


HALF = ["1 bis 2", "1bis2", "1 Bis 2", "1-2", "1 - 2", "1–2", "1 – 2", "1—2", "1‑2", "1,5", "1.5"]


@pytest.mark.parametrize(
    ("written", "grade"),
    [
        *((text, "1.5") for text in HALF),
        (1.5, "1.5"),
        ("0 bis 1", "0.5"),
        ("2\xa0bis\xa03", "2.5"),
        (3, "3"),
        (3.0, "3"),
        ("2,0", "2"),
        ("", ""),
        (None, ""),
    ],
)
def test_grades_and_half_steps_are_spelt_as_in_the_recipes_maps(folder, sheet, written, grade):
    place = folder("30CV.mp4")
    sheet(place, [[30, "", written]])
    clips, _ = index_study(place)
    assert clips["30CV"].labels["grade"] == grade
    maps = [task.map for task in load_recipe("ph-newborn").tasks.values()]
    assert grade == "" or all(grade in mapping for mapping in maps)


@pytest.mark.parametrize("written", ["0 bis 3", "2 bis 1", "7", "1 bis", "unklar", "-1", "1/2"])
def test_what_is_no_grade_stays_as_written_and_is_counted_by_the_task(folder, sheet, written):
    place = folder("30CV.mp4", "31CV.mp4", "32CV.mp4")
    sheet(place, [[30, "", 0], [31, "", 1], [32, "", written]])
    clips, refused = index_study(place)
    assert (clips["32CV"].labels["grade"], refused) == (written, {})
    task = load_recipe("ph-newborn").tasks["severity"]
    cohort = gather(clips.values(), ["A4C"], {"CV": "A4C"})
    dropped = label(cohort, task.column, task.map, task.labels, "drop").dropped
    shown = repr(written) if re.fullmatch("[-0-9/]+", written) else "(text)"
    assert dropped == {f"grade {shown} is not in the task's map": 1}


def test_a_grade_that_the_spreadsheet_made_a_date_is_refused(folder):
    place = folder("30CV.mp4")
    write_xlsx(place / "a.xlsx", [[30, "", datetime(2021, 2, 1)]])
    clips, refused = index_study(place)
    assert clips == {}
    assert set(refused) == {"30CV.mp4", "row 4 of the sheet"}
    assert all("is a date, which" in reason for reason in refused.values())


def test_the_header_is_row_3_unless_said_otherwise(folder, sheet):
    place = folder("30CV.mp4")
    path = sheet(place, [[30, "", 1]])
    with pytest.raises(DataError, match=r"in row 3, not in row 1: give the option header=3"):
        index_study(place, header=1)
    with pytest.raises(DataError, match=r"not in row 99: give the option header=3"):
        index_study(place, header=99)
    assert list(index_study(path)[0]) == ["30CV"]
    with pytest.raises(OptionError, match="header is 0"):
        index_study(place, header=0)


def test_columns_of_other_names(folder, sheet):
    place = folder("30CV.mp4")
    sheet(place, [[30, "1 bis 2", 3]])
    clips, _ = index_study(place, grade="kapap", labels={"ph": "Score PH", "again": "KAPap"})
    assert dict(clips["30CV"].labels) == {"grade": "1.5", "ph": "3", "again": "1 bis 2"}
    with pytest.raises(
        DataError, match=r"no column 'Score'.*Columns present: Nummer, KAPap, Score PH.* grade\."
    ):
        index_study(place, grade="Score")
    with pytest.raises(DataError, match=r"no column 'Arzt'.* option labels\.site\."):
        index_study(place, labels={"site": "Arzt"})
    with pytest.raises(OptionError, match="labels names 'grade'"):
        index_study(place, labels={"grade": "KAPap"})


def test_columns_that_were_not_asked_for_are_left_unread(folder, sheet):
    place = folder("30CV.mp4")
    sheet(place, [[30, "Familie Bär", 1]])
    assert dict(index_study(place)[0]["30CV"].labels) == {"grade": "1"}


def test_blank_rows_are_skipped_and_half_empty_ones_are_named(folder, sheet):
    place = folder("30CV.mp4")
    sheet(place, [[], [30, "", 1], ["", " ", ""], ["", "Mittelwert", 1.2], [31, "", ""], []])
    clips, refused = index_study(place)
    assert list(clips) == ["30CV"]
    reasons = {re.search(r"row \d+", where)[0]: reason for where, reason in refused.items()}
    assert reasons == {
        "row 7": "its Nummer is empty",
        "row 8": "no clip of its number can be used",
    }


def test_cells_merged_downwards_count_for_each_row(folder):
    place = folder("30CV.mp4", "31CV.mp4")
    head = [["A title"], ["Nummer", "KAPap", "Score PH"], []]
    rows = [[30, "left", 2], [None, "right", None], [31, "", None]]
    merged = ["A1:C1", "A2:A3", "B2:B3", "C2:C3", "A4:A5", "C4:C6"]
    write_xlsx(place / "a.xlsx", rows, head, merged)
    clips, refused = index_study(place)
    assert {ref.patient: ref.labels["grade"] for ref in clips.values()} == {"30": "2", "31": "2"}
    assert refused == {}


def test_a_formula_that_was_never_computed_is_not_a_blank_cell(folder):
    place = folder("30CV.mp4")
    write_xlsx(place / "a.xlsx", [[30, "", "=B4+1"], ["=A4+1", None, None]])
    clips, refused = index_study(place)
    assert clips["30CV"].labels["grade"] == "=B4+1"
    assert refused == {"row 5 of the sheet": "no clip of its number can be used"}


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_any_separator_line_end_and_byte_order_mark(folder, separator, encoding, end):
    place = folder("30CV.mp4")
    write_csv(place / "a.csv", [[30, "Bär; Süß, k.A.", "1,5"]], separator, encoding, end)
    clips, refused = index_study(place, labels={"note": "KAPap"})
    assert refused == {}
    assert dict(clips["30CV"].labels) == {"grade": "1.5", "note": "Bär; Süß, k.A."}


def test_a_byte_order_mark_before_a_header_in_row_1(folder):
    place = folder("30CV.mp4")
    (place / "a.csv").write_bytes("\ufeffNummer;Score PH\r\n30;1\r\n".encode())
    assert list(index_study(place, header=1)[0]) == ["30CV"]


@pytest.mark.parametrize("name", ["Score PH", " score\nPH ", "Score\xa0PH", "Ｓcore PH"])
def test_a_header_in_other_spellings(folder, name):
    place = folder("30CV.mp4")
    write_xlsx(place / "a.xlsx", [[30, "", 1]], [[], [], ["nummer ", "KAPap", name]])
    assert list(index_study(place)[0]) == ["30CV"]


def test_unicode_in_names_of_folders_and_files(folder):
    place = folder("Früh/３０CV.mp4", "BärCV.mp4")
    write_csv(place / "Übersicht.csv", [["30", "", 1], ["Bär", "", 2]])
    clips, refused = index_study(place)
    assert {ref.patient for ref in clips.values()} == {"30", "Bär"}
    assert refused == {}


def test_every_file_that_is_no_clip_of_the_layout_is_named(folder, sheet):
    place = folder("30CV.mp4", "30XY.mp4", "CV.mp4", "30CV (1).mp4", "31CV.dcm", "99CV.mp4")
    (place / "30LA.mp4").write_bytes(b"not a video at all")
    (place / "30KAPAP.avi").touch()
    (place / "~$notes.txt").touch()
    (place / "30KAKL.mp4").symlink_to("30KAKL.mp4")
    sheet(place, [[30, "", 1], [31, "", 1]])
    clips, refused = index_study(place)
    assert list(clips) == ["30CV"]
    for where, reason in {
        "30XY.mp4": "not a number and one of KAPAP, CV, LA, KAKL, KAAP",
        "CV.mp4": "not a number and one of",
        "30CV (1).mp4": "not a number and one of",
        "31CV.dcm": "its name ends in none of .mp4 and .avi",
        "99CV.mp4": "the sheet has no row of its number",
        "30LA.mp4": "it is not a video",
        "30KAPAP.avi": "it is empty",
        "30KAKL.mp4": "in a circle",
        "~$notes.txt": "its name ends in none of",
        "row 5 of the sheet": "no clip of its number can be used",
    }.items():
        assert reason in refused.pop(where)
    assert refused == {}


def test_files_of_one_number_and_view_are_all_refused(folder, sheet):
    place = folder("30CV.mp4", "030-cv.avi", "old/30CV.mp4", "30LA.mp4")
    sheet(place, [[30, "", 1]])
    clips, refused = index_study(place)
    assert list(clips) == ["30LA"]
    assert set(refused) == {"30CV.mp4", "030-cv.avi", "old/30CV.mp4"}
    assert all(
        "files are of this number and view CV; keep one" in reason for reason in refused.values()
    )


def test_two_grades_of_one_number_refuse_its_clips_and_its_rows(folder, sheet):
    place = folder("30CV.mp4", "31CV.mp4", "31LA.mp4")
    sheet(place, [[30, "", "1 bis 2"], [31, "", 1], ["030", "", 1.5], ["31", "", 2]])
    clips, refused = index_study(place)
    assert list(clips) == ["30CV"]
    reason = "rows 5 and 7 give its number another grade each; keep one"
    assert refused == {
        "31CV.mp4": f"row 5 of the sheet: {reason}",
        "31LA.mp4": f"row 5 of the sheet: {reason}",
        "row 5 of the sheet": reason,
        "row 7 of the sheet": reason,
    }


def test_rows_of_one_number_complete_each_other(folder, sheet):
    place = folder("30CV.mp4")
    sheet(place, [[30, "k", ""], [30, "", 2]])
    clips, refused = index_study(place, labels={"k": "KAPap"})
    assert (dict(clips["30CV"].labels), refused) == ({"grade": "2", "k": "k"}, {})


def test_which_sheet_is_meant_must_be_plain(folder):
    place = folder("30CV.mp4")
    with pytest.raises(DataError, match=r"No sheets .* Sheets in .*: none\."):
        index_study(place)
    write_csv(place / "b.csv", [[30, "", 2]])
    write_xlsx(place / "a.xlsx", [[30, "", 1]])
    (place / "~$a.xlsx").touch()  # the lock of a workbook that is open
    with pytest.raises(DataError, match=r"2 sheets .*: a\.xlsx, b\.csv\. Give .* option sheet"):
        index_study(place)
    with pytest.raises(DataError, match=r"no \.xlsx or \.csv sheet .*c\.csv.*a\.xlsx, b\.csv"):
        index_study(place, sheet="c.csv")
    clips, refused = index_study(place, sheet="b.csv")
    assert clips["30CV"].labels["grade"] == "2"
    assert set(refused) == {"a.xlsx", "~$a.xlsx"}
    assert index_study(place / "a.xlsx")[0]["30CV"].labels["grade"] == "1"
    assert index_study(place, sheet=str(place / "a.xlsx"))[0]["30CV"].labels["grade"] == "1"


def test_the_one_worksheet_that_has_the_columns_is_read(folder):
    place = folder("30CV.mp4")
    book = Workbook()
    book.active.append(["Legende"])
    data = book.create_sheet("Daten")
    for row in [*HEAD, [30, "", 1]]:
        data.append(row)
    book.save(place / "a.xlsx")
    assert list(index_study(place)[0]) == ["30CV"]
    book.copy_worksheet(data).title = "Kopie"
    book.save(place / "a.xlsx")
    with pytest.raises(DataError, match="in the worksheets 'Daten' and 'Kopie': keep one"):
        index_study(place)


def test_a_column_that_is_there_twice(folder, sheet):
    place = folder("30CV.mp4")
    sheet(place, [[30, 31, 1]], head=[[], [], ["Nummer", "Nummer", "Score PH"]])
    with pytest.raises(DataError, match="column 'Nummer' 2 times"):
        index_study(place)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xlsx", b"", "cannot be read as .xlsx"),
        ("a.xlsx", b"PK\x03\x04 but no workbook", "cannot be read as .xlsx"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0 a workbook with a password", "without a password"),
        ("a.csv", b"", "no column 'Nummer' and 'Score PH' in row 3. Columns present: none"),
        ("a.csv", "\n\nNummer;Score PH;Bär".encode("latin-1"), "not in UTF-8"),
        ("a.csv", b'\n\n"Nummer;Score PH', "cannot be read as CSV"),
    ],
)
def test_a_sheet_that_cannot_be_used(folder, name, data, reason):
    place = folder("30CV.mp4")
    (place / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        index_study(place)
    assert reason in str(caught.value)


def test_a_stray_cell_in_the_last_corner_is_refused_at_once(folder):
    place = folder("30CV.mp4")
    book = Workbook()
    book.active["XFD1048576"] = 1
    book.save(place / "a.xlsx")
    with pytest.raises(DataError, match=r"goes to row 1048576 .* delete the stray cells"):
        index_study(place)


def test_a_workbook_needs_no_openpyxl(folder, monkeypatch):
    place = folder("30CV.mp4")
    write_xlsx(place / "a.xlsx", [[30, "", 1]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert list(index_study(place)[0]) == ["30CV"]


def test_there_is_no_source(tmp_path):
    for source in ("", str(tmp_path / "gone"), "\0"):
        with pytest.raises(DataError, match=r"It is a folder of clips such as 30KAPAP\.mp4"):
            index_study(source)


def test_a_video_that_says_it_is_synthetic_is_believed(folder):
    place = folder()
    video(place / "30CV.mp4", {"comment": "a synthetic heart"})
    write_csv(place / "a.csv", [[30, "", 1]])
    assert index_study(place)[0]["30CV"].synthetic


def test_pixels_and_fingerprint_are_those_of_the_loader_of_files(folder):
    place = folder("deeper/30CV.mp4")
    write_csv(place / "a.csv", [[30, "", 1]])
    ours = resolve("loader", "newborn-sheet", source=str(place), patients="as-is")
    theirs = resolve("loader", "files", source=str(place / "deeper" / "30CV.mp4"))
    (our_ref,), (their_ref,) = ours.index(), theirs.index()
    assert (ours.read(our_ref).frames == theirs.read(their_ref).frames).all()
    assert ours.fingerprint(our_ref) == theirs.fingerprint(their_ref)
    with pytest.raises(ClipError, match="below the source"):
        ours.read(ClipRef("x", "30", "CV", where="../30CV.mp4"))


def test_the_recipe_reads_the_layout_under_its_own_names_of_views(folder, sheet):
    names = [f"{number}{view}.mp4" for number in (30, 130) for view in ("KAPAP", "CV", "LA")]
    place = folder(*names)
    sheet(place, [[30, "", "2 bis 3"], [130, "", 0]])
    recipe = load_recipe(
        "ph-newborn",
        settings=[
            "data=newborn-sheet",
            f"data.source={place}",
            "data.header=3",
            "data.patients=as-is",
        ],
    )
    recipe.check_components()
    cohort = gather(make_loader(recipe.data).index(), recipe.views.use, recipe.views.alias)
    assert cohort.rejected == ()
    assert {clip.view for clip in cohort.clips} == {"PSAX-P", "A4C", "PLAX"}
    task = recipe.tasks["severity"]
    labelled = label(cohort, task.column, task.map, task.labels, "drop")
    assert labelled.patients == {"30": "moderate-severe", "130": "none"}


NUMBERS = st.integers(0, 400)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(NUMBERS, max_size=6), st.dictionaries(NUMBERS, st.sampled_from("0123"), max_size=6))
def test_every_file_and_every_row_is_accounted_for(tmp_path_factory, cine, filed, listed):
    place = tmp_path_factory.mktemp("study")
    for number in filed:
        (place / f"{number}CV.mp4").write_bytes(cine)
    write_csv(place / "a.csv", [[number, "", grade] for number, grade in listed.items()])
    clips, refused = index_study(place)
    both = {str(number) for number in filed & set(listed)}
    assert {ref.patient for ref in clips.values()} == both
    assert {ref.patient: ref.labels["grade"] for ref in clips.values()} == {
        number: listed[int(number)] for number in both
    }
    assert len(refused) == len(filed) + len(listed) - 2 * len(both)


def test_contract(folder, sheet):
    place = folder("30CV.mp4", "31LA.mp4", "x.txt")
    sheet(place, [[30, "", 1], [31, "", 2], [32, "", 0]])
    check_loader(lambda source: resolve("loader", "newborn-sheet", source=source), str(place))


@pytest.mark.parametrize("write", [write_csv, write_xlsx], ids=["csv", "xlsx"])
def test_a_folder_in_the_studys_layout_is_recognised_without_being_told(folder, write):
    root = folder("30KAPAP.mp4", "130CV.mp4")
    write(
        root / f"sheet.{'csv' if write is write_csv else 'xlsx'}",
        [["30", "", "2"], ["130", "", "0"]],
    )
    named = resolve("loader", "newborn-sheet", source=str(root), patients="as-is")
    recognised = load(root)
    assert list(recognised.index()) == list(named.index())
    assert {ref.patient: ref.labels["grade"] for ref in recognised.index()} == {
        "30": "2",
        "130": "0",
    }


@pytest.mark.parametrize(
    ("names", "options", "head"),
    [
        (("30_A4C.mp4",), {}, HEAD),  # videos of other names
        (("30KAPAP.mp4",), {"view": "A4C"}, HEAD),  # the user says more than a sheet does
        (("30KAPAP.mp4",), {}, [["FileName", "EF"]]),  # another sheet
    ],
)
def test_any_other_folder_is_read_as_ever(folder, names, options, head):
    root = folder(*names)
    write_csv(root / "sheet.csv", [["30", "", "2"]], head=head)
    refs = [ref for ref in load(root, **options).index() if isinstance(ref, ClipRef)]
    assert [dict(ref.labels) for ref in refs] == [{}]


def test_a_manifest_goes_before_the_studys_sheet(folder):
    root = folder("30KAPAP.mp4")
    write_csv(root / "sheet.csv", [["30", "", "2"]])
    (root / "manifest.csv").write_text("patient,view,file,grade\nA,A4C,30KAPAP.mp4,1\n")
    refs = [ref for ref in load(root).index() if isinstance(ref, ClipRef)]
    assert [(ref.patient, ref.labels["grade"]) for ref in refs] == [("A", "1")]


def load(root, **options):
    return resolve("loader", "files", source=str(root), **{"patients": "as-is"} | options)
