"""How hard simulated lesions are for a model that there is: how much of each it still calls its organ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..models.bundle import ModelBundle
from ..volumes.orientation import to_axial
from .quality import hardness
from .recipe import Find
from .scene import Scene
from .simulation import Simulation
from .sources import LoadedCase


def measure_hardness(loaded: LoadedCase, scene: Scene, simulation: Simulation, find: Find,
                     model: str | Path | ModelBundle = "default") -> list[dict[str, Any]]:
    """Segment a simulated case and tell of each lesion what share has the right label.

    Parameters
    ----------
    loaded : LoadedCase
        The source.
    scene : Scene
        `ready_scene` of it.
    model : str, Path or ModelBundle
        As `segment` takes it; runs on the CPU.

    Returns
    -------
    list of dict
        One a step: "disease", "organ" and "kept", 0 (nothing is found: hard) to 1; None where the step is no lesion or
        one that belongs to no organ. A lesion that a later step moved is compared where it was put.

    Raises
    ------
    FlareSegError
        See `inference.segment`.
    """
    from ..inference.segment import segment

    image, _ = simulation.case.volumes(loaded.order, loaded.ct)
    found = segment(image, model, device="cpu").label_map
    predicted = np.ascontiguousarray(to_axial(found)[0].array)
    rows = []
    for step in simulation.steps:
        edit = find(step.operation.disease).edit
        assert edit is not None, "steps are single diseases"
        change = edit(scene, step.operation)
        kept = hardness(change, predicted)
        rows.append({"disease": step.operation.disease, "organ": step.operation.organ,
                     "kept": None if kept is None else round(kept, 4)})
        scene = scene.after(change)
        scene.measure_what_lasts()
    return rows
