"""A small plausible CT, and DICOM series written from tags by hand."""

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.volumes.volume import Volume


def make_body(shape=(40, 48, 56), seed=0) -> np.ndarray:
    """HU of an elliptic body (fat around organs, a little bone) in noisy air, (k, j, i), int16."""
    rng = np.random.default_rng(seed)
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.hypot(x / 0.8, y / 0.6)
    hu = np.full(shape, -1000.0)
    hu[radius < 1] = -100
    hu[radius < 0.8] = 60
    hu[radius < 0.15] = 400
    return np.round(hu + rng.normal(0, 12, shape)).clip(-1024, 3071).astype(np.int16)


@pytest.fixture
def ct() -> Volume:
    return Volume(make_body(), (0.8, 0.9, 2.5), (-20.0, 15.5, -300.25))


@pytest.fixture
def write_series():
    """Function that writes a DICOM series, one file a slice, and returns the stored voxels (k, j, i)."""

    def write(folder, slices=12, step=2.5, uid="1.2.826.0.1.10", positions=None, skip=(), shift_per_mm=0.0,
              shape=(24, 32), seed=1, **tags):
        folder.mkdir(parents=True, exist_ok=True)
        voxels = make_body((slices, *shape), seed)
        heights = [index * step for index in range(slices)] if positions is None else positions
        for index, z in enumerate(heights):
            if index in skip:
                continue
            values = {
                "0008|0008": "ORIGINAL\\PRIMARY\\AXIAL", "0008|0018": f"{uid}.{index + 1}", "0008|0060": "CT",
                "0018|0050": "2.5", "0020|000d": "1.2.826.0.1.1", "0020|000e": uid, "0020|0011": "3",
                "0020|0013": str(index + 1), "0020|0032": f"-10.5\\{20 + shift_per_mm * z}\\{z}",
                "0020|0037": "1\\0\\0\\0\\1\\0", "0010|0010": "SECRET^NAME", "0010|0020": "SECRET-ID",
                **{f"{name[1:5]}|{name[6:]}": value for name, value in tags.items()},
            }
            image = sitk.GetImageFromArray(voxels[index:index + 1])
            image.SetSpacing((0.7, 0.8, 2.5))
            for key, value in values.items():
                image.SetMetaData(key, value)
            writer = sitk.ImageFileWriter()
            writer.KeepOriginalImageUIDOn()
            # file names run against the slice order, as they may in real folders
            writer.SetFileName(str(folder / f"{uid}_{slices - index:03d}.dcm"))
            writer.Execute(image)
        return voxels

    return write
