"""Edits as JSON: the list comes back as it was, and nothing else gets in."""

import json

import pytest

from FlareSegLib.disease.edits import Edit, edit_from, edit_text
from FlareSegLib.disease.session import Entry
from FlareSegLib.errors import FlareSegError


@pytest.fixture
def edit(case, ball):
    return Edit("a" * 64, "b" * 64, (Entry(ball(case)), Entry(ball(case, "spleen", 7), shown=False)))


def test_there_and_back(edit, little):
    assert edit_from(json.loads(edit_text(edit)), little) == edit
    assert edit_from(json.loads(edit_text(Edit())), little) == Edit()


@pytest.mark.parametrize("spoil", [
    lambda document: document.update(format="flareseg-recipe"), lambda document: document.update(version=9),
    lambda document: document.update(more=1), lambda document: document["entries"][0].update(shown="yes"),
    lambda document: document["entries"][0].update(key="k" * 33), lambda document: document["entries"][0].update(x=0),
    lambda document: document["entries"][0]["parameters"].update(diameter=1e9)])
def test_other_documents_are_refused(edit, little, spoil):
    document = json.loads(edit_text(edit))
    spoil(document)
    with pytest.raises(FlareSegError) as refusal:
        edit_from(document, little)
    assert refusal.value.code == "bad_recipe"
