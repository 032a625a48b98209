"""The page in headless Chromium with software WebGL, served by the command itself."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from FlareSegLib.organs import FLARE_ORGANS, organs_of
from FlareSegLib.worker.client import worker_environment

from .chromium import CHROMIUM, Chromium
from .conftest import make_volumes, write_files

pytestmark = pytest.mark.skipif(CHROMIUM is None or os.name == "nt",
                                reason="no Chromium on this machine (Debian: apt-get install chromium)")

COMMAND = [sys.executable, "-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main())", "view"]
SIZE = (1000, 460)
PANEL = 320  # pixels of the column with the table, at a font of 16
FLIPPED = (-1, 0, 0, 0, 1, 0, 0, 0, -1)
MARKUP = "<b>pancreas</b>"
ORGANS = organs_of({organ.label: organ.name for organ in FLARE_ORGANS[:3]} | {4: MARKUP})
TOLERANCE = 12


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    """A running `flareseg view` of a case stored from left to right and from head to foot; its link."""
    paths = write_files(tmp_path_factory.mktemp("case"), *make_volumes(FLIPPED))
    image = sitk.ReadImage(str(paths[1]))
    image.SetMetaData("Segment3_Name", MARKUP)
    sitk.WriteImage(image, str(paths[1]))
    command = [*COMMAND, *map(str, paths), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=worker_environment(os.environ))
    yield process.stdout.readline().split()[-1]
    process.terminate()
    process.wait(30)
    process.stdout.close()


@pytest.fixture(scope="module")
def browser(link, tmp_path_factory):
    """Chromium with the page, everything loaded."""
    with Chromium(tmp_path_factory.mktemp("profile"), SIZE) as browser:
        if not browser.evaluate("!!document.createElement('canvas').getContext('webgl2')"):
            pytest.skip("this Chromium has no software WebGL")
        browser.open(link)
        browser.wait_for("document.getElementById('status')?.textContent !== 'Loading …' && document.readyState === "
                         "'complete'")
        assert browser.evaluate("document.getElementById('status').textContent") == ""
        browser.evaluate("{const o = document.getElementById('opacity'); o.value = 1;"
                         "o.dispatchEvent(new Event('input'))}")
        yield browser


def picture(browser) -> np.ndarray:
    """RGB of the window, rows and columns."""
    return np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB")).astype(int)


def quarters(browser) -> dict[str, np.ndarray]:
    """The four views."""
    views = picture(browser)[:, :SIZE[0] - PANEL]
    rows, columns = views.shape[0] // 2, views.shape[1] // 2
    return {"axial": views[:rows, :columns], "sagittal": views[:rows, columns:], "coronal": views[rows:, :columns],
            "organs": views[rows:, columns:]}


def coloured(view: np.ndarray, organ) -> np.ndarray:
    """Pixels in an organ's colour."""
    return (np.abs(view - organ.colour) < TOLERANCE).all(axis=-1)


def shaded(view: np.ndarray, organ) -> np.ndarray:
    """Pixels in an organ's colour, lit more or less."""
    bright = view.max(axis=-1, keepdims=True)
    scaled = view / np.maximum(bright, 1) * max(organ.colour)
    return (bright[..., 0] > 40) & (np.abs(scaled - organ.colour) < TOLERANCE).all(axis=-1)


def go_to(browser, organ) -> str:
    """Click on an organ's name and return what the page says of the crosshair."""
    browser.evaluate(f"document.querySelectorAll('#table button')[{organ.label - 1}].click()")
    browser.evaluate("new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame)).then(() => 0)")
    return browser.evaluate("document.getElementById('location').textContent")


def show(browser, organ, shown: bool) -> None:
    browser.evaluate(f"document.querySelectorAll('#table input')[{organ.label - 1}].click()")
    assert browser.evaluate(f"document.querySelectorAll('#table input')[{organ.label - 1}].checked") == shown


def test_the_table_has_names_as_text_and_volumes(browser):
    rows = browser.evaluate("[...document.querySelectorAll('#table tr')].map(row => [...row.cells].map("
                            "cell => cell.textContent))")
    volume = 10 * 12 * 7 * 4.5 * 5.0 * 6.5 / 1000
    assert [row[:2] for row in rows] == [[organ.name, f"{volume:.1f}"] for organ in ORGANS]
    assert browser.evaluate("document.querySelectorAll('#table b').length") == 0
    assert "Not a medical device" in browser.evaluate("document.body.innerText")


def test_the_organs_lie_in_the_slices_as_in_the_patient(browser):
    go_to(browser, ORGANS[1])
    views = quarters(browser)
    seen = {name: [coloured(views[name], organ) for organ in ORGANS] for name in ("axial", "coronal", "sagittal")}
    for name in ("axial", "coronal"):  # stored from the patient's left to right: the picture's left is the right
        columns = [mask.nonzero()[1].mean() for mask in seen[name]]
        assert columns == sorted(columns, reverse=True)
        assert min(mask.sum() for mask in seen[name]) > 60
    assert seen["sagittal"][1].sum() > 60 and not any(seen["sagittal"][at].sum() > 20 for at in (0, 2, 3))
    body = np.flatnonzero((views["coronal"].max(axis=-1) > 60).sum(axis=1) > 30)  # rows; S is on top
    assert seen["coronal"][1].nonzero()[0].mean() < body.mean() - 0.1 * len(body)  # slices 4 to 13 of 30, from the head


def test_the_organs_are_drawn_in_3d(browser):
    view = quarters(browser)["organs"]
    for organ in ORGANS:
        assert shaded(view, organ).sum() > 30, organ.name


@pytest.mark.parametrize("organ", ORGANS, ids=lambda organ: str(organ.label))
def test_a_click_on_a_name_leads_into_the_organ_in_slices_and_3d(browser, organ):
    assert go_to(browser, organ).endswith(f" HU, {organ.name}")
    places = browser.evaluate("Object.values(viewers).map(v => [...v.frac2mm(v.scene.crosshairPos)].slice(0, 3))")
    assert np.allclose(*places, atol=0.1)


def test_a_click_in_a_slice_moves_the_others_and_3d(browser):
    go_to(browser, ORGANS[0])
    before = quarters(browser)
    rows, columns = coloured(before["axial"], ORGANS[3]).nonzero()
    browser.click(float(np.median(columns)), float(np.median(rows)))
    browser.wait_for(f"document.getElementById('location').textContent.endsWith({MARKUP!r})")
    browser.evaluate("new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame)).then(() => 0)")
    after = quarters(browser)
    assert coloured(after["sagittal"], ORGANS[3]).sum() > 60 > coloured(before["sagittal"], ORGANS[3]).sum()
    assert (before["organs"] != after["organs"]).any()


def test_an_organ_can_be_hidden(browser):
    go_to(browser, ORGANS[1])
    show(browser, ORGANS[2], False)
    views = quarters(browser)
    assert coloured(views["axial"], ORGANS[2]).sum() == 0 and shaded(views["organs"], ORGANS[2]).sum() < 10
    assert coloured(views["axial"], ORGANS[0]).sum() > 60
    show(browser, ORGANS[2], True)
    assert coloured(quarters(browser)["axial"], ORGANS[2]).sum() > 60


def test_the_window_can_be_changed(browser):
    def grey(name):
        browser.evaluate(f"{{const w = document.getElementById('window'); w.value = {name!r};"
                         "w.dispatchEvent(new Event('change'))}")
        return np.median(quarters(browser)["axial"][40:-40, 40:-40])

    assert grey("lung") > grey("abdomen") + 30


def test_nothing_was_complained_of_and_nothing_left_the_machine(browser, link):
    assert browser.complaints() == []
    origin = link.rsplit("/", 1)[0]
    asked = [address for address in browser.requests() if not address.startswith(("data:image/", "about:"))]
    assert asked[0] == link and len(asked) >= 7
    assert all(address.startswith(f"{origin}/") for address in asked), asked


def test_the_policy_forbids_to_ask_anybody_else(browser):
    forbidden = browser.evaluate("new Promise(told => {document.addEventListener('securitypolicyviolation', "
                                 "e => told(e.effectiveDirective)); fetch('http://127.0.0.1:9/').catch(() => 0)})")
    assert forbidden == "connect-src"


def test_a_browser_that_cannot_draw_says_so(browser):
    """The last test: the page is loaded anew."""
    browser.call("Page.addScriptToEvaluateOnNewDocument", source="HTMLCanvasElement.prototype.getContext = () => null")
    browser.call("Page.reload")
    browser.wait_for("document.getElementById('status')?.className === 'failed'")
    assert "WebGL 2" in browser.evaluate("document.getElementById('status').textContent")
