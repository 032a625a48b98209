import itertools

import numpy as np
import pytest
from PIL import Image

from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.preview import axial_planes, draw_preview, write_preview
from FlareSegLib.results.views import Cut, Views, body_box, draw_cut, most_telling_plane, windowed
from FlareSegLib.volumes.orientation import to_axial
from FlareSegLib.volumes.volume import Volume


def coloured(image, organ):
    """Pixels close to the organ's colour, as a boolean array."""
    return np.abs(np.asarray(image).astype(int) - organ.colour).max(axis=-1) < 12


def test_outlines_lie_on_the_border_of_the_labels():
    labels = np.zeros((60, 80), np.uint8)
    labels[10:40, 20:60] = 1
    image = draw_cut(Cut(np.full(labels.shape, -1000, np.int16), labels, (1.0, 1.0)), FLARE_ORGANS, 4.0)
    assert image.size == (320, 240)
    drawn = np.argwhere(coloured(image, FLARE_ORGANS[0]))
    assert np.abs(drawn.min(axis=0) - (40, 80)).max() <= 2
    assert np.abs(drawn.max(axis=0) - (159, 239)).max() <= 2
    inside = np.asarray(image)[48:152, 88:232]
    assert inside.max() == 0, "outlines, not filled areas"


def test_pixels_are_square_in_mm():
    cut = Cut(np.zeros((20, 50), np.int16), np.zeros((20, 50), np.uint8), (5.0, 0.8))
    assert draw_cut(cut, FLARE_ORGANS, 2.0).size == (80, 200)


def test_abdominal_window():
    assert windowed(np.array([-1000, -150, 50, 250, 3000])).tolist() == [0, 0, 128, 255, 255]


def test_sides_of_each_view(abdomen):
    """The liver (right, anterior, superior) and the spleen (left, posterior) lie where a radiologist expects them."""
    case = abdomen()
    views = Views(case.ct, case.label_map.array)
    liver, kidney, spleen, _ = FLARE_ORGANS

    def centre(cut, organ):
        return np.argwhere(cut.labels == organ.label).mean(axis=0)

    axial = views.axial(25)
    assert centre(axial, liver)[1] < centre(axial, spleen)[1], "right is on the image's left"
    assert centre(axial, liver)[0] < centre(axial, spleen)[0], "anterior is up"
    coronal = views.coronal(38)
    assert centre(coronal, liver)[1] < centre(coronal, spleen)[1]
    sagittal = views.sagittal(25)
    assert centre(sagittal, liver)[0] < centre(sagittal, kidney)[0], "superior is up"
    assert centre(sagittal, liver)[1] < centre(sagittal, kidney)[1], "anterior is on the left"


@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_storage_order_does_not_show(abdomen, axes, flips):
    """All 48 ways to store the patient give the axial array that is drawn."""
    case = abdomen()
    labels = case.label_map
    array = np.flip(labels.array.transpose([2 - axes[a] for a in (2, 1, 0)]), [2 - a for a in range(3) if flips[a]])
    direction = np.stack([labels.direction_matrix[:, old] * (-1 if flip else 1) for old, flip in zip(axes, flips)], 1)
    stored = Volume(array, tuple(labels.spacing[old] for old in axes), direction=tuple(direction.ravel().tolist()))
    assert np.array_equal(to_axial(stored)[0].array, labels.array)


def test_flipped_storage_gives_the_same_picture(abdomen):
    case = abdomen()
    corner = tuple(case.ct.index_to_physical([n - 1 for n in case.ct.size]).tolist())
    flipped = [Volume(volume.array[::-1, ::-1, ::-1], volume.spacing, corner, tuple(-x for x in volume.direction))
               for volume in (case.ct, case.label_map)]
    picture = draw_preview(case.ct, case.label_map, case.organs)
    assert np.array_equal(np.asarray(draw_preview(*flipped, case.organs)), np.asarray(picture))


def test_montage_shows_every_organ(abdomen, tmp_path):
    case = abdomen()
    path = tmp_path / "Vorschau é.png"
    write_preview(path, case.ct, case.label_map, case.organs, title="FlareSeg")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert all(coloured(picture, organ).sum() > 500 for organ in case.organs)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_missing_organs_and_an_empty_label_map_are_drawn_too(abdomen):
    case = abdomen(missing=(1, 2, 3, 4))
    assert draw_preview(case.ct, case.label_map, case.organs).width > 1000
    air = case.ct.with_array(np.full_like(case.ct.array, -1000))
    assert draw_preview(air, case.label_map, case.organs).width > 1000


def test_a_single_slice_is_drawn(abdomen):
    case = abdomen()
    ct, labels = (Volume(volume.array[25:26], volume.spacing) for volume in (case.ct, case.label_map))
    assert draw_preview(ct, labels, case.organs).height > 300


def test_preview_is_not_written_over_a_file_nor_as_another_format(abdomen, tmp_path):
    case = abdomen()
    (tmp_path / "a.png").write_bytes(b"mine")
    for name, code in (("a.png", "output_exists"), ("a.jpg", "bad_option")):
        with pytest.raises(FlareSegError) as excinfo:
            write_preview(tmp_path / name, case.ct, case.label_map, case.organs)
        assert excinfo.value.code == code


@pytest.mark.parametrize("first, last", [(0, 99), (10, 20), (5, 5), (0, 11), (3, 300)])
def test_axial_planes_are_even_unique_and_from_the_top(first, last):
    planes = axial_planes(first, last)
    assert len(planes) == min(12, last - first + 1)
    assert planes == sorted(set(planes), reverse=True)
    assert first <= planes[-1] and planes[0] <= last
    steps = -np.diff(planes)
    assert len(steps) == 0 or steps.max() - steps.min() <= 1


def test_most_telling_plane_shows_most_organs():
    labels = np.zeros((4, 10, 4), np.uint8)
    labels[:, 2] = 1
    labels[:2, 6], labels[2:, 6] = 1, 3
    assert most_telling_plane(labels, FLARE_ORGANS, axis=1) == 6


def test_body_box_keeps_the_body_and_leaves_the_air(abdomen):
    rows, columns = body_box(abdomen().ct)
    assert rows.start <= 4 and rows.stop >= 56
    assert columns.start <= 4 and columns.stop >= 76
    wide = np.full((10, 200, 200), -1000, np.int16)
    wide[:, 80:120, 70:130] = 40
    rows, columns = body_box(Volume(wide, (1.0, 1.0, 1.0)))
    assert 65 <= rows.start <= 80 and 120 <= rows.stop <= 135
    assert 55 <= columns.start <= 70 and 130 <= columns.stop <= 145


def test_real_ct(real_data, tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    folder = real_data / "ct" / "ts_slab20"
    image = sitk.ReadImage(str(folder / "ct.nii.gz"))
    geometry = image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    ct = Volume(sitk.GetArrayFromImage(image), *geometry)
    labels = ct.with_array(sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "organs4_silver.nii.gz"))))
    write_preview(tmp_path / "slab.png", ct, labels, FLARE_ORGANS)
    with Image.open(tmp_path / "slab.png") as picture:
        for organ, found in zip(FLARE_ORGANS, (True, False, True, True)):
            outlined = coloured(picture, organ)[:picture.height * 2 // 3].sum()  # above the legend
            assert (outlined > 200) == found, organ.name
