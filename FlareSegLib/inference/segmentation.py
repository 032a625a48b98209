"""What a finished segmentation is made of."""

from __future__ import annotations

from dataclasses import dataclass

from ..organs import Organ
from ..volumes.volume import Volume


@dataclass(frozen=True)
class Segmentation:
    """A label map with all that is needed to read it and to know how it came about.

    Attributes
    ----------
    label_map : Volume
        uint8, on exactly the input's grid.
    organs : tuple of Organ
        The labels that may occur, in label order.
    model : str
        Name and version of the model bundle.
    device, precision : str
        Where and how the network ran, for instance "cpu" and "bfloat16".
    slices_run : int
        Slices that went through the network.
    seconds : float
        Wall time from the volume in memory to the label map.
    peak_memory_mb : float
        Highest resident memory of the process so far, MB; NaN where the system does not tell.
    notes : tuple of str
        Sentences for the user: doubts of the input check, fallbacks taken.
    runtime : str
        What ran it: "torch" or "openvino".
    reason : str
        Why there and so, in a sentence or two.
    """

    label_map: Volume
    organs: tuple[Organ, ...]
    model: str
    device: str
    precision: str
    slices_run: int
    seconds: float
    peak_memory_mb: float
    notes: tuple[str, ...] = ()
    runtime: str = "torch"
    reason: str = ""
