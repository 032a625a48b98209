"""The GPU's way, run on the CPU: what is recorded and replayed there is done at once here."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from FlareSegLib.inference import device as device_module
from FlareSegLib.inference import gpu
from FlareSegLib.inference.device import Device
from FlareSegLib.inference.network_form import shape_for_device
from FlareSegLib.inference.predictor import SliceTask, label_batch
from FlareSegLib.preprocessing.inplane import plan_inplane
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

SLICES = np.random.default_rng(0).normal(80, 60, (9, 32, 36)).astype(np.float32)
EXACT = Device("cpu", "float32", True, 4, 2, "test")
FAST = Device("cpu", "bfloat16", False, 1, 2, "test")


@pytest.fixture(params=[(1.6, 1.6), (1.1, 1.3)], ids=["as it is", "resampled"])
def task(request) -> SliceTask:
    plan = plan_inplane((32, 36), request.param, (1.6, 1.6), (32, 48), 4)
    return SliceTask(lambda index: SLICES[index][None], plan, FLARE21_NORMALISATION)


@pytest.mark.parametrize("device", [EXACT, FAST], ids=["exact", "bfloat16"])
def test_labels_are_those_of_the_cpu_s_way(network, task, device):
    indices = (0, 3, 5, 8)[:device.batch]
    expected = label_batch(shape_for_device(network, device), device, task, indices)
    labels = gpu.gpu_labeller(network, device, task)(indices)
    assert labels.dtype == np.uint8 and len(np.unique(expected)) > 2
    assert (labels == expected).mean() > 0.999


def test_threads_do_not_mix_their_batches(network, task):
    label = gpu.gpu_labeller(network, EXACT, task)
    batches = [(0, 1), (2, 3, 4, 5), (6,), (7, 8)] * 5
    alone = [label(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        assert all(map(np.array_equal, pool.map(label, batches), alone))


def recorded_on_the_cpu(work, still):
    """As a CUDA graph: always the same memory in, the same memory out."""
    labels = torch.empty_like(work(still))
    return SimpleNamespace(replay=lambda: labels.copy_(work(still))), labels


def test_a_recorded_batch_takes_shorter_ones_as_well(monkeypatch, network, task):
    monkeypatch.setattr(gpu, "_graph", recorded_on_the_cpu)

    def work(hu):
        assert hu.shape == (4, 1, *task.plan.slice_shape), "a graph's shapes are fixed"
        return gpu.label_slices(network, EXACT, task, hu)

    with torch.inference_mode():
        run = gpu._captured(work, EXACT, (1, *task.plan.slice_shape), note=pytest.fail)
        for indices in ((0, 1, 2, 3), (8,), (4, 5, 6)):
            hu = torch.from_numpy(SLICES[list(indices), None])
            assert torch.equal(run(hu), gpu.label_slices(network, EXACT, task, hu))


def test_what_cannot_be_recorded_is_run_as_it_is(monkeypatch, network, task):
    def fails(work, still):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(gpu, "_graph", fails)
    notes = []
    run = gpu._captured(lambda hu: hu + 1, EXACT, (1, 2, 3), notes.append)
    assert torch.equal(run(torch.zeros(1, 2, 3)), torch.ones(1, 2, 3))
    assert len(notes) == 1 and "slower" in notes[0]


def test_too_little_memory_while_recording_is_told_as_such(monkeypatch):
    def fails(work, still):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(gpu, "_graph", fails)
    with pytest.raises(torch.OutOfMemoryError):
        gpu._captured(None, EXACT, (1, 2, 3), pytest.fail)


@pytest.mark.parametrize("capability, exact, precision", [((9, 0), False, "bfloat16"), ((7, 5), False, "float16"),
                                                          ((6, 1), False, "float32"), ((9, 0), True, "float32")])
def test_a_gpu_s_number_format_is_one_it_multiplies_natively(monkeypatch, capability, exact, precision):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Some GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    device = device_module._cuda(exact)
    assert device.precision == precision and device.exact == exact and "Some GPU" in device.reason
