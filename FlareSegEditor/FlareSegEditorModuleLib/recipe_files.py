"""Recipes as files: of this case, and those of others put into it."""

from __future__ import annotations

import datetime

import numpy as np


def load_recipe(editing, path: str, seed: int | None = None) -> tuple:
    """Return the entries (`FlareSegLib.disease.session.Entry`) that a recipe means for the open case.

    On the recipe's own case they are its operations as they are; on another one its diseases in the same organs, about
    as deep, with the same parameters.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable", "bad_recipe", "bad_disease_case".
    """
    from FlareSegLib.disease.recipe import read_recipe, source_of
    from FlareSegLib.disease.session import Entry
    from FlareSegLib.disease.simulation import ready_scene, reinstantiated

    recipe = read_recipe(path, editing.find)
    if not recipe.source.difference(source_of(editing.case)):
        return tuple(Entry(operation) for operation in recipe.operations)
    drawn = reinstantiated(recipe, ready_scene(editing.case), np.random.default_rng(seed), editing.find, share=0.0)
    return tuple(Entry(operation) for operation in drawn)


def recipe_of(editing, operator: str = ""):
    """Return the recipe of an edit's shown operations; simulates them anew, which takes a while.

    Raises
    ------
    FlareSegError
        Where an operation cannot be done.
    """
    from FlareSegLib.disease.simulation import simulate

    made = simulate(editing.case, [entry.operation for entry in editing.entries if entry.shown], editing.find)
    return made.recipe(operator, datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def save_recipe(editing, path: str, operator: str = "") -> None:
    """Write the recipe of an edit; replaces a file that the person has chosen to replace.

    Raises
    ------
    FlareSegError
        "output_unwritable", and what `recipe_of` raises.
    """
    from FlareSegLib.disease.recipe import recipe_text
    from FlareSegLib.results.writing import atomic_path

    text = recipe_text(recipe_of(editing, operator))
    with atomic_path(path, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")
