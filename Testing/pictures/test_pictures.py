"""The pictures of a small scene: are the organs, in their colours, where the label map has them?

Drawn in a process of its own: OpenGL may end the process where it finds no driver.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from scipy import ndimage

pytestmark = pytest.mark.skipif(importlib.util.find_spec("slicer_core") is None, reason="slicer-core is not installed")

SCRIPT = Path(__file__).with_name("result_pictures.py")
SIZE, SPACING = (60, 50, 32), (4.0, 4.0, 5.0)
HU, WINDOW, LEVEL = 0, 400, 40
#: Label, colour and centre in patient millimetres: to the left, to posterior, to superior. From right to left.
BALLS = ((1, (221, 130, 101), (-75.0, -10.0, 12.0)), (2, (185, 102, 83), (-25.0, 8.0, -10.0)),
         (3, (157, 108, 162), (25.0, -6.0, 14.0)), (4, (249, 180, 111), (75.0, 10.0, -8.0)))
RADIUS = 21.0
SLICE_WIDTH = 640


def write_case(folder: Path, flipped: bool) -> list[str]:
    """Write a CT of a body with four balls, and its label map; return the script's options."""
    axes = [spacing * (np.arange(n) - (n - 1) / 2) for n, spacing in zip(SIZE, SPACING)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    hu = np.where((x / 110) ** 2 + (y / 85) ** 2 < 1, HU, -1000).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for label, _, (left, posterior, superior) in BALLS:
        labels[(x - left) ** 2 + (y - posterior) ** 2 + (z - superior) ** 2 < RADIUS ** 2] = label
    for name, array in (("ct", hu), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(SPACING)
        image.SetOrigin([float(axis[0]) for axis in axes])
        sitk.WriteImage(sitk.Flip(image, (True, False, True), False) if flipped else image, folder / f"{name}.nrrd")
    return ["--ct", str(folder / "ct.nrrd"), "--labels", str(folder / "labels.nrrd"), "--output", str(folder)]


@pytest.fixture(scope="module")
def opengl() -> None:
    """Skips where VTK by itself cannot draw offscreen: no EGL, no OSMesa, or no driver."""
    probe = ("import vtk; window = vtk.vtkRenderWindow(); window.SetOffScreenRendering(True); "
             "window.AddRenderer(vtk.vtkRenderer()); window.Render()")
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=120)
    if run.returncode != 0:
        pytest.skip("VTK cannot draw offscreen here: no OpenGL (on Linux: install Mesa's EGL, libegl1)")


@pytest.fixture(scope="module", params=[False, True], ids=["axial", "stored right to left, head to foot"])
def drawn(request, opengl, tmp_path_factory) -> dict[str, np.ndarray]:
    """The pictures as RGB, by name: "axial", "coronal", "organs3d"."""
    folder = tmp_path_factory.mktemp("pictures")
    run = subprocess.run([sys.executable, SCRIPT, *write_case(folder, request.param)], capture_output=True, text=True,
                         timeout=120)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    slices, three_d = (np.asarray(Image.open(folder / name).convert("RGB")).astype(int)
                       for name in ("slices.png", "organs3d.png"))
    return {"axial": slices[:, :SLICE_WIDTH], "coronal": slices[:, -SLICE_WIDTH:], "organs3d": three_d}


def largest(mask: np.ndarray, count: int) -> list[np.ndarray]:
    """Masks of the largest regions, from the picture's left to its right."""
    regions, found = ndimage.label(mask)
    assert found >= count, "an organ is not in the picture"
    masks = [regions == 1 + index for index in np.argsort(np.bincount(regions.ravel())[1:])[-count:]]
    return sorted(masks, key=lambda region: middle(region)[0])


def middle(mask: np.ndarray) -> np.ndarray:
    """Centre (column, row) of what is marked."""
    return np.mean(mask.nonzero(), axis=1)[::-1]


@pytest.mark.parametrize("view", ["axial", "coronal"])
def test_a_slice_shows_each_organ_in_its_place_and_colour(drawn, view):
    picture = drawn[view]
    regions = largest(np.ptp(picture, axis=2) > 15, 4)
    grey = 255 * (HU - LEVEL + WINDOW / 2) / WINDOW
    for region, (_, colour, _) in zip(regions, BALLS):  # Slicer fills at half opacity
        assert np.median(picture[region], axis=0) == pytest.approx((np.array(colour) + grey) / 2, abs=6)
    down, sign = {"axial": (1, 1), "coronal": (2, -1)}[view]  # posterior is down, superior is up
    expected = np.array([(centre[0], sign * centre[down]) for _, _, centre in BALLS])
    body, = largest(picture.max(axis=2) > 60, 1)
    found = np.array([middle(region) for region in regions]) - middle(body)
    mm_per_pixel = np.ptp(expected[:, 0]) / np.ptp(found[:, 0])
    assert found * mm_per_pixel == pytest.approx(expected, abs=1.5)  # the voxels are of 4 x 4 x 5 mm


def letter(picture: np.ndarray, column: int, row: int) -> np.ndarray:
    """What is written around a place: where there is ink, cut to the letter's own box."""
    ink = (picture[row - 10:row + 10, column - 10:column + 10] > 150).all(axis=2)
    return ink[np.ix_(ink.any(axis=1), ink.any(axis=0))]


@pytest.mark.parametrize("view", ["axial", "coronal"])
def test_letters_tell_the_sides(drawn, view):
    """The shapes tell an L from an R, an A from a P and an I from an S."""
    height, width = drawn[view].shape[:2]
    left, right = (letter(drawn[view], column, height // 2) for column in (12, width - 12))
    assert left[1:5, -3:].any() and not right[1:5, -3:].any(), "R is on the picture's left, L on its right"
    top, bottom = (letter(drawn[view], width // 2, row) for row in (13, height - 37))
    if view == "axial":
        assert top[-3:, -3:].any() and not bottom[-3:, -3:].any(), "A is above, P below"
    else:
        assert top.shape[1] > 4 >= bottom.shape[1], "S is above, I below"


def test_the_3d_view_shows_each_organ_in_its_colour_from_the_front(drawn):
    picture = drawn["organs3d"]
    regions = largest(picture[..., 2] - picture[..., 0] < 25, 4)  # the background is blue
    for region, (_, colour, _) in zip(regions, BALLS):
        pixels = picture[region]
        lit = pixels[np.argsort(pixels.sum(axis=1))[-len(pixels) // 5:]]
        assert np.median(lit, axis=0) == pytest.approx(colour, abs=15)
    rows = [middle(region)[1] for region in regions]
    assert max(rows[0], rows[2]) < min(rows[1], rows[3]), "liver and spleen lie above the others in this scene"


def test_the_view_is_slicers(drawn):
    """The ruler below the slice; the blue gradient and the red, green and blue axes of the 3D view."""
    assert (drawn["axial"][-12:] > 90).all(axis=2).sum(axis=1).max() > 80
    corner = drawn["organs3d"][-140:, -140:]
    for channel in range(3):
        others = [c for c in range(3) if c != channel]
        assert (corner[..., channel] > 60 + corner[..., others].max(axis=2)).sum() > 20
    top, bottom = drawn["organs3d"][5, 450], drawn["organs3d"][-5, 450]
    assert top == pytest.approx((117, 120, 190), abs=12) and bottom == pytest.approx((193, 195, 232), abs=12)


def test_written_pictures_are_small(drawn, tmp_path_factory):
    files = list(tmp_path_factory.getbasetemp().glob("pictures*/*.png"))
    assert files and all(file.stat().st_size < 300_000 for file in files)
