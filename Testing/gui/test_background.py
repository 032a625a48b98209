"""Work beside the GUI thread, in an event loop that holds Python's interpreter lock as Slicer's does."""

import threading
import time

import pytest
from FlareSegModuleLib.background import in_background
from standin import event_loop
from standin.waiting import wait_until


class Counter:
    """Takes the interpreter lock and lets go of it, again and again."""

    def __init__(self):
        self.count, self.stopped = 0, False

    def __call__(self):
        while not self.stopped:
            self.count += 1
            time.sleep(0.001)


def counted(counter, milliseconds=500):
    before = counter.count
    event_loop.run(milliseconds)
    return counter.count - before


def test_a_thread_works_although_slicers_event_loop_holds_the_lock(flareseg):
    if not event_loop.HOLDS_THE_LOCK:
        pytest.skip("Qt can be called with the lock held on Linux only")
    lonely, followed, ended = Counter(), Counter(), []
    thread = threading.Thread(target=lonely, daemon=True)
    thread.start()
    starving = counted(lonely)
    lonely.stopped = True
    thread.join()
    in_background(followed, ended.append)
    working = counted(followed)
    followed.stopped = True
    wait_until(lambda: ended)
    assert working > 4 * (starving + 1), "the timer lets the thread work"


def test_what_the_thread_returns_and_raises(flareseg):
    ended = []
    in_background(lambda: 7, ended.append)
    in_background(lambda: 1 / 0, ended.append)
    wait_until(lambda: len(ended) == 2)
    assert {ended[0].value, ended[1].value} == {7, None}
    assert [type(each.error) for each in ended if each.error] == [ZeroDivisionError]


def test_who_stops_following_hears_nothing(flareseg):
    ended, go = [], threading.Event()
    follower = in_background(lambda: go.wait(10), ended.append)
    follower.stop()
    go.set()
    event_loop.run(100)
    assert ended == [] and follower.done
