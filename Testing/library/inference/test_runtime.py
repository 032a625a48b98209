"""Which runtime is chosen, and that the reason is told."""

import subprocess
import sys

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.inference.device import Device, cpu_device
from FlareSegLib.inference.runtime import choose_runtime
from FlareSegLib.networks.spec import AttentionUNet2DSpec, UNet2DSpec, UNet3DSpec

UNET = UNet2DSpec(features=(4, 6))


@pytest.fixture
def absent(monkeypatch):
    """A machine without OpenVINO."""
    monkeypatch.setitem(sys.modules, "openvino", None)


def test_openvino_is_taken_where_it_is_installed():
    pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install flareseg[openvino])")
    device = choose_runtime(cpu_device(), UNET)
    assert device.runtime == "openvino"
    assert device.reason.startswith(cpu_device().reason) and "OpenVINO 20" in device.reason


def test_without_it_pytorch_runs_and_says_why(absent):
    device = choose_runtime(cpu_device(), UNET)
    assert device.runtime == "torch" and "not installed" in device.reason


@pytest.mark.parametrize("spec", [AttentionUNet2DSpec(features=(4, 6)), UNet3DSpec(features=(4, 6), z_halvings=1)])
def test_other_networks_are_pytorch_s_with_the_reason(spec):
    device = choose_runtime(cpu_device(), spec)
    assert device.runtime == "torch" and spec.title in device.reason


def test_exact_is_pytorch_s():
    device = choose_runtime(cpu_device(exact=True), UNET)
    assert device.runtime == "torch" and device.exact and "exact" in device.reason


def test_on_a_gpu_nothing_is_said_of_it():
    gpu = Device("cuda:0", "bfloat16", False, 8, 1, "GPU.")
    assert choose_runtime(gpu, UNET) == gpu


def test_pytorch_can_be_asked_for():
    device = choose_runtime(cpu_device(), UNET, "torch")
    assert device.runtime == "torch" and "as asked" in device.reason


@pytest.mark.parametrize("device, spec", [(cpu_device(exact=True), UNET),
                                          (cpu_device(), UNet3DSpec(features=(4, 6), z_halvings=1)),
                                          (Device("cuda:0", "bfloat16", False, 8, 1, "GPU."), UNET)])
def test_who_insists_on_it_hears_why_not(device, spec):
    with pytest.raises(FlareSegError, match="--runtime auto") as caught:
        choose_runtime(device, spec, "openvino")
    assert caught.value.code == "bad_option"


def test_who_insists_without_it_hears_how_to_get_it(absent):
    with pytest.raises(FlareSegError, match="pip install openvino") as caught:
        choose_runtime(cpu_device(), UNET, "openvino")
    assert caught.value.code == "device_unavailable"


def test_unknown_runtime():
    with pytest.raises(FlareSegError, match="abacus") as caught:
        choose_runtime(cpu_device(), UNET, "abacus")
    assert caught.value.code == "bad_option"


def test_nothing_is_loaded_that_reports_its_use_over_the_network():
    pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install flareseg[openvino])")
    code = ("import sys; from FlareSegLib.inference.runtime import load_openvino; load_openvino().Core(); "
            "print([m for m in sys.modules if 'telemetry' in m or m.startswith('openvino.tools')])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
