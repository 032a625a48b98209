"""Contrast phases: real scans, missing organs, typical HU."""

import pytest

from FlareSegLib.disease.case import make_case
from FlareSegLib.disease.phase import PHASES, TISSUES, estimate_phase, phase_hu
from FlareSegLib.disease.scene import Scene
from FlareSegLib.volumes.reading import read_label_map, read_volume


@pytest.mark.parametrize("medians, spread, phase", (
    ({"liver": 60, "kidney": 26, "spleen": 47}, (14, 37, 53), "native"),
    ({"liver": 67, "kidney": 135, "spleen": 112}, (70, 178, 216), "arterial"),
    ({"liver": 118, "kidney": 182, "spleen": 135}, (136, 206, 235), "portal"),
    ({"liver": 92, "kidney": 160}, (120, 170, 600), "excretory"),
    ({"liver": 25, "kidney": 33}, (25, 40, 60), "native"),        # fatty liver without contrast
    ({"liver": 50, "kidney": 180, "spleen": 120}, (150, 200, 220), "arterial"),
    ({"spleen": 45}, None, "native"), ({"liver": 55}, None, "native"),
    ({"pancreas": 90}, None, "portal"), ({}, None, "portal")))
def test_guess(medians, spread, phase):
    assert estimate_phase(medians, spread) == phase


@pytest.mark.parametrize("phase", PHASES[:3])
def test_typical_organs_are_of_their_phase(phase):
    medians = {name: phase_hu(phase, name) for name in ("liver", "spleen", "pancreas")}
    cortex, medulla = phase_hu(phase, "renal cortex"), phase_hu(phase, "renal medulla")
    assert estimate_phase({**medians, "kidney": (cortex + medulla) / 2}, (medulla, cortex, cortex)) == phase


def test_every_tissue_has_hu_in_every_phase():
    assert all(-50 < phase_hu(phase, tissue) < 1000 for phase in PHASES for tissue in TISSUES)
    with pytest.raises(KeyError):
        phase_hu("portal", "bone")


@pytest.mark.parametrize("name, phase", (("hcctace009_before_arterial", "arterial"), ("acrin001", "native"),
                                         ("hcctace009_before_native10mm", "native"), ("cptacpda189", "portal")))
def test_real_scans(real_data, name, phase):
    folder = real_data / "ct" / name
    labels = next(folder.glob("organs*.nii.gz"))
    case, _ = make_case(read_volume(folder / "ct.nii.gz"), read_label_map(labels))
    assert Scene(case).phase == phase
