"""Published figures to set ours beside: the paper's Tables 4 and 5, and other teams of FLARE21.

All of them were read in the short papers of the challenge (JunMa11/FLARE, FLARE21/ShortPapers). They are means over
cases; figures of single cases were never published, so the challenge's rank-then-average cannot be worked out against
these teams.
"""

from __future__ import annotations

from dataclasses import dataclass

from .rules import FLARE21_ORGANS

PAPER_TEAM = "DeepInsthink"
BASELINE_TEAM = "nnU-Net baseline"

#: Table 4 of Witanto et al.: mean and sd in percent of Dice, sensitivity, precision on the 361 training cases. The
#: paper prints the sd as a fraction (98.14 ± 0.005).
PAPER_TABLE_4 = {
    "liver": ((98.14, 0.5), (98.10, 0.7), (98.18, 0.6)),
    "kidney": ((96.74, 1.1), (97.22, 1.3), (96.29, 1.8)),
    "spleen": ((97.47, 0.9), (97.39, 1.2), (97.56, 1.0)),
    "pancreas": ((91.17, 2.4), (91.57, 2.6), (90.84, 3.3)),
}

#: Table 5: mean and sd in percent of DSC and NSD on the 50 validation cases, of the baseline and of the paper.
PAPER_TABLE_5 = {
    "liver": {"dice": ((94.5, 8.09), (94.4, 5.2)), "nsd": ((79.3, 14.9), (76.2, 13.9))},
    "kidney": {"dice": ((80.4, 17.0), (81.6, 18.7)), "nsd": ((70.9, 18.4), (72.8, 18.9))},
    "spleen": {"dice": ((89.5, 18.0), (89.3, 18.3)), "nsd": ((82.0, 19.3), (80.0, 21.9))},
    "pancreas": {"dice": ((60.1, 23.1), (68.9, 20.5)), "nsd": ((50.6, 17.7), (54.6, 19.3))},
}
#: Running time (s) and GPU memory (MB) of the baseline and of the paper, Table 5.
PAPER_COSTS = {"seconds": (145.0, 102.7), "gpu_mb": (2298.0, 2220.8)}


@dataclass(frozen=True)
class PublishedTeam:
    """A team's means on the 50 validation cases of FLARE21.

    Attributes
    ----------
    team, note : str
        Name in the challenge, and what is special.
    dice, nsd : tuple of float
        Percent: liver, kidney, spleen, pancreas.
    seconds, gpu_mb : float or None
        Running time and GPU memory, where the short paper tells them.
    """

    team: str
    dice: tuple[float, float, float, float]
    nsd: tuple[float, float, float, float]
    seconds: float | None = None
    gpu_mb: float | None = None
    note: str = ""

    @property
    def mean_dice(self) -> float:
        """Mean over the organs, percent."""
        return sum(self.dice) / len(self.dice)

    @property
    def mean_nsd(self) -> float:
        """Mean over the organs, percent."""
        return sum(self.nsd) / len(self.nsd)


def _of_table_5(column: int, metric: str) -> tuple[float, float, float, float]:
    liver, kidney, spleen, pancreas = (PAPER_TABLE_5[organ][metric][column][0] for organ in FLARE21_ORGANS)
    return liver, kidney, spleen, pancreas


PUBLISHED_TEAMS = (
    PublishedTeam("Fosun Aitrox", (95.4, 93.6, 94.2, 75.3), (80.4, 82.8, 87.1, 60.5), 9.8, 1017.0, "won the challenge"),
    PublishedTeam("UIT-VNU", (96.27, 92.71, 91.81, 73.80), (80.81, 82.08, 82.83, 58.30), note="2D HRNet-OCR"),
    PublishedTeam("The-Flash", (95.3, 91.1, 93.6, 70.1), (81.5, 76.8, 86.4, 52.0)),
    PublishedTeam("TXD", (94.5, 91.0, 89.1, 59.1), (66.2, 72.4, 70.1, 42.2), note="shape constraint"),
    PublishedTeam(PAPER_TEAM, _of_table_5(1, "dice"), _of_table_5(1, "nsd"), 102.7, 2220.8, "the paper"),
    PublishedTeam("IMT-Atlantique", (94.58, 81.34, 89.72, 64.45), (74.81, 73.47, 78.38, 50.40)),
    PublishedTeam("ttime", (94.5, 78.8, 87.2, 67.8), (79.1, 73.0, 77.3, 54.1), 70.0, 3117.04, "nnU-Net, changed"),
    PublishedTeam("LetsGo", (95.0, 80.0, 90.6, 61.7), (80.3, 71.3, 83.9, 51.5)),
    PublishedTeam(BASELINE_TEAM, _of_table_5(0, "dice"), _of_table_5(0, "nsd"), 145.0, 2298.0, "3D, of the organisers"),
    PublishedTeam("pmcc", (93.5, 78.7, 91.0, 60.4), (73.6, 71.0, 83.0, 45.5)),
    PublishedTeam("RRR_MCR (COBRA)", (90.6, 68.1, 83.8, 53.9), (62.7, 54.8, 66.1, 38.2), 1.6, 0.0, "CPU only"),
)
