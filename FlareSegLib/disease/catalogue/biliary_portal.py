"""Clots in the portal vein, dilated bile ducts, and gas in either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...shapes import Shape
from ..block import Change, coverage, replace
from ..branching import draw_ends, portal_paths, tree
from ..focal import make_room, soft_tissue, tissue_noise
from ..fractal import fractal_noise
from ..operation import KEEP, Disease, Operation
from ..parameters import choice, quantity
from ..scene import Scene

#: Ducts run before the veins and to their right; half the width of the portal vein.
BESIDE, VEIN_MM = np.array([-0.5, -0.85, 0.15]), 6.0


@dataclass(frozen=True)
class PortalThrombosis:
    """Parameters of `portal_thrombosis`."""

    diameter: float = quantity(13, 7, 20, "mm", "Diameter of the portal vein", usual=(10, 17))
    hu: float = quantity(35, 20, 60, "HU", "Density of the clot", usual=(28, 50))
    branches: int = quantity(3, 1, 8, "", "Branches that are filled", usual=(1, 6), whole=True)
    reach: float = quantity(0.7, 0.2, 1, "", "How far into the branches it reaches", usual=(0.4, 0.9))


@dataclass(frozen=True)
class BiliaryDilatation:
    """Parameters of `biliary_dilatation`."""

    diameter: float = quantity(11, 5, 20, "mm", "Diameter of the common bile duct", usual=(8, 16))
    hu: float = quantity(5, -5, 20, "HU", "Density of the bile", usual=(0, 12))
    branches: int = quantity(14, 2, 30, "", "Branches", usual=(8, 22), whole=True)
    reach: float = quantity(0.9, 0.3, 1, "", "How far into the branches it reaches", usual=(0.6, 1.0))


@dataclass(frozen=True)
class HepaticGas:
    """Parameters of `hepatic_gas`."""

    where: str = choice("bile ducts", ("bile ducts", "portal veins"), "In the central ducts or the peripheral veins")
    diameter: float = quantity(4.5, 2, 8, "mm", "Diameter of the widest branch", usual=(3, 6))
    hu: float = quantity(-900, -1000, -500, "HU", "Density of the gas", usual=(-980, -800), main=False)
    branches: int = quantity(8, 2, 24, "", "Branches", usual=(4, 16), whole=True)


def edit_thrombosis(scene: Scene, operation: Operation) -> Change:
    """Fill the portal vein with clot: it is wider than before and takes up no contrast."""
    p: PortalThrombosis = operation.parameters
    paths = portal_paths(scene, draw_ends(scene, p.branches, _rng(operation)))
    return _fill(scene, operation, tree(paths, p.diameter / 2, 0.4, last=p.reach), 3.0)


def edit_dilatation(scene: Scene, operation: Operation) -> Change:
    """Dilate the bile ducts in front of the portal veins."""
    p: BiliaryDilatation = operation.parameters
    paths = portal_paths(scene, draw_ends(scene, p.branches, _rng(operation)))
    return _fill(scene, operation, tree(paths, p.diameter / 2, 0.25, BESIDE * (VEIN_MM + p.diameter / 2), last=p.reach),
                 0.0)


def edit_gas(scene: Scene, operation: Operation) -> Change:
    """Put gas into branches of the front, where it rises to."""
    p: HepaticGas = operation.parameters
    ducts = p.where == "bile ducts"
    ends = draw_ends(scene, p.branches, _rng(operation), (8.0, 25.0) if ducts else (3.0, 12.0), forwards=True)
    paths = portal_paths(scene, ends)
    body = (tree(paths, p.diameter / 2, 0.4, BESIDE * VEIN_MM, 0.35, 0.75) if ducts
            else tree(paths, p.diameter / 2, 0.5, first=0.6))
    return _fill(scene, operation, body, 0.0, broken=True)


def _rng(operation: Operation) -> np.random.Generator:
    return np.random.default_rng((operation.seed, 11))


def _fill(scene: Scene, operation: Operation, body: Shape, texture_hu: float, broken: bool = False) -> Change:
    """Put something of its own HU into a tree; labels stay. Gas does not fill it everywhere."""
    block = make_room(scene, body)
    points = (block.points.x, block.points.y, block.points.z)
    cover = coverage(block, body) * soft_tissue(block)
    if broken:
        cover *= np.clip(0.9 + 2 * fractal_noise(points, operation.seed + 1, 12.0, octaves=1), 0, 1)
    target = np.full(block.hu.shape, operation.parameters.hu, np.float32)
    if texture_hu:
        target += np.float32(texture_hu) * fractal_noise(points, operation.seed + 2, 6.0, octaves=1)
    replace(block, cover, target, tissue_noise(scene, block, operation.organ, operation.seed))
    return block.change()


DISEASES = (Disease("portal_thrombosis", "Portal vein thrombosis",
                    "The portal vein and its branches are filled with clot, which "
                    "takes up no contrast.", ("liver",), PortalThrombosis, edit_thrombosis, (KEEP,), whole_organ=True),
            Disease("biliary_dilatation", "Dilated bile ducts",
                    "Bile ducts that are wide because bile cannot drain, as with a "
                    "tumour of the pancreas's head.", ("liver",), BiliaryDilatation, edit_dilatation, (KEEP,),
                    whole_organ=True),
            Disease("hepatic_gas", "Gas in bile ducts or portal veins",
                    "Gas in the liver: in central bile ducts after a stent or "
                    "surgery, in peripheral portal veins when bowel dies.", ("liver",), HepaticGas, edit_gas, (KEEP,),
                    whole_organ=True))
