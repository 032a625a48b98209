"""Where labels stop short of an organ: what a network finds beyond them is ignored in training.

``python -m FlareSegLib.training.synthesis.beyond STORE BUNDLE`` goes through the CTs of a made training set, as they
are and transferred, whose labels the case list calls "partial": silver labels of the pancreas often end before the
organ does, and a network that is trained on them learns to end there, too. What a trained network (BUNDLE) finds in one
piece with the labels, and they call background, becomes 255, which the loss passes over. Nothing is ever added to an
organ or taken from it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from ...arrays import Labels, Mask
from ...errors import FlareSegError
from ...inference.device import choose_device
from ...inference.segment import label_axial
from ...models.bundle import ModelBundle, load_network, read_bundle
from ...networks.unet import UNet
from ...volumes.volume import Volume
from ..cases import IGNORE, read_case_list
from ..json_files import write_json
from ..slice_store import SliceStore, StoredCase, open_store, write_case
from .drawing import WORKING_MM
from .make import ORIGIN_ENDING, Origin, read_origin

#: So many isotropic slices beyond the labelled ones are looked at.
REACH = 20


def beyond_labels(labels: Labels, organ: int, found: Mask) -> Mask:
    """Return where an organ was found beyond its labels: in the background, but in one piece with them.

    Parameters
    ----------
    labels : numpy.ndarray
        uint8, (slices, rows, columns).
    organ : int
        Its label.
    found : numpy.ndarray
        bool, same shape: where a network sees the organ.

    Examples
    --------
    >>> beyond_labels(np.array([[[4, 0, 0, 0, 0]]]), 4, np.array([[[1, 1, 0, 1, 1]]], bool)).astype(int)
    array([[[0, 1, 0, 0, 0]]])
    """
    labelled = labels == organ
    pieces, _ = ndimage.label(labelled | found, ndimage.generate_binary_structure(3, 3))
    touching = np.unique(pieces[labelled])
    return found & (labels == 0) & np.isin(pieces, touching)


def ignore_beyond(store: SliceStore, case: StoredCase, organ: int, bundle: ModelBundle, network: UNet) -> int:
    """Mark what a network finds beyond a case's labels of an organ, in the store, and return how many voxels.

    A case that was done before is left as it is.
    """
    record, origin = case.record, read_origin(store.folder, case.record.name)
    places = record.slices_with.get(organ)
    if "ignored" in origin or not places:
        return 0
    images, labels = map(np.stack, zip(*(case.slice(index) for index in range(record.slices))))
    near = slice(max(0, min(places) - REACH), max(places) + REACH + 1)
    ct = Volume(np.rint(images[near]).astype(np.int16), (WORKING_MM,) * 3)
    found, _ = label_axial(ct, bundle, network, choose_device("cpu"))
    beyond = beyond_labels(labels[near], organ, found == organ)
    labels[near][beyond] = IGNORE
    count = int(np.count_nonzero(beyond))
    write_case(store.folder, record, zip(images, labels), store.description.hu)
    ignored = {"model": f"{bundle.name} {bundle.version}", "voxels": count}
    write_json(store.folder / f"{record.name}{ORIGIN_ENDING}", {**origin, "ignored": ignored})
    return count


def _partial(origin: Origin) -> list[int]:
    """The labels that were drawn in part on the CT that a case's image is; a synthetic one has none."""
    if origin["kind"] == "synthetic":
        return []
    return next((entry.get("partial", []) for entry in read_case_list() if entry["patient"] == origin["patient"]), [])


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path, help="what synthesis.make has made; it is changed")
    parser.add_argument("bundle", type=Path, help="a trained model")
    options = parser.parse_args(arguments)
    try:
        store, bundle = open_store(options.store), read_bundle(options.bundle)
        network = load_network(bundle)
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")
    for case in store.cases:
        for organ in _partial(read_origin(store.folder, case.record.name)):
            count = ignore_beyond(store, case, organ, bundle, network)
            print(f"{case.record.name}: {count * WORKING_MM**3 / 1000:.1f} ml beyond label {organ}", flush=True)


if __name__ == "__main__":
    main()
