import dataclasses

import numpy as np
import pytest

from FlareSegLib.results.measurements import OrganMeasurement
from FlareSegLib.results.plausibility import NORMAL, plausibility_warnings
from FlareSegLib.volumes.volume import Volume

SCAN = Volume(np.zeros((100, 2, 2), np.int16), (1.0, 1.0, 3.0))
HEALTHY = (
    OrganMeasurement("liver", 1, 900, 1400.0, 110.0, 15.0, (), (1400.0,)),
    OrganMeasurement("kidney", 2, 900, 330.0, 170.0, 40.0, (), (170.0, 160.0)),
    OrganMeasurement("spleen", 3, 900, 200.0, 120.0, 15.0, (), (200.0,)),
    OrganMeasurement("pancreas", 4, 900, 75.0, 80.0, 20.0, (), (75.0,)),
)


def warnings_with(name, **changes):
    changed = tuple(dataclasses.replace(organ, **changes) if organ.name == name else organ for organ in HEALTHY)
    return plausibility_warnings(changed, SCAN)


def test_healthy_organs_raise_no_warning():
    assert plausibility_warnings(HEALTHY, SCAN) == ()


@pytest.mark.parametrize("name, changes, words", [
    ("spleen", dict(voxels=0, volume_ml=0.0, mean_hu=None, sd_hu=None, components_ml=()), ("No spleen", "removed")),
    ("liver", dict(touches_edge=("superior",)), ("liver", "superior edge", "cut off", "1400 ml")),
    ("liver", dict(touches_edge=("inferior", "superior", "right")), ("inferior, superior and right edges",)),
    ("spleen", dict(volume_ml=450.0), ("spleen", "450 ml", "above", "81 to 322 ml")),
    ("liver", dict(volume_ml=700.0), ("liver", "700 ml", "below")),
    ("kidney", dict(volume_ml=600.0), ("kidney", "above", "172 to 494 ml")),
    ("pancreas", dict(volume_ml=15.0), ("pancreas", "below", "22 to 123 ml")),
    ("pancreas", dict(components_ml=(45.0, 30.0)), ("pancreas", "2 separate large pieces", "45 and 30 ml")),
    ("kidney", dict(components_ml=(150.0, 120.0, 60.0)), ("kidney", "3 separate", "150, 120 and 60 ml; 2 expected")),
    ("kidney", dict(components_ml=(330.0,)), ("kidney", "one piece", "missed")),
    ("liver", dict(mean_hu=-400.0), ("liver", "-400 HU", "-30 to 200 HU")),
    ("kidney", dict(mean_hu=1100.0), ("kidney", "1100 HU")),
])
def test_each_warning(name, changes, words):
    warnings = warnings_with(name, **changes)
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in words)
    assert warnings[0].endswith(".")


@pytest.mark.parametrize("name", list(NORMAL))
def test_of_a_cut_organ_only_too_much_is_doubted(name):
    (cut_off,) = warnings_with(name, volume_ml=6.0, touches_edge=("inferior",))
    assert "cut off" in cut_off
    cut_off, above = warnings_with(name, volume_ml=9000.0, touches_edge=("inferior",))
    assert "cut off" in cut_off and "above" in above


@pytest.mark.parametrize("name", list(NORMAL))
def test_limits_themselves_are_normal(name):
    low, high = NORMAL[name].volume_ml
    assert warnings_with(name, volume_ml=low) == warnings_with(name, volume_ml=high) == ()


def test_a_slab_explains_the_missing_organ():
    slab = Volume(np.zeros((20, 2, 2), np.int16), (1.0, 1.0, 2.0))
    missing = (OrganMeasurement("kidney", 2, 0, 0.0, None, None, (), ()),)
    (warning,) = plausibility_warnings(missing, slab)
    assert "40 mm" in warning


def test_organs_of_other_models_are_checked_for_absence_and_edges_alone():
    organ = OrganMeasurement("gallbladder", 5, 10, 9000.0, 2000.0, 0.0, ("left",), (4000.0, 5000.0))
    assert len(plausibility_warnings((organ,), SCAN)) == 1
