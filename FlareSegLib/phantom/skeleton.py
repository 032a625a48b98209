"""Bones: spine, ribs with their cartilage, iliac crests."""

from __future__ import annotations

import numpy as np

from ..shapes import Points, Shape, column, ellipsoid, intersection, rotation, tube, without
from .painting import Look, Structure

LEVEL = 35.0  # height of a vertebra with its disc, mm
DISC = 7.5
FIRST_LUMBAR = 0.0


def bone_look(hu: dict[str, float], cortex_mm: float, inside: str, cortex_hu: float | None = None) -> Look:
    """Return a look with a cortical shell and spongy inside."""
    shell = hu["cortical"] if cortex_hu is None else cortex_hu

    def look(p: Points, distance: np.ndarray) -> np.ndarray:
        depth = np.clip((-distance - cortex_mm) / 1.5, 0, 1)
        return shell + depth * (hu[inside] + 35 * p.grain + 15 * p.lumps - shell)

    return look


def _level_offset(p: Points) -> np.ndarray:
    """Height above the nearest vertebral body's middle, mm, along the spine's curve.

    Discs lean: forwards and down in the chest, the other way in the loins, so that an axial slice hardly ever
    shows a disc alone.
    """
    lean = np.clip(p.z * np.float32(0.0025), -0.28, 0.28) - np.float32(0.14)
    height = p.z + lean * (p.y - 36) - FIRST_LUMBAR
    return height - LEVEL * np.round(height / LEVEL)


def _at_each_level(shape: Shape, shift: float = 0.0) -> Shape:
    """Repeat a shape drawn around z = 0 at every vertebra, `shift` mm above its body's middle."""
    def distance(p: Points) -> np.ndarray:
        raised = _level_offset(p) - np.float32(shift)
        moved = raised - LEVEL * np.round(raised / LEVEL)
        return shape.distance(Points(p.x, p.y, moved, p.lumps, p.grain, p.axes, p.margin))

    return Shape(distance, (*shape.lower[:2], -1e4), (*shape.upper[:2], 1e4))


def _vertebral_body() -> Shape:
    """A waisted drum between two end plates that sag in their middle."""
    drum = column((0, 36), (23, 17.5), 0.25)

    def distance(p: Points) -> np.ndarray:
        side = drum.distance(p) + 1.8 * (1 - (2 * p.z / (LEVEL - DISC)) ** 2)
        inward = np.clip(-side / 9, 0, 1)
        return np.maximum(side, np.abs(p.z) - np.float32((LEVEL - DISC) / 2) + 1.8 * inward)

    return Shape(distance, drum.lower, drum.upper)


def _annulus(hu: dict[str, float]) -> Look:
    """A disc's fibrous ring around its softer core."""
    return lambda p, distance: hu["disc"] - 5 + 40 * np.clip((distance + 5) / 4, 0, 1) + 4 * p.grain


def spine_structures(hu: dict[str, float]) -> list[Structure]:
    """Vertebral bodies, discs, canal and posterior elements; facets and spinous processes reach past the discs."""
    disc = column((0, 36), (21.5, 16), 0.25)
    ring = without(column((0, 62), (19, 14)), column((0, 60), (12, 9.5)))
    pedicles = _at_each_level(intersection(ring, column((0, 62), (22, 22), z_range=(-2, 11))))
    laminae = _at_each_level(intersection(ring, column((0, 72), (24, 10), z_range=(-12, 12))), -10)
    spinous = _at_each_level(ellipsoid((0, 86, 0), (3.8, 17, 14), rotation(about_x=-15)), -9)
    transverse = _at_each_level(ellipsoid((-32, 60, 0), (20, 4.5, 6), rotation(about_z=-12)), 3)
    facet = _at_each_level(ellipsoid((-18.5, 67, 0), (6.5, 7, 12)), -LEVEL / 2 + 2)
    canal = column((0, 60), (11.5, 9))
    dense = bone_look(hu, 1.6, "marrow")
    return [Structure(disc, _annulus(hu)), Structure(canal, hu["fat"] + 60),
            Structure(canal.grown(-2.5), hu["cord"]),
            Structure(_at_each_level(_vertebral_body()), bone_look(hu, 1.1, "trabecular", 470)),
            *(Structure(s, dense) for s in (pedicles, laminae, spinous)),
            *(Structure(s, dense) for one in (transverse, facet) for s in (one, one.mirrored()))]


def _rib_path(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle line of a right rib from its head to where bone ends, and of its cartilage (empty for 11 and 12)."""
    length = {12: 0.34, 11: 0.52}.get(number, 0.76)
    start = 34.0 + (12 - number) * 29.0
    turn = np.linspace(0.06, length, 13) * np.pi  # 0 behind, pi in front
    drop = 130.0 * turn / np.pi
    narrow = 1 - 0.05 * np.clip((start - drop - 60) / 60, 0, 1) ** 2
    squarish = 1 + 0.055 * np.sin(2 * turn) ** 2
    wide = narrow * squarish
    path = np.column_stack((-138 * wide * np.sin(turn), 1 + 90 * wide * np.cos(turn), start - drop))
    head = np.array([(-20, 50, start + 2), (-34, 66, start)])
    bone = np.vstack((head, path[turn > 0.18 * np.pi]))
    if number > 10:
        return bone, np.empty((0, 3))
    last = path[-1]
    cartilage = np.array([last, last + (22, -6, 6), last + (50, -9, 30)])
    return bone, cartilage


def rib_structures(hu: dict[str, float]) -> list[Structure]:
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


def pelvis_structures(hu: dict[str, float]) -> list[Structure]:
    """Tops of the iliac wings."""
    wing = ellipsoid((-92, 32, -145), (7, 46, 42), rotation(about_z=-28, about_y=18))
    return [Structure(s, bone_look(hu, 1.8, "marrow")) for s in (wing, wing.mirrored())]


def skeleton_structures(hu: dict[str, float]) -> list[Structure]:
    """All bones, in painting order."""
    return rib_structures(hu) + spine_structures(hu) + pelvis_structures(hu)
