"""Small, valid and hostile inputs for each target, all made by code."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SHAPE = (4, 5, 6)
DICOM_SLICES = 3
#: What a hostile pickle makes in the working folder when it runs.
TRACE = "executed"


class Hostile:
    """Makes a file when Python's own reader unpickles it."""

    def __reduce__(self):
        return os.system, (f"touch {TRACE}",)


def images(*endings: str) -> list[bytes]:
    """A CT and a label map in each of some formats, as they are and compressed."""
    hu = np.random.default_rng(0).integers(-1000, 300, SHAPE).astype(np.int16)
    found = []
    for ending in endings:
        for voxels in (hu, hu.astype(np.float32), (hu > 0).astype(np.uint8)):
            for compressed in (False, True):
                image = sitk.GetImageFromArray(voxels)
                image.SetSpacing((0.8, 0.7, 2.5))
                if ending == ".seg.nrrd":
                    for key, value in {"Segment0_ID": "liver", "Segment0_Name": "liver", "Segment0_LabelValue": "1",
                                       "Segment0_Layer": "0", "Segment0_Extent": "0 5 0 4 0 3"}.items():
                        image.SetMetaData(key, value)
                found.append(_written(image, ending, compressed))
    return list(dict.fromkeys(found))


def dicom_slices() -> list[bytes]:
    """Three slices of one CT series."""
    found = []
    for index in range(DICOM_SLICES):
        image = sitk.GetImageFromArray(np.full((1, 5, 6), 10 * index, np.int16))
        image.SetSpacing((0.8, 0.7, 2.5))
        for tag, value in {"0008|0060": "CT", "0008|0018": f"1.2.3.{index + 1}", "0020|000d": "1.2",
                           "0020|000e": "1.2.3", "0020|0052": "1.2.4", "0020|0013": str(index + 1),
                           "0020|0032": f"-80\\-60\\{2.5 * index}", "0020|0037": "1\\0\\0\\0\\1\\0",
                           "0008|0008": "ORIGINAL\\PRIMARY\\AXIAL"}.items():
            image.SetMetaData(tag, value)
        found.append(_written(image, ".dcm", False))
    return found


def enhanced_ct() -> bytes:
    """The same slices as the frames of one file, last one first, in a series of its own."""
    import pydicom

    slices = [pydicom.dcmread(io.BytesIO(content)) for content in reversed(dicom_slices())]
    file = slices[0]
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = "1.2.5.1"
    file.SeriesInstanceUID, file.NumberOfFrames = "1.2.5", len(slices)
    file.SharedFunctionalGroupsSequence = _group(
        PixelMeasuresSequence=_group(PixelSpacing=file.PixelSpacing),
        PlaneOrientationSequence=_group(ImageOrientationPatient=file.ImageOrientationPatient),
        PixelValueTransformationSequence=_group(RescaleSlope=1, RescaleIntercept=0, RescaleType="HU"))
    file.PerFrameFunctionalGroupsSequence = [
        _group(PlanePositionSequence=_group(ImagePositionPatient=each.ImagePositionPatient))[0] for each in slices]
    file.PixelData = b"".join(each.PixelData for each in slices)
    for element in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"):
        delattr(file, element)
    return _saved(file)


def _group(**elements) -> list:
    import pydicom

    dataset = pydicom.Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return [dataset]


def _saved(dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def dicom_segs() -> list[bytes]:
    """DICOM SEGs of that series: a frame a segment and slice, segment numbers as voxels, and what is refused."""
    import pydicom

    ours, numbers = _written_segs()
    return [ours, numbers, *(_saved(change(pydicom.dcmread(io.BytesIO(ours)))) for change in (
        _of_other_organs, _overlapping, _of_fractions, _deflated)), _saved(_packed(numbers))]


def _of_other_organs(seg):
    """A code that is none of ours, a retired one, and one that leaves the organ to the label."""
    for segment, value, scheme, label in zip(seg.SegmentSequence, ("15825003", "T-C3000", "85756007", "0"),
                                             ("SCT", "SRT", "SCT", "99X"), ("aorta", "x", "Left_Kidney", "bile\nduct")):
        code = segment.SegmentedPropertyTypeCodeSequence[0]
        code.CodeValue, code.CodingSchemeDesignator, segment.SegmentLabel = value, scheme, label
    return seg


def _overlapping(seg):
    for frame in seg.PerFrameFunctionalGroupsSequence:
        frame.PlanePositionSequence[0].ImagePositionPatient = [-80, -60, 0]
    return seg


def _of_fractions(seg):
    seg.SegmentationType, seg.SegmentationFractionalType, seg.MaximumFractionalValue = "FRACTIONAL", "PROBABILITY", 255
    return seg


def _deflated(seg):
    seg.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    return seg


def _packed(seg: bytes):
    """As frames that are packed one by one (RLE), in items of their own."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(seg))
    dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    return dataset


def _written_segs() -> tuple[bytes, bytes]:
    from FlareSegLib.organs import FLARE_ORGANS
    from FlareSegLib.results.dicom_seg import write_dicom_seg
    from FlareSegLib.volumes.dicom import find_series, read_series

    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name, "ct"), Path(name, "organs.dcm")
        folder.mkdir()
        for number, content in enumerate(dicom_slices()):
            (folder / f"{number}.dcm").write_bytes(content)
        series = find_series(folder)
        ct = read_series(series)
        labels = ct.with_array(np.random.default_rng(0).integers(0, 5, ct.array.shape).astype(np.uint8))
        write_dicom_seg(path, labels, FLARE_ORGANS, series, "tiny 1")
        return path.read_bytes(), _with_segment_numbers(path, labels.array, [one.path for one in series.slices])


def _with_segment_numbers(path: Path, labels: np.ndarray, slices: list[Path]) -> bytes:
    import highdicom
    import pydicom
    from FlareSegLib.results.dicom_seg import MAY_BE_EMPTY

    read, images = highdicom.seg.segread(path), [pydicom.dcmread(each) for each in slices]
    for image in images:
        image.SliceThickness = 2.5
        for element in MAY_BE_EMPTY:
            setattr(image, element, image.get(element))
    buffer = io.BytesIO()
    highdicom.seg.Segmentation(
        images, labels, "LABELMAP", [read.get_segment_description(number) for number in read.segment_numbers],
        highdicom.UID(), 1, highdicom.UID(), 1, "maker", "model", "1", "1").save_as(buffer)
    return buffer.getvalue()


def _written(image: sitk.Image, ending: str, compressed: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetUseCompression(compressed)
        writer.SetFileName(f"{folder}/image{ending}")
        writer.Execute(image)
        return Path(folder, f"image{ending}").read_bytes()


def network():
    """The smallest network that a bundle can hold, untrained."""
    import torch
    from FlareSegLib.networks.spec import UNet2DSpec
    from FlareSegLib.networks.unet2d import UNet2D

    torch.manual_seed(0)
    return UNet2D(UNet2DSpec(features=(1, 1)))


def _bundle(folder: Path, precision: str) -> Path:
    from FlareSegLib.models.bundle import write_bundle
    from FlareSegLib.organs import FLARE_ORGANS
    from FlareSegLib.preprocessing.normalisation import Normalisation

    write_bundle(folder, network(), name="tiny", version="1", title="Untrained", organs=FLARE_ORGANS,
                 working_spacing=(4.0, 4.0), grid=(8, 8), normalisation=Normalisation(-16, 270, 116.6, 47.9),
                 training={}, licence="none", intended_use="tests", precision=precision)
    return folder


@cache
def bundle_files(precision: str = "float32") -> tuple[bytes, bytes]:
    """`model.json` and `weights.safetensors` of the smallest bundle."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = _bundle(Path(folder, "tiny"), precision)
        return (bundle / "model.json").read_bytes(), (bundle / "weights.safetensors").read_bytes()


def description_of(weights: bytes) -> bytes:
    """The smallest bundle's description with these weights' checksum."""
    description = json.loads(bundle_files()[0])
    description["format"] = 2
    description["weights"]["sha256"] = hashlib.sha256(weights).hexdigest()
    return json.dumps(description).encode()


def zips() -> list[bytes]:
    """Bundles in a zip, and zips that want to write elsewhere."""
    model, weights = bundle_files()
    members = [{"model.json": model, "weights.safetensors": weights},
               {"tiny/model.json": model, "tiny/README.md": b"#"},
               {"../escaped": b"x"}, {"/escaped": b"x"}, {"a/../../escaped": b"x"}, {"plans.pkl": pickle.dumps({})}]
    return [_zip(each, kind) for each in members for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]


def _zip(members: dict[str, bytes], kind: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pickles() -> list[bytes]:
    """Plain data, numpy arrays and a payload, of several protocols."""
    values = [plans_v1(), {"a": [1, 2.5, "x", None, (True, b"y")]}, {1, 2}, 1 + 2j, Hostile()]
    return [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4)]


def checkpoints() -> list[bytes]:
    """What `torch.save` writes, in both of its formats, and a payload in each."""
    import torch

    found = []
    for value in ({"state_dict": {"w": torch.ones(2, 3)}, "epoch": 3}, {"state_dict": Hostile()}):
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
            found.append(buffer.getvalue())
    return found


def plans_v1() -> dict:
    """nnU-Net v1's plans.pkl (branch nnunetv1 of MIC-DKFZ/nnUNet: experiment_planner_baseline_2DUNet.py)."""
    constants = {"percentile_00_5": np.float32(-17.5), "percentile_99_5": np.float32(271.25), "mean": np.float64(100),
                 "sd": np.float64(47)}
    stage = {"patch_size": np.array((8, 8)), "current_spacing": np.array((5.0, 0.8, 0.8)),
             "pool_op_kernel_sizes": [[2, 2]], "conv_kernel_sizes": [[3, 3], [3, 3]]}
    return {"num_modalities": 1, "normalization_schemes": {0: "CT"}, "use_mask_for_norm": {0: False},
            "dataset_properties": {"intensityproperties": {0: constants}, "class_dct": {"1": "liver"}},
            "preprocessed_data_folder": "/data/Task021_Abdomen", "all_classes": [1], "transpose_forward": [0, 1, 2],
            "conv_per_stage": 2, "plans_per_stage": {0: stage}}


def plans_v2() -> list[bytes]:
    """nnU-Net v2's plans.json and dataset.json in one object (branch master of MIC-DKFZ/nnUNet)."""
    arguments = {"n_stages": 2, "features_per_stage": [1, 1], "conv_op": "torch.nn.modules.conv.Conv2d",
                 "kernel_sizes": [[3, 3]] * 2, "strides": [[1, 1], [2, 2]], "n_conv_per_stage": [2, 2],
                 "n_conv_per_stage_decoder": [2], "nonlin_kwargs": {"inplace": True}}
    name = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    plain = {"patch_size": [8, 8], "spacing": [0.8, 0.8], "normalization_schemes": ["CTNormalization"],
             "architecture": {"network_class_name": name, "arch_kwargs": arguments}}
    constants = {"percentile_00_5": -17.5, "percentile_99_5": 271.25, "mean": 100.0, "std": 47.0}
    plans = {"dataset_name": "Dataset021_Abdomen", "transpose_forward": [0, 1, 2],
             "configurations": {"2d": plain, "2d_other": {"inherits_from": "2d"}},
             "foreground_intensity_properties_per_channel": {"0": constants}}
    dataset = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}}
    return [json.dumps({"plans": plans, "dataset": dataset}).encode()]


def _operation() -> dict:
    return {"disease": "renal_cyst", "organ": "kidney", "parameters": {"diameter": 20, "hu": 10},
            "centre_lps_mm": [1.5, -2, 30], "seed": 4, "label_rule": "keep"}


def recipes() -> list[bytes]:
    """A recipe of one cyst."""
    finding = {"name": "contrast", "value": 1.0, "low": None, "high": 5, "passed": True}
    effect = {"box_kji": [0, 2, 0, 3, 0, 4], "lesion_ml": 1.5, "requested_hu": -20, "achieved_hu": None,
              "jacobian": 1, "depth_mm": 3, "organs_ml": {"kidney": [10, 9]}}
    return [json.dumps({
        "format": "flareseg-recipe", "version": 1, "synthetic": True, "tool": "FlareSeg 0.1.0", "operator": "op",
        "utc": "2026-01-31T12:00:00Z",
        "source": {"image_sha256": "0" * 64, "labels_sha256": "1" * 64, "shape_kji": [4, 5, 6],
                   "spacing_ijk_mm": [1, 1, 2], "origin_lps_mm": [0, 0, 0], "direction": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
        "operations": [{**_operation(), "from": None, "effect": effect}],
        "quality": {"passed": True, "operations": [[finding]], "case": [finding]}}).encode()]


def mixes() -> list[bytes]:
    """The default mix, and one with everything that an entry can have."""
    from FlareSegLib.disease.mix import DEFAULT_MIX, mix_text

    entry = {"disease": "renal_cyst", "weight": 2, "organ": "kidney", "count": [1, 3], "parameters": {"hu": 70}}
    return [mix_text(DEFAULT_MIX).encode(),
            json.dumps({"format": "flareseg-mix", "version": 1, "diseases_per_case": [1, 2],
                        "entries": [entry]}).encode()]


def edits() -> list[bytes]:
    """An edit of two entries, one of them hidden."""
    entries = [{**_operation(), "shown": shown, "key": f"k{shown}"} for shown in (True, False)]
    return [json.dumps({"format": "flareseg-edit", "version": 1, "image_sha256": "0" * 64, "labels_sha256": "1" * 64,
                        "entries": entries}).encode()]


def jobs() -> list[bytes]:
    """A worker's two kinds of job."""
    segment = {"input": "missing.nii.gz", "outputs": ["a.seg.nrrd", "a.nii.gz"], "model": "default",
               "organs": ["liver"], "device": "cpu", "exact": True, "runtime": "torch", "fast": False,
               "series": None, "preview": "a.png", "thumbnail": "a.jpg", "report": "a.json", "threads": 1}
    simulate = {"task": "simulate", "cases": ["missing"], "output": "out", "layout": "v2", "variants": 2, "seed": 0,
                "jobs": 1, "originals": True, "model": json.loads(mixes()[1])}
    return [json.dumps(job).encode() for job in (segment, simulate)]


def messages() -> list[bytes]:
    """What a worker says, and what libraries print between."""
    said = [{"type": "hello", "protocol": 1, "version": "0.1.0", "pid": 7},
            {"type": "progress", "stage": "segmenting", "done": 3, "total": 9}, {"type": "log", "message": "a note"},
            {"type": "temporary", "path": "/tmp/.flareseg-0123"}, {"type": "result", "organs": []},
            {"type": "error", "code": "not_ct", "exit_code": 13, "message": "No CT."}]
    return [json.dumps(each).encode() for each in said] + [b"Segmentation fault"]


def case_lists() -> list[bytes]:
    """Lists of CTs as `flareseg batch` takes them."""
    return ["ct.nii.gz\n# remark\n*.nii\nfolder/**\n脾臓.mha\n[a-c]?.nrrd\n".encode(),
            b"\xef\xbb\xbfa.nii\r\nb.nii\r\n"]
