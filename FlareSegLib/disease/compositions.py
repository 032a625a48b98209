"""Diseases made of several others: many lesions of one kind, or lesions with what they bring along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import FlareSegError
from .operation import Disease, Operation, draw
from .scene import Scene

ATTEMPTS = 20


def scattered(scene: Scene, single: Disease, operation: Operation, count: int,
              parameters: Callable[[np.random.Generator], Any] = lambda rng: None) -> tuple[Operation, ...]:
    """Draw several lesions of one disease in an organ, apart from each other as far as there is room.

    Parameters
    ----------
    single : Disease
        Of one lesion, with a ``diameter``.
    operation : Operation
        The composition: its organ, seed and label rule hold for all.
    parameters : callable
        ``parameters(rng)`` draws those of one lesion; the disease's own prior where it gives None.
    """
    found: list[Operation] = []
    for number in range(count):
        rng = np.random.default_rng((operation.seed, number))
        drawn = [draw(single, scene, operation.organ, rng, parameters(rng), operation.label_rule)]
        while _meets_any(drawn[-1], found) and len(drawn) < ATTEMPTS:
            drawn.append(draw(single, scene, operation.organ, rng, drawn[0].parameters, operation.label_rule))
        found.append(drawn[-1])
    return tuple(found)


def _meets_any(one: Operation, others: list[Operation]) -> bool:
    return any(np.linalg.norm(np.subtract(one.place, other.place))
               < 0.55 * (one.parameters.diameter + other.parameters.diameter) for other in others)


def part(scene: Scene, disease: Disease, organ: str, rng: np.random.Generator,
         parameters: Any = None) -> Operation | None:
    """One part of a composition; None where the organ is not in the label map, so that the rest goes on without it."""
    try:
        return draw(disease, scene, organ, rng, parameters)
    except FlareSegError as error:
        if error.code == "bad_disease_case":
            return None
        raise
