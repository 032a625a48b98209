"""A tiny untrained model and a small plausible CT: enough to run every command for real."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from FlareSegLib.models.bundle import write_bundle
from FlareSegLib.networks.spec import UNet2DSpec
from FlareSegLib.networks.unet2d import UNet2D
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.preprocessing.normalisation import Normalisation


def body(shape=(24, 48, 56), seed=0) -> np.ndarray:
    """HU of an elliptic body in noisy air, (k, j, i), int16."""
    rng = np.random.default_rng(seed)
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.hypot(x / 0.8, y / 0.6)
    hu = np.select([radius < 0.8, radius < 1], [60.0, -100.0], -1000.0) + rng.normal(0, 12, shape)
    return np.round(hu).clip(-1024, 3071).astype(np.int16)


def write_image(path, array, spacing=(4.0, 4.0, 5.0), origin=(-100.0, -90.0, -600.5), direction=None):
    """Write voxels as any image file and return its path as text."""
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path))
    return str(path)


def write_tiny_bundle(folder, grid=(64, 64), working_spacing=(4.0, 4.0), features=(4, 4, 8)):
    """Write an untrained model whose labels are noise, but the same noise every time."""
    torch.manual_seed(0)
    write_bundle(folder, UNet2D(UNet2DSpec(features=features)), name="tiny", version="1", title="Untrained",
                 organs=FLARE_ORGANS, working_spacing=working_spacing, grid=grid,
                 normalisation=Normalisation(-16, 270, 116.6, 47.9), training={}, licence="none", intended_use="tests")
    return str(folder)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def ct(tmp_path_factory) -> str:
    return write_image(tmp_path_factory.mktemp("ct") / "ct.nii.gz", body())


@pytest.fixture(scope="session")
def slow(tmp_path_factory):
    """A CT and a model that keep one core busy for about ten seconds."""
    folder = tmp_path_factory.mktemp("slow")
    ct = write_image(folder / "ct.nii", np.tile(body((24, 32, 32)), (10, 1, 1)))
    return ct, write_tiny_bundle(folder / "model", grid=(768, 768))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with spaces and letters beyond ASCII."""
    folder = tmp_path / "Lékař 脾臓" / "空 格"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def sheared(path):
    """A NIfTI file whose axes are not at right angles: the header is changed behind ITK's back."""
    write_image(path, body())
    content = bytearray(path.read_bytes())
    content[252:256] = np.array([0, 1], "<i2").tobytes()  # qform code, sform code
    matrix = np.array([[4, 2, 0, 0], [0, 4, 0, 0], [0, 0, 5, 0]], "<f4")
    content[280:328] = matrix.tobytes()
    path.write_bytes(content)


def truncated(path):
    write_image(path, body())
    path.write_bytes(path.read_bytes()[:-2000])


def not_finite(path):
    array = body().astype(np.float32)
    array[3, 4, 5] = np.nan
    write_image(path, array)


BAD_INPUTS = {
    "not_found": (10, "ct.nii", lambda path: None),
    "unreadable": (11, "ct.nii", truncated),
    "unsupported_type": (12, "ct.docx", lambda path: path.write_text("letter")),
    "not_ct": (13, "ct.nii", lambda path: write_image(path, (body() > 0).astype(np.uint8))),
    "shifted_hu": (14, "ct.nii", lambda path: write_image(path, (body() + 1024).clip(0).astype(np.int16))),
    "not_3d": (15, "ct.nii", lambda path: write_image(path, np.stack([body()] * 3), (4, 4, 5, 1), (0, 0, 0, 0))),
    "sheared_geometry": (16, "ct.nii", sheared),
    "not_finite": (19, "ct.nii", not_finite),
    "empty": (20, "ct.nii", lambda path: write_image(path, np.full((9, 9, 9), -1000, np.int16))),
    "invalid_geometry": (22, "ct.nii", lambda path: write_image(path, body(), (0.004, 0.004, 0.005))),
}


@pytest.fixture(params=BAD_INPUTS)
def bad_input(request, folder):
    """Name of a file that is no usable CT, and the exit status that says why."""
    status, name, make = BAD_INPUTS[request.param]
    make(folder / name)
    return name, status


@pytest.fixture
def write_slices():
    """Function that writes a DICOM series with slices at the given heights, mm."""

    def write(folder, heights, series="1.2.3"):
        folder.mkdir(exist_ok=True)
        for index, (plane, z) in enumerate(zip(body((len(heights), 32, 40)), heights)):
            image = sitk.GetImageFromArray(plane[None])
            image.SetSpacing((4.0, 4.0, 5.0))
            tags = {"0008|0060": "CT", "0008|0018": f"{series}.{index + 1}", "0020|000d": "1.2", "0020|000e": series,
                    "0020|0013": str(index + 1), "0020|0032": f"-80\\-60\\{z}", "0020|0037": "1\\0\\0\\0\\1\\0",
                    "0010|0010": "SECRET^NAME"}
            for tag, value in tags.items():
                image.SetMetaData(tag, value)
            writer = sitk.ImageFileWriter()
            writer.KeepOriginalImageUIDOn()
            writer.SetFileName(str(folder / f"{series}_{index:02d}.dcm"))
            writer.Execute(image)

    return write
