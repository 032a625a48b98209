"""The four organs and their close neighbours: liver with gallbladder, kidneys, spleen, pancreas, adrenals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes import Points, Shape, ellipsoid, half_space, intersection, remembered, rotation, tube, union, without
from .painting import Look, Structure
from .patient import Patient
from .trunk import Trunk

LIVER, KIDNEY, SPLEEN, PANCREAS = 1, 2, 3, 4


@dataclass(frozen=True)
class Kidney:
    """One kidney: its outline (hilum and sinus still in it), the sinus's fat and the pelvis in that."""

    outline: Shape
    sinus: Shape
    pelvis: Shape


@dataclass(frozen=True)
class Organs:
    """The organs' shapes, cut so that none overlaps another."""

    liver: Shape
    kidneys: tuple[Kidney, Kidney]
    spleen: Shape
    pancreas: Shape
    gallbladder: Shape

    @property
    def solid(self) -> tuple[Shape, ...]:
        """What bowel must stay out of."""
        return (self.liver, self.spleen, self.pancreas, *(k.outline for k in self.kidneys), self.gallbladder)


def make_organs(patient: Patient, trunk: Trunk) -> Organs:
    """Build a patient's organs; earlier ones keep their room: kidneys, spleen, liver, pancreas."""
    kidneys = _kidney(patient, "right kidney", -1), _kidney(patient, "left kidney", 1)
    spleen = remembered(_spleen(patient, trunk, kidneys[1]))
    gallbladder = _gallbladder(patient)
    liver = remembered(without(_liver(patient, trunk), spleen.grown(5), gallbladder))
    kidney_rooms = (kidney.outline.grown(2.5) for kidney in kidneys)
    pancreas = remembered(without(_pancreas(patient), liver.grown(2), spleen.grown(2), *kidney_rooms))
    return Organs(liver, kidneys, spleen, pancreas, gallbladder)


def _kidney(patient: Patient, name: str, side: int) -> Kidney:
    """side -1 right, 1 left (x to left). The upper pole leans back and to the midline, the hilum looks forward."""
    dx, dy, dz = patient.vary(name, 4, 3)
    size = 1 + patient.vary(name + " size", 0.035)
    centre = np.array([side * (66 + dx), 31 + dy / 2, (-18 if side < 0 else -4) + dz])
    turn = rotation(about_z=side * 32, about_y=-side * 13, about_x=-10)
    outer = ellipsoid(centre, np.array([29.7, 25.2, 54.5]) * size, turn)
    inward = turn @ np.array([-side, 0, 0])
    sinus = union(ellipsoid(centre + 13 * inward, (16, 7, 26), turn),
                  ellipsoid(centre + 31 * inward, (15, 10, 15), turn), blend=8).roughened(1.6, 1.0)
    pelvis = union(ellipsoid(centre + 16 * inward, (10, 4.5, 11), turn),
                   tube([centre + 24 * inward, centre + 34 * inward + (0, 0, -12),
                         centre + 30 * inward + (0, 2, -60)], [5, 4.5, 2.5]), blend=5)
    return Kidney(remembered(outer.roughened(0.6)), sinus, pelvis)


def _spleen(patient: Patient, trunk: Trunk, left_kidney: Kidney) -> Shape:
    """A crescent under the left ribs, hollowed by the stomach before it and the kidney below."""
    dx, dy, dz = patient.vary("spleen", 3, 3)
    size = 1 + patient.vary("spleen size", 0.07)
    centre = (98 + dx, 34 + dy, 34 + dz)
    body = ellipsoid(centre, np.array([30, 52, 57]) * size, rotation(about_z=38, about_y=-8, about_x=18))
    stomach_bed = ellipsoid((50, -2, 48), (40, 45, 52))
    fitted = intersection(body, trunk.abdomen.grown(-1), blend=10)
    return without(fitted, stomach_bed, left_kidney.outline.grown(3), blend=6).roughened(0.8)


def _liver(patient: Patient, trunk: Trunk) -> Shape:
    """Right lobe fitted to wall and dome, left lobe across the midline, caudate behind it; fissures cut in."""
    shift = patient.vary("liver edge", 3.5)
    low = -48 + patient.vary("liver tip", 7)
    medial = half_space((-17 + shift, 0, 50), (1, 0.30, -0.22))
    visceral = half_space((-40 + shift, 0, 22), (0.76, 0.20, -0.62))
    bottom = half_space((0, 0, low), (0, 0.1, -1))
    room = trunk.abdomen.grown(4)
    right = intersection(room, medial, visceral, bottom, blend=22)
    left = ellipsoid((6, -50, 58 + shift), (74, 33, 39), rotation(about_z=9, about_y=-10))
    behind_left = half_space((40, -40, 58), (0.5, 1, 0))
    left = intersection(left, behind_left, room, blend=14)
    caudate = ellipsoid((-13, -6, 58), (15, 15, 24))
    whole = union(right, left, caudate, blend=16)
    venous_fissure = ellipsoid((2, -22, 52), (22, 2.6, 26), rotation(about_z=-18))
    round_ligament = ellipsoid((-4, -62, 28), (4, 22, 16), rotation(about_z=8))
    portal_fissure = ellipsoid((-30, -16, 34), (14, 10, 11))
    kidney_bed = ellipsoid((-64, 34, -8), (33, 29, 57), rotation(about_z=-32, about_y=13, about_x=-10))
    cut = without(whole, venous_fissure, round_ligament, portal_fissure, kidney_bed, blend=5).roughened(1.0)
    return intersection(cut, trunk.abdomen.grown(1.0), blend=3)


def _gallbladder(patient: Patient) -> Shape:
    """A pear under the right lobe, its neck at the porta."""
    full = 1 + patient.vary("gallbladder", 0.15)
    radii = np.array([4, 8, 12, 13, 9]) * full
    return tube([(-38, -24, 26), (-46, -34, 16), (-56, -46, 4), (-62, -56, -8), (-65, -62, -16)], radii)


def _pancreas(patient: Patient) -> Shape:
    """Head right of the midline in the duodenum's bend, body over the aorta, tail to the splenic hilum."""
    dx, dy, dz = patient.vary("pancreas", 3, 3)
    size = 1 + patient.vary("pancreas size", 0.06)
    path = [(-30, -8, -32), (-30, -16, -18), (-18, -26, -6), (2, -33, 6), (26, -25, 14), (50, -6, 20), (72, 10, 26)]
    gland = tube(np.array(path) + (dx, dy, dz), np.array([10, 14, 11.5, 10, 11, 12, 9]) * size, flatten_z=1.35)
    uncinate = ellipsoid((-20 + dx, -7 + dy, -32 + dz), (13, 7.5, 12))
    return union(gland, uncinate, blend=8).roughened(1.0, 0.35)


def organ_structures(organs: Organs, hu: dict[str, float]) -> list[Structure]:
    """The organs in painting order, vessels apart."""
    def mottled(name: str, amount: float) -> Look:
        return lambda p, _: hu[name] + amount * p.lumps + 0.6 * amount * p.grain

    def gland(p: Points, _: np.ndarray) -> np.ndarray:
        """Lobules with fat in the clefts."""
        return hu["pancreas"] + 3 * p.lumps - 50 * np.clip(p.grain - 1.6, 0, 1)

    structures = []
    for kidney in organs.kidneys:
        structures += [Structure(kidney.outline, _kidney_look(hu), KIDNEY), Structure(kidney.sinus, hu["fat"] + 25),
                       Structure(kidney.pelvis, hu["pelvis"])]
    gallbladder = organs.gallbladder
    return structures + [
        Structure(organs.pancreas.grown(2.0), hu["fat"]), Structure(organs.pancreas, gland, PANCREAS),
        Structure(organs.spleen, mottled("spleen", 2.0), SPLEEN),
        Structure(organs.liver, mottled("liver", 2.5), LIVER),
        Structure(gallbladder.grown(1.2), hu["bowel_wall"] - 20), Structure(gallbladder.grown(-0.8), hu["gallbladder"]),
    ]


def _kidney_look(hu: dict[str, float]) -> Look:
    """Cortex 7 mm deep and between the pyramids; medulla inside."""
    def look(p: Points, distance: np.ndarray) -> np.ndarray:
        deep = np.clip((-distance - 6.5) / 2.0, 0, 1)
        pyramid = np.clip(0.9 + 0.9 * p.lumps + 0.5 * p.grain, 0, 1)
        return hu["cortex"] + 3 * p.grain + deep * pyramid * (hu["medulla"] - hu["cortex"])

    return look


def adrenal_structures(hu: dict[str, float]) -> list[Structure]:
    """Two thin limbs on each side, above the kidneys."""
    limbs = [[(-36, 12, 46), (-34, 24, 42), (-33, 36, 36)], [(-35, 18, 42), (-41, 30, 38), (-44, 38, 34)],
             [(34, 2, 40), (40, 12, 36), (46, 26, 30)], [(35, 6, 38), (34, 18, 34), (36, 30, 28)]]
    return [Structure(tube(limb, [2.6, 2.0, 1.8], flatten_z=4.0), hu["adrenal"]) for limb in limbs]
