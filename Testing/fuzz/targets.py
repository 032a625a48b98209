"""What is fuzzed: each target takes any bytes as a stranger's file and may raise FlareSegError, nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from FlareSegLib.errors import FlareSegError

from . import seeds

#: A refusal is a sentence or a short list, and steers no terminal.
LONGEST_MESSAGE = 5000


@dataclass(frozen=True)
class Target:
    """A reader and inputs to begin with.

    Attributes
    ----------
    read : callable
        ``read(data, folder)``: writes the bytes into an empty folder, which is the working directory, and reads them.
    seeds : callable
        Gives the inputs.
    is_json : bool
        Whether the fuzzer should change values rather than bytes, too.
    """

    read: Callable[[bytes, Path], None]
    seeds: Callable[[], list[bytes]]
    is_json: bool = False


def check(target: Target, data: bytes, folder: Path) -> None:
    """Read an input in an empty folder; return where it is read or refused as it should be, else raise."""
    with contextlib.chdir(folder):
        try:
            target.read(data, folder)
        except FlareSegError as error:
            _check_sentence(str(error))
        assert not (folder / seeds.TRACE).exists(), "a payload was executed"


def _check_sentence(text: str) -> None:
    strange = [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n"]
    assert not strange, f"the message holds {strange[0]!r}"
    assert len(text) <= LONGEST_MESSAGE, f"the message has {len(text)} letters"


def image(ending: str, data: bytes, folder: Path) -> None:
    """A CT, and a label map with the names of its segments."""
    from FlareSegLib.viewer.segments import organs_in
    from FlareSegLib.volumes.checks import check_ct
    from FlareSegLib.volumes.reading import read_label_map, read_volume

    path = folder / f"image{ending}{'.gz' if ending == '.nii' and data.startswith(bytes((31, 139))) else ''}"
    path.write_bytes(data)
    with contextlib.suppress(FlareSegError):
        for organ in organs_in(path, read_label_map(path).array):
            _check_sentence(organ.name)
    check_ct(read_volume(path))


def dicom(data: bytes, folder: Path) -> None:
    """A series of which one slice is a stranger's."""
    from FlareSegLib.volumes.reading import read_volume

    for number, content in enumerate(_dicom_slices()):
        (folder / f"{number}.dcm").write_bytes(data if number == 1 else content)
    for path in (folder, folder / "1.dcm"):
        with contextlib.suppress(FlareSegError):
            read_volume(path)
    read_volume(folder)


_dicom_slices = cache(seeds.dicom_slices)


def dicom_seg(data: bytes, folder: Path) -> None:
    """Organs of a CT, on its grid and on one of their own."""
    from FlareSegLib.volumes.dicom_seg import check_frame_of_reference, grid_of, label_map_on, read_dicom_seg
    from FlareSegLib.volumes.reading import read_volume

    (folder / "ct").mkdir()
    for number, content in enumerate(_dicom_slices()):
        (folder / "ct" / f"{number}.dcm").write_bytes(content)
    (folder / "organs.dcm").write_bytes(data)
    read = read_dicom_seg(folder / "organs.dcm")
    for organ in read.organs.values():
        _check_sentence(organ.name)
    with contextlib.suppress(FlareSegError):
        label_map_on(read_volume(folder / "ct"), read)
    with contextlib.suppress(FlareSegError):
        check_frame_of_reference(read, "1.2.4")
    label_map_on(grid_of(read), read)


def bundle(data: bytes, folder: Path) -> None:
    """A model's description beside good weights."""
    from FlareSegLib.models.bundle import load_network, read_bundle, verify_bundle

    (folder / "model.json").write_bytes(data)
    (folder / "weights.safetensors").write_bytes(seeds.bundle_files()[1])
    found = read_bundle(folder)
    verify_bundle(found)
    load_network(found)


def weights(data: bytes, folder: Path) -> None:
    """A model's weights with a description whose checksum is theirs."""
    from FlareSegLib.models.bundle import load_network, read_bundle, verify_bundle

    (folder / "model.json").write_bytes(seeds.description_of(data))
    (folder / "weights.safetensors").write_bytes(data)
    found = read_bundle(folder)
    with contextlib.suppress(FlareSegError):
        verify_bundle(found)
    load_network(found)


def model_zip(data: bytes, folder: Path) -> None:
    """A zip to import; afterwards nothing but models lies anywhere."""
    from FlareSegLib.models.store import import_bundle

    source, models = folder / "zip" / "model.zip", folder / "models"
    source.parent.mkdir()
    source.write_bytes(data)
    with _models_in(models):
        try:
            import_bundle(source)
        finally:
            assert {path.name for path in folder.iterdir()} <= {"zip", "models"}, "written elsewhere"
            assert list(source.parent.iterdir()) == [source], "written beside the zip"


def pickled(data: bytes, folder: Path) -> None:
    """nnU-Net's plans.pkl."""
    from FlareSegLib.models.restricted_pickle import read_pickle

    (folder / "plans.pkl").write_bytes(data)
    read_pickle(folder / "plans.pkl")


def checkpoint(data: bytes, folder: Path) -> None:
    """What torch.save is said to have written."""
    from FlareSegLib.models.restricted_pickle import read_checkpoint

    (folder / "checkpoint_final.pth").write_bytes(data)
    read_checkpoint(folder / "checkpoint_final.pth")


def nnunet_v1(data: bytes, folder: Path) -> None:
    """A model of nnU-Net v1 whose plans.pkl is a stranger's."""
    from FlareSegLib.models.nnunet_import import import_nnunet

    (folder / "plans.pkl").write_bytes(data)
    for name, content in _files_of_v1().items():
        _put(folder / "fold_0" / name, content)
    import_nnunet(folder)


def nnunet_v2(data: bytes, folder: Path) -> None:
    """A model of nnU-Net v2 whose plans.json and dataset.json are a stranger's."""
    from FlareSegLib.models.nnunet_import import import_nnunet

    with contextlib.suppress(ValueError, RecursionError):
        both = json.loads(data)
        for name in ("plans", "dataset"):
            if isinstance(both, dict) and name in both:
                (folder / f"{name}.json").write_text(json.dumps(both[name]), "ascii")
    _put(folder / "fold_0" / "checkpoint_final.pth", _checkpoint_of_v2())
    import_nnunet(folder)


@cache
def _files_of_v1() -> dict[str, bytes]:
    import pickle

    import torch

    def convolution(into, out, name):
        return {f"{name}.conv.weight": torch.ones(out, into, 3, 3), f"{name}.conv.bias": torch.ones(out),
                f"{name}.instnorm.weight": torch.ones(out), f"{name}.instnorm.bias": torch.ones(out)}

    state = {**convolution(1, 1, "conv_blocks_context.0.blocks.0"),
             **convolution(1, 1, "conv_blocks_context.0.blocks.1"),
             **convolution(1, 1, "conv_blocks_context.1.0.blocks.0"),
             **convolution(1, 1, "conv_blocks_context.1.1.blocks.0"),
             **convolution(2, 1, "conv_blocks_localization.0.0.blocks.0"),
             **convolution(1, 1, "conv_blocks_localization.0.1.blocks.0"),
             "tu.0.weight": torch.ones(1, 1, 2, 2), "seg_outputs.0.weight": torch.ones(2, 1, 1, 1)}
    return {"model_final_checkpoint.model": _saved({"state_dict": state}),
            "model_final_checkpoint.model.pkl": pickle.dumps({"name": "nnUNetTrainerV2"})}


@cache
def _checkpoint_of_v2() -> bytes:
    import torch

    def convolution(into, out, name):
        return {f"{name}.conv.weight": torch.ones(out, into, 3, 3), f"{name}.conv.bias": torch.ones(out),
                f"{name}.norm.weight": torch.ones(out), f"{name}.norm.bias": torch.ones(out)}

    state = {}
    for place, into in (("encoder.stages.0.0", 1), ("encoder.stages.1.0", 1), ("decoder.stages.0", 2)):
        state |= convolution(into, 1, f"{place}.convs.0") | convolution(1, 1, f"{place}.convs.1")
    state |= {"decoder.transpconvs.0.weight": torch.ones(1, 1, 2, 2), "decoder.transpconvs.0.bias": torch.ones(1),
              "decoder.seg_layers.0.weight": torch.ones(2, 1, 1, 1), "decoder.seg_layers.0.bias": torch.ones(2)}
    return _saved({"network_weights": state, "init_args": {"configuration": "2d"}, "trainer_name": "nnUNetTrainer"})


def _saved(value) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def recipe(data: bytes, folder: Path) -> None:
    """A recipe, there and back."""
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.document import whole_text
    from FlareSegLib.disease.recipe import read_recipe, recipe_from, recipe_text

    (folder / "recipe.json").write_bytes(data)
    read = read_recipe(folder / "recipe.json", find)
    assert recipe_from(json.loads(recipe_text(read)), find) == read
    assert len(read.sha256) == 64 and whole_text(json.loads(recipe_text(read))) == recipe_text(read)


def mix(data: bytes, folder: Path) -> None:
    """A mix, there and back."""
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.mix import mix_from, mix_text, read_mix

    (folder / "mix.json").write_bytes(data)
    read = read_mix(folder / "mix.json", find)
    assert mix_from(json.loads(mix_text(read).encode("utf-8")), find) == read


def edit(data: bytes, folder: Path) -> None:
    """An edit by hand, there and back."""
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.document import read_document
    from FlareSegLib.disease.edits import edit_from, edit_text

    (folder / "edit.json").write_bytes(data)
    read = edit_from(read_document(folder / "edit.json"), find)
    assert edit_from(json.loads(edit_text(read).encode("utf-8")), find) == read


def edited_case(data: bytes, folder: Path) -> None:
    """An edit that is done on a small case."""
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.document import read_document
    from FlareSegLib.disease.edits import edit_from
    from FlareSegLib.disease.session import Session

    (folder / "edit.json").write_bytes(data)
    Session(_small_case(), find).set_entries(edit_from(read_document(folder / "edit.json"), find).entries[:2])


def placed_edits() -> list[bytes]:
    """An edit for each of some diseases, at a place that the small case has."""
    import numpy as np

    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.edits import Edit, edit_text
    from FlareSegLib.disease.operation import draw
    from FlareSegLib.disease.scene import Scene
    from FlareSegLib.disease.session import Entry

    found = []
    for name, organ in (("renal_cyst", "kidney"), ("hcc", "liver"), ("resection", "liver"),
                        ("ascites", ""), ("splenomegaly", "spleen")):
        operation = draw(find(name), Scene(_small_case()), organ, np.random.default_rng(0))
        found.append(edit_text(Edit("0" * 64, "1" * 64, (Entry(operation, True, name),))).encode())
    return found


@cache
def _small_case():
    from FlareSegLib.disease.case import make_case
    from FlareSegLib.phantom.phantom import make_phantom

    phantom = make_phantom(0, (40, 40, 16), (8.0, 8.0, 14.0))
    return make_case(phantom.ct, phantom.label_map)[0]


def worker_job(data: bytes, folder: Path) -> None:
    """A job that a worker is handed; its CT is never there."""
    from FlareSegLib.disease.simulate_job import SimulateJob
    from FlareSegLib.jobs.job import SegmentJob, run_job
    from FlareSegLib.worker.process import _read_fields

    fields = _read_fields([], iter([data]))
    if isinstance(fields, dict) and fields.get("task") == "simulate":
        job = SimulateJob.from_fields(fields)
        if _stays_here(*job.cases, job.output):
            with contextlib.suppress(FlareSegError):
                job.plan()
    else:
        job = SegmentJob.from_fields(fields)
        if _stays_here(job.input, job.model, *job.targets):
            with contextlib.suppress(FlareSegError):  # it quotes the paths that it was given
                run_job(job)


def worker_message(data: bytes, folder: Path) -> None:
    """A line that a worker says to its parent; no folder of others is ever removed for it."""
    from FlareSegLib.jobs.job import SegmentJob
    from FlareSegLib.worker.client import WorkerProcess
    from FlareSegLib.worker.protocol import decode, encode

    message = decode(data)
    assert decode(encode(message))["type"] == message["type"]
    worker = WorkerProcess(SegmentJob("ct.nii.gz", ("out/a.nii.gz",)))
    worker._receive(message)
    assert all(path.parent == folder / "out" and path.name.startswith(".flareseg-") for path in worker._temporary)


def case_list(data: bytes, folder: Path) -> None:
    """A list of CTs for a batch; those of other folders are left out here."""
    from FlareSegLib.batch.inputs import find_sources, named

    lines = data.decode("utf-8", "replace").splitlines()
    if all(_stays_here(line.strip()) for line in lines):
        (folder / "cases.txt").write_bytes(data)
        try:
            sources, _ = find_sources(["cases.txt"])
        except FlareSegError:
            return
        names = [case.name for case in named(sources)]
        assert len(set(map(str.casefold, names))) == len(names)
        assert all(Path(name).name == name and not name.startswith(".") for name in names)


def _stays_here(*paths: str) -> bool:
    """A fuzzer does not walk the machine that it runs on."""
    return not any(path.startswith(("/", "~")) or ".." in path for path in paths)


@contextlib.contextmanager
def _models_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("FLARESEG_MODELS")
    os.environ["FLARESEG_MODELS"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("FLARESEG_MODELS") if before is None else os.environ.update(FLARESEG_MODELS=before)
        shutil.rmtree(folder, ignore_errors=True)


TARGETS = {
    "nifti": Target(partial(image, ".nii"), partial(seeds.images, ".nii", ".nii.gz")),
    "nrrd": Target(partial(image, ".seg.nrrd"), partial(seeds.images, ".nrrd", ".seg.nrrd")),
    "metaimage": Target(partial(image, ".mha"), partial(seeds.images, ".mha")),
    "dicom": Target(dicom, lambda: [*seeds.dicom_slices(), seeds.enhanced_ct()]),
    "dicom_seg": Target(dicom_seg, seeds.dicom_segs),
    "bundle": Target(bundle, lambda: [seeds.bundle_files()[0]], is_json=True),
    "weights": Target(weights, lambda: [seeds.bundle_files(precision)[1] for precision in ("float32", "int8")]),
    "model_zip": Target(model_zip, seeds.zips),
    "pickle": Target(pickled, seeds.pickles),
    "checkpoint": Target(checkpoint, seeds.checkpoints),
    "nnunet_v1": Target(nnunet_v1, seeds.pickles),
    "nnunet_v2": Target(nnunet_v2, seeds.plans_v2, is_json=True),
    "recipe": Target(recipe, seeds.recipes, is_json=True),
    "mix": Target(mix, seeds.mixes, is_json=True),
    "edit": Target(edit, seeds.edits, is_json=True),
    "edited_case": Target(edited_case, placed_edits, is_json=True),
    "worker_job": Target(worker_job, seeds.jobs, is_json=True),
    "worker_message": Target(worker_message, seeds.messages, is_json=True),
    "case_list": Target(case_list, seeds.case_lists),
}
