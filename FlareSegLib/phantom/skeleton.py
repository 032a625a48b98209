"""Bones: spine, ribs with their cartilage, iliac crests."""

from __future__ import annotations

import numpy as np

from .geometry import Points, Shape, column, ellipsoid, intersection, rotation, tube, without
from .painting import Structure
from .patient import Patient

LEVEL = 35.0  # height of a vertebra with its disc, mm
DISC = 8.5
FIRST_LUMBAR = 0.0


def bone_look(hu: dict, cortex_mm: float, inside: str, cortex_hu: float | None = None):
    """Return a look with a cortical shell and spongy inside."""
    shell = hu["cortical"] if cortex_hu is None else cortex_hu

    def look(p: Points, distance):
        depth = np.clip((-distance - cortex_mm) / 1.5, 0, 1)
        return shell + depth * (hu[inside] + 35 * p.grain + 15 * p.lumps - shell)

    return look


def _level_offset(z: np.ndarray) -> np.ndarray:
    """Height above the nearest vertebral body's middle, mm."""
    return z - FIRST_LUMBAR - LEVEL * np.round((z - FIRST_LUMBAR) / LEVEL)


def _at_each_level(shape: Shape) -> Shape:
    """Repeat a shape drawn around z = 0 at every vertebra."""
    def distance(p):
        return shape.distance(Points(p.x, p.y, _level_offset(p.z), p.lumps, p.grain, p.axes, p.margin))

    return Shape(distance, (*shape.lower[:2], -1e4), (*shape.upper[:2], 1e4))


def spine_structures(hu: dict) -> list[Structure]:
    """Vertebral bodies, discs, canal and posterior elements."""
    trunk = column((0, 36), (22.5, 17), 0.25)
    bodies = _at_each_level(column((0, 36), (22.5, 17), 0.25, z_range=(-(LEVEL - DISC) / 2, (LEVEL - DISC) / 2)))
    ring = without(column((0, 62), (19, 14)), column((0, 60), (12, 9.5)))
    arch = _at_each_level(intersection(ring, column((0, 62), (22, 22), z_range=(-12, 9))))
    spinous = _at_each_level(ellipsoid((0, 86, -6), (3.6, 18, 11), rotation(about_x=-20)))
    transverse = _at_each_level(ellipsoid((-32, 60, 3), (20, 4.5, 6), rotation(about_z=-12)))
    facet = _at_each_level(ellipsoid((-19, 68, -13), (7, 8, 10)))
    canal = column((0, 60), (11.5, 9))
    dense = bone_look(hu, 1.6, "marrow")
    return [Structure(trunk.grown(-1), hu["disc"]), Structure(canal, hu["fat"] + 60), Structure(canal.grown(-2.5), hu["cord"]),
            Structure(bodies, bone_look(hu, 0.9, "trabecular", 430)), Structure(arch, dense), Structure(spinous, dense),
            *(Structure(s, dense) for one in (transverse, facet) for s in (one, one.mirrored()))]


def _rib_path(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle line of a right rib from its head to where bone ends, and of its cartilage (empty for 11 and 12)."""
    length = {12: 0.34, 11: 0.52}.get(number, 0.76)
    start = 34.0 + (12 - number) * 29.0
    turn = np.linspace(0.06, length, 13) * np.pi  # 0 behind, pi in front
    drop = 130.0 * turn / np.pi
    narrow = 1 - 0.05 * np.clip((start - drop - 60) / 60, 0, 1) ** 2
    squarish = 1 + 0.055 * np.sin(2 * turn) ** 2
    path = np.column_stack((-138 * narrow * squarish * np.sin(turn), 1 + 90 * narrow * squarish * np.cos(turn), start - drop))
    head = np.array([(-20, 50, start + 2), (-34, 66, start)])
    bone = np.vstack((head, path[turn > 0.18 * np.pi]))
    if number > 10:
        return bone, np.empty((0, 3))
    last = path[-1]
    cartilage = np.array([last, last + (22, -6, 6), last + (50, -9, 30)])
    return bone, cartilage


def rib_structures(hu: dict) -> list[Structure]:
    """Ribs 3 to 12 on both sides; higher ones do not reach the abdomen."""
    structures = []
    bony, gristly = bone_look(hu, 1.3, "marrow"), hu["cartilage"]
    for number in range(3, 13):
        bone, cartilage = _rib_path(number)
        shape = tube(bone, 3.7, steps=2, flatten_z=1.7)
        structures += [Structure(s, bony) for s in (shape, shape.mirrored())]
        if len(cartilage):
            soft = tube(cartilage, 4.2, steps=2, flatten_z=1.6)
            structures += [Structure(s, gristly) for s in (soft, soft.mirrored())]
    return structures


def pelvis_structures(hu: dict) -> list[Structure]:
    """Tops of the iliac wings."""
    wing = ellipsoid((-92, 32, -145), (7, 46, 42), rotation(about_z=-28, about_y=18))
    return [Structure(s, bone_look(hu, 1.8, "marrow")) for s in (wing, wing.mirrored())]


def skeleton_structures(patient: Patient, hu: dict) -> list[Structure]:
    """All bones, in painting order."""
    return rib_structures(hu) + spine_structures(hu) + pelvis_structures(hu)
