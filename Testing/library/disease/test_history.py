import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.block import Change
from FlareSegLib.disease.case import Case, Grid
from FlareSegLib.disease.history import History

SHAPE = (6, 7, 8)


def make_case(shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    grid = Grid(shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return Case(rng.integers(-1024, 3000, shape).astype(np.int16), rng.integers(0, 5, shape).astype(np.uint8), grid)


def random_change(seed, shape=SHAPE):
    """Extreme values too: differences beyond int16 must come back as well."""
    rng = np.random.default_rng(seed)
    ends = [sorted(rng.integers(0, n + 1, 2)) for n in shape]
    box = tuple(slice(int(a), int(b)) for a, b in ends)
    size = [b - a for a, b in ends]
    return Change(box, rng.choice([-32768, -1, 0, 1, 32767], size).astype(np.int16),
                  rng.choice([0, 1, 4, 255], size).astype(np.uint8))


def applied(case, changes):
    hu, labels = case.hu.copy(), case.labels.copy()
    for change in changes:
        hu[change.box], labels[change.box] = change.hu, change.labels
    return hu, labels


@given(st.lists(st.sampled_from(["do", "undo", "redo"]), max_size=25), st.integers(0, 2**31))
def test_any_sequence_equals_doing_what_is_left_from_the_start(actions, seed):
    case, done, undone, deltas = make_case(), [], [], []
    history = History(case)
    for number, action in enumerate(actions):
        if action == "do":
            done.append(random_change((seed, number)))
            undone.clear(), deltas.clear()
            history.do(done[-1])
        elif action == "undo" and done:
            undone.append(done.pop())
            deltas.append(history.take_back())
        elif action == "redo" and undone:
            done.append(undone.pop())
            history.do_again(deltas.pop())
        hu, labels = applied(case, done)
        assert np.array_equal(history.case.hu, hu) and np.array_equal(history.case.labels, labels)
        assert history.steps == len(done)


def test_the_given_case_stays_as_it_was():
    case = make_case()
    before = case.hu.copy()
    History(case).do(random_change(1))
    assert np.array_equal(case.hu, before)


def test_the_oldest_steps_are_forgotten_where_memory_ends():
    case = make_case((20, 20, 20))
    others = [make_case((20, 20, 20), seed) for seed in range(1, 9)]
    changes = [Change(case.grid.whole, other.hu, other.labels) for other in others]
    history = History(case, limit_bytes=60_000)
    for change in changes:
        history.do(change)
        assert history.memory_bytes <= 60_000
    kept = history.steps
    assert 0 < kept < len(changes)
    for _ in range(kept):
        history.take_back()
    hu, labels = applied(case, changes[:-kept])
    assert np.array_equal(history.case.hu, hu) and np.array_equal(history.case.labels, labels)
    with pytest.raises(IndexError):
        history.take_back()


def test_a_lesion_costs_little_memory():
    """A 30 mm lesion that pushes tissue aside, on the 0.57 x 0.57 x 1.6 mm of a real CT: a box of 75 mm."""
    case = make_case((60, 200, 200))
    box = (slice(5, 52), slice(30, 162), slice(30, 162))
    rng = np.random.default_rng(0)
    inside = np.linalg.norm(np.indices((47, 132, 132)) * np.array([1.6, 0.57, 0.57])[:, None, None, None]
                            - np.array([37, 37, 37])[:, None, None, None], axis=0) < 30
    hu = case.hu[box] + (rng.integers(-60, 60, inside.shape) * inside).astype(np.int16)
    history = History(case)
    history.do(Change(box, hu, case.labels[box].copy()))
    assert history.memory_bytes < 1.5 * 1024**2
