"""Reading trained nnU-Net models: 2D plain U-Nets of one CT channel, of nnU-Net v1 and v2.

What nnU-Net writes (facts: branches nnunetv1 and master of MIC-DKFZ/nnUNet):

* v1: `{trainer}__{plans}/plans.pkl`, `{trainer}__{plans}/{fold}/model_final_checkpoint.model` and the same with
  `.pkl` (trainer's name and arguments);
* v2: `{trainer}__{plans}__2d/plans.json`, `dataset.json` and `fold_{k}/checkpoint_final.pth`.

nnU-Net does not turn slices: its networks see them as the files store them, FlareSeg's always with columns to the
left and rows to posterior. Models trained with mirroring (nnU-Net's default) do not mind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import FlareSegError
from ..networks.spec import UNetSpec
from ..organs import Organ, organs_of
from ..preprocessing.normalisation import Normalisation
from .description import read_json
from .restricted_pickle import read_checkpoint, read_pickle

if TYPE_CHECKING:
    from ..networks.unet2d import UNet2D

T = TypeVar("T")
LARGEST_DIFFERENCE = 1e-3
V1_CHECKPOINTS = ("model_final_checkpoint.model", "model_best.model")
V2_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
#: v1 trainers whose activations or order of layers differ from nnU-Net's default without any trace in the weights.
V1_OTHER_ACTIVATIONS = re.compile(r"relu|mish|swish|gelu|nonlin", re.IGNORECASE)


@dataclass(frozen=True)
class Plans:
    """What an import needs of nnU-Net's plans, whatever the generation.

    Attributes
    ----------
    dataset : str
        nnU-Net's name of the data set.
    labels : dict
        Label value to name, without background.
    spacing, grid : tuple
        Row and column spacing (mm) and patch size of the 2D configuration.
    normalisation : Normalisation
        Constants of its CT scheme.
    """

    dataset: str
    labels: dict[int, str]
    spacing: tuple[float, float]
    grid: tuple[int, int]
    normalisation: Normalisation


def is_nnunet(folder: str | Path) -> bool:
    """Whether a folder (or the one above, for a fold's folder) holds an nnU-Net model's plans."""
    return _model_folder(Path(folder)) is not None


def import_nnunet(folder: str | Path, name: str | None = None) -> tuple[UNet2D, dict[str, Any]]:
    """Read a trained 2D model of nnU-Net v1 or v2.

    Parameters
    ----------
    folder : str or Path
        The model's folder (with `plans.json` or `plans.pkl`) or one of its folds'. Of several folds the one
        trained on all cases is taken, else the first.
    name : str or None
        The bundle's name; None for one made from the data set's.

    Returns
    -------
    network : UNet2D
        With the model's weights, in evaluation mode.
    fields : dict
        The keyword arguments of `models.bundle.write_bundle`.

    Raises
    ------
    FlareSegError
        "model_unsupported" for 3D models, cascades, residual encoders, other channels, regions, ...;
        "model_invalid", "model_unsafe", "model_not_found" as for any model; and "model_invalid" where the imported
        network's logits differ from the original's by more than 0.001.
    """
    folder = Path(folder)
    model_folder = _model_folder(folder)
    if model_folder is None:
        raise FlareSegError("model_not_found", f"{folder} holds no nnU-Net model (plans.json or plans.pkl).")
    second = (model_folder / "plans.json").is_file()
    checkpoint, folds = _checkpoint(folder, model_folder, V2_CHECKPOINTS if second else V1_CHECKPOINTS)
    network, plans, training = (_import_v2 if second else _import_v1)(model_folder, checkpoint)
    organs = _organs(plans.labels, network.spec)
    note = f"one of {folds} folds; nnU-Net would average them" if folds > 1 else "the only fold"
    training = {**training, "dataset": plans.dataset, "fold": checkpoint.parent.name, "checkpoint": checkpoint.name,
                "labels": "unknown", "notes": [f"{checkpoint.parent.name} is {note}.",
                                               "nnU-Net interpolates cubically and does not turn slices; FlareSeg "
                                               "interpolates linearly and turns them to left and posterior."]}
    return network, {
        "name": name or _bundle_name(plans.dataset),
        "version": "1",
        "title": f"{plans.dataset}, imported from {training['source']}",
        "organs": organs, "working_spacing": plans.spacing, "grid": plans.grid,
        "normalisation": plans.normalisation, "training": training,
        "licence": "unknown: that of the imported model",
        "intended_use": "Research use only, as far as the imported model's own terms allow it.",
    }


def _model_folder(folder: Path) -> Path | None:
    for candidate in (folder, folder.parent) if _is_fold(folder) else (folder,):
        if (candidate / "plans.json").is_file() or (candidate / "plans.pkl").is_file():
            return candidate
    return None


def _is_fold(folder: Path) -> bool:
    return folder.name == "all" or folder.name.startswith("fold_")


def _checkpoint(folder: Path, model_folder: Path, names: tuple[str, ...]) -> tuple[Path, int]:
    """The checkpoint to read and the number of folds that there are to choose from."""
    folds = [folder] if folder != model_folder else sorted(
        (path for path in model_folder.iterdir() if _is_fold(path)),
        key=lambda path: (path.name not in ("all", "fold_all"), path.name))
    found = [[fold / name for name in names if (fold / name).is_file()] for fold in folds]
    trained = [files[0] for files in found if files]
    if not trained:
        raise FlareSegError("model_not_found", f"{folder} holds no trained weights ({' or '.join(names)} in a folder "
                                               "fold_0 to fold_4 or all).")
    return trained[0], len(trained)


def _import_v1(model_folder: Path, checkpoint: Path) -> tuple[UNet2D, Plans, dict[str, Any]]:
    from . import nnunet_weights as original

    plans = read_pickle(model_folder / "plans.pkl")
    about = _described("the checkpoint's .pkl", lambda: read_pickle(Path(f"{checkpoint}.pkl")))
    trainer = _described("the trainer's name", lambda: _short(str(about["name"])))
    if V1_OTHER_ACTIVATIONS.search(trainer):
        raise _unsupported(f"its trainer, {trainer}, changes the network's activations")
    chosen = _described("plans.pkl", lambda: _plans_v1(plans))
    state = _described("the checkpoint", lambda: dict(read_checkpoint(checkpoint)["state_dict"]))
    weights = original.clean_weights(state)
    network = original.build_network(weights, original.V1_NAMES)
    difference = original.logit_difference(network, lambda slices: original.run_v1(weights, slices))
    return network, chosen, {
        "source": "nnU-Net v1", "trainer": trainer,
        "check": _check(difference, "layer by layer from the original weights"),
    }


def _plans_v1(plans: dict[str, Any]) -> Plans:
    stages = plans["plans_per_stage"]
    stage = stages[max(stages)]
    _require_2d(len(stage["patch_size"]))
    if len(stages) > 1:
        raise _unsupported("its plans have several stages (a cascade)")
    _require_one_ct_channel(list(plans["normalization_schemes"].values()), "CT")
    if any(plans["use_mask_for_norm"].values()):
        raise _unsupported("it normalises inside a mask only")
    _require_plain(stage.get("pool_op_kernel_sizes", []), stage.get("conv_kernel_sizes", []),
                   [plans.get("conv_per_stage", 2)])
    _require_stored_axes(plans)
    constants = plans["dataset_properties"]["intensityproperties"][0]
    names = plans["dataset_properties"].get("class_dct", {})
    names = {int(label): _short(str(name), f"label {int(label)}") for label, name in names.items()}
    row_spacing, column_spacing = (float(value) for value in [*stage["current_spacing"]][-2:])
    rows, columns = (int(value) for value in stage["patch_size"])
    return Plans(
        dataset=_short(Path(str(plans.get("preprocessed_data_folder", "nnU-Net model"))).name),
        labels={int(label): names.get(int(label), f"label {int(label)}") for label in plans["all_classes"]},
        spacing=(row_spacing, column_spacing),
        grid=(rows, columns),
        normalisation=_normalisation(constants, "mean", "sd"),
    )


def _import_v2(model_folder: Path, checkpoint: Path) -> tuple[UNet2D, Plans, dict[str, Any]]:
    from . import nnunet_weights as original

    plans, dataset = read_json(model_folder / "plans.json"), read_json(model_folder / "dataset.json")
    content = read_checkpoint(checkpoint)
    name = _described("the checkpoint", lambda: _configuration_name(content, model_folder))
    chosen = _described("plans.json or dataset.json", lambda: _plans_v2(plans, dataset, name))
    state = _described("the checkpoint", lambda: dict(content["network_weights"]))
    network = original.build_network(original.clean_weights(state), original.V2_NAMES)
    reference = original.original_v2(network.spec, state)
    if reference is None:
        check = {"done": False, "why": "the package dynamic_network_architectures is not installed"}
    else:
        check = _check(original.logit_difference(network, reference), "with nnU-Net v2's own PlainConvUNet")
    return network, chosen, {"source": "nnU-Net v2", "trainer": _short(str(content.get("trainer_name", "unknown"))),
                             "configuration": _short(name), "check": check}


def _configuration_name(checkpoint: dict[str, Any], model_folder: Path) -> str:
    """The configuration that was trained: the checkpoint tells, or the end of the folder's name."""
    arguments = checkpoint.get("init_args") or {}
    return str(arguments.get("configuration") or model_folder.name.rpartition("__")[2] or "2d")


def _plans_v2(plans: dict[str, Any], dataset: dict[str, Any], name: str) -> Plans:
    configuration = _resolved(plans["configurations"], name)
    _require_2d(len(configuration["patch_size"]))
    if configuration.get("previous_stage"):
        raise _unsupported("it is a stage of a cascade")
    channels = dataset.get("channel_names", dataset.get("modality", {}))
    if len(channels) > 1:
        raise _unsupported(f"it reads {len(channels)} channels and FlareSeg gives it one, the CT")
    _require_one_ct_channel(configuration["normalization_schemes"], "CTNormalization")
    _require_stored_axes(plans)
    _require_v2_architecture(configuration)
    constants = plans.get("foreground_intensity_properties_per_channel",
                          plans.get("foreground_intensity_properties_by_modality", {}))["0"]
    row_spacing, column_spacing = (float(value) for value in [*configuration["spacing"]][-2:])
    rows, columns = (int(value) for value in configuration["patch_size"])
    return Plans(
        dataset=_short(str(plans.get("dataset_name", "nnU-Net model"))),
        labels=_labels_v2(dataset["labels"]),
        spacing=(row_spacing, column_spacing),
        grid=(rows, columns),
        normalisation=_normalisation(constants, "mean", "std"),
    )


def _resolved(configurations: dict[str, Any], name: str | None) -> dict[str, Any]:
    """A configuration with what it inherits from others."""
    chain: list[str] = []
    while name is not None:
        if name in chain or name not in configurations:
            raise KeyError(name)
        chain.append(name)
        name = configurations[name].get("inherits_from")
    merged: dict[str, Any] = {}
    for part in reversed(chain):
        merged.update(configurations[part])
    return merged


def _require_v2_architecture(configuration: dict[str, Any]) -> None:
    """Refuse every network but PlainConvUNet with nnU-Net's default layers; early v2 plans had no "architecture"."""
    architecture = configuration.get("architecture")
    if architecture is None:
        kind, arguments = configuration["UNet_class_name"], {
            "strides": configuration["pool_op_kernel_sizes"], "kernel_sizes": configuration["conv_kernel_sizes"],
            "n_conv_per_stage": configuration["n_conv_per_stage_encoder"],
            "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"]}
    else:
        kind, arguments = architecture["network_class_name"], architecture["arch_kwargs"]
    kind = str(kind).rpartition(".")[2]
    if kind != "PlainConvUNet":
        raise _unsupported(f"its network is {_short(kind)} and FlareSeg has the plain U-Net only")
    defaults = {"conv_op": "Conv2d", "norm_op": "InstanceNorm2d", "nonlin": "LeakyReLU"}
    if any(str(arguments.get(part, own)).rpartition(".")[2] != own for part, own in defaults.items()):
        raise _unsupported("its layers are not nnU-Net's default ones")
    slope = (arguments.get("nonlin_kwargs") or {}).get("negative_slope", 0.01)
    eps = (arguments.get("norm_op_kwargs") or {}).get("eps", 1e-5)
    if slope != 0.01 or eps != 1e-5 or arguments.get("nonlin_first"):
        raise _unsupported("its activations or normalisations are not nnU-Net's default ones")
    strides = arguments["strides"]
    if any(step not in (1, [1, 1]) for step in strides[:1]):
        raise _unsupported("its first level already halves the slice")
    _require_plain(strides[1:], arguments["kernel_sizes"],
                   [*arguments["n_conv_per_stage"], *arguments["n_conv_per_stage_decoder"]])


def _require_2d(dimensions: int) -> None:
    if dimensions != 2:
        raise _unsupported("it is a 3D model and FlareSeg runs 2D models only")


def _require_one_ct_channel(schemes: list[Any], own: str) -> None:
    if len(schemes) != 1:
        raise _unsupported(f"it reads {len(schemes)} channels and FlareSeg gives it one, the CT")
    if schemes[0] != own:
        raise _unsupported(f"its intensities are normalised by {_short(str(schemes[0]))[:40]}, not as CT")


def _require_stored_axes(plans: dict[str, Any]) -> None:
    if [int(axis) for axis in plans.get("transpose_forward") or (0, 1, 2)] != [0, 1, 2]:
        raise _unsupported("it cuts the volume along another axis than the axial one")


def _require_plain(strides: Iterable[Any], kernels: Iterable[Any], convs: Iterable[Any]) -> None:
    if any(list(step) != [2, 2] for step in strides) or any(list(kernel) != [3, 3] for kernel in kernels):
        raise _unsupported("its levels do not halve both sides with 3x3 convolutions")
    if any(int(count) != 2 for count in convs):
        raise _unsupported("its levels do not have two convolutions each")


def _labels_v2(labels: dict[str, Any]) -> dict[int, str]:
    if any(isinstance(value, list) for value in labels.values()):
        raise _unsupported("it was trained on overlapping regions instead of labels")
    return {int(value): _short(name, f"label {int(value)}") for name, value in labels.items()
            if int(value) and name != "ignore"}


def _organs(labels: dict[int, str], spec: UNetSpec) -> tuple[Organ, ...]:
    """The model's labels as organs, one for each class of its network."""
    if sorted(labels) != list(range(1, spec.classes)):
        raise FlareSegError("model_invalid", f"The model's data set names {len(labels)} labels and its network has "
                                             f"{spec.classes - 1}; they are not of one model.")
    return organs_of(labels)


def _normalisation(constants: dict[str, Any], mean: str, sd: str) -> Normalisation:
    # To float32's digits: v1 keeps some of them as float32, whose further digits mean nothing.
    return Normalisation(*(float(f"{float(constants[field]):.8g}")
                           for field in ("percentile_00_5", "percentile_99_5", mean, sd)))


def _check(difference: float, how: str) -> dict[str, Any]:
    if not difference <= LARGEST_DIFFERENCE:  # NaN too
        raise FlareSegError("model_invalid", f"The imported network's output differs from the original's by "
                                             f"{difference:.3g}; the model was not imported.")
    return {"done": True, "how": how, "largest_logit_difference": difference}


def _described(what: str, read: Callable[[], T]) -> T:
    """Run a reader of nnU-Net's fields; a missing or odd one is the file's fault, told in a sentence."""
    try:
        return read()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FlareSegError("model_invalid", f"The nnU-Net model is incomplete or not of a known version: {what} is "
                                             "not as nnU-Net writes it.") from error


def _unsupported(why: str) -> FlareSegError:
    return FlareSegError("model_unsupported", f"This nnU-Net model cannot be imported: {why}.")


def _short(name: str, otherwise: str = "nnU-Net model") -> str:
    """A stranger's name for a terminal and a file: no control characters, no halves of letters, no endless line."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:80] or otherwise


def _bundle_name(dataset: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-")[:64] or "nnunet"
