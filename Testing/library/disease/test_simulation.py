from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.operation import BACKGROUND, JOIN, KEEP, Operation
from FlareSegLib.disease.recipe import source_of
from FlareSegLib.disease.simulation import ready_scene, reinstantiated, replay, simulate
from FlareSegLib.errors import FlareSegError


@pytest.fixture(scope="module")
def operations(case, ball, little):
    """Two balls of which the second lies in the first, one that bulges, and a composition."""
    return (ball(case, hu=20.0), ball(case, seed=2, hu=150.0, diameter=22.0), ball(case, "spleen", 3, JOIN),
            Operation("balls", "kidney", little("balls").parameters(), None, 5, KEEP))


@pytest.fixture(scope="module")
def simulation(case, operations, little):
    return simulate(case, operations, little)


def test_a_recipe_makes_the_same_voxels_again(case, simulation, little):
    again = replay(simulation.recipe(), case, little)
    assert np.array_equal(again.hu, simulation.case.hu) and np.array_equal(again.labels, simulation.case.labels)
    assert not np.array_equal(again.hu, case.hu)


def test_what_was_measured_before_makes_no_difference(case, operations, simulation, little):
    """Drawing from a scene measures things in it; the voxels must not depend on that."""
    scene = ready_scene(case)
    for name in LABEL_OF:
        _ = scene.noise(name), scene.depth(name), scene.pieces(name), scene.organ(name)
    other = simulate(case, operations, little, scene=scene)
    assert np.array_equal(other.case.hu, simulation.case.hu)


def test_compositions_are_stored_as_their_parts(simulation):
    assert [step.operation.disease for step in simulation.steps] == ["ball"] * 5
    assert [step.origin for step in simulation.steps] == ["", "", "", "balls", "balls"]


def test_effects_tell_what_happened(case, simulation):
    first, _, spleen, *_ = (step.effect for step in simulation.steps)
    ball_ml = 4 / 3 * np.pi * 1.5**3
    assert first.lesion_ml == pytest.approx(ball_ml, rel=0.05)
    assert first.requested_hu < -50 and first.achieved_hu == pytest.approx(first.requested_hu, abs=5)
    assert first.depth_mm > 5
    before, after = spleen.organs_ml["spleen"]
    assert before == pytest.approx(np.count_nonzero(case.labels == LABEL_OF["spleen"]) * case.grid.voxel_ml)
    ends = simulation.steps[-1].effect.organs_ml
    for name, label in LABEL_OF.items():
        assert ends[name][1] == pytest.approx(np.count_nonzero(simulation.case.labels == label) * case.grid.voxel_ml,
                                              abs=0.01)


def test_another_source_is_refused(case, simulation, little):
    hu = case.hu.copy()
    hu[0, 0, 0] += 1
    moved = replace(case, grid=replace(case.grid, origin=tuple(np.add(case.grid.origin, (0, 0, 3.0)))))
    for other, word in ((case.with_arrays(hu, case.labels), "image"), (moved, "elsewhere")):
        with pytest.raises(FlareSegError, match=word) as caught:
            replay(simulation.recipe(), other, little)
        assert caught.value.code == "bad_recipe"
    assert replay(simulation.recipe(), case.with_arrays(hu, case.labels), little, elsewhere=True).hu.shape == hu.shape


def test_the_source_is_the_voxels_not_their_storage(case):
    turned = case.with_arrays(np.asfortranarray(case.hu), np.asfortranarray(case.labels))
    assert source_of(turned) == source_of(case)
    reshaped = case.with_arrays(case.hu.reshape(case.hu.shape[0] * 2, -1, case.hu.shape[2]), case.labels)
    assert source_of(reshaped).image_sha256 != source_of(case).image_sha256


def test_similar_operations_stay_near(case, simulation, little):
    scene = ready_scene(case)
    first, again, other = (reinstantiated(simulation.recipe(), scene, np.random.default_rng(seed), little)
                           for seed in (0, 0, 1))
    assert first == again and first != other
    for old, new in zip(simulation.recipe().operations, first):
        assert new.seed != old.seed and new.centre != old.centre
        assert new.parameters.diameter == pytest.approx(old.parameters.diameter, rel=0.2 + 1e-9)
        assert scene.label_at(new.centre) == LABEL_OF[old.organ]
    found = simulate(case, first, little, skip=True)
    depths = [(old.effect.depth_mm, new.effect.depth_mm) for old, new in zip(simulation.steps, found.steps)
              if new.operation.centre]
    assert np.median([abs(new - old) for old, new in depths]) < 6


def test_only_diseases_that_need_a_place_get_a_new_one(case, simulation, little):
    step, scene = simulation.recipe().steps[0], ready_scene(case)
    placeless = Operation("removal", "", little("removal").parameters(), (0.0, 0.0, 0.0), 1, BACKGROUND)
    without = replace(step.operation, centre=None)
    recipe = replace(simulation.recipe(), steps=tuple(replace(step, operation=each) for each in (placeless, without)))
    gone, lesion = reinstantiated(recipe, scene, np.random.default_rng(0), little)
    assert gone.centre is None and scene.label_at(lesion.centre) == LABEL_OF[lesion.organ]


def test_what_finds_no_room_is_refused_or_left_out(case, ball, little):
    outside = replace(ball(case), centre=(1e4, 0.0, 0.0))
    with pytest.raises(FlareSegError) as caught:
        simulate(case, (outside,), little)
    assert caught.value.code == "disease_not_placed"
    found = simulate(case, (outside, ball(case)), little, skip=True)
    assert len(found.steps) == 1 and len(found.skipped) == 1


def test_the_source_is_never_changed(case, operations, little):
    hu, labels = case.hu.copy(), case.labels.copy()
    simulate(case, operations, little)
    assert np.array_equal(case.hu, hu) and np.array_equal(case.labels, labels)
