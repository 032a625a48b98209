"""Changes of a JSON document's values: bytes alone rarely give another document that is still JSON."""

from __future__ import annotations

import json
import random
from typing import Any

#: What readers of JSON stumble over.
AWKWARD = (None, True, False, -1, 0, 1.5, 10**400, -(2**63), 2**63, 1e308, -0.0, 5e-324, "", "\ud800", "\x1b[31m", "\0",
           "..", "../../x", "x" * 300, [], {}, [[]], [None], {"": 0})


def changed_json(data: bytes, longest: int, rng: random.Random) -> bytes | None:
    """The document with one to three values or names changed; None where the bytes are no JSON or it grew too long."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    for _ in range(rng.randint(1, 3)):
        document = _changed(document, rng)
    text = json.dumps(document).encode("ascii")
    return text if len(text) <= longest else None


def _changed(value: Any, rng: random.Random) -> Any:
    """A copy that differs at one place."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return _other(value, rng)
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    copy, choice = value.copy(), rng.random()
    if choice < 0.05:
        copy.pop(key)
    elif choice < 0.1 and isinstance(copy, dict):
        copy[rng.choice([each for each in AWKWARD if isinstance(each, str)])] = copy.pop(key)
    elif choice < 0.15 and isinstance(copy, list):
        copy.extend([copy[key]] * rng.choice((1, 3, 600)))
    else:
        copy[key] = _changed(copy[key], rng)
    return copy


def _other(value: Any, rng: random.Random) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.5:
        return rng.choice((value + 1, -value, value * 1000, value // 7, rng.uniform(-100, 100)))
    return rng.choice(AWKWARD)
