"""docs/diseases.md says what the catalogue holds, and its examples are right."""

import json
import re
from pathlib import Path

import pytest

from FlareSegLib.cli.diseases_command import catalogue_markdown
from FlareSegLib.disease import catalogue
from FlareSegLib.disease.mix import DEFAULT_MIX, mix_from
from FlareSegLib.disease.recipe import recipe_from

DOCS = Path(__file__).resolve().parents[3] / "docs"
TEXT = (DOCS / "diseases.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", TEXT, re.S)]


def test_the_table_is_the_catalogue():
    """`flareseg diseases list --markdown` prints what belongs there."""
    assert catalogue_markdown() in TEXT


def test_the_examples_can_be_read():
    kinds = [example["format"] for example in EXAMPLES]
    assert sorted(kinds) == ["flareseg-mix", "flareseg-recipe"]
    for example in EXAMPLES:
        (mix_from if example["format"] == "flareseg-mix" else recipe_from)(example, catalogue.find)


def test_pictures_are_there_and_small():
    names = re.findall(r"!\[[^]]*]\(([^)]+)\)", TEXT)
    assert names
    for name in names:
        assert (DOCS / name).stat().st_size < 400_000


@pytest.mark.parametrize("entry", DEFAULT_MIX.entries, ids=lambda entry: entry.disease)
def test_the_default_mix_draws_only_what_there_is(entry):
    assert entry.disease in catalogue.DISEASES
    assert not entry.organ or entry.organ in catalogue.DISEASES[entry.disease].organs
