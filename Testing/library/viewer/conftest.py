"""A small case to look at, as files."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.writing import write_segmentation
from FlareSegLib.volumes.sitk_bridge import sitk_from_volume
from FlareSegLib.volumes.volume import Volume

#: Patient axes L, P, S stored as k, i, j, some of them reversed.
TURNED = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def make_volumes(direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)) -> tuple[Volume, Volume]:
    """A body in air with four blocks, and their labels; (k, j, i) = (30, 40, 50), half-odd spacing."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in (30, 40, 50)), indexing="ij")
    hu = np.where(((i - 25) / 22) ** 2 + ((j - 20) / 17) ** 2 < 1, 40, -1000).astype(np.int16)
    hu += ((3 * i + 5 * j + 7 * k) % 11).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for organ in FLARE_ORGANS:
        at = 5 + 9 * organ.label
        labels[4:14, 14:26, at:at + 7] = organ.label
    grid = (4.5, 5.0, 6.5), (-100.0, -90.5, -600.25), tuple(map(float, direction))
    return Volume(hu, *grid), Volume(labels, *grid)


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """CT and segmentation, stored in an unusual order."""
    return write_files(tmp_path_factory.mktemp("case"), *make_volumes(TURNED))


def write_files(folder: Path, ct: Volume, label_map: Volume) -> tuple[Path, Path]:
    """Write a CT and its labels; return their paths."""
    paths = folder / "ct.nii.gz", folder / "organs.seg.nrrd"
    sitk.WriteImage(sitk_from_volume(ct), str(paths[0]))
    write_segmentation(paths[1], label_map, FLARE_ORGANS)
    return paths
