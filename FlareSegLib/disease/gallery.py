"""Every disease of the catalogue in pictures: ``flareseg diseases gallery OUT [--ct CT --labels LABELS]``."""

from __future__ import annotations

import sys
import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FlareSegError
from ..evaluation.page import page
from ..phantom.phantom import make_phantom
from ..volumes.reading import read_label_map, read_volume
from . import catalogue
from .case import Case, make_case
from .operation import Disease, Operation, draw, perform
from .pictures import draw_strip, telling_slice
from .scene import Scene

if TYPE_CHECKING:
    from PIL.Image import Image


def default_operation(disease: Disease, scene: Scene, organ: str, seed: int) -> Operation:
    """A disease with its default parameters at a drawn place."""
    return draw(disease, scene, organ, np.random.default_rng(seed), disease.parameters())


def show(disease: Disease, scene: Scene, organ: str, seed: int = 0, drawn: bool = False) -> tuple[Image, float]:
    """Return the picture of a disease (default parameters, or drawn ones) and the seconds that it took."""
    operation = (draw(disease, scene, organ, np.random.default_rng(seed)) if drawn
                 else default_operation(disease, scene, organ, seed))
    started = time.perf_counter()
    after, done = perform(catalogue.find, scene, operation)
    seconds = time.perf_counter() - started
    changes = tuple(change for _, change in done)
    k = telling_slice(scene.case, after.case, changes)
    return draw_strip(scene.case, after.case, k, f"{disease.title}: before", not disease.whole_organ, changes), seconds


def write_gallery(out: Path, cases: dict[str, Case], names: list[str], draws: int = 0) -> list[str]:
    """Write pictures and a page; return a line for each disease that could not be shown.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{out} cannot be made ({error.strerror}); choose another "
                                                 "folder.") from error
    body, faults = ["<h1>Simulated diseases</h1>",
                    "<p>Before, after, difference (red brighter, blue darker) and labels. All of it is "
                    "synthetic.</p>"], []
    scenes = {title: Scene(case) for title, case in cases.items()}
    for disease in map(catalogue.find, names):
        body.append(f"<h2 id=\"{disease.name}\">{escape(disease.title)}</h2><p>{escape(disease.description)}</p>")
        for title, scene in scenes.items():
            for organ in disease.organs or ("",):
                for number in range(draws + 1):
                    try:
                        picture, seconds = show(disease, scene, organ, number, number > 0)
                    except FlareSegError as error:
                        faults.append(f"{disease.name}, {organ or 'scan'}, {title}: {error}")
                        continue
                    file = "_".join(filter(None, (disease.name, organ, title, str(number) if number else ""))) + ".png"
                    picture.save(out / file)
                    body.append(f"<figure><img src=\"{file}\" alt=\"{escape(disease.title)}\"><figcaption>"
                                f"{escape(organ or 'whole scan')}, {escape(title)}</figcaption></figure>")
                    print(f"{disease.name:24} {organ:9} {title:8} {seconds:6.2f} s", flush=True)
    (out / "index.html").write_text(page("Simulated diseases", body), encoding="utf-8")
    return faults


def gallery_cases(ct_and_labels: tuple[Path, Path] | None = None) -> dict[str, Case]:
    """The synthetic patient, and before it a CT with its label map where they are given; by name."""
    phantom = make_phantom(1, (320, 256, 84), (1.2, 1.2, 2.5))
    cases = {"phantom": make_case(phantom.ct, phantom.label_map)[0]}
    if ct_and_labels is not None:
        ct, labels = ct_and_labels
        cases = {"ct": make_case(read_volume(ct), read_label_map(labels))[0], **cases}
    return cases


if __name__ == "__main__":
    from ..cli.main import main

    sys.exit(main(["diseases", "gallery", *sys.argv[1:]]))
