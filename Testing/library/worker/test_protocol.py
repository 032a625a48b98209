"""Messages are one line of plain ASCII each, whatever they carry."""

import json
import math

import numpy as np
from hypothesis import given, strategies as st

from FlareSegLib.worker.protocol import decode, encode

values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                      lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def finite(value):
    """The value as it arrives: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(st.dictionaries(st.text(), values), st.text())
def test_every_message_arrives_as_it_was_sent(fields, kind):
    message = {**fields, "type": kind}
    line = encode(message)
    assert line.isascii() and line.endswith(b"\n") and line.count(b"\n") == 1 and b"\r" not in line
    assert decode(line) == finite(message)


@given(st.binary())
def test_any_garbage_becomes_a_message(line):
    assert isinstance(decode(line)["type"], str)


def test_numpy_numbers_and_odd_objects_travel(tmp_path):
    sent = {"type": "result", "hu": np.float32(1.5), "voxels": np.int64(3), "path": tmp_path, "sd": np.float64("nan")}
    assert json.loads(encode(sent)) == {"type": "result", "hu": 1.5, "voxels": 3, "path": str(tmp_path), "sd": None}


def test_text_that_is_no_message_is_kept():
    assert decode("Lékař {".encode()) == {"type": "log", "message": "Lékař {"}
    assert decode(b"[1, 2]\r\n") == {"type": "log", "message": "[1, 2]"}
    assert decode(b'{"type": 3}')["type"] == "log"
    assert decode(b"[" * 100000)["type"] == "log"
