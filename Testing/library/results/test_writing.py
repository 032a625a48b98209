import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.results.writing import SEGMENTATION_SUFFIXES, atomic_path, check_output, write_segmentation


def code_of(excinfo):
    return excinfo.value.code


@pytest.mark.parametrize("suffix", SEGMENTATION_SUFFIXES)
def test_voxels_and_geometry_come_back(abdomen, oblique, tmp_path, suffix):
    case = abdomen(direction=oblique)
    path = tmp_path / "Lékař 脾臓" / f"空 格 CT 12.5{suffix}"
    path.parent.mkdir()
    write_segmentation(path, case.label_map, case.organs)
    image = sitk.ReadImage(str(path))
    assert image.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayFromImage(image), case.label_map.array)
    assert np.allclose(image.GetSpacing(), case.label_map.spacing, atol=1e-6)
    assert np.allclose(image.GetOrigin(), case.label_map.origin, atol=1e-4)
    assert np.allclose(image.GetDirection(), case.label_map.direction, atol=1e-6)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_segmentation_is_compressed(abdomen, tmp_path):
    case = abdomen()
    write_segmentation(tmp_path / "a.seg.nrrd", case.label_map, case.organs)
    assert b"encoding: gzip" in (tmp_path / "a.seg.nrrd").read_bytes()[:600]


def test_capital_suffix(abdomen, tmp_path):
    case = abdomen()
    write_segmentation(tmp_path / "A.SEG.NRRD", case.label_map, case.organs)
    assert b"Segment3_ID:=pancreas" in (tmp_path / "A.SEG.NRRD").read_bytes()


@pytest.mark.parametrize("name", ["out.dcm", "out", "out.gz", "out.png"])
def test_other_suffixes_are_refused_with_the_possible_ones(abdomen, tmp_path, name):
    case = abdomen()
    with pytest.raises(FlareSegError) as excinfo:
        write_segmentation(tmp_path / name, case.label_map, case.organs)
    assert code_of(excinfo) == "bad_option"
    assert all(suffix in str(excinfo.value) for suffix in SEGMENTATION_SUFFIXES)
    assert list(tmp_path.iterdir()) == []


def test_labels_beyond_uint8_are_a_defect_not_wrapped(abdomen, tmp_path):
    case = abdomen()
    wide = case.label_map.with_array(case.label_map.array.astype(np.int16) + 256)
    with pytest.raises(ValueError, match="int16"):
        write_segmentation(tmp_path / "out.nrrd", wide, case.organs)
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_kept_unless_told_otherwise(abdomen, tmp_path):
    case = abdomen()
    path = tmp_path / "out.nii.gz"
    path.write_bytes(b"mine")
    with pytest.raises(FlareSegError) as excinfo:
        write_segmentation(path, case.label_map, case.organs)
    assert code_of(excinfo) == "output_exists"
    assert path.read_bytes() == b"mine"
    write_segmentation(path, case.label_map, case.organs, overwrite=True)
    assert sitk.ReadImage(str(path)).GetSize() == case.label_map.size


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SystemExit(), RuntimeError(),
                                     FlareSegError("cancelled", "Stopped.")])
def test_nothing_is_left_behind_when_writing_ends_early(tmp_path, failure):
    path = tmp_path / "out.json"
    path.write_text("before")
    with pytest.raises(type(failure)):
        with atomic_path(path, overwrite=True) as partial:
            partial.write_text("half")
            assert partial.parent == path.parent
            raise failure
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]
    assert path.read_text() == "before"


def test_interrupt_inside_the_image_writer(abdomen, tmp_path, monkeypatch):
    case = abdomen()

    def interrupted(image, name, **_):
        open(name, "wb").write(b"NRRD0004")
        raise KeyboardInterrupt

    monkeypatch.setattr(sitk, "WriteImage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_segmentation(tmp_path / "out.seg.nrrd", case.label_map, case.organs)
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_and_folder_in_place_of_a_file(tmp_path):
    for path in (tmp_path / "nowhere" / "out.nrrd", tmp_path):
        with pytest.raises(FlareSegError) as excinfo:
            check_output(path)
        assert code_of(excinfo) == "output_unwritable"
        assert str(path.parent) in str(excinfo.value)


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() == 0,
                    reason="root may write everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FlareSegError) as excinfo:
        check_output(tmp_path / "out.nrrd")
    tmp_path.chmod(0o700)
    assert code_of(excinfo) == "output_unwritable"


def test_full_disk_is_told_and_cleaned_up(tmp_path):
    path = tmp_path / "out.json"
    with pytest.raises(FlareSegError) as excinfo:
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise OSError(28, os.strerror(28))
    assert code_of(excinfo) == "output_unwritable"
    assert "no space left" in str(excinfo.value)
    assert list(tmp_path.iterdir()) == []


LIMITED_WRITE = """
import resource, sys
import numpy as np
from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.writing import write_segmentation
from FlareSegLib.volumes.volume import Volume
labels = np.random.default_rng(0).integers(0, 5, (30, 60, 60)).astype(np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    write_segmentation(sys.argv[1], Volume(labels, (1.0, 1.0, 1.0)), FLARE_ORGANS)
except FlareSegError as error:
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX's")
@pytest.mark.parametrize("suffix", SEGMENTATION_SUFFIXES)
def test_truncated_write_is_noticed_in_every_format(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    done = subprocess.run([sys.executable, "-c", LIMITED_WRITE, str(path)], capture_output=True, text=True)
    assert done.returncode == 31, done.stderr
    assert list(tmp_path.iterdir()) == []
