"""Enlarged organs: the spleen, the liver."""

from __future__ import annotations

from dataclasses import dataclass

from ..block import Change
from ..growth import scale_organ
from ..operation import Disease, Operation
from ..parameters import quantity
from ..scene import Scene


@dataclass(frozen=True)
class Splenomegaly:
    """Parameters of `splenomegaly`."""

    factor: float = quantity(2.0, 1.2, 5, "", "Volume over the one before", usual=(1.3, 2.5), skewed=True)


@dataclass(frozen=True)
class Hepatomegaly:
    """Parameters of `hepatomegaly`."""

    factor: float = quantity(1.3, 1.1, 2, "", "Volume over the one before", usual=(1.1, 1.4))


def edit(scene: Scene, operation: Operation) -> Change:
    """Let the organ grow; its neighbours give way."""
    return scale_organ(scene, operation.organ, operation.parameters.factor, seed=operation.seed).change()


SPLENOMEGALY = Disease("splenomegaly", "Splenomegaly", "An enlarged spleen, as with portal hypertension, infections "
                       "and diseases of the blood.", ("spleen",), Splenomegaly, edit, whole_organ=True)
HEPATOMEGALY = Disease("hepatomegaly", "Hepatomegaly", "An enlarged liver, as with congestion, storage diseases and "
                       "fatty change.", ("liver",), Hepatomegaly, edit, whole_organ=True)
DISEASES = (SPLENOMEGALY, HEPATOMEGALY)
