"""The GPU script runs through, on the CPU at toy size: what it finds on a GPU is for whoever has one."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "gpu" / "gpu_check.py"


def test_it_writes_its_tables(tmp_path):
    out = tmp_path / "gpu.md"
    subprocess.run([sys.executable, SCRIPT, "--toy", "--device", "cpu", "--out", out], check=True, capture_output=True)
    text = out.read_text("utf-8")
    checked = [line for line in text.splitlines() if line.startswith(("| as they are", "| resampled"))]
    assert len(checked) == 4 and all(line.endswith("| yes  |") for line in checked)
    assert "FlareSeg, shipped model" in text and "| slices/s |" in text
