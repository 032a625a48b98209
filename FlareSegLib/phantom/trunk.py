"""The trunk's walls and what fills its upper part: skin, fat, muscles, diaphragm, lungs, heart; and the CT table.

Heights are relative to the first lumbar vertebra (z = 0); the liver's dome stands near z = 105 mm, the iliac crests
near z = -110. x = 0 is the midline, y = 0 lies a hand's breadth before the spine's canal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes import (EVERYWHERE, Corner, Points, Shape, column, ellipsoid, intersection, remembered, rotation, tube,
                      union, without)
from .painting import Structure
from .patient import Patient

#: Half-axes of the muscular wall's outside, mm; skin lies outside it by the patient's fat.
FASCIA = (147.0, 97.0)
RIGHT_DOME_TOP = 105.0


@dataclass(frozen=True)
class Trunk:
    """The shapes that organs are fitted into.

    `dome` is all that lies below the diaphragm, `abdomen` its part inside the wall.
    """

    skin: Shape
    fascia: Shape
    cavity: Shape
    dome: Shape
    abdomen: Shape
    heart: Shape


def make_trunk(patient: Patient) -> Trunk:
    """Build the trunk of a patient."""
    fat = patient.fat
    skin = column((0, 1), (FASCIA[0] + fat, FASCIA[1] + 0.95 * fat), 0.25, _waist)
    fascia = column((0, 2), FASCIA, 0.27, _waist)
    cavity = remembered(column((0, 0), (131, 86), 0.3, _waist))
    dome = remembered(_dome(patient))
    abdomen = remembered(intersection(cavity, dome.grown(-1.5), blend=6.0))
    heart = ellipsoid((30 + patient.vary("heart", 5), -32, 122), (57, 48, 44))
    return Trunk(skin, fascia, cavity, dome, abdomen, heart)


def _waist(z: np.ndarray) -> np.ndarray:
    """Cross-section's factor: a little narrower at the waist and towards the chest's top."""
    return 1 - 0.04 * np.exp(-((z + 45) / 40) ** 2) - 0.05 * np.clip((z - 60) / 60, 0, 1) ** 2


def _dome(patient: Patient) -> Shape:
    """Everything below the diaphragm: two half-ellipsoids that go on as columns."""
    def half(centre: Corner, radii: Corner) -> Shape:
        whole = ellipsoid(centre, radii)

        def distance(p: Points) -> np.ndarray:
            raised = np.maximum(p.z, np.float32(centre[2]))
            return whole.distance(Points(p.x, p.y, raised, p.lumps, p.grain, p.axes, p.margin))

        return Shape(distance, *EVERYWHERE)

    left_top = RIGHT_DOME_TOP - 14 + patient.vary("left dome", 5)
    return union(half((-52, -10, 8), (86, 95, RIGHT_DOME_TOP - 8)),
                 half((56, -6, 0), (80, 92, left_top)), blend=25.0)


def wall_structures(trunk: Trunk, hu: dict[str, float]) -> list[Structure]:
    """Table, skin, subcutaneous fat, muscular wall and the fat inside it."""
    def fat(p: Points, _: np.ndarray) -> np.ndarray:
        return hu["fat"] + 5 * p.lumps + 4 * p.grain

    def wall(p: Points, distance: np.ndarray) -> np.ndarray:
        """Three sheets of muscle with thin fat between; more fat where the noise is high."""
        depth = (distance + 1.5 * p.lumps) / 6.0
        seam = np.exp(-((np.abs(depth + 1.5) - 0.5) / 0.14) ** 2) * np.clip(p.lumps + 0.8, 0, 1)
        return hu["muscle"] + 3 * p.grain - 85 * seam * (np.abs(p.x) > 55)

    rectus_gap = Structure(tube([(0, -92, -200), (0, -92, 40)], 5.0), hu["muscle"] + 10)
    return [*_table(), Structure(trunk.skin, hu["skin"]), Structure(trunk.skin.grown(-2.0), fat),
            Structure(trunk.fascia, wall), Structure(trunk.cavity, hu["muscle"]),
            Structure(trunk.cavity.grown(-2.0), fat), rectus_gap]


def _table() -> list[Structure]:
    """A curved carbon-fibre top with foam below, a finger's breadth under the back."""
    top = ellipsoid((0, -130, 0), (330, 262, 1e4))
    below_back = intersection(top, column((0, 190), (215, 100)), without(_all(), top.grown(-22)))
    shell = without(below_back, top.grown(-3), blend=0)
    under = intersection(below_back, top.grown(-19))
    return [Structure(below_back, -940.0), Structure(shell, -60.0), Structure(under, -250.0)]


def _all() -> Shape:
    return Shape(lambda p: np.full(p.x.shape, -1e3, np.float32), *EVERYWHERE)


def muscle_structures(hu: dict[str, float]) -> list[Structure]:
    """Muscles of the back, of the hind wall, and the diaphragm's crura."""
    def striated(p: Points, _: np.ndarray) -> np.ndarray:
        return hu["muscle"] + 4 * p.lumps - 75 * np.clip(p.grain + 0.6 * p.lumps - 1.7, 0, 1)

    erector = column((-34, 71), (30, 20), 0.4).roughened(1.5)
    multifidus = column((-14, 80), (14, 18), 0.2)
    quadratus = ellipsoid((-60, 59, -70), (24, 8.5, 100), rotation(about_z=-8)).roughened(1.5)
    psoas = union(tube([(-24, 42, 22), (-29, 42, -15), (-37, 38, -60), (-47, 28, -140)], [3, 9, 15, 21]),
                  tube([(-30, 32, -20), (-40, 30, -70), (-50, 22, -140)], [4, 11, 16]), blend=10).roughened(1.5)
    sides = [shape for one in (erector, multifidus, quadratus, psoas) for shape in (one, one.mirrored())]
    crura = [tube([(-9, 12, -15), (-10, 2, 20), (-16, 2, 50), (-18, 14, 78)], [4, 6, 7, 4]),
             tube([(20, 16, -5), (24, 10, 25), (28, 12, 55), (26, 22, 80)], [3, 5, 6, 4])]
    fat_layers = [Structure(shape.grown(1.5), hu["fat"]) for shape in sides[:4]]
    return fat_layers + [Structure(shape, striated) for shape in sides] + [Structure(c, hu["muscle"]) for c in crura]


def chest_structures(trunk: Trunk, hu: dict[str, float]) -> list[Structure]:
    """Lungs with their vessels, the diaphragm, the heart's lower part."""
    def lung(p: Points, _: np.ndarray) -> np.ndarray:
        """Air with vessels: thin threads where two noises cross, denser towards the back."""
        thread = np.exp(-((p.lumps / 0.16) ** 2 + (p.grain / 0.35) ** 2))
        return hu["lung"] + 0.5 * p.y + 12 * p.lumps + 780 * thread

    def above_sulcus(p: Points) -> np.ndarray:
        return np.float32(14) - p.z + np.float32(0.12) * p.y

    chest = intersection(trunk.cavity.grown(-1.5), Shape(above_sulcus, (-1e4, -1e4, 0), (1e4, 1e4, 1e4)))
    mediastinum = union(trunk.heart.grown(5), column((4, 24), (30, 36)), column((18, -70), (30, 30)), blend=20)
    lungs = without(chest, trunk.dome, mediastinum, blend=6.0)
    space = Shape(chest.distance, (-150, -110, 0), (150, 110, 1e4))
    diaphragm = intersection(space, without(trunk.dome.grown(0.8), trunk.dome.grown(-0.8)))
    pericardial = without(trunk.heart.grown(6), trunk.dome.grown(1.0))
    heart = without(trunk.heart, trunk.dome.grown(3.0), blend=6)

    def myocardium(p: Points, distance: np.ndarray) -> np.ndarray:
        chamber = np.clip((-distance - 9) / 3, 0, 1) * np.clip(p.lumps * 1.5 + 1.2, 0, 1)
        return hu["heart"] * 0.8 + chamber * 0.2 * hu["heart"] + 4 * p.lumps

    oesophagus = tube([(12, 8, 140), (14, 6, 100), (24, -2, 76), (34, -2, 66)], [7, 7.5, 8, 9])
    return [Structure(lungs, lung), Structure(diaphragm, hu["muscle"]), Structure(pericardial, hu["fat"]),
            Structure(heart, myocardium), Structure(oesophagus, hu["bowel_wall"] - 15)]
