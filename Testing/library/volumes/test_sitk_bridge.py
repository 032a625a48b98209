import os

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.orientation import to_axial
from FlareSegLib.volumes.sitk_bridge import quiet_itk, sitk_from_volume, volume_from_sitk
from FlareSegLib.volumes.volume import Volume


def test_there_and_back(ct):
    back = volume_from_sitk(sitk_from_volume(ct))
    np.testing.assert_array_equal(back.array, ct.array)
    assert back.array.dtype == ct.array.dtype
    assert (back.spacing, back.origin, back.direction) == (ct.spacing, ct.origin, ct.direction)


def test_a_flipped_and_permuted_view_keeps_its_places(ct):
    stored = Volume(ct.array, ct.spacing, ct.origin, (0, 0, 1, -1, 0, 0, 0, 1, 0))
    axial, _ = to_axial(stored)
    image = sitk_from_volume(axial)
    point = image.TransformIndexToPhysicalPoint((3, 4, 5))
    np.testing.assert_allclose(point, axial.index_to_physical((3, 4, 5)))
    assert image[3, 4, 5] == axial.array[5, 4, 3]


@pytest.mark.parametrize(("given", "written"), [(bool, "8-bit unsigned"), (np.float16, "32-bit float")])
def test_types_that_itk_lacks(given, written):
    image = sitk_from_volume(Volume(np.ones((3, 4, 5), given), (1.0, 1.0, 1.0)))
    assert written in image.GetPixelIDTypeAsString()


def test_the_volume_outlives_the_image():
    image = sitk.Image((5, 4, 3), sitk.sitkInt16) + 7
    volume = volume_from_sitk(image)
    del image
    assert (volume.array == 7).all()


@pytest.mark.parametrize(("image", "code"), [
    (sitk.Image((5, 4), sitk.sitkInt16), "not_3d"),
    (sitk.Image((5, 4, 3, 2), sitk.sitkInt16), "not_3d"),
    (sitk.Image((5, 4, 3), sitk.sitkVectorUInt8, 3), "unsupported_type"),
    (sitk.Image((5, 4, 3), sitk.sitkComplexFloat32), "unsupported_type"),
])
def test_images_that_are_no_scalar_volume(image, code):
    with pytest.raises(FlareSegError) as caught:
        volume_from_sitk(image)
    assert caught.value.code == code


def test_a_last_axis_of_one_is_dropped():
    assert volume_from_sitk(sitk.Image((5, 4, 3, 1), sitk.sitkInt16)).size == (5, 4, 3)


def test_quiet_gives_stderr_back_also_after_a_failure(capfd):
    with pytest.raises(ZeroDivisionError), quiet_itk(), quiet_itk():
        os.write(2, b"chatter")
        1 / 0
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
    assert sitk.ProcessObject.GetGlobalWarningDisplay()


def test_the_locale_comes_back_where_a_library_has_changed_it():
    import locale

    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        with pytest.raises(ZeroDivisionError), quiet_itk():
            locale.setlocale(locale.LC_ALL, "C")  # as GDCM does before it fails
            _ = 1 / 0
        assert locale.setlocale(locale.LC_CTYPE) == "C.UTF-8"
    finally:
        locale.setlocale(locale.LC_ALL, before)
