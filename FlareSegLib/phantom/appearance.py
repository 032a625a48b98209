"""Hounsfield units: what each tissue looks like in each contrast phase, and how a scanner would show it.

Parenchyma follows the project's reference "disease_and_flare.md", part A3.1. Measured there: liver without contrast
58.3 ± 8.9 HU, spleen without contrast about 45 HU (Karlo 2013), renal cortex enhancing by 195 to 217 HU in the
arterial phase, medulla 110 to 140 HU below the cortex then and less than 30 HU in the portal phase, pancreas 40 to
50 HU without contrast. Its other values are design values (marked [D] there): portal liver 110, spleen 120, cortex
190, pancreas 80 to 95; arterial liver 75, spleen 120, pancreas 100 to 130. Fat, gas, bowel and vessels are chosen
here to fit them.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .patient import Patient

AIR = -1000.0
LUNG = -850.0
FAT = -103.0

#: HU by phase.
_PHASES = {
    "native": dict(liver=58, spleen=47, cortex=35, medulla=34, pelvis=5, pancreas=44, aorta=42, cava=40, portal=41,
                   hepatic_vein=42, heart=42, bowel_wall=42, muscle=55, adrenal=30),
    "arterial": dict(liver=75, spleen=122, cortex=235, medulla=112, pelvis=6, pancreas=112, aorta=310, cava=95,
                     portal=120, hepatic_vein=75, heart=230, bowel_wall=95, muscle=58, adrenal=80),
    "portal": dict(liver=110, spleen=120, cortex=190, medulla=166, pelvis=10, pancreas=92, aorta=165, cava=145,
                   portal=168, hepatic_vein=160, heart=145, bowel_wall=88, muscle=63, adrenal=75),
}
_ALL_PHASES = dict(gallbladder=10, disc=85, cord=35, cartilage=105, trabecular=185, marrow=230, cortical=620,
                   fluid=12, chyme=28, stool=45, skin=25, fat=FAT, lung=LUNG, gas=-960)
#: Uniform spread of a patient's own HU around the phase's, HU.
_SPREAD = dict(liver=6, spleen=6, cortex=12, pancreas=6, aorta=12, portal=8)


def tissue_hu(patient: Patient) -> dict[str, float]:
    """Return the mean HU of each tissue of a patient, by name."""
    hu = {**_ALL_PHASES, **_PHASES[patient.phase]}
    for name, spread in _SPREAD.items():
        hu[name] = hu[name] + patient.vary("hu " + name, spread)
    hu["medulla"] = min(hu["medulla"], hu["cortex"] - 2)
    return hu


def scan(hu: np.ndarray, spacing: tuple[float, float, float], rng: np.random.Generator,
         noise_sd: float) -> np.ndarray:
    """Return ideal HU as a scanner would show them: slightly blurred in plane, with correlated noise, int16.

    Parameters
    ----------
    hu : numpy.ndarray
        float32 (k, j, i); overwritten.
    spacing : tuple of float
        i, j, k, mm.
    noise_sd : float
        SD of the noise in soft tissue, HU.
    """
    blur = [0.45 / spacing[1], 0.45 / spacing[0]]
    grain = [max(0.35, 0.55 / spacing[1]), max(0.35, 0.55 / spacing[0])]
    for plane in hu:
        noise = ndimage.gaussian_filter(rng.standard_normal(plane.shape, dtype=np.float32), grain)
        noise *= np.float32(noise_sd) / max(float(noise.std()), 1e-6)
        plane[...] = ndimage.gaussian_filter(plane, blur) + noise
    return np.clip(np.rint(hu, out=hu), -1024, 3071).astype(np.int16)
