"""From tissues to ideal HU: contrast phase, texture, vessels, content of stomach and bowel; strongly randomised.

Means follow the project's reference "disease_and_flare.md", part A3 (see disease/phase.py and phantom/appearance.py for
what is measured there and what is usual), their spread is wider than nature's on purpose: what a network has seen far
around the real world covers the real world (SynthSeg, Billot et al., Medical Image Analysis 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ...disease.case import Box, Grid
from ...disease.phase import PHASES, phase_hu
from .anatomies import Anatomy
from .fields import Fields
from .tissues import Tissue, Tissues


@dataclass(frozen=True)
class AppearanceSettings:
    """Probabilities and ranges; HU, mm."""

    phases: tuple[float, ...] = (0.34, 0.18, 0.38, 0.10)  # of PHASES
    between_phases: float = 0.35    # between the drawn phase and the next, at most this share of the way
    organ_spread: float = 0.13      # SD of an organ's enhancement, share of it
    native_spread_hu: float = 8.0   # SD of an organ without contrast medium
    fatty_liver: float = 0.18       # probability
    wild: float = 0.12              # probability that no HU is what it is in a patient
    texture: tuple[float, float] = (0.3, 1.7)
    positive_contrast: float = 0.25
    stomach_gas: float = 0.7
    pancreas_fat: tuple[float, float] = (0.6, 2.4)  # noise above it, in SD, is fat between the lobules
    detail: tuple[float, float] = (0.2, 1.1)


#: Texture SD, HU: bumps of some 24 mm and of some 5 mm.
TEXTURE = {Tissue.FAT: (5, 6), Tissue.SKIN: (8, 8), Tissue.MUSCLE: (5, 7), Tissue.CORTICAL_BONE: (60, 70),
           Tissue.MARROW: (20, 35), Tissue.CARTILAGE: (8, 8), Tissue.LUNG: (25, 15), Tissue.GAS: (3, 3),
           Tissue.FLUID: (8, 8), Tissue.BOWEL_WALL: (10, 10), Tissue.BLOOD: (4, 3), Tissue.CONTENT: (15, 20),
           Tissue.HEART: (10, 5), Tissue.LIVER: (4, 4), Tissue.RIGHT_KIDNEY: (4, 5), Tissue.LEFT_KIDNEY: (4, 5),
           Tissue.SPLEEN: (3, 4), Tissue.PANCREAS: (5, 9), Tissue.STOMACH: (4, 5), Tissue.AORTA: (3, 3),
           Tissue.VENA_CAVA: (8, 4), Tissue.DUODENUM: (12, 14)}
#: HU without and with contrast medium where no phase is told: (native, arterial, portal, excretory).
OTHERS = {
    Tissue.SKIN: (15, 20, 30, 30), Tissue.FAT: (-104,) * 4, Tissue.MUSCLE: (52, 55, 62, 60), Tissue.MARROW: (150,) * 4,
    Tissue.CORTICAL_BONE: (600,) * 4, Tissue.CARTILAGE: (85,) * 4, Tissue.LUNG: (-850,) * 4, Tissue.GAS: (-970,) * 4,
    Tissue.FLUID: (14,) * 4, Tissue.BOWEL_WALL: (46, 85, 95, 80), Tissue.CONTENT: (25,) * 4,
    Tissue.HEART: (42, 220, 140, 105), Tissue.GALLBLADDER: (8,) * 4, Tissue.STOMACH: (42, 85, 88, 75),
    Tissue.VENA_CAVA: (40, 90, 140, 110), Tissue.OESOPHAGUS: (40, 60, 70, 65), Tissue.DUODENUM: (40, 75, 80, 70),
    Tissue.ADRENAL: (28, 75, 75, 60), Tissue.BLADDER: (6, 6, 8, 250),
}
#: Mucosa of the small bowel in each of `PHASES`, its SD from patient to patient, and how far its folds differ, HU.
SMALL_BOWEL_HU, SMALL_BOWEL_SPREAD, FOLDS_HU = (42, 120, 115, 95), 22, (5, 30)
#: The tissue and blood of a lung, in HU: even an emphysematous one is never as thin as gas alone.
LUNG_ABOVE_GAS = 10
#: SD from patient to patient, HU.
SPREAD = {Tissue.FAT: 8, Tissue.MUSCLE: 8, Tissue.MARROW: 50, Tissue.CORTICAL_BONE: 150, Tissue.LUNG: 40,
          Tissue.FLUID: 8,
          Tissue.BOWEL_WALL: 12, Tissue.CONTENT: 20, Tissue.GALLBLADDER: 6, Tissue.HEART: 15, Tissue.STOMACH: 10}
_PHASED = {Tissue.LIVER: "liver", Tissue.SPLEEN: "spleen", Tissue.PANCREAS: "pancreas", Tissue.AORTA: "aorta",
           Tissue.RIGHT_KIDNEY: "renal cortex", Tissue.LEFT_KIDNEY: "renal cortex"}
LOWEST_WILD, HIGHEST_WILD = -60.0, 260.0


@dataclass(frozen=True)
class Palette:
    """What one patient's tissues measure.

    Attributes
    ----------
    phase : str
        One of `PHASES`.
    hu : numpy.ndarray
        float32 (256,), by `Tissue`; kidneys: their cortex.
    medulla, urine, portal_vein, hepatic_vein : float
        HU.
    wild : bool
        Whether organs' HU are arbitrary.
    """

    phase: str
    hu: Floats
    medulla: float
    urine: float
    portal_vein: float
    hepatic_vein: float
    wild: bool


def draw_palette(rng: np.random.Generator, settings: AppearanceSettings = AppearanceSettings()) -> Palette:
    """Draw a contrast phase and each tissue's mean HU."""
    number = int(rng.choice(len(PHASES), p=settings.phases))
    onward = float(rng.uniform(0, settings.between_phases)) if 0 < number < len(PHASES) - 1 else 0.0

    def mix(values: Sequence[float]) -> float:
        return values[number] + onward * (values[min(number + 1, len(values) - 1)] - values[number])

    def organ(name: str) -> float:
        values = [phase_hu(phase, name) for phase in PHASES]
        native = values[0] + rng.normal(0, settings.native_spread_hu)
        return native + (mix(values) - values[0]) * float(np.exp(rng.normal(0, settings.organ_spread)))

    hu = np.full(256, -1000, np.float32)
    for tissue, values in OTHERS.items():
        hu[tissue] = mix(values) + rng.normal(0, SPREAD.get(tissue, 5))
    hu[Tissue.LUNG] = max(hu[Tissue.LUNG], hu[Tissue.GAS] + LUNG_ABOVE_GAS)
    for tissue, name in _PHASED.items():
        hu[tissue] = organ(name)
    hu[Tissue.LEFT_KIDNEY] = hu[Tissue.RIGHT_KIDNEY] + rng.normal(0, 4)
    if rng.random() < settings.fatty_liver:
        hu[Tissue.LIVER] -= rng.uniform(10, 55)
    portal, medulla = organ("portal vein"), min(organ("renal medulla"), hu[Tissue.RIGHT_KIDNEY] - 1)
    hu[Tissue.BLOOD] = 0.5 * (hu[Tissue.AORTA] + portal)
    late = float(np.clip((number - 1 + onward) / 1.0, 0, 1))
    hepatic = portal * late + (1 - late) * hu[Tissue.VENA_CAVA]
    if rng.random() < settings.positive_contrast:
        hu[Tissue.CONTENT] = rng.uniform(120, 450)
    wild = bool(rng.random() < settings.wild)
    if wild:
        organs = list(_PHASED)
        hu[organs] = rng.uniform(LOWEST_WILD, HIGHEST_WILD, len(organs))
        hu[Tissue.LEFT_KIDNEY] = hu[Tissue.RIGHT_KIDNEY]
        medulla = hu[Tissue.RIGHT_KIDNEY] + rng.uniform(-80, 40)
    urine = organ("collecting system")
    return Palette(PHASES[number], hu, float(medulla), float(urine), float(portal), float(hepatic), wild)


def paint(anatomy: Anatomy, palette: Palette, rng: np.random.Generator,
          settings: AppearanceSettings = AppearanceSettings()) -> Floats:
    """Return ideal HU, float32 (k, j, i), of an anatomy: no noise, no blur."""
    tissues, grid = anatomy.tissues, anatomy.grid
    fields = Fields(grid, rng)
    hu = palette.hu[tissues]
    strength = rng.uniform(*settings.texture, 2)
    for column, (field, power) in enumerate(zip((fields.wide(12.0), fields.wide(2.6)), strength)):
        amount = np.zeros(256, np.float32)
        for tissue, sds in TEXTURE.items():
            amount[tissue] = sds[column] * power
        hu += amount[tissues] * field
    if anatomy.detail is not None:
        hu += np.float32(rng.uniform(*settings.detail)) * anatomy.detail
    _liver(hu, tissues, palette, fields)
    _spleen(hu, tissues, palette, fields, rng)
    _pancreas(hu, tissues, palette, fields, rng, settings)
    for side in (Tissue.RIGHT_KIDNEY, Tissue.LEFT_KIDNEY):
        _kidney(hu, tissues, side, palette, fields, grid, rng)
    _lung(hu, tissues, fields)
    _stomach(hu, tissues, palette, fields, grid, rng, settings)
    _bowel(hu, tissues, palette, fields, rng)
    _small_bowel(hu, tissues, palette, fields, grid, rng)
    _calcify_aorta(hu, tissues, fields, rng)
    return hu


def _part(tissues: Tissues, tissue: Tissue, margin: int = 0) -> tuple[Box, Mask] | None:
    """The box that holds a tissue, and its mask in there; None where there is none of it."""
    mask = tissues == tissue
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    if not boxes:
        return None
    box = tuple(slice(max(part.start - margin, 0), part.stop + margin) for part in boxes[0])
    return box, mask[box]


def _liver(hu: Floats, tissues: Tissues, palette: Palette, fields: Fields) -> None:
    """Portal and hepatic veins of two sizes."""
    found = _part(tissues, Tissue.LIVER)
    if found is None:
        return
    box, mask = found
    part = hu[box]
    for blood, bump, radius in ((palette.portal_vein, 22.0, 0.20), (palette.hepatic_vein, 26.0, 0.20),
                                (palette.portal_vein, 11.0, 0.16), (palette.hepatic_vein, 12.0, 0.16)):
        vessel = fields.threads(bump, radius, box)[mask]
        part[mask] += vessel * (np.float32(blood) - part[mask])


def _spleen(hu: Floats, tissues: Tissues, palette: Palette, fields: Fields, rng: np.random.Generator) -> None:
    """Serpentine bands of the arterial phase."""
    found = _part(tissues, Tissue.SPLEEN)
    if palette.phase == "arterial" and found is not None:
        box, mask = found
        hu[box][mask] += np.float32(rng.uniform(0, 30)) * np.sin(3 * fields.wide(14.0, box)[mask])


def _pancreas(hu: Floats, tissues: Tissues, palette: Palette, fields: Fields, rng: np.random.Generator,
              settings: AppearanceSettings) -> None:
    """Lobules with fat between, more of it in some patients."""
    found = _part(tissues, Tissue.PANCREAS)
    if found is None:
        return
    box, mask = found
    fat = np.clip(fields.wide(2.4, box)[mask] - np.float32(rng.uniform(*settings.pancreas_fat)), 0, 1.2)
    hu[box][mask] += fat * np.float32(0.6) * (palette.hu[Tissue.FAT] - hu[box][mask])


def _kidney(hu: Floats, tissues: Tissues, side: Tissue, palette: Palette, fields: Fields, grid: Grid,
            rng: np.random.Generator) -> None:
    """Cortex with columns, medulla, and in the sinus fat, vessels and the collecting system."""
    found = _part(tissues, side, margin=8)
    if found is None:
        return
    (box, kidney), mm = found, grid.spacing[::-1]
    part = hu[box]
    whole = _closed(kidney, mm, 9.0)
    depth = ndimage.distance_transform_edt(whole, mm).astype(np.float32)
    pyramids = np.clip((fields.wide(7.0, box) + 0.7) * 2, 0, 1)
    inner = np.clip((depth - np.float32(rng.uniform(5, 8))) / 2, 0, 1) * pyramids
    part[kidney] += inner[kidney] * np.float32(palette.medulla - palette.hu[side])
    near = whole & ~kidney & np.isin(tissues[box], (Tissue.FAT, Tissue.FLUID, Tissue.MUSCLE, Tissue.BOWEL_WALL))
    deep = near & (ndimage.distance_transform_edt(~kidney, mm) > rng.uniform(2, 5))
    part[near] = palette.hu[Tissue.FAT] + 12
    part[near] += fields.threads(6.0, 0.3, box)[near] * (palette.hu[Tissue.BLOOD] - part[near])
    part[deep] = palette.urine


def _closed(mask: Mask, mm: tuple[float, ...], radius: float) -> Mask:
    """Morphological closing by a ball, mm."""
    wide = ndimage.distance_transform_edt(~np.pad(mask, 8), mm) <= radius
    return (ndimage.distance_transform_edt(wide, mm) > radius)[8:-8, 8:-8, 8:-8] | mask


def _lung(hu: Floats, tissues: Tissues, fields: Fields) -> None:
    """Vessels."""
    found = _part(tissues, Tissue.LUNG)
    if found is not None:
        box, mask = found
        hu[box][mask] += fields.threads(9.0, 0.2, box)[mask] * np.float32(780)


def _stomach(hu: Floats, tissues: Tissues, palette: Palette, fields: Fields, grid: Grid,
             rng: np.random.Generator, settings: AppearanceSettings) -> None:
    """Wall, content, and gas in front of its level: the patient lies on the back."""
    found = _part(tissues, Tissue.STOMACH, margin=1)
    if found is None:
        return
    box, mask = found
    depth = ndimage.distance_transform_edt(mask, grid.spacing[::-1]).astype(np.float32)
    wall = np.clip((np.float32(rng.uniform(2.5, 6)) - depth) / 1.5 + 0.5, 0, 1)
    kind = rng.random()
    base = rng.normal(12, 10) if kind < 0.5 else rng.normal(45, 15) if kind < 0.8 else palette.hu[Tissue.CONTENT]
    content = np.float32(base) + np.float32(rng.uniform(2, 25)) * fields.wide(4.0, box)
    if rng.random() < settings.stomach_gas:
        rows = np.arange(mask.shape[1], dtype=np.float32)[None, :, None]
        level = np.quantile(np.nonzero(mask)[1], rng.uniform(0.02, 0.55))
        gas = np.clip(np.float32(level) - rows + 0.3 * fields.wide(6.0, box), 0, 1)
        content += gas * (palette.hu[Tissue.GAS] - content)
    rugae = palette.hu[Tissue.STOMACH] + 6 * fields.wide(4.0, box)
    hu[box][mask] = (wall * rugae + (1 - wall) * content)[mask]


def _bowel(hu: Floats, tissues: Tissues, palette: Palette, fields: Fields, rng: np.random.Generator) -> None:
    """Where only the content's place is known: fluid, stool or gas, from loop to loop."""
    found = _part(tissues, Tissue.CONTENT)
    if found is None:
        return
    box, mask = found
    loop = fields.wide(16.0, box)[mask]
    gas = np.clip((loop - rng.uniform(0.3, 1.2)) * 8, 0, 1)
    stool = np.clip((-loop - 0.2) * 4, 0, 1) * np.clip((fields.wide(2.6, box)[mask] - 0.7) * 2, 0, 1)
    values = hu[box][mask]
    hu[box][mask] = values + gas * (palette.hu[Tissue.GAS] - values) - 350 * stool * (1 - gas)


def _small_bowel(hu: Floats, tissues: Tissues, palette: Palette, fields: Fields, grid: Grid,
                 rng: np.random.Generator) -> None:
    """Folded mucosa: collapsed loops are full of it, others hold fluid or contrast medium."""
    found = _part(tissues, Tissue.SMALL_BOWEL, margin=1)
    if found is None:
        return
    box, mask = found
    depth = ndimage.distance_transform_edt(mask, grid.spacing[::-1])[mask].astype(np.float32)
    mucosa = rng.normal(SMALL_BOWEL_HU[PHASES.index(palette.phase)], SMALL_BOWEL_SPREAD)
    folds = np.float32(mucosa) + np.float32(rng.uniform(*FOLDS_HU)) * fields.wide(1.5, box)[mask]
    filled = np.clip((fields.wide(20.0, box)[mask] - np.float32(rng.uniform(-0.8, 1.2))) * 4, 0, 1)
    inner = np.clip((depth - np.float32(rng.uniform(2, 4))) / 2, 0, 1) * filled
    content = palette.hu[Tissue.CONTENT] if rng.random() < 0.3 else np.float32(rng.normal(18, 10))
    hu[box][mask] = folds + inner * (content - folds)


def _calcify_aorta(hu: Floats, tissues: Tissues, fields: Fields, rng: np.random.Generator) -> None:
    """Plaques in the wall, in some patients."""
    found = _part(tissues, Tissue.AORTA, margin=1)
    if found is None or rng.random() < 0.6:
        return
    box, mask = found
    shell = mask & ~ndimage.binary_erosion(mask)
    hu[box][shell] += (fields.wide(5.0, box)[shell] > rng.uniform(1.2, 2.2)) * np.float32(rng.uniform(200, 700))
