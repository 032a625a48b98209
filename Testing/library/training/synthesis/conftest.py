"""A made-up data folder of coarse phantoms, named as the real one is."""

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.disease.case import Grid
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.training.synthesis.hosts import host_from_ct
from FlareSegLib.training.synthesis.label_maps import SPACING_MM, organ_map
from FlareSegLib.training.synthesis.tissues import LANDMARKS, Tissue, split_kidneys
from FlareSegLib.volumes.volume import IDENTITY

BTCV_OF = {Tissue.LIVER: 5, Tissue.RIGHT_KIDNEY: 2, Tissue.LEFT_KIDNEY: 3, Tissue.SPLEEN: 1, Tissue.PANCREAS: 8}


def phantom(seed):
    """Coarse, but with all organs whole."""
    return make_phantom(seed, (80, 58, 56), (4.2, 4.2, 4.0), ("portal", "native")[seed % 2])


@pytest.fixture(scope="session")
def phantoms():
    return [phantom(seed) for seed in (0, 1)]


@pytest.fixture(scope="session")
def host(phantoms):
    return host_from_ct("made up", "nobody", phantoms[0].ct, phantoms[0].label_map.array)


@pytest.fixture(scope="session")
def target(phantoms):
    return organ_map("other", phantoms[1].label_map.with_array(split_kidneys(phantoms[1].label_map.array)))


@pytest.fixture(scope="session")
def data(phantoms, tmp_path_factory):
    """ct/ircad01, ct/acrin001 and labels/btcv30."""
    folder = tmp_path_factory.mktemp("data")
    for name, one in zip(("ircad01", "acrin001"), phantoms):
        write(one.ct, folder / "ct" / name / "ct.nii.gz")
        write(one.label_map, folder / "ct" / name / "organs4_silver.nii.gz")
    liver = phantoms[0].label_map.with_array((phantoms[0].label_map.array == 1).astype(np.uint8))
    write(liver, folder / "ct" / "ircad01" / "liver1_tumour2_manual.nii.gz")
    for number, one in enumerate(phantoms, 1):
        tissues = split_kidneys(one.label_map.array)
        values = np.zeros(256, np.uint8)
        for tissue, value in BTCV_OF.items():
            values[tissue] = value
        write(one.label_map.with_array(values[tissues]), folder / "labels" / "btcv30" / f"label000{number}.nii.gz")
    return folder


def write(volume, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array))
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    sitk.WriteImage(image, str(path))


#: Liver, right and left kidney, spleen, pancreas: (z, y, x), mm; x to the patient's left.
CENTRES = ((75, 60, 50), (45, 100, 45), (50, 100, 130), (85, 95, 145), (65, 65, 100))
RADII = ((32, 40, 38), (25, 14, 15), (25, 14, 15), (22, 18, 15), (9, 10, 30))


@pytest.fixture(scope="session")
def balls():
    """Make an anatomy of ellipsoids: uint8 tissues and their grid."""
    def make(moved=0.0, larger=1.0, organs=5, shape=(60, 70, 90)):
        grid = Grid(shape, (SPACING_MM,) * 3, (0.0, 0.0, 0.0), IDENTITY)
        places = np.stack(np.meshgrid(*[SPACING_MM * np.arange(n) for n in shape], indexing="ij"), axis=-1)
        tissues = np.zeros(shape, np.uint8)
        for number, (organ, centre, radii) in enumerate(list(zip(LANDMARKS, CENTRES, RADII))[:organs]):
            away = np.array([moved, -moved, moved]) * (-1) ** number
            radii = np.array(radii) * larger ** ((-1) ** number)
            tissues[(((places - centre - away) / radii) ** 2).sum(axis=-1) < 1] = organ
        return tissues, grid
    return make
