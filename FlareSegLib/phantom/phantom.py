"""A synthetic abdominal CT with its four organs labelled.

Analytic shapes only: nothing here was measured on, or copied from, anybody's images. For demonstrations, tests and as
sample data; not for training a model that is meant for patients, and not for judging one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..volumes.volume import Volume
from .appearance import AIR, scan, tissue_hu
from .bowel import bowel_structures
from .fields import SmoothField
from ..shapes import Points
from .organs import adrenal_structures, make_organs, organ_structures
from .painting import Structure, paint
from .patient import Patient, make_patient
from .skeleton import skeleton_structures
from .trunk import chest_structures, make_trunk, muscle_structures, wall_structures
from .vessels import (great_vessel_structures, liver_vessel_structures, mesenteric_branch_structures,
                      splenic_hilum_structures)

#: Middle of the volume in patient coordinates (LPS), mm, before the centre of the grid is put there.
CENTRE = (0.0, 10.0, 0.0)
WARP_WIDTH, WARP_SD = 45.0, 2.2
VOXELS_AT_ONCE = 1_500_000


@dataclass(frozen=True)
class Phantom:
    """A synthetic CT and its label map on the same axial LPS grid.

    Attributes
    ----------
    ct : Volume
        int16 HU, (k, j, i): superior, posterior, left.
    label_map : Volume
        uint8, the same grid: 1 liver, 2 kidney (both), 3 spleen, 4 pancreas. Vessels inside the liver belong to it;
        the kidneys' sinus fat and pelvis, the gallbladder and the large vessels belong to no organ.
    """

    ct: Volume
    label_map: Volume


def make_phantom(seed: int = 0, size: tuple[int, int, int] = (512, 512, 100),
                 spacing: tuple[float, float, float] = (0.8, 0.8, 2.5), phase: str = "portal") -> Phantom:
    """Make a synthetic abdominal CT from the lung bases to the iliac crests.

    Parameters
    ----------
    seed : int
        The patient, not negative: same seed, same patient. `size` and `spacing` only sample that patient (and its
        scanner's noise) on another grid, whose middle stays where it is; some 280 x 210 x 180 mm hold all organs.
    size : tuple of int
        Voxels along i, j, k.
    spacing : tuple of float
        Millimetres along i, j, k.
    phase : str
        "native", "arterial" or "portal".

    Returns
    -------
    Phantom

    Raises
    ------
    ValueError
        For an unknown phase.
    """
    patient = make_patient(seed, phase)
    left, posterior, superior = (c - (n - 1) / 2 * step for c, n, step in zip(CENTRE, size, spacing))
    origin = left, posterior, superior
    axes = [o + step * np.arange(n) for o, n, step in zip(origin, size, spacing)]
    hu = np.full(size[::-1], AIR, np.float32)
    labels = np.zeros(size[::-1], np.uint8)

    structures, body = _anatomy(patient), _Body(patient)
    edge = max(1.0, 0.9 * min(spacing[:2]))
    slab = max(1, VOXELS_AT_ONCE // (size[0] * size[1]))
    for first in range(0, size[2], slab):
        part = slice(first, first + slab)
        paint(structures, body.points(axes[0], axes[1], axes[2][part]), hu[part], labels[part], edge)

    ct = scan(hu, spacing, patient.rng("noise"), 12.0 + patient.vary("noise", 1.5))
    mm = spacing[0], spacing[1], spacing[2]
    return Phantom(Volume(ct, mm, origin), Volume(labels, mm, origin))


class _Body:
    """The patient's random fields: the warp that bends the standard anatomy, and two textures."""

    def __init__(self, patient: Patient):
        self._scale = patient.scale
        self._warps = [SmoothField(patient.rng(f"warp {a}"), WARP_WIDTH) for a in "xyz"]
        self._lumps = SmoothField(patient.rng("lumps"), 6.0)
        self._grain = SmoothField(patient.rng("grain"), 2.2)

    def points(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Points:
        """Return the anatomical points of a grid given by its axes in patient millimetres."""
        axes = x / self._scale[0], y / self._scale[1], z / self._scale[2]
        bent = []
        for a, warp in enumerate(self._warps):
            along = axes[a].astype(np.float32).reshape([-1 if 2 - a == n else 1 for n in range(3)])
            bent.append(along + np.clip(np.float32(WARP_SD) * warp.on(*axes), -3 * WARP_SD, 3 * WARP_SD))
        return Points(bent[0], bent[1], bent[2], self._lumps.on(*axes), self._grain.on(*axes), axes, 3 * WARP_SD)


def _anatomy(patient: Patient) -> list[Structure]:
    """Everything in the patient, in painting order: what comes later covers what came before."""
    hu = tissue_hu(patient)
    trunk = make_trunk(patient)
    organs = make_organs(patient, trunk)
    return [
        *wall_structures(trunk, hu),
        *chest_structures(trunk, hu),
        *muscle_structures(hu),
        *skeleton_structures(hu),
        *mesenteric_branch_structures(patient, hu),
        *bowel_structures(patient, trunk, organs, hu),
        *organ_structures(organs, hu),
        *adrenal_structures(hu),
        *great_vessel_structures(hu),
        *liver_vessel_structures(patient, organs, hu),
        *splenic_hilum_structures(organs, hu),
    ]
