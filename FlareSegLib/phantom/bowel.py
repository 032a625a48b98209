"""Stomach, duodenum, small bowel and colon, with walls and contents."""

from __future__ import annotations

import numpy as np

from ..shapes import Corner, Points, Shape, intersection, tube, without
from .organs import Organs
from .painting import Look, Structure
from .patient import Patient
from .trunk import Trunk


def bowel_structures(patient: Patient, trunk: Trunk, organs: Organs, hu: dict[str, float]) -> list[Structure]:
    """All bowel in painting order; none of it enters an organ."""
    room = trunk.abdomen.grown(-2.5)
    stomach, duodenum, colon = _stomach(patient), _duodenum(), _colon(patient)
    kept_out = tuple(organ.grown(1.5) for organ in organs.solid)
    fixed = (stomach, duodenum, *colon)

    def fit(shape: Shape, *others: Shape) -> Shape:
        return without(intersection(room, shape, blend=4), *kept_out, *others, blend=3)

    loops = [Structure(fit(loop, *(f.grown(1.0) for f in fixed)), look) for loop, look in _small_bowel(patient, hu)]
    return loops + [
        *(Structure(fit(part), _colon_look(hu, gas_level)) for part, gas_level in zip(colon, (-2, -60, 12))),
        Structure(fit(duodenum, stomach), _fluid_look(hu, 2.2, -12.0)), Structure(fit(stomach), _stomach_look(hu)),
    ]


def _stomach(patient: Patient) -> Shape:
    """Fundus under the left dome, body before the pancreas, antrum over the midline to the pylorus."""
    full = 1 + patient.vary("stomach", 0.12)
    path = [(62, 12, 66), (62, -8, 50), (54, -32, 30), (36, -52, 10), (8, -58, 2), (-18, -48, 8), (-32, -40, 12)]
    return tube(path, np.array([29, 33, 27, 21, 17, 13, 9]) * full).roughened(1.5)


def _duodenum() -> Shape:
    """Bulb, descending part beside the pancreatic head, horizontal part between aorta and mesenteric vessels."""
    path = [(-34, -40, 10), (-48, -30, 4), (-53, -14, -14), (-52, -6, -40), (-42, -4, -58), (-10, -8, -64),
            (20, -12, -58), (34, -20, -40)]
    return tube(path, [9, 11, 11.5, 12, 11.5, 8.5, 10, 10], flatten_z=1.1).roughened(1.2)


def _colon(patient: Patient) -> tuple[Shape, Shape, Shape]:
    """Ascending, transverse and descending colon with haustra."""
    rng = patient.rng("colon")

    def haustral(path: list[Corner], radius: float) -> Shape:
        points = np.array(path, dtype=float)
        points[1:-1] += rng.normal(0, 2.5, points[1:-1].shape)
        return tube(points, radius * rng.uniform(0.88, 1.12, len(points)), steps=6).roughened(1.8)

    ascending = haustral([(-94, -6, -150), (-97, 0, -110), (-94, -4, -80), (-86, -16, -62)], 21)
    transverse = haustral([(-82, -32, -62), (-60, -56, -66), (-28, -66, -72), (8, -68, -70), (44, -64, -52),
                           (72, -46, -24), (92, -22, -2)], 18)
    descending = haustral([(96, -8, 2), (104, 14, -22), (104, 24, -60), (102, 20, -110), (98, 14, -150)], 14)
    return ascending, transverse, descending


def _small_bowel(patient: Patient, hu: dict[str, float]) -> list[tuple[Shape, Look]]:
    """Short curved loops, packed loosely below the pancreas, each filled in its own way."""
    rng = patient.rng("small bowel")
    loops = []
    for z in np.arange(-150, 20, 23):
        for x in np.arange(-62, 90, 27):
            for y in (-58, -34, -10):
                if (z > -40 and x < 25) or (y > -30 and abs(x + 5) < 30) or (z > -20 and y < -50):
                    continue
                look = _fluid_look(hu, rng.uniform(2.0, 4.5), rng.uniform(-12, 18))
                loops.append((_loop(rng, np.array([x, y, z])), look))
    return loops


def _loop(rng: np.random.Generator, centre: np.ndarray) -> Shape:
    centre = centre + rng.normal(0, 4, 3)
    along = rng.standard_normal(3) * (1, 0.7, 0.7)
    along *= rng.uniform(14, 24) / np.linalg.norm(along)
    bend = np.cross(along, rng.standard_normal(3)) * 0.5
    return tube([centre - along, centre + bend, centre + along], rng.uniform(9.5, 13), steps=4).roughened(0.9, 0.2)


def _wall(distance: np.ndarray, mm: float) -> np.ndarray:
    """1 in the wall, 0 in the lumen."""
    return np.clip((distance + mm) / 1.2 + 0.5, 0, 1)


def _fluid_look(hu: dict[str, float], wall_mm: float, extra: float = 0.0) -> Look:
    """Enhancing wall, folds, chyme."""
    def look(p: Points, distance: np.ndarray) -> np.ndarray:
        wall = _wall(distance, wall_mm)
        folds = 22 * np.clip(p.grain, 0, 2)
        return wall * hu["bowel_wall"] + (1 - wall) * (hu["chyme"] + extra + folds)

    return look


def _stomach_look(hu: dict[str, float]) -> Look:
    """Rugae, fluid, and gas in front of its level (the patient lies on the back)."""
    def look(p: Points, distance: np.ndarray) -> np.ndarray:
        wall = _wall(distance + 1.2 * p.lumps + 0.6 * p.grain, 4.2)
        gas = np.clip(-36 - p.y, 0, 1)
        content = hu["fluid"] + 5 * p.lumps + gas * (hu["gas"] - hu["fluid"])
        return wall * hu["bowel_wall"] + (1 - wall) * content

    return look


def _colon_look(hu: dict[str, float], gas_level: float) -> Look:
    """Thin wall; gas in front of `gas_level` (y, mm), stool with gas bubbles behind."""
    def look(p: Points, distance: np.ndarray) -> np.ndarray:
        wall = _wall(distance, 1.8)
        gas = np.clip(gas_level - p.y + 0.5 * p.lumps, 0, 1)
        bubbles = np.clip((p.grain - 0.85) * 2.5, 0, 1)
        stool = hu["stool"] + 12 * p.lumps - 420 * bubbles
        return wall * hu["bowel_wall"] + (1 - wall) * (stool + gas * (hu["gas"] - stool))

    return look
