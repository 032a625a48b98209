"""Simulated diseases while training: stored cases with diseases put into them, ever new ones, at a bounded cost.

Diseases are three-dimensional and training draws slices, so whole volumes are simulated and many slices drawn from
each: a pool of a few volumes, of which the oldest is replaced after every so many slices. Volumes lie on disk beside
the stored cases and in the same form, so that they cost no memory and all processes share them. Which volumes a slice
can come from follows from its number alone, and a volume from its own number: a training that is resumed sees the
slices that an uninterrupted one would, and several processes those that one would.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats, Labels
from ..disease.case import Case, Grid
from ..disease.mix import Mix, draw_operations, mix_text
from ..disease.recipe import Find, Recipe, recipe_text
from ..disease.simulation import ready_scene, reinstantiated, simulate
from ..errors import FlareSegError
from ..organs import FLARE_ORGANS
from ..preprocessing.isotropic import plan_z
from ..volumes.volume import Volume
from .slice_store import RECORD_ENDING, SliceStore, StoredCase, claim_store, open_store, stored_sources, write_case
from .store_building import isotropify

#: Draws of a case and diseases for a volume; more only fail where no case has room for any of the diseases.
ATTEMPTS = 20
#: Keeps volumes' random numbers apart from those of slices.
SEED_OF_VOLUMES = 1307
#: A process that holds a volume's lock longer than this was killed.
STALE_SECONDS = 300.0


@dataclass(frozen=True)
class SimulationProtocol:
    """How often and from what simulated slices come.

    Attributes
    ----------
    recipe_or_mix : Recipe or Mix
        Diseases are drawn from the mix, or are like the recipe's.
    share : float
        Of all slices, 0 to 1; half and half served best in the one study that varied it (SynTumor, tumours).
    pool : int
        Volumes that slices are drawn from at any time.
    slices_a_volume : int
        After so many slices (of either kind) the pool's oldest volume is replaced.
    seed : int
        Of everything drawn.
    """

    recipe_or_mix: Recipe | Mix
    share: float = 0.5
    pool: int = 6
    slices_a_volume: int = 600
    seed: int = 0

    def document(self) -> dict[str, Any]:
        """Plain JSON data of everything: what a resumed training must have the same, and what a model says of it."""
        model = self.recipe_or_mix
        text = mix_text(model) if isinstance(model, Mix) else recipe_text(model)
        numbers = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "recipe_or_mix"}
        return {**numbers, "diseases": json.loads(text)}

    def volume_of(self, number: int, slot: int) -> int:
        """The volume that lies in a slot of the pool when slice `number` is drawn; volumes count from 1."""
        generation = number // self.slices_a_volume
        return generation - (generation - slot) % self.pool + self.pool


class SimulatedCases:
    """The pool.

    Parameters
    ----------
    store : SliceStore
        Its cases are what diseases are put into; FLARE21's organs.
    folder : Path
        For the volumes; made if need be.
    find : callable
        Name to `Disease`: ``catalogue.find``.
    protocol : SimulationProtocol

    Raises
    ------
    FlareSegError
        "bad_training_data" for a store of other organs, "output_exists" where the folder holds something else.
    """

    def __init__(self, store: SliceStore, folder: Path, find: Find, protocol: SimulationProtocol) -> None:
        organs = tuple((organ.label, organ.name) for organ in FLARE_ORGANS)
        if store.description.organs != organs:
            raise FlareSegError("bad_training_data", "Diseases can be simulated in FLARE21's organs only: 1 liver, 2 "
                                                     "kidney, 3 spleen, 4 pancreas.")
        claim_store(folder, store.description)
        self.protocol = protocol
        self._store, self._folder, self._find = store, folder, find
        self._opened: dict[int, StoredCase] = {}
        self._ahead: threading.Thread | None = None

    def __getstate__(self) -> dict[str, Any]:  # for worker processes: each opens what it needs
        return {**self.__dict__, "_opened": {}, "_ahead": None}

    def tidy(self) -> None:
        """Remove what a process that was killed left behind; for one process, before the others begin."""
        for leftover in (*self._folder.glob("*.lock"), *self._folder.glob(".*")):
            leftover.unlink(missing_ok=True)

    def case(self, number: int, rng: np.random.Generator) -> StoredCase | None:
        """Draw the case of slice `number`; None where it is none of the simulated ones.

        The volume that the next slices will need is made meanwhile, by a thread of whichever process is first.
        """
        if rng.random() >= self.protocol.share:
            return None
        slot = int(rng.integers(self.protocol.pool))
        self._make_ahead(number)
        return self.volume(self.protocol.volume_of(number, slot))

    def volume(self, volume: int) -> StoredCase:
        """Return a volume, which is made where it is not there yet."""
        if volume not in self._opened:
            while not self._make(volume):
                time.sleep(0.1)  # another process is at it
            while len(self._opened) >= 2 * self.protocol.pool:
                self._opened.pop(next(iter(self._opened)))
            self._opened[volume] = open_store(self._folder, (_name(volume),)).cases[0]
        return self._opened[volume]

    def _make_ahead(self, number: int) -> None:
        if self._ahead is not None and self._ahead.is_alive():
            return
        generation = number // self.protocol.slices_a_volume + 1
        volume = self.protocol.volume_of(generation * self.protocol.slices_a_volume, generation % self.protocol.pool)
        if not self._is_there(volume):
            self._ahead = threading.Thread(target=self._try_to_make, args=(volume,), daemon=True)
            self._ahead.start()

    def _try_to_make(self, volume: int) -> None:
        # Whatever is wrong will be told when the volume itself is asked for.
        with contextlib.suppress(Exception):
            self._make(volume)

    def _is_there(self, volume: int) -> bool:
        return stored_sources(self._folder, _name(volume)) is not None

    def _make(self, volume: int) -> bool:
        """Make a volume unless it is there; return False where another process is making it."""
        if self._is_there(volume):
            return True
        with self._locked(volume) as locked:
            if locked and not self._is_there(volume):
                self._write(volume)
                self._remove_old(volume)
            return locked

    @contextlib.contextmanager
    def _locked(self, volume: int) -> Iterator[bool]:
        """Yield whether this process has the volume's lock."""
        lock = self._folder / f"{_name(volume)}.lock"
        try:
            with open(lock, "x", encoding="ascii") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            if _is_left_behind(lock):
                lock.unlink(missing_ok=True)
            yield False
            return
        try:
            yield True
        finally:
            lock.unlink(missing_ok=True)

    def _write(self, volume: int) -> None:
        stored, case = self._draw(volume)
        record = replace(stored.record, name=_name(volume), slices_with={}, sources=())
        write_case(self._folder, record, slices_of(case, stored), self._store.description.hu)

    def _draw(self, volume: int) -> tuple[StoredCase, Case]:
        """A stored case, and diseases in it: a function of the seed and the volume's number."""
        model, reason = self.protocol.recipe_or_mix, None
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((self.protocol.seed, SEED_OF_VOLUMES, volume, attempt))
            stored = self._store.cases[rng.integers(len(self._store.cases))]
            scene = ready_scene(case_of(stored, self._store.description.working_spacing))
            try:
                operations = (draw_operations(model, scene, rng, self._find) if isinstance(model, Mix)
                              else reinstantiated(model, scene, rng, self._find))
                found = simulate(scene.case, operations, self._find, skip=True, scene=scene)
            except FlareSegError as error:
                if error.code not in ("disease_not_placed", "bad_disease_case"):
                    raise
                reason = error
                continue
            if found.steps:
                return stored, found.case
        raise reason or FlareSegError("disease_not_placed", "None of the diseases can be put into these cases.")

    def _remove_old(self, volume: int) -> None:
        """Remove volumes that left the pool long ago; a process that lags behind may still read the last ones."""
        for record in self._folder.glob(f"volume-*{RECORD_ENDING}"):
            if int(record.name[7:15]) < volume - 3 * self.protocol.pool:
                for path in (record, *(self._folder / f"{record.name[:15]}.{part}.b2nd"
                                       for part in ("image", "labels"))):
                    path.unlink(missing_ok=True)


def _name(volume: int) -> str:
    return f"volume-{volume:08}"


def _is_left_behind(lock: Path) -> bool:
    """Whether the process that made a lock is gone.

    A process of another machine counts as gone; two may then make the same volume, which does no harm.
    """
    try:
        if time.time() - lock.stat().st_mtime > STALE_SECONDS:
            return True
        if os.name == "posix":
            os.kill(int(lock.read_text(encoding="ascii")), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):  # gone by now, or not yet written
        return False
    return False


def case_of(stored: StoredCase, working_spacing: float | None) -> Case:
    """A stored case as diseases are put into it: with the slices that the CT had, as far as they can be had back.

    Where isotropification made more slices of them, of those the nearest to each of the CT's own is taken: diseases
    then go through isotropification as the CT did, and the volume is smaller. A store with slices left out is taken as
    it is.
    """
    record = stored.record
    column_mm, row_mm = (working_spacing,) * 2 if working_spacing else record.spacing[:2]
    z = plan_z(record.stored_slices, record.spacing[2], row_mm)
    chosen, thickness = tuple(range(record.slices)), record.stored_slices * record.spacing[2] / record.slices
    if z.isotropic == record.slices and z.isotropic > z.stored:
        chosen, thickness = z.reads, record.spacing[2]
    slices = [stored.slice(index) for index in chosen]
    hu = np.stack([np.rint(hu).astype(np.int16) for hu, _ in slices])
    labels = np.stack([labels for _, labels in slices])
    grid = Grid(hu.shape, (column_mm, row_mm, thickness), (0.0, 0.0, 0.0),
                (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    return Case(hu, labels, grid)


def slices_of(case: Case, stored: StoredCase) -> Iterator[tuple[Floats, Labels]]:
    """Yield (HU float32, labels uint8) of the slices of a case from `case_of`, as many as the stored case has."""
    if len(case.hu) == stored.record.slices:
        yield from zip(case.hu.astype(np.float32), case.labels)
        return
    image = Volume(case.hu, case.grid.spacing)
    yield from isotropify(image, image.with_array(case.labels), None)
