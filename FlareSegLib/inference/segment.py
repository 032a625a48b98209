"""The whole job in memory: a CT volume in, a label map on the same grid out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..models.bundle import ModelBundle, load_network
from ..models.store import find_bundle
from ..networks.spec import UNet2DSpec
from ..networks.unet import UNet
from ..organs import Organ, choose_organs
from ..preprocessing.inplane import InPlanePlan, plan_inplane
from ..preprocessing.isotropic import ZPlan, isotropic_slice, plan_z
from ..volumes.checks import check_ct
from ..volumes.orientation import from_axial, to_axial
from ..volumes.reading import read_volume
from ..volumes.volume import Volume
from .device import Device, choose_device, one_window_at_a_time
from .memory import peak_memory_mb
from .postprocess import NOTE as ISLANDS_REMOVED
from .postprocess import keep_largest_pieces
from .predictor import SliceTask, predict_slices
from .runtime import choose_runtime
from .scout import near_organs, scouts, shows_organ, skipped_note
from .segmentation import Segmentation
from .windows import plan_windows, with_neighbours

Progress = Callable[[int, int], None]


def segment(ct: Volume | str | Path, model: str | Path | ModelBundle = "default", *,
            device: str = "auto", exact: bool = False, runtime: str = "auto", fast: bool = False,
            organs: list[str] | None = None, series: str | None = None, keep_largest: bool = False,
            progress: Progress | None = None) -> Segmentation:
    """Segment liver, kidney, spleen and pancreas on an abdominal CT.

    The method is the paper's (Witanto et al., FLARE21): z-isotropification, then the 2D U-Net on whole slices;
    no cropping, no patches, no post-processing unless `keep_largest` asks for it. A model may see neighbours of each
    slice as further channels, and one with a 3D network sees windows of whole isotropic slices (`windows`).

    Parameters
    ----------
    ct : Volume or path
        HU in any storage orientation, or a file or DICOM folder to read it from.
    model : str, path or ModelBundle
        Name of an installed bundle, a bundle folder, or a bundle that was read.
    device : str
        "auto", "cpu", "cuda" or "mps".
    exact : bool
        float32 everywhere; otherwise bfloat16 where the hardware has it.
    runtime : str
        "auto", "torch" or "openvino": what runs the network (`runtime.choose_runtime`).
    fast : bool
        Do not run slices far from any organ (`scout`); not part of the paper's method.
    organs : list of str, optional
        Names of the organs to keep; all by default.
    series : str, optional
        DICOM series UID or its number in the list, for a folder that holds several.
    keep_largest : bool
        Remove stray islands afterwards (`postprocess.keep_largest_pieces`); not part of the paper's method.
    progress : callable, optional
        ``progress(done, total)`` after every slice. What it raises ends the work.

    Returns
    -------
    Segmentation
        With a uint8 label map on exactly the input's grid.

    Raises
    ------
    FlareSegError
        For input that is no usable CT, an unknown model, organ or device, or too little memory.

    Examples
    --------
    >>> from FlareSegLib import segment
    >>> result = segment("patient.nii.gz")              # doctest: +SKIP
    >>> (result.label_map.array == 1).sum() * result.label_map.voxel_ml   # liver, ml   # doctest: +SKIP
    """
    if not isinstance(ct, Volume):
        ct = read_volume(ct, series)
    notes = list(check_ct(ct))
    bundle = model if isinstance(model, ModelBundle) else find_bundle(model)
    chosen = choose_organs(bundle.organs, organs)
    if fast and exact:
        raise FlareSegError("bad_option", "--exact runs every slice; leave out --fast or --exact.")
    place = choose_runtime(choose_device(device, exact), bundle.network, runtime)
    network = load_network(bundle)
    started = time.perf_counter()
    axial, order = to_axial(ct)
    labels, slices_run = label_axial(axial, bundle, network, place, progress, notes.append, fast=fast)
    if organs is not None:
        labels = keep_organs(labels, chosen)
    if keep_largest:
        labels = keep_largest_pieces(labels, chosen)
        notes.append(ISLANDS_REMOVED)
    label_map = ct.with_array(np.ascontiguousarray(from_axial(labels, order)))
    return Segmentation(label_map, chosen, f"{bundle.name} {bundle.version}", place.name, place.precision,
                        slices_run, time.perf_counter() - started, peak_memory_mb(), tuple(notes), place.runtime,
                        place.reason)


def label_axial(axial: Volume, bundle: ModelBundle, network: UNet, device: Device, progress: Progress | None = None,
                note: Callable[[str], None] = lambda sentence: None,
                every_isotropic_slice: bool = False, fast: bool = False) -> tuple[np.ndarray, int]:
    """Return the labels of an axial volume (uint8, its shape) and the number of slices run.

    A 2D network sees single slices, which are windows of one slice here.

    Parameters
    ----------
    axial : Volume
        HU; k runs upwards, j to the back, i to the left (`volumes.orientation.to_axial`).
    bundle, network : ModelBundle, UNet
        The model's description and its network with the weights, on the CPU.
    device : Device
        Where it runs at first (`predictor.predict_slices` says what follows when memory runs out).
    progress : callable, optional
        ``progress(done, total)`` after every slice. What it raises ends the work.
    note : callable
        Hears in a sentence what the user should know: a fallback taken, slices left out.
    fast : bool
        Leave out slices far from any organ (`scout`); of a 3D network all windows are run.
    every_isotropic_slice : bool
        Run the isotropic slices (of a 3D network: the windows) that nothing reads, too: the paper's way to the letter.
        It costs more and changes no label (a test holds that).

    Raises
    ------
    FlareSegError
        "out_of_memory" when not even one slice, or window, fits on the CPU.
    """
    z, plan = _grids(axial, bundle)
    window = bundle.network.window
    windows = plan_windows(z.isotropic, window or 1)
    readers = windows.readers(z.reads)
    indices = tuple(number for number, reading in enumerate(readers) if reading or every_isotropic_slice)

    def read_slice(index: int) -> np.ndarray:
        return isotropic_slice(axial.array, z, index)

    def read(number: int) -> np.ndarray:
        if isinstance(bundle.network, UNet2DSpec):
            return with_neighbours(read_slice, number, z.isotropic, bundle.network.offsets)
        return windows.read(read_slice, number)[None]

    task = SliceTask(read, plan, bundle.normalisation)
    device = one_window_at_a_time(device) if window else device
    labels = np.zeros(axial.array.shape, np.uint8)

    def run(wanted: tuple[int, ...], before: int, total: int) -> None:
        # closing: when progress raises, the slices still queued are dropped at once
        with closing(predict_slices(network, device, task, wanted, note)) as predicted:
            for done, (number, found) in enumerate(predicted, start=before + 1):
                for stored, place in readers[number]:
                    labels[stored] = found[place] if window else found
                if progress:
                    progress(done, total)

    first = _scout_indices(z, axial.spacing[2]) if fast and not window else indices
    run(first, 0, len(indices))
    rest = _left_to_run(labels, z, axial.spacing, first) if len(first) < len(indices) else ()
    run(rest, len(first), len(first) + len(rest))
    skipped = len(indices) - len(first) - len(rest)
    if skipped:
        note(skipped_note(skipped, len(indices)))
    return labels, (len(indices) - skipped) * windows.window


def _grids(axial: Volume, bundle: ModelBundle) -> tuple[ZPlan, InPlanePlan]:
    """The bundle's isotropic slices of an axial volume, and its grid in plane."""
    slice_spacing = (axial.spacing[1], axial.spacing[0])
    working = bundle.working_spacing or slice_spacing
    slices, rows, columns = axial.array.shape
    return (plan_z(slices, axial.spacing[2], float(np.mean(working))),
            plan_inplane((rows, columns), slice_spacing, working, bundle.grid, bundle.network.divisor))


def _scout_indices(z: ZPlan, spacing: float) -> tuple[int, ...]:
    """The isotropic slices that `--fast` looks at first."""
    return tuple(sorted({z.reads[stored] for stored in scouts(z.stored, spacing)}))


def _left_to_run(labels: np.ndarray, z: ZPlan, spacing: tuple[float, ...], done: tuple[int, ...]) -> tuple[int, ...]:
    """The isotropic slices that are still to be run once the scouts have labels."""
    looked_at = scouts(z.stored, spacing[2])
    with_organ = {stored for stored in looked_at if shows_organ(labels[stored], spacing[0] * spacing[1])}
    return tuple(sorted({z.reads[stored] for stored in near_organs(looked_at, with_organ)} - set(done)))


def keep_organs(labels: np.ndarray, organs: tuple[Organ, ...]) -> np.ndarray:
    """Return a label map (uint8, any shape) with the labels of all other organs set to background."""
    table = np.zeros(256, np.uint8)
    for organ in organs:
        table[organ.label] = organ.label
    return table[labels]
