"""Another phase of the contrast medium: what the four organs, the vessels and the bowel would look like in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ..block import Block, Change
from ..blood import BLOOD_HU, Blood, find_blood
from ..case import HIGHEST_HU, LABEL_OF, LOWEST_HU, UNKNOWN, Vector
from ..coarse import coarse_steps, node_points, spread_out, spread_planes, thin_out
from ..fractal import fractal_noise
from ..operation import Disease, Operation
from ..parameters import choice, quantity, switch
from ..scan import PHASES, phase_hu
from ..scene import Scene

#: An organ's change fades over so many mm about its surface.
FEATHER_MM = 1.5
#: The renal cortex is so thick; the sinus within the kidney's outline is closed over so many mm.
CORTEX_MM, SINUS_MM = 6.0, 14.0
#: From patient to patient enhancement differs by so much (SD, share of it).
PATIENT_SPREAD = 0.08
#: What is denser than this is no fluid; it takes up contrast in full from this share of the organ's median on.
FLUID_HU, FULL_SHARE = 20.0, 0.65
#: Blur with which structures are told from noise: of organs, of vessels.
STRUCTURE_MM, VESSEL_MM, NOISE_HU = 2.5, 0.9, 30.0
#: Unenhanced blood and bowel wall; a lumen counts as full from this share of its blood's HU on.
UNENHANCED_HU, FULL_LUMEN = 46.0, 0.85
#: The spleen's stripes in the arterial phase: half their width, mm.
STRIPE_MM = 7.0
NODE_MM = 2.0


@dataclass(frozen=True)
class ContrastPhase:
    """Parameters of `contrast_phase`."""

    phase: str = choice("arterial", PHASES, "Phase to change to")
    liver: float | None = quantity(None, -200, 200, "HU", "Liver: change of its median")
    kidney: float | None = quantity(None, -200, 200, "HU", "Kidneys: change of their median", main=False)
    spleen: float | None = quantity(None, -200, 200, "HU", "Spleen: change of its median", main=False)
    pancreas: float | None = quantity(None, -200, 200, "HU", "Pancreas: change of its median", main=False)
    corticomedullary: bool = switch(True, "Cortex and medulla of the kidneys differ as the phase says")
    moire: float = quantity(20, 0, 40, "HU", "Stripes of the spleen in the arterial phase", usual=(8, 30), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Change vessels and bowel, then the organs over them; labels stay.

    What holds no contrast in this scan cannot be told by its HU: from a native scan on, only the organs are changed.
    """
    p: ContrastPhase = operation.parameters
    rng = np.random.default_rng((operation.seed, 6))
    patient = {name: 1 + PATIENT_SPREAD * float(np.clip(rng.standard_normal(), -2, 2)) for name in ("blood", *LABEL_OF)}
    more = _rest(scene, p.phase, patient["blood"])
    for name in LABEL_OF:
        if scene.has(name):
            _lay_organ(scene, more, name, p, patient[name], operation.seed)
    case, hu = scene.case, scene.case.hu.copy()
    # Slice by slice: copies of a whole case take long.
    for plane, labels, extra in zip(hu, case.labels, more):
        changed = (extra != 0) & (labels != UNKNOWN)
        plane[changed] = np.clip(np.rint(plane[changed] + extra[changed]), LOWEST_HU, HIGHEST_HU)
    return Change(case.grid.whole, hu, case.labels.copy(), contrast_changed=True)


def _target(phase: str, tissue: str, patient: float) -> float:
    """HU of a tissue in a phase, its enhancement as strong as this patient's."""
    plain = phase_hu("native", tissue)
    return plain + (phase_hu(phase, tissue) - plain) * patient


def _rest(scene: Scene, phase: str, patient: float) -> Floats:
    """Change (HU, float32, whole case) of vessels, heart and bowel wall."""
    case = scene.case
    more = np.zeros(case.hu.shape, np.float32)
    if scene.phase == "native":
        return more
    blood = find_blood(scene)
    found = ndimage.find_objects((blood.soft > 0.1).view(np.uint8))
    if not found:
        return more
    nodes = (slice(None), *found[0][1:])
    rows, columns = (slice(part.start * step, min(part.stop * step, n))
                     for part, step, n in zip(nodes[1:], blood.steps[1:], case.hu.shape[1:]))
    sigma = [VESSEL_MM / mm for mm in case.grid.spacing[1::-1]]
    planes, result = case.hu[:, rows, columns], more[:, rows, columns]
    fields = spread_planes(np.stack([blood.soft[nodes], blood.arterial[nodes]]), blood.steps, planes.shape)
    for k, (soft, arterial) in enumerate(fields):
        plane = planes[k].astype(np.float32)
        smooth = ndimage.gaussian_filter(plane, sigma, truncate=2.5)
        # What departs from the smooth image by more than noise does is a vessel's edge.
        smooth += (plane - smooth) - np.clip(plane - smooth, -NOISE_HU, NOISE_HU)
        result[k] = soft * (_unenhanced(smooth) if phase == "native" else
                            _changed_blood(smooth, arterial, scene.phase, phase, blood, patient))
    return more


def _unenhanced(smooth: np.ndarray) -> np.ndarray:
    """Everything soft comes down to what it measures without contrast; what is far brighter than blood is none."""
    excess = np.maximum(smooth - np.float32(UNENHANCED_HU), 0)
    return np.float32(-0.9) * excess * np.clip((500 - smooth) / 100, 0, 1)


def _changed_blood(smooth: Floats, arterial: Floats, source: str, phase: str, blood: Blood, patient: float) -> Floats:
    """Change of what lies above `BLOOD_HU`: as the aorta near it, as the veins elsewhere."""
    result = np.zeros_like(smooth)
    for share, tissue, level in ((arterial, "aorta", blood.artery_hu), (1 - arterial, "portal vein", blood.vein_hu)):
        level = max(level or phase_hu(source, tissue), BLOOD_HU + 25)
        full = FULL_LUMEN * (level - BLOOD_HU)
        lumen = np.clip((smooth - np.float32(BLOOD_HU)) / np.float32(full), 0, 1)
        lumen *= np.clip((level + 250 - smooth) / 100, 0, 1)
        result += share * lumen * np.float32(_target(phase, tissue, patient) - level)
    return result


def _lay_organ(scene: Scene, more: Floats, name: str, p: ContrastPhase, patient: float, seed: int) -> None:
    """Lay an organ's change over the rest's."""
    block = scene.block_of(scene.grown(scene.organ(name).box, SINUS_MM + 8 if name == "kidney" else 6.0))
    inside = block.labels == LABEL_OF[name]
    look = _structure(block, inside)
    change = _kidney(scene, block, inside, look, p, patient, seed) if name == "kidney" else \
        _parenchyma(scene, block, name, inside, look, p, patient, seed)
    given = getattr(p, name)
    if given is not None:
        change += np.float32(given + np.median(block.hu[inside]) - np.median((block.hu + change)[inside]))
    median = scene.organ(name).median
    if median > 1.5 * FLUID_HU:
        # Cysts and fat take up nothing, tumours part of it.
        change *= np.clip((look - FLUID_HU) / np.float32(FULL_SHARE * median - FLUID_HU), 0, 1)
    sigma = [0.0, *(0.4 * FEATHER_MM / mm for mm in block.grid.spacing[1::-1])]
    share = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    more[block.box] += share * (change - more[block.box])
    if name == "kidney":
        _fill_pelvis(scene, block, more[block.box], p.phase)


def _structure(block: Block, inside: Mask) -> Floats:
    """HU without noise and vessels, smoothed over the mask alone; outside it goes on as at its border."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    sigma = [STRUCTURE_MM / (mm * step) for mm, step in zip(reversed(block.grid.spacing), steps)]
    level = np.float32(np.median(block.hu[inside]))
    weight = ndimage.gaussian_filter(thin_out(inside, steps), sigma)
    sums = ndimage.gaussian_filter(thin_out(np.where(inside, block.hu - level, np.float32(0)), steps), sigma)
    return level + spread_out(sums / np.maximum(weight, 1e-3), steps, inside.shape)


def _smooth_within(block: Block, inside: Mask, sigma_mm: float) -> Floats:
    """HU smoothed over the mask alone; outside it goes on as at its border."""
    sigma = [0.0, *(sigma_mm / mm for mm in block.grid.spacing[1::-1])]
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma, truncate=2.5)
    level = np.float32(np.median(block.hu[inside]))
    sums = ndimage.gaussian_filter(np.where(inside, block.hu - level, np.float32(0)), sigma, truncate=2.5)
    return level + sums / np.maximum(weight, 1e-3)


def _parenchyma(scene: Scene, block: Block, name: str, inside: Mask, look: Floats, p: ContrastPhase,
                patient: float, seed: int) -> Floats:
    """Liver, spleen, pancreas: an even change; their vessels change as blood does."""
    median, target = scene.organ(name).median, _target(p.phase, name, patient)
    change = np.full(look.shape, np.float32(target - median))
    if name == "spleen":
        if scene.phase == "arterial" and p.phase != "arterial":
            change -= np.clip(look - median, -40, 40) * np.float32(0.8)
        return change + np.float32(p.moire) * _stripes(block, seed) if p.phase == "arterial" else change
    vessel = _smooth_within(block, inside, VESSEL_MM + 0.3) - np.float32(median + 20)
    here = max(phase_hu(scene.phase, "portal vein") - median, 15.0)
    there = _target(p.phase, "portal vein", patient) - target
    return change + np.maximum(vessel, 0) * np.float32(np.clip(there / here, -1, 1.5) - 1) * (scene.phase != "native")


def _stripes(block: Block, seed: int) -> Floats:
    """Winding stripes, -1 to 1."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    noise = fractal_noise(node_points(block.grid, block.box, steps), seed, 2 * STRIPE_MM, octaves=2)
    return spread_out(np.sin(np.float32(2.6) * noise), steps, block.hu.shape)


def _kidney(scene: Scene, block: Block, inside: Mask, look: Floats, p: ContrastPhase, patient: float,
            seed: int) -> Floats:
    """Kidneys: cortex and medulla each to their own HU, as the scan shows them or, where it does not, by depth."""
    cortex = _cortex(block, inside, seed)
    outer, inner = inside & (cortex > 0.8), inside & (cortex < 0.2)
    target = [_target(p.phase, tissue, patient) for tissue in ("renal cortex", "renal medulla")]
    median = scene.organ("kidney").median
    if not outer.any() or not inner.any() or not p.corticomedullary:
        return np.full(look.shape, np.float32(0.65 * target[0] + 0.35 * target[1] - median))
    here = [float(np.median(block.hu[part])) for part in (outer, inner)]
    if scene.phase == "arterial":
        kept = np.clip((target[0] - target[1]) / max(here[0] - here[1], 20.0), 0, 1)
        mean = np.float32(0.65 * target[0] + 0.35 * target[1] - median)
        return mean + np.float32(kept - 1) * (look - np.float32(median))
    return cortex * np.float32(target[0] - here[0]) + (1 - cortex) * np.float32(target[1] - here[1])


def _cortex(block: Block, inside: Mask, seed: int) -> Floats:
    """1 in the cortex and its columns, 0 in the pyramids, float32; the sinus has no cortex of its own."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    closed = _closed(thin_out(inside, steps) > 0.5, node_mm)
    depth = ndimage.distance_transform_edt(closed, node_mm).astype(np.float32)
    points = node_points(block.grid, block.box, steps)
    wave, columns = fractal_noise(points, seed + 1, 5.0, octaves=1), fractal_noise(points, seed + 2, 7.0, octaves=1)
    rim = np.clip((CORTEX_MM + 1.2 * wave - depth) / 2 + 0.5, 0, 1)
    return spread_out(np.maximum(rim, np.clip(1.5 * columns - 0.9, 0, 1)), steps, inside.shape)


def _closed(mask: Mask, node_mm: Vector) -> Mask:
    """A kidney with its sinus."""
    if not mask.any():
        return mask
    reached = ndimage.distance_transform_edt(~mask, node_mm) <= SINUS_MM
    return ndimage.distance_transform_edt(np.pad(reached, 1), node_mm)[1:-1, 1:-1, 1:-1] > SINUS_MM


def _fill_pelvis(scene: Scene, block: Block, more: Floats, phase: str) -> None:
    """Urine in the renal pelvis is dense in the excretory phase, and fluid in the others."""
    if "excretory" not in (phase, scene.phase) or phase == scene.phase:
        return
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    closed = _closed(thin_out(block.labels == LABEL_OF["kidney"], steps) > 0.5, node_mm)
    # Not at the kidney's outer surface, where fat and kidney mixed look like fluid.
    inner = np.clip(ndimage.distance_transform_edt(closed, node_mm) / 3 - 1, 0, 1).astype(np.float32)
    sinus = spread_out(inner, steps, block.hu.shape) * (block.labels == 0)
    sigma = [0.0, *(1.0 / mm for mm in block.grid.spacing[1::-1])]
    smooth = ndimage.gaussian_filter(block.hu, sigma)
    if phase == "excretory":
        fluid = sinus * np.clip((smooth + 30) / 25, 0, 1) * np.clip((70 - smooth) / 25, 0, 1)
    else:
        fluid = sinus * np.clip((smooth - 200) / 50, 0, 1)
    wanted = phase_hu(phase, "collecting system") - smooth
    more += ndimage.gaussian_filter(fluid, sigma) * (wanted - more)


DISEASES = (Disease("contrast_phase", "Other contrast phase", "No disease: the same patient without contrast medium, "
                    "or earlier or later after its injection.", (), ContrastPhase, edit, whole_organ=True),)
