"""Which program runs the network: PyTorch, which is always there, or OpenVINO, where it is installed and suits."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

from ..errors import FlareSegError
from ..networks.spec import UNet2DSpec, UNetSpec
from .device import Device

RUNTIMES = ("auto", "torch", "openvino")
#: OpenVINO's conversion tools report each import of it to its makers, and take as long to load as all the rest.
NOT_LOADED = "openvino.tools.ovc"


def choose_runtime(device: Device, network: UNetSpec, requested: str = "auto") -> Device:
    """Return the device with the runtime that suits it and the network, and the reason added to its own.

    Parameters
    ----------
    requested : str
        "auto" takes OpenVINO on a CPU where it is installed; a name insists.

    Raises
    ------
    FlareSegError
        "bad_option" for an unknown name and for OpenVINO where it cannot be used, "device_unavailable" where it is
        not installed.
    """
    if requested not in RUNTIMES:
        raise FlareSegError("bad_option", f"Unknown runtime {requested}; choose from {', '.join(RUNTIMES)}.")
    if requested == "torch":
        return _reasoned(device, "torch", "PyTorch runs the network, as asked.")
    hindrance = _hindrance(device, network)
    if hindrance is None:
        version = load_openvino().__version__.partition("-")[0]
        return _reasoned(device, "openvino", f"OpenVINO {version} runs the network.")
    code, why = hindrance
    if requested == "openvino":
        raise FlareSegError(code, f"OpenVINO cannot run the network: {why}; use --runtime auto.")
    # on a GPU nobody expects it
    return _reasoned(device, "torch", f"PyTorch runs the network: {why}." if device.name == "cpu" else "")


def _hindrance(device: Device, network: UNetSpec) -> tuple[str, str] | None:
    """Error code and words where OpenVINO cannot be used."""
    if device.exact:
        return "bad_option", "the exact path is PyTorch's"
    if device.name != "cpu":
        return "bad_option", "here OpenVINO is for the CPU alone"
    if type(network) is not UNet2DSpec:
        return "bad_option", f"OpenVINO has the 2D U-Net alone, and this is a {network.title}"
    try:
        load_openvino()
    except ModuleNotFoundError:
        return "device_unavailable", "OpenVINO, which is faster, is not installed (pip install openvino)"
    except (ImportError, OSError, RuntimeError):
        return "device_unavailable", "OpenVINO is installed but cannot be loaded"
    return None


def _reasoned(device: Device, runtime: str, sentence: str) -> Device:
    return replace(device, runtime=runtime, reason=f"{device.reason} {sentence}".rstrip())


def load_openvino() -> ModuleType:
    """Import OpenVINO without its conversion tools, and return the module.

    Those, loaded with it, send a message over the network (https://docs.openvino.ai, "OpenVINO telemetry"); nothing
    here needs them, and `import openvino` passes over their absence.

    Raises
    ------
    ImportError, OSError, RuntimeError
        Where it is not installed, or a library that it needs cannot be loaded.
    """
    blocked = "openvino" not in sys.modules
    if blocked:
        sys.modules[NOT_LOADED] = None  # type: ignore[assignment]  # an import of it fails
    try:
        import openvino
    finally:
        if blocked:
            sys.modules.pop(NOT_LOADED, None)
    return openvino
