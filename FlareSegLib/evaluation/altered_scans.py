"""The same CT under other conditions, with its labels.

Thicker or thinner slices, stored otherwise, noisier, with less contrast medium, in a smaller field of view, with a
simulated disease.

Everything but the storage is a simulation and says nothing of scanners; what it tells is whether a result lasts. All
volumes that come in are axial (`volumes.orientation`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Doubles
from ..disease.case import Case, make_case
from ..disease.catalogue import DISEASES, find
from ..disease.catalogue.acquisition import Acquisition
from ..disease.catalogue.contrast_phase import ContrastPhase
from ..disease.operation import Operation, draw, perform
from ..disease.scene import Scene
from ..disease.simulation import ready_scene, simulate
from ..errors import FlareSegError
from ..organs import FLARE_ORGANS
from ..volumes.volume import Volume

#: ``alter(ct, labels, seed)``
Alter = Callable[[Volume, Volume, int], "Altered"]

THICKNESSES_MM = (1, 2, 3, 5, 8)
NOISES_HU = (10, 20, 30)
OBLIQUE_DEGREES = 12.0
#: What decides between labels that cover a voxel equally.
TIE = 1e-6
#: A disease that finds no room is drawn anew so many times.
ATTEMPTS = 6


@dataclass(frozen=True)
class Altered:
    """A changed scan.

    Attributes
    ----------
    ct, labels : Volume
        HU, and the labels that belong to them, on one grid.
    organs : tuple of str
        What it concerns most: the organs of a disease; empty for the whole scan.
    """

    ct: Volume
    labels: Volume
    organs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Condition:
    """A change of a scan.

    Attributes
    ----------
    group, name : str
        What they are called in tables; names differ from each other.
    alter : callable
        ``alter(ct, labels, seed) -> Altered``; FlareSegError "disease_not_placed" or "bad_disease_case" where it
        cannot be had of this scan.
    contrast_only : bool
        Whether it makes sense only for CTs with contrast medium.
    """

    group: str
    name: str
    alter: Alter
    contrast_only: bool = False


AS_IT_IS = Condition("as it is", "as it is", lambda ct, labels, seed: Altered(ct, labels))


def all_conditions() -> tuple[Condition, ...]:
    """All of them, the unchanged scan first."""
    return (AS_IT_IS,
            *(Condition("slices", f"slices of {mm} mm", _with(resliced, mm)) for mm in THICKNESSES_MM),
            Condition("storage", "flipped", lambda ct, labels, seed: Altered(flipped(ct), flipped(labels))),
            Condition("storage", "axes permuted", lambda ct, labels, seed: Altered(permuted(ct), permuted(labels))),
            Condition("storage", "oblique", lambda ct, labels, seed: Altered(oblique(ct), oblique(labels))),
            *(Condition("noise", f"{hu} HU of noise added", _scanned(Acquisition(noise=hu))) for hu in NOISES_HU),
            Condition("field of view", "as small as the organs allow",
                      _scanned(Acquisition(noise=2, field_of_view=200))),
            Condition("contrast", "half the contrast medium", _with(_less_contrast, 0.5), True),
            Condition("contrast", "no contrast medium", _with(_less_contrast, 0.0), True),
            Condition("contrast", "no contrast medium, 20 HU of noise added", _low_dose, True),
            *(Condition("disease", name, _diseased(name)) for name in DISEASES
              if name not in ("acquisition", "contrast_phase")))


def _with(alter: Callable[[Volume, Volume, float], Altered], value: float) -> Alter:
    return lambda ct, labels, seed: alter(ct, labels, value)


def slab_weights(slices: int, spacing: float, thickness: float) -> Doubles:
    """Weights (new slices, stored slices) that make slices of another thickness; each row adds up to 1.

    A thicker slice is the mean over its slab, a thinner one lies on the line between its two neighbours. New slices
    share the extent of the stored ones, so that the last bit of it may make them a little thicker or thinner.

    Examples
    --------
    >>> slab_weights(4, 1.0, 2.0).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    count = max(1, round(slices * spacing / thickness))
    step = slices / count  # in stored slices
    edges = np.arange(count + 1) * step
    if step >= 1:
        stored = np.arange(slices)
        overlap = np.minimum(edges[1:, None], stored + 1) - np.maximum(edges[:-1, None], stored)
        return np.maximum(overlap, 0) / step
    position = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, slices - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(slices)))


def resliced(ct: Volume, labels: Volume, thickness: float) -> Altered:
    """Slices of another thickness (mm), as far apart as they are thick; a voxel has the label that covers most of it.

    Where two cover as much, the one nearer to the slice's middle has it (the lower one of two as near): labels neither
    grow nor shrink by that.
    """
    weights = slab_weights(len(ct.array), ct.spacing[2], thickness)
    hu = np.empty((len(weights), *ct.array.shape[1:]), np.int16)
    new = np.zeros(hu.shape, np.uint8)
    for k, row in enumerate(weights):
        used = np.flatnonzero(row)
        hu[k] = np.rint(np.tensordot(row[used], ct.array[used].astype(float), 1))
        values = np.unique(labels.array[used])
        row[used[np.argmin(np.abs(used - used @ row[used]).round(6))]] += TIE
        shares = [np.tensordot(row[used], labels.array[used] == value, 1) for value in values]
        new[k] = values[np.argmax(shares, axis=0)]
    step = len(ct.array) * ct.spacing[2] / len(weights)
    first = ct.index_to_physical((0, 0, (step / ct.spacing[2] - 1) / 2))
    grid = {"spacing": (*ct.spacing[:2], step), "origin": tuple(first.tolist())}
    return Altered(replace(ct, array=hu, **grid), replace(labels, array=new, **grid))


def flipped(volume: Volume) -> Volume:
    """The same voxels at the same places, stored backwards along all axes."""
    last = volume.index_to_physical(np.array(volume.size) - 1)
    return replace(volume, array=np.ascontiguousarray(volume.array[::-1, ::-1, ::-1]), origin=tuple(last.tolist()),
                   direction=tuple((-volume.direction_matrix).ravel().tolist()))


def permuted(volume: Volume) -> Volume:
    """The same voxels at the same places, stored with k as i, i as j and j as k: as sagittal slices."""
    i, j, k = volume.spacing
    return Volume(np.ascontiguousarray(volume.array.transpose(1, 2, 0)), (k, i, j), volume.origin,
                  tuple(volume.direction_matrix[:, [2, 0, 1]].ravel().tolist()))


def oblique(volume: Volume) -> Volume:
    """The same voxels of a patient who lay askew: the direction is turned about an axis of no symmetry."""
    from scipy.spatial.transform import Rotation

    axis = np.array([1.0, 2.0, -1.0]) / np.sqrt(6)
    turned = Rotation.from_rotvec(np.radians(OBLIQUE_DEGREES) * axis).as_matrix() @ volume.direction_matrix
    return replace(volume, direction=tuple(turned.ravel().tolist()))


def _scanned(parameters: Acquisition) -> Alter:
    return lambda ct, labels, seed: _performed(ct, labels, "acquisition", parameters, seed)


def _performed(ct: Volume, labels: Volume, name: str, parameters: Acquisition | ContrastPhase,
               seed: int) -> Altered:
    """A whole-scan entry of the catalogue."""
    case, _ = make_case(ct, labels)
    operation = Operation(name, "", parameters, None, seed, find(name).label_rules[0])
    scene, _ = perform(find, Scene(case), operation)
    return _altered(ct, scene.case)


def _altered(ct: Volume, case: Case, organs: tuple[str, ...] = ()) -> Altered:
    return Altered(ct.with_array(case.hu), ct.with_array(case.labels), organs)


def _less_contrast(ct: Volume, labels: Volume, share: float) -> Altered:
    """The contrast medium damped to a share of it: between the scan and its native phase as the catalogue makes it."""
    native = _performed(ct, labels, "contrast_phase", ContrastPhase(phase="native"), 0).ct
    mixed = share * ct.array.astype(np.float32) + (1 - share) * native.array
    return Altered(ct.with_array(np.rint(mixed).astype(np.int16)), labels)


def _low_dose(ct: Volume, labels: Volume, seed: int) -> Altered:
    return _performed(_less_contrast(ct, labels, 0.0).ct, labels, "acquisition", Acquisition(noise=20), seed)


def _diseased(name: str) -> Alter:
    """One lesion or change, drawn as mixes draw it, in one of its organs; labels by the disease's own rule."""
    def alter(ct: Volume, labels: Volume, seed: int) -> Altered:
        case, _ = make_case(ct, labels)
        scene, disease = ready_scene(case), find(name)
        organs = [organ.name for organ in FLARE_ORGANS if organ.name in disease.organs and scene.has(organ.name)]
        if disease.organs and not organs:
            raise FlareSegError("bad_disease_case", f"{name}: none of its organs is in this scan.")
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((seed, zlib.crc32(name.encode()), attempt))
            organ = organs[rng.integers(len(organs))] if organs else ""
            try:
                found = simulate(case, (draw(disease, scene, organ, rng),), find, scene=scene)
            except FlareSegError as error:
                if error.code != "disease_not_placed" or attempt == ATTEMPTS - 1:
                    raise
                continue
            concerned = {step.operation.organ for step in found.steps} - {""}
            return _altered(ct, found.case, tuple(each.name for each in FLARE_ORGANS if each.name in concerned))
        raise AssertionError("the last attempt returns or raises")
    return alter
