"""The report: its tables, its figures, its refusals; and the page as a browser shows it."""

import html
import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation.case_files import CaseFiles, files_of, load_case, report_organs
from FlareSegLib.evaluation.disease_examples import disease_examples
from FlareSegLib.evaluation.report import REFERENCE_SENTENCES, shown_cases, write_report
from FlareSegLib.evaluation.report_tables import ranking_table, table_4, table_5, teams_table
from FlareSegLib.evaluation.rows import Evaluation
from FlareSegLib.evaluation.rules import FLARE21, FLARE21_ORGANS, LABEL_SCHEMES
from FlareSegLib.evaluation.pairs import find_pairs
from FlareSegLib.evaluation.scoring import score_pairs
from FlareSegLib.phantom.phantom import make_phantom

from .conftest import SPACING, make_evaluation, organs, write_labels

pytest.importorskip("matplotlib")
SCHEME = LABEL_SCHEMES["flare21"]
CHARTS = {"figure_3_dice", "figure_4_sensitivity", "figure_5_precision", "figure_teams"}
PICTURES = {"figure_1_isotropification", "figure_2_diseases", "figure_6_worst_case", "figure_7_worst_organs"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def cells(table: str) -> list[list[str]]:
    """Text of a table's rows."""
    rows = re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1])
    return [[html.unescape(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row)] for row in rows]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two cases on disk with CTs, their files and their evaluation; the second prediction is one voxel off."""
    root = tmp_path_factory.mktemp("study")
    for case, shift in (("a", 0), ("b", 1)):
        truth = organs()
        write_labels(root / "pred" / f"{case}.nii.gz", organs(shift))
        write_labels(root / "ref" / f"{case}.nii.gz", truth)
        hu = np.where(truth > 0, 100, 20).astype(np.int16)
        hu[:, :1] = hu[:, -1:] = -1000
        write_labels(root / "img" / f"{case}_0000.nii.gz", hu)
    return _evaluated(root, "boxes")


@pytest.fixture(scope="module")
def phantom_study(tmp_path_factory):
    """A synthetic patient, large enough for diseases, and a prediction that is one voxel off."""
    root = tmp_path_factory.mktemp("phantom")
    phantom = make_phantom(0, (72, 56, 23), (4.0, 4.0, 8.0))
    arrays = {"pred/a": np.roll(phantom.label_map.array, 1, axis=2), "ref/a": phantom.label_map.array,
              "img/a_0000": phantom.ct.array}
    for name, array in arrays.items():
        write_labels(root / f"{name}.nii.gz", array, phantom.ct.spacing, phantom.ct.origin)
    return _evaluated(root, "phantoms")


def _evaluated(root, data):
    """The evaluation of a folder, and its files."""
    pairs, _ = find_pairs(root / "pred", root / "ref")
    scores = score_pairs(pairs, FLARE21_ORGANS, SCHEME, SCHEME, FLARE21)
    evaluation = Evaluation("a model", data, "manual", "flare21", scores)
    folders = (files_of(root / name, evaluation) for name in ("pred", "ref", "img"))
    return evaluation, CaseFiles(*folders, SCHEME, SCHEME)


@pytest.fixture(scope="module")
def report(phantom_study, tmp_path_factory):
    """A whole report with a baseline, and what it says is missing."""
    evaluation, files = phantom_study
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    baseline = replace(evaluation, name="nnU-Net", scores=tuple(
        replace(score, dice=score.dice - 0.1, nsd=score.nsd - 0.2) for score in evaluation.scores))
    return folder, write_report(folder, evaluation, baseline, files)


# Tables

def test_table_4_has_the_papers_rows_and_columns():
    rows = cells(table_4(make_evaluation()))
    assert [row[0] for row in rows] == ["Liver", "Kidney", "Spleen", "Pancreas"]
    assert rows[0][1] == "92.00 ± 2.58"  # 95, 93, 91, 89 %
    assert rows[0][4] == "98.14 ± 0.5"


def test_table_5_has_the_papers_rows_and_the_difference():
    rows = {row[0]: row[1:] for row in cells(table_5(make_evaluation(seconds=5.0), make_evaluation("b", -0.1)))}
    assert list(rows)[:8] == [f"{organ}-{metric}" for organ in ("Liver", "Kidney", "Spleen", "Pancreas")
                              for metric in ("DSC", "NSD")]
    assert rows["Liver-DSC"] == ["82.0 ± 2.6", "92.0 ± 2.6", "+10.0 [+10.0, +10.0]", "0.125",
                                 "94.5 ± 8.1", "94.4 ± 5.2"]
    assert rows["Running Time (s)"] == ["not measured", "5.0", "–", "–", "145", "102.7"]
    assert rows["Mean of the organs, DSC"][-2:] == ["81.125", "83.55"]


def test_table_5_without_a_baseline():
    rows = cells(table_5(make_evaluation(), None))
    assert rows[0] == ["Liver-DSC", "92.0 ± 2.6", "94.5 ± 8.1", "94.4 ± 5.2"]


def test_other_rules_are_told_and_not_set_beside_the_teams(tmp_path):
    evaluation = replace(make_evaluation(), rules="flare22")
    assert "cannot be compared" in table_5(evaluation, None)
    write_report(tmp_path, evaluation)
    assert "Fosun" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["silver", "synthetic", "unstated"])
def test_only_manual_references_are_set_beside_the_teams(tmp_path, kind):
    write_report(tmp_path, make_evaluation(kind=kind))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Fosun" not in text and "figure_teams" not in text and "only where" in text


def test_our_row_stands_among_the_teams_by_mean_dice():
    rows = cells(teams_table(make_evaluation(offset=0.0, seconds=7.0)))
    names = [row[0] for row in rows]
    assert names[names.index("model (here)") - 1] == "The-Flash" and "not public" in teams_table(make_evaluation())
    assert rows[names.index("model (here)")][5:] == ["84.5 / 69.5", "7.0", "1000"]


def test_ranking_names_its_criteria():
    table = ranking_table(make_evaluation("A", seconds=1.0), make_evaluation("B", -0.1))
    assert cells(table) == [["A", "0.500"], ["B", "1.000"]] and "Dice, NSD;" in table


# Which cases are shown

def test_worst_middle_and_worst_of_each_organ():
    evaluation = make_evaluation(cases=5)
    assert shown_cases(evaluation) == ("case_4", "case_2", dict.fromkeys(FLARE21_ORGANS, "case_4"))


def test_a_case_is_read_in_axial_order_with_its_labels_numbered(study, tmp_path):
    """A reference stored with all axes turned, and with other label values, gives the same picture."""
    evaluation, files = study
    image = sitk.ReadImage(str(files.references["a"]))
    renumbered = image + 10 * sitk.Cast(image > 0, sitk.sitkUInt8)
    turned = sitk.Flip(sitk.PermuteAxes(renumbered, (2, 0, 1)), (True, True, False))
    for name in ("pred", "ref"):
        (tmp_path / name).mkdir()
        sitk.WriteImage(turned, str(tmp_path / name / "a.nii.gz"))
    scheme = {organ: (label + 10,) for organ, (label,) in SCHEME.items()}
    folders = (files_of(tmp_path / name, evaluation) for name in ("pred", "ref"))
    there = CaseFiles(*folders, {}, scheme, scheme)
    one, other = (load_case("a", each, report_organs(evaluation)) for each in (files, there))
    assert np.array_equal(one.reference.array, other.reference.array) and other.reference.spacing == SPACING
    assert one.ct is not None and other.ct is None


def test_a_ct_on_another_grid_is_refused(study, tmp_path):
    evaluation, files = study
    moved = write_labels(tmp_path / "a.nii.gz", np.full((10, 20, 24), 40, np.int16), origin=(5.0, 0.0, 0.0))
    with pytest.raises(FlareSegError, match="image and reference differ in origin"):
        load_case("a", replace(files, images={"a": moved}), report_organs(evaluation))


# The whole report

def test_every_figure_is_there_as_png_and_pdf_and_in_the_page(report):
    folder, missing = report
    text = (folder / "report.html").read_text(encoding="utf-8")
    keys = CHARTS | PICTURES | ({"figure_8_3d"} if not any("Figure 8" in sentence for sentence in missing) else set())
    assert {path.name for path in (folder / "figures").iterdir()} == {f"{key}.{kind}" for key in keys
                                                                      for kind in ("png", "pdf")}
    assert set(re.findall(r'<figure id="(.*?)">', text)) == keys
    assert all((folder / "figures" / f"{key}.pdf").read_bytes().startswith(b"%PDF") for key in keys)
    assert len(keys) + len(missing) == len(CHARTS | PICTURES) + 1, "a figure is there, or it is said why not"


def test_diseases_change_the_image_and_the_labels_where_they_are(phantom_study):
    evaluation, files = phantom_study
    images = load_case("a", files, report_organs(evaluation))
    examples = disease_examples(images.ct, images.reference, report_organs(evaluation))
    assert [example.title for example in examples] == ["Renal cyst, kidney", "Hypovascular metastases, liver",
                                                       "Abscess, liver"]
    for example in examples:
        changed = example.before.hu != example.after.hu
        assert changed[example.plane].any() and changed.mean() < 0.5
        assert np.array_equal(example.before.hu, np.rint(images.ct.array))


def test_without_a_ct_or_flares_organs_there_is_no_figure_of_diseases(study, phantom_study, tmp_path):
    evaluation, files = study
    missing = write_report(tmp_path, evaluation, None, replace(files, images={}))
    assert any("Figure 2" in sentence and "needs a CT" in sentence for sentence in missing)
    assert "Figure 2" in (tmp_path / "report.html").read_text(encoding="utf-8")
    organs = report_organs(phantom_study[0])
    images = load_case("a", phantom_study[1], organs)
    assert disease_examples(images.ct, images.reference, tuple(replace(organ, name="uterus") for organ in organs)) == ()


def test_the_page_needs_nothing_else(report):
    text = (report[0] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', text) and "http" not in text and "<script" not in text


@pytest.mark.parametrize("kind", REFERENCE_SENTENCES)
def test_the_kind_of_reference_is_on_the_page(tmp_path, kind):
    write_report(tmp_path, make_evaluation(kind=kind))
    assert html.escape(REFERENCE_SENTENCES[kind]) in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_names_are_no_html(tmp_path):
    write_report(tmp_path, make_evaluation("<b>& co"))
    assert "<h1>&lt;b&gt;&amp; co</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_existing_report_is_kept(tmp_path):
    write_report(tmp_path, make_evaluation("one"))
    with pytest.raises(FlareSegError) as caught:
        write_report(tmp_path, make_evaluation("two"))
    assert caught.value.code == "output_exists"
    assert "<h1>one</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    write_report(tmp_path, make_evaluation("two"), overwrite=True)
    assert "<h1>two</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("change", [{"rules": "flare22"}, {"reference_kind": "silver"}, {"scores": ()}])
def test_what_cannot_be_compared(tmp_path, change):
    with pytest.raises(FlareSegError) as caught:
        write_report(tmp_path / "r", make_evaluation(), replace(make_evaluation("b"), **change))
    assert caught.value.code == "bad_evaluation_data" and not (tmp_path / "r").exists()


def test_the_3d_figure_holds_both_label_maps(study):
    from FlareSegLib.evaluation.scene3d import render

    evaluation, files = study
    images = load_case("a", files, report_organs(evaluation))
    nothing = np.zeros_like(images.prediction.array)
    picture = render(images.reference.array, nothing, SPACING, report_organs(evaluation))
    if picture is None:
        pytest.skip("VTK is not installed or cannot draw here")
    top, bottom = np.split(picture.astype(int), 2)
    assert (np.ptp(top, axis=-1) > 60).mean() > 0.05 and not (np.ptp(bottom, axis=-1) > 60).any()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
def test_a_browser_shows_every_figure(report, tmp_path):
    """Headless Chromium decodes each picture, lays it out within the page, and draws more than white."""
    folder, _ = report
    text = (folder / "report.html").read_text(encoding="utf-8")
    script = ("<script>onload=()=>{for(const i of document.images){const b=i.getBoundingClientRect();"
              "i.dataset.seen=[i.complete&&i.naturalWidth,Math.round(b.width),Math.round(b.left)].join(' ')}"
              "document.body.dataset.width=document.documentElement.scrollWidth+' '+innerWidth}</script>")
    (tmp_path / "page.html").write_text(text.replace("</body>", script + "</body>"), encoding="utf-8")
    shown = _chromium(tmp_path, "--dump-dom", (tmp_path / "page.html").as_uri())
    seen = [list(map(int, value.split())) for value in re.findall(r'data-seen="(.*?)"', shown)]
    assert len(seen) == text.count("<figure")
    assert all(natural > 500 and 400 < width <= 1000 and left >= 0 for natural, width, left in seen)
    scroll, inner = map(int, re.search(r'data-width="(\d+) (\d+)"', shown).groups())
    assert scroll <= inner, "the page is wider than its window"
    _chromium(tmp_path, f"--screenshot={tmp_path / 'shot.png'}", (folder / "report.html").as_uri())
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "shot.png")))
    assert pixels.std() > 10


def _chromium(folder, *arguments: str) -> str:
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    command = [CHROMIUM, "--headless", *root, "--disable-gpu", "--window-size=1100,3000",
               f"--user-data-dir={folder}/chromium", "--virtual-time-budget=5000", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True).stdout
