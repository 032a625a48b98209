"""A small phantom, and a disease simple enough that every voxel of it can be reckoned."""

from dataclasses import dataclass

import numpy as np
import pytest

from FlareSegLib.disease.block import Change, coverage, relabel, replace
from FlareSegLib.disease.case import LABEL_OF, make_case
from FlareSegLib.disease.coarse import spread_out
from FlareSegLib.disease.operation import BACKGROUND, JOIN, KEEP, Disease, Operation
from FlareSegLib.disease.parameters import quantity
from FlareSegLib.disease.placing import draw_in_organ
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.shapes import ellipsoid


@dataclass(frozen=True)
class Ball:
    """Parameters of `ball`."""

    diameter: float = quantity(30, 4, 120, "mm", "Diameter", usual=(20, 40))
    hu: float = quantity(20, -200, 300, "HU", "Density", usual=(0, 60))


@dataclass(frozen=True)
class Balls:
    """Parameters of `balls`."""

    count: int = quantity(2, 1, 5, "", "How many", whole=True)


def edit_ball(scene, operation: Operation) -> Change:
    p = operation.parameters
    shape = ellipsoid(operation.centre, (p.diameter / 2,) * 3)
    block = scene.block(shape.lower, shape.upper, 6.0)
    cover = coverage(block, shape)
    replace(block, cover, np.float32(p.hu), scene.noise(operation.organ).sample(block.hu.shape, operation.seed))
    if operation.label_rule != KEEP:
        relabel(block, cover, LABEL_OF[operation.organ] if operation.label_rule == JOIN else 0, tuple(range(5)))
    return block.change()


def edit_removal(scene, operation: Operation) -> Change:
    block = scene.block_of(scene.organ(operation.organ).box)
    gone = block.labels == LABEL_OF[operation.organ]
    block.hu[gone], block.labels[gone] = -100, 0
    return block.change()


def place_ball(scene, operation, rng):
    return draw_in_organ(scene, operation.organ, rng)


def place_nowhere(scene, operation, rng):
    raise FlareSegError("disease_not_placed", "There is no room.")


def parts(scene, operation):
    rng = np.random.default_rng(operation.seed)
    return tuple(Operation("ball", operation.organ, Ball(diameter=20.0), place_ball(scene, operation, rng),
                           int(rng.integers(2**31)), KEEP) for _ in range(operation.parameters.count))


ORGANS = tuple(LABEL_OF)
LITTLE = {disease.name: disease for disease in (
    Disease("ball", "Ball", "A ball.", ORGANS, Ball, edit_ball, (KEEP, JOIN, BACKGROUND), place_ball),
    Disease("balls", "Balls", "Several balls.", ORGANS, Balls, parts=parts),
    Disease("removal", "Removal", "An organ less.", ORGANS, Balls, edit_removal, (BACKGROUND,)),
    Disease("nowhere", "Nowhere", "Finds no room.", ORGANS, Ball, edit_ball, (KEEP,), place_nowhere))}


def find_little(name: str) -> Disease:
    if name not in LITTLE:
        raise FlareSegError("bad_disease_parameter", f"There is no disease {name!r}.")
    return LITTLE[name]


@pytest.fixture(scope="session")
def little():
    """The catalogue's stand-in: ``find`` for "ball", "balls" (a composition), "removal" and "nowhere"."""
    return find_little


@pytest.fixture(scope="session")
def case():
    """A small abdomen."""
    phantom = make_phantom(1, (128, 100, 40), (3.0, 3.0, 5.0))
    return make_case(phantom.ct, phantom.label_map)[0]


@pytest.fixture(scope="session")
def ball():
    """Function that makes a ball's operation in the middle of an organ."""
    def make(case, organ="liver", seed=1, label_rule=KEEP, **parameters):
        inside = np.argwhere(case.labels == LABEL_OF[organ])
        middle = inside[np.argmin(np.linalg.norm(inside - inside.mean(axis=0), axis=1))]
        return Operation("ball", organ, Ball(**parameters), tuple(case.grid.point_of(middle).tolist()), seed,
                         label_rule)
    return make


@pytest.fixture(scope="session")
def depth_mm():
    """Function that gives how deep in an organ each voxel of a case lies, in mm; NaN far from it."""
    def everywhere(case, organ):
        depth, mm = Scene(case).depth(organ), np.full(case.hu.shape, np.nan, np.float32)
        mm[depth.box] = spread_out(depth.mm, depth.steps, mm[depth.box].shape)
        return mm
    return everywhere
