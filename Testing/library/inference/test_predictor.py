"""Memory runs out: smaller batches, fewer streams, then the CPU, and the user hears of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.inference import predictor
from FlareSegLib.inference.device import Device, cpu_device
from FlareSegLib.inference.predictor import SliceTask, predict_slices
from FlareSegLib.preprocessing.inplane import plan_inplane
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

PLAN = plan_inplane((32, 32), (1.6, 1.6), (1.6, 1.6), (32, 32), 4)
SLICES = np.random.default_rng(0).normal(80, 60, (9, 32, 32)).astype(np.float32)
TASK = SliceTask(lambda index: SLICES[index][None], PLAN, FLARE21_NORMALISATION)
ON_CPU = Device("cpu", "float32", True, 8, 1, "test")


def run(network, device, notes=None):
    note = (lambda sentence: None) if notes is None else notes.append
    return dict(predict_slices(network, device, TASK, tuple(range(9)), note))


def hungry(network, largest_batch):
    """The network on a machine whose memory holds only so many slices."""

    class Hungry(torch.nn.Module):
        def forward(self, x):
            if len(x) > largest_batch:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return network(x)

    return Hungry()


def test_batches_give_the_same_labels_as_single_slices(network):
    single = run(network, replace(ON_CPU, batch=1))
    batched = run(network, ON_CPU)
    assert sorted(single) == sorted(batched) == list(range(9))
    agree = np.mean([(single[k] == batched[k]).mean() for k in single])
    assert agree > 0.999


def test_batch_is_halved_until_it_fits(monkeypatch, network):
    monkeypatch.setattr(predictor, "shape_for_device", lambda net, device: hungry(network, 2))
    notes = []
    labels = run(network, ON_CPU, notes)
    assert sorted(labels) == list(range(9))
    assert len(notes) == 2 and "4 slices" in notes[0] and "2 slices" in notes[1]


def test_gpu_falls_back_to_the_cpu(monkeypatch, network):
    def shaped(net, device):
        return hungry(network, 0 if device.name == "meta" else 9)

    monkeypatch.setattr(predictor, "shape_for_device", shaped)
    monkeypatch.setattr(predictor, "label_batch", fake_label_batch)
    notes = []
    labels = run(network, Device("meta", "float32", False, 2, 1, "test"), notes)
    assert sorted(labels) == list(range(9))
    assert "CPU" in notes[-1]


def fake_label_batch(network, device, task, indices):
    network(torch.zeros(len(indices), 1, 32, 32))
    return np.zeros((len(indices), 32, 32), np.uint8)


def test_no_slice_fits_is_one_clear_sentence(monkeypatch, network):
    monkeypatch.setattr(predictor, "shape_for_device", lambda net, device: hungry(network, 0))
    with pytest.raises(FlareSegError, match="not enough memory") as caught:
        run(network, replace(ON_CPU, streams=2))
    assert caught.value.code == "out_of_memory"


def test_other_errors_are_defects_and_pass_through(monkeypatch, network):
    class Broken(torch.nn.Module):
        def forward(self, x):
            raise RuntimeError("shape mismatch")

    monkeypatch.setattr(predictor, "shape_for_device", lambda net, device: Broken())
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(network, ON_CPU)


def test_labels_do_not_depend_on_the_number_of_streams(network):
    one = run(network, replace(cpu_device(exact=True), streams=1, batch=1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        two = run(network, replace(cpu_device(exact=True), streams=2, batch=1))
    finally:
        torch.set_num_threads(threads)
    assert all((one[k] == two[k]).mean() > 0.9999 for k in one)
