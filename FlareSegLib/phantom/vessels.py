"""Large vessels, their branches in the liver and spleen, and the mesentery's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..shapes import Coordinates, Shape, ellipsoid, intersection, tube, union
from .organs import Organs
from .painting import Structure
from .patient import Patient

CONFLUENCE = (-9, -17, -4)
PORTA = (-36, -22, 36)

_HEPATIC_VEINS = (
    ([(-22, -2, 84), (-55, 4, 74), (-85, 16, 55), (-98, 24, 30)], [6, 5, 3.5, 1.5]),
    ([(-22, -4, 85), (-40, -22, 76), (-58, -42, 58), (-68, -56, 36)], [6, 5, 3.5, 1.5]),
    ([(-20, -4, 85), (-4, -24, 76), (12, -42, 66), (34, -52, 58)], [5, 4, 3, 1.3]),
)
_PORTAL_BRANCHES = (
    ([PORTA, (-54, -16, 42), (-74, -26, 52), (-92, -34, 62)], [7, 6, 4, 1.6]),
    ([(-54, -16, 42), (-72, 0, 38), (-90, 16, 26), (-100, 20, 8)], [5.5, 4.5, 3.2, 1.4]),
    ([PORTA, (-24, -34, 48), (-8, -42, 54), (-4, -56, 52)], [6, 5.5, 5, 3]),
    ([(-8, -42, 54), (12, -46, 58), (36, -50, 62)], [4, 3, 1.4]),
    ([(-74, -26, 52), (-82, -44, 34), (-88, -52, 14)], [3.5, 2.6, 1.3]),
)


def liver_vessel_structures(patient: Patient, organs: Organs, hu: dict[str, float]) -> list[Structure]:
    """Hepatic veins and portal branches with side branches, inside the liver; labels stay the liver's."""
    rng = patient.rng("liver vessels")
    core = organs.liver.grown(-4.0)
    structures = []
    for trees, tone in ((_HEPATIC_VEINS, hu["hepatic_vein"]), (_PORTAL_BRANCHES, hu["portal"])):
        for points, radii in trees:
            tree = union(tube(points, radii, steps=3), *_side_branches(rng, points, radii))
            structures.append(Structure(intersection(core, tree), tone, None))
    return structures


def _side_branches(rng: np.random.Generator, points: Sequence[Coordinates], radii: Sequence[float]) -> list[Shape]:
    """A few thinner branches that leave each stretch of a vessel sideways."""
    branches = []
    for start, end, r0, r1 in zip(points, points[1:], radii, radii[1:]):
        along = np.subtract(end, start)
        for share in (0.35, 0.8):
            side = np.cross(along, rng.standard_normal(3))
            side = side / np.linalg.norm(side) * rng.uniform(14, 26) + 0.5 * along
            root = np.add(start, share * along)
            bend = root + 0.55 * side + rng.normal(0, 2, 3)
            radius = 0.55 * (r0 + share * (r1 - r0))
            branches.append(tube([root, bend, root + side], [radius, 0.7 * radius, 0.6], steps=2))
    return branches


def great_vessel_structures(hu: dict[str, float]) -> list[Structure]:
    """Aorta with its branches, caval, renal and portal veins."""
    aorta = tube([(20, 26, 150), (18, 22, 90), (12, 9, 40), (7, 5, 0), (4, 4, -60), (2, 4, -150)],
                 [12.5, 12, 11, 10.5, 9.5, 9])
    arteries = [
        tube([(8, 3, 18), (6, -12, 20), (-8, -20, 24), (-30, -26, 32)], [4.5, 3.8, 3.0, 2.5]),  # coeliac, hepatic
        tube([(6, -12, 20), (24, -12, 26), (46, 4, 24), (70, 20, 30)], [3.2, 3.0, 2.8, 2.2]),  # splenic
        tube([(7, 2, 4), (5, -10, -2), (4, -16, -18), (2, -22, -60), (0, -32, -120)], [4.5, 4, 3.8, 3.5, 2.5]),
        tube([(10, 8, -6), (28, 22, -6), (46, 24, -5)], [3.5, 3, 2.4]),
        tube([(3, 9, -10), (-18, 20, -12), (-46, 24, -16)], [3.5, 3, 2.4]),
    ]
    cava = tube([(-24, 10, -150), (-23, 9, -60), (-22, 8, 0), (-24, 6, 40), (-24, 2, 80), (-16, -6, 112),
                 (-14, -12, 140)],
                [10.5, 10.5, 11, 11.5, 12, 12.5, 13])
    renal_veins = [tube([(48, 20, -7), (28, 4, -6), (4, -7, -7), (-16, 2, -8)], [4, 4.5, 3, 4.5]),
                   tube([(-46, 20, -14), (-24, 10, -12)], [4.5, 5])]
    portal = tube([CONFLUENCE, (-18, -18, 14), (-28, -20, 28), PORTA, (-50, -17, 41)], [7.5, 7, 7, 7, 6])
    splenic = tube([CONFLUENCE, (8, -22, 6), (28, -14, 16), (52, 6, 24), (74, 22, 30), (84, 28, 34)],
                   [5, 4.8, 4.5, 4.2, 4, 2.5])
    mesenteric = tube([CONFLUENCE, (-11, -20, -30), (-12, -26, -65), (-10, -36, -125)], [6.5, 6, 5.5, 4])
    return [
        *(Structure(vein, hu["cava"]) for vein in (cava, *renal_veins)),
        Structure(aorta.grown(0.8), hu["muscle"]), Structure(aorta, hu["aorta"]),
        *(Structure(artery, hu["aorta"] - 8) for artery in arteries),
        *(Structure(vein, hu["portal"]) for vein in (portal, splenic, mesenteric)),
    ]


def mesenteric_branch_structures(patient: Patient, hu: dict[str, float]) -> list[Structure]:
    """Thin vessels that fan out through the mesentery's fat."""
    rng = patient.rng("mesentery")
    structures = []
    for _ in range(40):
        root = np.array([-6, -26, rng.uniform(-100, -10)]) + rng.normal(0, 4, 3)
        end = np.array([rng.uniform(-75, 85), rng.uniform(-62, -10), root[2] - rng.uniform(-10, 35)])
        bend = 0.5 * (root + end) + rng.normal(0, 7, 3)
        structures.append(Structure(tube([root, bend, end], [2.2, 1.7, 1.0], steps=3), hu["portal"] - 25))
    return structures


def splenic_hilum_structures(organs: Organs, hu: dict[str, float]) -> list[Structure]:
    """Veins that enter the spleen's hollow side; labels stay the spleen's."""
    ends = [(96, 24, 50), (100, 34, 34), (96, 42, 18)]
    inside = ellipsoid((88, 28, 34), (22, 26, 30))
    return [Structure(intersection(inside, tube([(80, 26, 32), end], [3.2, 1.6])), hu["portal"], None) for end in ends]
