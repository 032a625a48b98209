"""The promises of the method: lazy is exact, storage does not matter, labels come back on the input's grid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.errors import FlareSegError
from FlareSegLib.inference import segment as segment_module
from FlareSegLib.inference.device import cpu_device
from FlareSegLib.inference.segment import keep_organs, label_axial, segment
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.volumes.volume import Volume
from scipy.spatial.transform import Rotation


@pytest.fixture
def tiny_segment(monkeypatch, bundle, network):
    """`segment` with the tiny network, past the check that wants a plausible CT."""
    monkeypatch.setattr(segment_module, "load_network", lambda bundle: network)
    monkeypatch.setattr(segment_module, "check_ct", lambda volume: ())
    return lambda ct, **options: segment(ct, bundle, device="cpu", **options)


@pytest.mark.parametrize("spacing_z", [0.4, 1.0, 1.6, 3.0, 7.5])
@pytest.mark.parametrize("exact", [True, False])
def test_lazy_is_bit_identical_to_running_every_isotropic_slice(bundle, network, ct, spacing_z, exact):
    volume = replace(ct, spacing=(1.1, 1.3, spacing_z))
    lazy, few = label_axial(volume, bundle, network, cpu_device(exact))
    full, many = label_axial(volume, bundle, network, cpu_device(exact), every_isotropic_slice=True)
    assert len(np.unique(full)) > 2, "the test needs a label map with something in it"
    assert np.array_equal(lazy, full)
    assert few <= many


def test_lazy_runs_one_slice_a_stored_slice_when_slices_are_thick(bundle, network, ct):
    _, few = label_axial(ct, bundle, network, cpu_device())
    _, many = label_axial(ct, bundle, network, cpu_device(), every_isotropic_slice=True)
    assert (few, many) == (15, round(15 * 3.0 / 1.6))


def store(volume: Volume, axes, flips) -> Volume:
    """The same patient with its axes permuted and flipped in the file."""
    array = volume.array.transpose([2 - axes[a] for a in (2, 1, 0)])
    spacing = [volume.spacing[axes[a]] for a in range(3)]
    direction = volume.direction_matrix[:, list(axes)].copy()
    corner = np.zeros(3)
    for a in range(3):
        if flips[a]:
            array = np.flip(array, 2 - a)
            direction[:, a] *= -1
            corner[axes[a]] = volume.size[axes[a]] - 1
    origin = volume.index_to_physical(corner)
    return Volume(np.ascontiguousarray(array), tuple(spacing), tuple(origin), tuple(direction.ravel()))


ALL_48 = [(axes, flips)
          for axes in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
          for flips in np.ndindex(2, 2, 2)]


@pytest.mark.parametrize("axes, flips", ALL_48)
def test_every_storage_order_gives_the_same_labels(tiny_segment, ct, axes, flips):
    reference = tiny_segment(ct).label_map
    stored = store(ct, axes, flips)
    labels = tiny_segment(stored).label_map
    assert labels.array.shape == stored.array.shape
    assert np.array_equal(labels.array, store(reference, axes, flips).array)
    assert (labels.spacing, labels.origin, labels.direction) == (stored.spacing, stored.origin, stored.direction)


@settings(max_examples=15)
@given(angles=st.tuples(*[st.floats(-20, 20)] * 3), choice=st.sampled_from(ALL_48),
       spacing=st.tuples(st.floats(0.7, 2.5), st.floats(0.7, 2.5), st.floats(0.7, 6.0)))
def test_oblique_and_anisotropic_storage_gives_the_same_labels(bundle, network, ct, angles, choice, spacing):
    tilted = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    oblique = replace(ct, spacing=spacing, direction=tuple(tilted.ravel()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_module, "load_network", lambda bundle: network)
        patch.setattr(segment_module, "check_ct", lambda volume: ())
        reference = segment(oblique, bundle, device="cpu").label_map
        stored = store(oblique, *choice)
        labels = segment(stored, bundle, device="cpu").label_map
    assert np.array_equal(labels.array, store(reference, *choice).array)


def test_organs_can_be_chosen(tiny_segment, ct):
    whole = tiny_segment(ct).label_map.array
    some = tiny_segment(ct, organs=["spleen", "liver"])
    assert [organ.name for organ in some.organs] == ["liver", "spleen"]
    assert np.array_equal(some.label_map.array, np.where(np.isin(whole, (1, 3)), whole, 0))


def test_an_unknown_organ_is_named(tiny_segment, ct):
    with pytest.raises(FlareSegError, match="gall bladder") as caught:
        tiny_segment(ct, organs=["gall bladder"])
    assert caught.value.code == "bad_option"


def test_progress_counts_every_slice(tiny_segment, ct):
    seen = []
    result = tiny_segment(ct, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, result.slices_run) for k in range(1, result.slices_run + 1)]


def test_what_progress_raises_ends_the_work(tiny_segment, ct):
    class Stop(Exception):
        pass

    seen = []

    def stop(done, total):
        seen.append(done)
        raise Stop

    with pytest.raises(Stop):
        tiny_segment(ct, progress=stop)
    assert seen == [1]


def test_the_input_is_not_changed(tiny_segment, ct):
    before = ct.array.copy()
    ct.array.flags.writeable = False
    try:
        tiny_segment(ct)
    finally:
        ct.array.flags.writeable = True
    assert np.array_equal(before, ct.array)


def test_doubts_of_the_input_check_are_passed_on(monkeypatch, tiny_segment, ct):
    monkeypatch.setattr(segment_module, "check_ct", lambda volume: ("The slices are thick.",))
    assert tiny_segment(ct).notes == ("The slices are thick.",)


def test_keep_organs_drops_everything_else():
    labels = np.array([0, 1, 2, 3, 4, 9], np.uint8)
    assert keep_organs(labels, FLARE_ORGANS[:2]).tolist() == [0, 1, 2, 0, 0, 0]
