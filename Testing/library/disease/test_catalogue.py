"""What holds for every disease, whatever its parameters, on any grid: the invariants of a training case."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF, UNKNOWN, Grid, make_case
from FlareSegLib.disease.operation import Disease, draw, perform
from FlareSegLib.disease.parameters import meanings
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError
from FlareSegLib.phantom.phantom import make_phantom

ENTRIES = [pytest.param(disease, id=name) for name, disease in catalogue.DISEASES.items()]
SPACINGS = {"even": ((76, 56, 46), (4.5, 4.5, 4.5)), "thick": ((96, 72, 24), (3.5, 3.5, 8.0))}
#: Diseases that may take a whole organ away.
REMOVING = {"resection", "absent_organ"}


@pytest.fixture(scope="module")
def cases():
    found = {}
    for name, (size, spacing) in SPACINGS.items():
        phantom = make_phantom(3, size, spacing)
        found[name] = make_case(phantom.ct, phantom.label_map)[0]
    even = found["even"]
    c, s = np.cos(0.2), np.sin(0.2)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    grid = Grid(even.grid.shape, even.grid.spacing, tuple(turn @ even.grid.origin), tuple(turn.ravel()))
    found["oblique"] = type(even)(even.hu, even.labels, grid)
    return found


@pytest.mark.parametrize("disease", ENTRIES)
@settings(max_examples=3)
@given(grid=st.sampled_from(["even", "thick", "oblique"]), seed=st.integers(0, 10_000), extreme=st.booleans())
def test_a_case_stays_a_training_case(cases, disease: Disease, grid, seed, extreme):
    case = cases[grid]
    scene, rng = Scene(case), np.random.default_rng(seed)
    organ = disease.organs[seed % len(disease.organs)] if disease.organs else ""
    parameters = _extreme(disease, rng) if extreme else None
    hu, labels = case.hu.copy(), case.labels.copy()
    try:
        operation = draw(disease, scene, organ, rng, parameters)
        after, done = perform(catalogue.find, scene, operation)
    except FlareSegError as error:
        assert error.code == "disease_not_placed"
        return
    assert np.array_equal(case.hu, hu) and np.array_equal(case.labels, labels), "the input was changed"
    assert after.case.hu.dtype == np.int16 and after.case.labels.dtype == np.uint8
    assert after.case.hu.shape == hu.shape
    reached = np.zeros(hu.shape, bool)
    for _, change in done:
        reached[change.box] = True
        assert change.jacobian > 0
        assert change.cover is None or (0 <= change.cover.min() and change.cover.max() <= 1)
    assert np.array_equal(after.case.hu[~reached], hu[~reached])
    assert set(np.unique(after.case.labels)) <= {0, *LABEL_OF.values(), UNKNOWN}
    if not {part.disease for part, _ in done} & REMOVING:
        assert set(np.unique(labels)) <= set(np.unique(after.case.labels)), "an organ disappeared"
    assert not np.array_equal(after.case.hu, hu), "nothing happened"

    again, _ = perform(catalogue.find, Scene(case), operation)
    assert np.array_equal(again.case.hu, after.case.hu) and np.array_equal(again.case.labels, after.case.labels)


def _extreme(disease: Disease, rng):
    """Every number at one end of the range that is accepted."""
    drawn = {}
    for name, meaning in meanings(disease.parameters).items():
        if hasattr(meaning, "low"):
            drawn[name] = (int if meaning.whole else float)((meaning.low, meaning.high)[int(rng.integers(2))])
        else:
            drawn[name] = meaning.sample(rng)
    return disease.parameters(**drawn)


@pytest.mark.parametrize("disease", ENTRIES)
def test_a_person_can_read_what_it_is(disease: Disease):
    assert disease.title[0].isupper() and disease.description.endswith(".") and len(disease.description) > 30
    assert set(disease.organs) <= set(LABEL_OF)
    for name, meaning in meanings(disease.parameters).items():
        assert meaning.text and meaning.text[0].isupper(), name
        if hasattr(meaning, "low"):
            assert meaning.low <= meaning.usual[0] <= meaning.usual[1] <= meaning.high, name
            assert meaning.fault(meaning.default) == "", name
    assert [field.name for field in fields(disease.parameters)] == list(meanings(disease.parameters))


@pytest.mark.parametrize("disease", [entry for entry in ENTRIES if entry.values[0].place])
def test_a_place_outside_the_scan_is_refused(cases, disease: Disease):
    scene = Scene(cases["even"])
    from dataclasses import replace
    operation = replace(draw(disease, scene, disease.organs[0], np.random.default_rng(0)), centre=(9999.0, 0.0, 0.0))
    with pytest.raises(FlareSegError) as error:
        perform(catalogue.find, scene, operation)
    assert error.value.code == "disease_not_placed"


def test_all_entries_of_the_catalogue_are_there():
    assert len(catalogue.MODULES) == 24
    assert {disease.__module__ for disease in map(type, catalogue.DISEASES.values())} == {Disease.__module__}
    for module in catalogue.MODULES:
        assert any(edit is not None and edit.__module__.endswith(module)
                   for disease in catalogue.DISEASES.values() for edit in (disease.edit, disease.parts)), module


def test_an_unknown_disease_is_refused():
    with pytest.raises(FlareSegError, match="There is no disease 'flu'; choose"):
        catalogue.find("flu")
    with pytest.raises(FlareSegError, match="There is no disease 'renal-cyst'; did you mean renal_cyst"):
        catalogue.find("renal-cyst")
