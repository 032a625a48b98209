"""The phase of the contrast medium: which one a CT shows, and what tissues measure in it."""

from __future__ import annotations

from collections.abc import Mapping

PHASES = ("native", "arterial", "portal", "excretory")

#: Typical HU (native, arterial, portal, excretory). In the comments: n, a, p, e are values from the literature, the
#: others are usual values of the field without a source of their own.
_TYPICAL_HU = {
    "liver": (58, 75, 110, 90),              # n: 64 normal livers, 58.3 +- 8.9
    "spleen": (45, 120, 120, 95),            # n: Karlo 2013
    "renal cortex": (35, 235, 190, 130),     # n: 30 to 50; a: 195 to 217 over native
    "renal medulla": (35, 110, 175, 125),    # n; a: 110 to 140 below the cortex; p: 145 over native
    "collecting system": (5, 5, 10, 500),
    "pancreas": (45, 115, 80, 70),           # n: 40 to 50; p: 70 to 80 in a textbook, 80 to 95 usual
    "aorta": (40, 300, 150, 110),
    "portal vein": (40, 90, 165, 110),
}
TISSUES = tuple(_TYPICAL_HU)


def phase_hu(phase: str, tissue: str) -> float:
    """Typical HU of a tissue (one of `TISSUES`) in a phase (one of `PHASES`); `KeyError` for another tissue.

    A rule of thumb: from patient to patient the medians of whole organs range over 50 HU and more.
    """
    return float(_TYPICAL_HU[tissue][PHASES.index(phase)])


def estimate_phase(medians: Mapping[str, float], kidney_spread: tuple[float, ...] | None = None) -> str:
    """Guess the contrast phase from what the organs measure.

    Parameters
    ----------
    medians : mapping
        Median HU by organ name; any may be missing.
    kidney_spread : tuple of float or None
        25th, 75th and 95th percentile of the kidneys' HU.

    Returns
    -------
    str
        One of `PHASES`; "portal", the commonest, where nothing speaks for another.
    """
    liver, kidney, spleen = (medians.get(name) for name in ("liver", "kidney", "spleen"))
    if kidney_spread is not None and kidney_spread[2] > 300:
        return "excretory"
    if _native(liver, kidney, spleen):
        return "native"
    early_kidney = kidney_spread is not None and kidney_spread[1] - kidney_spread[0] > 60
    # A spleen far above the liver is early, too: the liver still waits for its portal blood.
    early_spleen = liver is not None and spleen is not None and spleen - liver > 30
    if (early_kidney or early_spleen) and (liver is None or liver < 95):
        return "arterial"
    return "portal"


def _native(liver: float | None, kidney: float | None, spleen: float | None) -> bool:
    """Contrast raises the kidneys first and most; without them spleen and liver must tell."""
    if kidney is not None:
        return kidney < 60 and (liver is None or liver < 80)
    if spleen is not None:
        return spleen < 65 and (liver is None or liver < 80)
    return liver is not None and liver < 70
