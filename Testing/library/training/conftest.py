"""A raw data set of tiny phantoms, in the layouts that people have."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.phantom.phantom import make_phantom

LAYOUTS = {
    "nnU-Net v2": ("imagesTr", "labelsTr", {"channel_names": {"0": "CT"}, "file_ending": ".nii.gz", "numTraining": 2,
                                            "labels": {"background": 0, "liver": 1, "kidney": 2, "spleen": 3,
                                                       "pancreas": 4}}),
    "nnU-Net v1": ("imagesTr", "labelsTr", {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "liver",
                                                                                "2": "kidney", "3": "spleen",
                                                                                "4": "pancreas"}}),
    "FLARE21": ("TrainingImg", "TrainingMask", None),
}


@pytest.fixture(scope="session")
def phantoms():
    """Two small patients: (CT, label map) volumes."""
    pairs = []
    for seed in (0, 1):
        phantom = make_phantom(seed, (64, 48, 12), (6.0, 6.0, 20.0 - 5 * seed))
        pairs.append((phantom.ct, phantom.label_map))
    return pairs


def write(volume, path):
    """Write a volume with SimpleITK."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def raw_folder(tmp_path, phantoms):
    """Make a raw data set in one of the layouts and return its folder."""
    def make(layout="nnU-Net v2"):
        images, labels, description = LAYOUTS[layout]
        folder = tmp_path / "raw ž"
        for number, (ct, label_map) in enumerate(phantoms):
            write(ct, folder / images / f"train_{number:03}_0000.nii.gz")
            write(label_map, folder / labels / f"train_{number:03}.nii.gz")
        if description is not None:
            (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
        return folder
    return make


@pytest.fixture
def rng():
    return np.random.default_rng(0)
