"""Networks that see more than one slice: neighbours, or windows; labels come back on the CT's grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.inference import segment as segment_module
from FlareSegLib.inference.device import Device, cpu_device
from FlareSegLib.inference.network_form import shape_for_device
from FlareSegLib.inference.segment import label_axial, segment
from FlareSegLib.inference.windows import plan_windows, with_neighbours
from FlareSegLib.networks.build import build_network
from FlareSegLib.networks.spec import UNet2DSpec, UNet3DSpec
from FlareSegLib.preprocessing.isotropic import plan_z
from FlareSegLib.training.loop import seeing_neighbours

from .conftest import TINY, tiny_bundle

SPEC = UNet3DSpec((4, 6, 8), slices=8, z_halvings=1)


@pytest.fixture(scope="module")
def bundle_3d():
    return tiny_bundle(network=SPEC)


@pytest.fixture(scope="module")
def network_3d():
    torch.manual_seed(4)
    return build_network(SPEC).eval()


@given(st.integers(1, 120), st.integers(1, 40))
def test_every_slice_has_a_window_and_context_in_it(slices, window):
    plan = plan_windows(slices, window)
    for index in range(slices):
        number, place = plan.place(index)
        assert plan.starts[number] + place == index and 0 <= place < window
        before, after = place, window - 1 - place
        if window <= slices:
            assert min(before, index) >= min(window // 4, index) and min(after, slices - 1 - index) >= min(
                (window - 1) // 4, slices - 1 - index)
    assert all(0 <= start <= slices - window for start in plan.starts) or len(plan.starts) == 1
    assert len(plan.starts) <= slices / max(1, window // 2) + 1


@given(st.integers(1, 30))
def test_windows_of_one_slice_are_the_slices(slices):
    plan = plan_windows(slices, 1)
    assert plan.starts == tuple(range(slices)) and all(plan.place(index) == (index, 0) for index in range(slices))


@given(st.lists(st.integers(0, 39), max_size=30), st.integers(1, 12))
def test_every_stored_slice_takes_its_labels_from_one_window_at_its_own_slice(reads, window):
    plan = plan_windows(40, window)
    readers = plan.readers(reads)
    found = {stored: plan.starts[number] + place for number, each in enumerate(readers) for stored, place in each}
    assert len(readers) == len(plan.starts) and sum(map(len, readers)) == len(reads)
    assert found == dict(enumerate(reads))


def test_beyond_a_short_ct_there_is_air():
    stack = plan_windows(3, 8).read(lambda index: np.full((2, 2), index, np.float32), 0)
    assert stack[:, 0, 0].tolist() == [-1024, -1024, 0, 1, 2, -1024, -1024, -1024]


@pytest.mark.parametrize("spacing_z", [1.0, 3.0, 9.0])
def test_labels_come_back_and_skipping_windows_changes_none(bundle_3d, network_3d, ct, spacing_z):
    volume = replace(ct, spacing=(1.1, 1.3, spacing_z))
    lazy, few = label_axial(volume, bundle_3d, network_3d, cpu_device(exact=True))
    full, many = label_axial(volume, bundle_3d, network_3d, cpu_device(exact=True), every_isotropic_slice=True)
    assert lazy.shape == ct.array.shape and len(np.unique(lazy)) > 1 and np.array_equal(lazy, full)
    isotropic = plan_z(15, spacing_z, 1.6).isotropic
    assert few <= many == 8 * len(plan_windows(isotropic, 8).starts)


def test_a_network_that_sees_single_voxels_labels_as_slice_by_slice(bundle, bundle_3d, ct):
    """Windows, padding and the way back move nothing: a threshold is a threshold either way."""
    class Threshold(torch.nn.Module):
        def __init__(self, spec):
            super().__init__()
            self.spec = spec

        def forward(self, inputs):
            return torch.cat((inputs, -inputs, *[torch.full_like(inputs, -1e3)] * 3), dim=1)

    expected, _ = label_axial(ct, bundle, Threshold(bundle.network), cpu_device(exact=True))
    found, _ = label_axial(ct, bundle_3d, Threshold(SPEC), cpu_device(exact=True))
    assert len(np.unique(found)) == 2 and np.array_equal(found, expected)


def test_the_form_for_the_cpu_computes_the_same(network_3d):
    window = torch.randn(1, 1, 8, 32, 32)
    formed = shape_for_device(network_3d, Device("cpu", "float32", False, 1, 1, "test"))
    with torch.inference_mode():
        assert torch.allclose(formed(window), network_3d(window), atol=1e-4)


def test_the_whole_job(monkeypatch, bundle_3d, network_3d, ct):
    monkeypatch.setattr(segment_module, "load_network", lambda bundle: network_3d)
    monkeypatch.setattr(segment_module, "check_ct", lambda volume: ())
    seen = []
    result = segment(ct, bundle_3d, device="cpu", progress=lambda done, total: seen.append((done, total)))
    assert result.label_map.array.shape == ct.array.shape and result.slices_run == 8 * len(seen)
    assert seen[-1][0] == seen[-1][1]


NEIGHBOURS = replace(TINY, in_channels=5, slice_step=2)


@given(st.integers(1, 30), st.data(), st.integers(0, 4), st.integers(1, 5))
def test_a_slice_comes_with_its_neighbours_and_the_ends_are_repeated(slices, data, reach, step):
    index = data.draw(st.integers(0, slices - 1))
    offsets = UNet2DSpec(in_channels=2 * reach + 1, slice_step=step).offsets
    seen = with_neighbours(lambda place: np.full((2, 3), place, np.float32), index, slices, offsets)
    assert seen.shape == (2 * reach + 1, 2, 3) and seen[reach, 0, 0] == index
    assert seen[:, 0, 0].tolist() == [min(max(index + offset, 0), slices - 1) for offset in offsets]


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_neighbours_without_weight_change_no_label(network, ct, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    device = replace(cpu_device(exact=runtime == "torch"), precision="float32", runtime=runtime)
    seeing = seeing_neighbours(network, NEIGHBOURS).eval()
    alone, _ = label_axial(ct, tiny_bundle(), network, device)
    together, _ = label_axial(ct, tiny_bundle(network=NEIGHBOURS), seeing, device)
    assert len(np.unique(alone)) > 2 and (alone == together).mean() > 0.9999


def test_a_network_of_the_slice_two_above_gives_its_labels(network, ct):
    """All weight lies on the uppermost channel, 4 isotropic slices above the labelled one."""
    moved = seeing_neighbours(network, NEIGHBOURS).eval()
    with torch.no_grad():
        moved.encoder[0][0].conv.weight.copy_(moved.encoder[0][0].conv.weight.roll(2, dims=1))
    isotropic = replace(ct, spacing=(1.6, 1.6, 1.6))
    device = cpu_device(exact=True)
    alone, _ = label_axial(isotropic, tiny_bundle(), network, device)
    above, _ = label_axial(isotropic, tiny_bundle(network=NEIGHBOURS), moved, device)
    assert np.array_equal(above[:-4], alone[4:]) and (above[-4:] == alone[-1]).all()
