"""The files between Slicer and the worker, against SimpleITK."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "FlareSeg"))

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.writing import write_segmentation
from FlareSegLib.volumes.reading import read_volume
from FlareSegLib.volumes.volume import Volume
from FlareSegModuleLib.nrrd import TYPES, crop_to_labels, read_label_array, write_nrrd

OBLIQUE = tuple(np.linalg.qr(np.array([[1.0, 0.2, 0.1], [-0.2, 1.0, 0.3], [0.0, -0.3, 1.0]]))[0].ravel().tolist())


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_simpleitk_reads_what_is_written(tmp_path, kind):
    array = (np.arange(4 * 5 * 6).reshape(4, 5, 6) - (0 if kind.startswith("u") else 60)).astype(kind)
    volume = Volume(array, (0.71, 0.9, 2.5), (-100.25, 33.3, 1e-3), OBLIQUE)
    write_nrrd(tmp_path / "ct 脾臓.nrrd", volume)
    image = sitk.ReadImage(str(tmp_path / "ct 脾臓.nrrd"))
    stored = sitk.GetArrayFromImage(image)
    assert stored.dtype == array.dtype
    assert np.array_equal(stored, array)
    assert np.allclose(image.GetSpacing(), volume.spacing, rtol=1e-12)
    assert np.allclose(image.GetOrigin(), volume.origin, rtol=1e-12)
    assert np.allclose(image.GetDirection(), volume.direction, atol=1e-12)


@pytest.mark.parametrize("piece_bytes", [1, 100, 10**6])
def test_the_library_reads_it_whatever_the_memory_layout(tmp_path, monkeypatch, piece_bytes):
    monkeypatch.setattr("FlareSegModuleLib.nrrd.PIECE_BYTES", piece_bytes)
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)[::-1, :, ::-1]
    write_nrrd(tmp_path / "ct.nrrd", Volume(array, (1.0, 1.0, 3.0)))
    assert np.array_equal(read_volume(tmp_path / "ct.nrrd").array, array)


def test_writing_can_be_stopped(tmp_path):
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_nrrd(tmp_path / "ct.nrrd", Volume(np.zeros((3, 4, 5), np.int16), (1.0, 1.0, 1.0)), stop)


def test_label_maps_of_the_worker_are_read(tmp_path):
    labels = np.random.default_rng(0).integers(0, 5, (6, 7, 8)).astype(np.uint8)
    write_segmentation(tmp_path / "organs.nrrd", Volume(labels, (1.0, 2.0, 3.0)), FLARE_ORGANS)
    assert np.array_equal(read_label_array(tmp_path / "organs.nrrd"), labels)


@pytest.mark.parametrize("content", [b"", b"NRRD0004\ntype: short\nencoding: raw\nsizes: 1 1 1\n\n\0\0", b"\x89PNG"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "organs.nrrd").write_bytes(content)
    with pytest.raises(ValueError):
        read_label_array(tmp_path / "organs.nrrd")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 6)), max_size=4))
def test_cropping_loses_no_label(voxels):
    labels = np.zeros((5, 6, 7), np.uint8)
    for voxel in voxels:
        labels[voxel] = 3
    part, (i, j, k) = crop_to_labels(labels)
    back = np.zeros_like(labels)
    back[k:k + part.shape[0], j:j + part.shape[1], i:i + part.shape[2]] = part
    assert np.array_equal(back, labels)
    if voxels:
        assert part.size == np.prod(np.ptp(np.array(voxels), axis=0) + 1)
