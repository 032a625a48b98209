import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.inference.device import choose_device, cpu_device


def test_cpu_is_always_there():
    device = choose_device("cpu")
    assert device.name == "cpu" and device.batch == 1 and device.streams >= 1


def test_exact_means_float32(monkeypatch):
    monkeypatch.setenv("FLARESEG_BFLOAT16", "1")
    assert cpu_device(exact=True).precision == "float32"
    assert cpu_device(exact=False).precision == "bfloat16"


def test_without_native_bfloat16_the_default_is_float32(monkeypatch):
    monkeypatch.setenv("FLARESEG_BFLOAT16", "0")
    device = cpu_device()
    assert device.precision == "float32" and not device.exact
    assert "no native bfloat16" in device.reason


def test_auto_takes_the_gpu_when_there_is_one():
    expected = "cuda:0" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").name == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_an_absent_gpu_is_refused_with_a_way_out():
    with pytest.raises(FlareSegError, match="--device auto") as caught:
        choose_device("cuda")
    assert caught.value.code == "device_unavailable"


def test_unknown_device():
    with pytest.raises(FlareSegError, match="quantum") as caught:
        choose_device("quantum")
    assert caught.value.code == "bad_option"
