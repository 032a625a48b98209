"""Sentences for the reader where a result looks unlike healthy anatomy or is cut off by the scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..volumes.orientation import to_axial
from ..volumes.volume import Volume
from .measurements import OrganMeasurement

#: A scan that covers less from head to foot cannot hold all four organs whole.
SHORT_SCAN_MM = 150.0

#: What a warning can be about, in the order in which the sentences of an organ come.
KINDS = ("missing", "cut off", "volume", "pieces", "density")


@dataclass(frozen=True)
class Normal:
    """What is expected of an organ in an adult.

    Attributes
    ----------
    volume_ml : tuple of float
        Range that holds about 95 % of people without disease of the organ.
    mean_hu : tuple of float
        Mean HU outside which the outline or the HU scale is wrong, whatever the contrast phase.
    pieces : int
        Number of separate pieces.
    """

    volume_ml: tuple[float, float]
    mean_hu: tuple[float, float]
    pieces: int


#: Volumes: liver and spleen, central 95 % of 2,989 liver donors (Kim et al., Radiology 2021, "Population-based and
#: personalized reference intervals for liver and spleen volumes"). Kidneys, both together: 278 (sd 54) ml in women,
#: 365 (sd 66) ml in men (Roseman et al., Nephrol Dial Transplant 2017, MRI of 1,852 people of the Framingham Heart
#: Study), from the women's mean - 1.96 sd to the men's mean + 1.96 sd. Pancreas: 72.4 (sd 25.8) ml at 20 to 60 years
#: (Saisho et al., Clin Anat 2007, CT of 1,886 adults), mean +/- 1.96 sd.
#: Mean HU: no published limits. Our choice, wide on purpose: from severe fatty change without contrast to above the
#: strongest enhancement of a whole organ.
NORMAL = {
    "liver": Normal((824.5, 1700.0), (-30.0, 200.0), 1),
    "kidney": Normal((172.0, 494.0), (0.0, 350.0), 2),
    "spleen": Normal((81.0, 322.0), (20.0, 250.0), 1),
    "pancreas": Normal((22.0, 123.0), (-50.0, 200.0), 1),
}


def plausibility_warnings(measurements: tuple[OrganMeasurement, ...], ct: Volume) -> tuple[str, ...]:
    """Return one plain sentence for each thing that the reader should look at.

    Parameters
    ----------
    measurements : tuple of OrganMeasurement
        From `measure`.
    ct : Volume
        The scan, for how much of the body it covers.

    Notes
    -----
    Of an organ that the scan cuts off only a volume above the usual tells anything. Organs without an entry in `NORMAL`
    are checked for absence and cut edges alone.
    """
    return tuple(sentence for found in doubts(measurements, ct).values() for sentence in found.values())


def doubts(measurements: tuple[OrganMeasurement, ...], ct: Volume) -> dict[str, dict[str, str]]:
    """Return the same sentences by organ and by kind: one of `KINDS`."""
    covered_mm = _head_to_foot_mm(ct)
    return {organ.name: _organ_doubts(organ, covered_mm) for organ in measurements}


def _organ_doubts(organ: OrganMeasurement, covered_mm: float) -> dict[str, str]:
    if not organ.found:
        return {"missing": _missing(organ, covered_mm)}
    found = {"cut off": _cut_off(organ) if organ.touches_edge else None}
    normal = NORMAL.get(organ.name)
    if normal is not None:
        found |= {"volume": _unusual_volume(organ, normal), "pieces": _unusual_pieces(organ, normal),
                  "density": _unusual_density(organ, normal)}
    return {kind: sentence for kind, sentence in found.items() if sentence}


def _missing(organ: OrganMeasurement, covered_mm: float) -> str:
    if covered_mm < SHORT_SCAN_MM:
        return (f"No {organ.name} was found: the scan covers only {covered_mm:.0f} mm from head to foot, "
                f"so it may lie outside.")
    return f"No {organ.name} was found: check whether it was removed, lies outside the scan or was missed."


def _cut_off(organ: OrganMeasurement) -> str:
    edges = "edge" if len(organ.touches_edge) == 1 else "edges"
    return (f"The {organ.name} reaches the {_listed(organ.touches_edge)} {edges} of the scan: it may be cut off, "
            f"and its volume ({organ.volume_ml:.0f} ml) incomplete.")


def _unusual_volume(organ: OrganMeasurement, normal: Normal) -> str | None:
    low, high = normal.volume_ml
    side = "below" if organ.volume_ml < low else "above" if organ.volume_ml > high else None
    if side is None or (side == "below" and organ.touches_edge):
        return None
    return (f"The {organ.name} measures {organ.volume_ml:.0f} ml, {side} the {low:.0f} to {high:.0f} ml "
            f"usual in adults: check its outline.")


def _unusual_pieces(organ: OrganMeasurement, normal: Normal) -> str | None:
    pieces = organ.components_ml
    if len(pieces) > normal.pieces:
        volumes = _listed([f"{ml:.0f}" for ml in pieces])
        return (f"The {organ.name} is in {len(pieces)} separate large pieces ({volumes} ml; {normal.pieces} expected): "
                f"check for a gap or a stray region.")
    if len(pieces) == 1 and normal.pieces == 2 and not organ.touches_edge:
        return (f"The {organ.name} label is one piece ({pieces[0]:.0f} ml; 2 expected): "
                f"check for a missed, removed or fused {organ.name}.")
    return None


def _unusual_density(organ: OrganMeasurement, normal: Normal) -> str | None:
    low, high = normal.mean_hu
    if organ.mean_hu is None or low <= organ.mean_hu <= high:
        return None
    return (f"The mean density of the {organ.name} is {organ.mean_hu:.0f} HU, outside the {low:.0f} to {high:.0f} HU "
            f"that it can have: check its outline and the scan's HU values.")


def _listed(words: Sequence[str]) -> str:
    """Words as in a sentence: "a", "a and b", "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _head_to_foot_mm(ct: Volume) -> float:
    axial, _ = to_axial(ct)
    return axial.array.shape[0] * axial.spacing[2]
