"""One training case, drawn: a function of the data, the mix, the seed and its number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...disease.case import Case, Grid
from ...errors import FlareSegError
from ...volumes.volume import Volume
from ..cases import read_case_list
from .anatomies import ABDOMEN_MM, TRUNK_MM, Placement, make_anatomy, place, scan_grid
from .appearance import draw_palette, paint
from .bowel import with_small_bowel
from .hosts import Host, find_hosts, read_host
from .label_maps import OrganMap, find_donors, find_label_maps, organ_map, read_donor, read_organ_map, transplanted
from .mix import SynthesisMix
from .scanner import draw_slices, scan, scanned_again
from .tissues import FLARE_LABEL, LANDMARKS, Tissue
from .transfer import shift_organs, transfer

if TYPE_CHECKING:
    from ...disease.mix import Mix

#: In-plane spacing of all cases, mm: the light network's.
WORKING_MM = 1.6
ATTEMPTS = 12
#: Our own phantom as a host comes in so many patients.
PHANTOMS = 40
#: Numbers are spread over the kinds by the golden section, so that any first so many have about the mix's shares.
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Sources:
    """What there is to draw from.

    Attributes
    ----------
    data : Path
        The data folder, with ``ct`` and ``labels``.
    hosts : tuple of (patient, names)
        Real CTs, all of a patient's together.
    phantoms : tuple of str
        ICRP phantoms.
    targets : tuple of str
        Multi-organ label maps.
    donors : tuple of (folder, names)
        Single organs.
    """

    data: Path
    hosts: tuple[tuple[str, tuple[str, ...]], ...]
    phantoms: tuple[str, ...]
    targets: tuple[str, ...]
    donors: tuple[tuple[str, tuple[str, ...]], ...]


def find_sources(data: Path, left_out: frozenset[str] = frozenset()) -> Sources:
    """Look for what a data folder has; patients that are left out give neither CT nor body."""
    patient_of = {f"ct/{entry['name']}": entry["patient"] for entry in read_case_list()}
    found = find_hosts(data, left_out)
    by_patient: dict[str, list[str]] = {}
    for name in found:
        if name in patient_of:
            by_patient.setdefault(patient_of[name], []).append(name)
    return Sources(data, tuple((patient, tuple(names)) for patient, names in sorted(by_patient.items())),
                   tuple(name for name in found if name not in patient_of), find_label_maps(data),
                   tuple(sorted(find_donors(data).items())))


@dataclass(frozen=True)
class MadeCase:
    """A case and where it comes from.

    Attributes
    ----------
    case : Case
    kind : str
        "transferred" or "synthetic".
    patient : str
        Whose body, or CT, it is.
    host, target, phase : str
    donors, diseases : tuple of str
    unlabelled : tuple of int
        FLARE21's labels that are not drawn.
    """

    case: Case
    kind: str
    patient: str
    host: str
    target: str
    phase: str = ""
    donors: tuple[str, ...] = ()
    diseases: tuple[str, ...] = ()
    unlabelled: tuple[int, ...] = ()


def kind_of(number: int, mix: SynthesisMix) -> str:
    """The kind of case `number`."""
    return "transferred" if (number * GOLDEN + 0.5) % 1.0 < mix.transferred_share else "synthetic"


def draw_case(sources: Sources, mix: SynthesisMix, seed: int, number: int) -> MadeCase:
    """Draw a case; where a host and a target do not go together, others are drawn.

    Raises
    ------
    FlareSegError
        "bad_training_data" where nothing goes together.
    """
    kind, reason = kind_of(number, mix), None
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng((seed, number, attempt))
        try:
            made = _transferred(sources, mix, rng) if kind == "transferred" else _synthetic(sources, mix, rng)
        except FlareSegError as error:
            if error.code != "bad_training_data":
                raise
            reason = error
            continue
        if made is not None and np.isin(made.case.labels, (1, 2, 3, 4)).any():
            return _diseased(made, mix, rng)
    raise reason or FlareSegError("bad_training_data", "None of the hosts shows what the label maps show; give others.")


def _transferred(sources: Sources, mix: SynthesisMix, rng: np.random.Generator) -> MadeCase | None:
    if not sources.hosts:
        raise FlareSegError("bad_training_data", "There is no real CT to transfer; leave fewer patients out or set the "
                                                 "mix's transferred to 0.")
    host = read_host(sources.data, _draw_real(sources, rng))
    target, name, donors, placement, grid, count = _arrange(sources, mix, host, rng)
    if grid is None:
        return None
    case = transfer(host, placement, grid, count)
    if rng.random() < mix.organ_shift:
        case = shift_organs(case, rng)
    return MadeCase(scanned_again(case, rng), "transferred", host.patient, host.name, name, "", donors, (),
                    host.unlabelled)


def _synthetic(sources: Sources, mix: SynthesisMix, rng: np.random.Generator) -> MadeCase | None:
    host = _draw_body(sources, mix, rng)
    target, name, donors, placement, grid, count = _arrange(sources, mix, host, rng)
    if grid is None:
        return None
    anatomy = make_anatomy(target, host, placement, grid)
    if mix.small_bowel > 0 and rng.random() < mix.small_bowel:
        anatomy = with_small_bowel(anatomy, rng)
    palette = draw_palette(rng)
    case = scan(paint(anatomy, palette, rng), FLARE_LABEL[anatomy.tissues], grid, count, rng)
    return MadeCase(case, "synthetic", host.patient, host.name, name, "wild" if palette.wild else palette.phase, donors)


def _arrange(sources: Sources, mix: SynthesisMix, host: Host, rng: np.random.Generator
             ) -> tuple[OrganMap, str, tuple[str, ...], Placement, Grid | None, int]:
    """A target with name and donors, where it lies in a host, the grid of a scan of both or None, samples a slice."""
    target, name, donors = _draw_target(sources, mix, rng)
    placement = place(target, host, rng)
    slice_mm, count = draw_slices(rng)
    # No draw where there are no trunks: mixes without them make what they made before there were any
    reach = TRUNK_MM if mix.trunk > 0 and rng.random() < mix.trunk else ABDOMEN_MM
    grid = scan_grid(target, host, placement, (WORKING_MM, WORKING_MM, slice_mm / count), rng, reach)
    return target, name, donors, placement, grid, count


def _draw_real(sources: Sources, rng: np.random.Generator) -> str:
    """A real CT: patients alike, however many CTs each has."""
    names = sources.hosts[rng.integers(len(sources.hosts))][1]
    return names[rng.integers(len(names))]


def _draw_body(sources: Sources, mix: SynthesisMix, rng: np.random.Generator) -> Host:
    draw = rng.random()
    if draw >= mix.phantom_host + mix.icrp_host and sources.hosts:
        return read_host(sources.data, _draw_real(sources, rng))
    if draw >= mix.phantom_host and sources.phantoms:
        return read_host(sources.data, sources.phantoms[rng.integers(len(sources.phantoms))])
    return read_host(sources.data, f"phantom/{rng.integers(PHANTOMS)}")


def _draw_target(sources: Sources, mix: SynthesisMix,
                 rng: np.random.Generator) -> tuple[OrganMap, str, tuple[str, ...]]:
    """An anatomy, some of its organs another one's; our phantom's where there are no label maps."""
    if sources.targets:
        name = sources.targets[rng.integers(len(sources.targets))]
        target = read_organ_map(sources.data, name)
    else:
        number = int(rng.integers(PHANTOMS))
        name, target = f"phantom/{number}", _phantom_target(sources.data, number)
    used = []
    for folder, names in sources.donors:
        if rng.random() < mix.transplanted:
            donor = names[rng.integers(len(names))]
            for tissue, mask in read_donor(sources.data, folder, donor).items():
                target = transplanted(target, tissue, mask, float(np.exp(rng.normal(0, 0.2))))
            used.append(donor)
    return target, name, tuple(used)


def _phantom_target(data: Path, number: int) -> OrganMap:
    host = read_host(data, f"phantom/{number}")
    organs = np.where(np.isin(host.tissues, LANDMARKS), host.tissues, np.uint8(Tissue.OUTSIDE))
    return organ_map(host.name, Volume(organs, host.grid.spacing))


def _diseased(made: MadeCase, mix: SynthesisMix, rng: np.random.Generator) -> MadeCase:
    """Put diseases into some cases; one that finds no room for any stays as it is."""
    if rng.random() >= mix.diseased:
        return made
    from ...disease.catalogue import find
    from ...disease.mix import draw_operations
    from ...disease.simulation import ready_scene, simulate

    diseases = _diseases_of(mix, rng)
    try:
        scene = ready_scene(made.case)
        operations = draw_operations(diseases, scene, rng, find)
        found = simulate(made.case, operations, find, skip=True, scene=scene)
    except FlareSegError as error:
        if error.code not in ("disease_not_placed", "bad_disease_case"):
            raise
        return made
    names = dict.fromkeys(step.origin or step.operation.disease for step in found.steps)
    return replace(made, case=found.case, diseases=tuple(names))


def _diseases_of(mix: SynthesisMix, rng: np.random.Generator) -> Mix:
    """What a case's diseases are drawn from."""
    from ...disease.catalogue import DISEASES
    from ...disease.mix import Entry, Mix, alike, default_mix

    if mix.disease:
        return Mix((Entry(mix.disease, 1),), (1, 1))
    if mix.diseases_alike > 0 and rng.random() < mix.diseases_alike:
        return alike(default_mix(DISEASES))
    return default_mix(DISEASES)
