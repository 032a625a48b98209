"""``flareseg view`` as a process: its link, its ends and its failures."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser

import numpy as np
import pytest

from FlareSegLib.cli.main import main
from FlareSegLib.viewer.server import PageServer
from FlareSegLib.worker.client import worker_environment

from .conftest import body, write_image

COMMAND = [sys.executable, "-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main())", "view"]
NAMES = ("", "view.css", "view.js", "niivue.umd.js", "facts.json", "ct.nii", "labels.nii", "organs.nii")


@pytest.fixture
def labels(folder, ct):
    """A label map on the CT's grid."""
    array = np.zeros(body().shape, np.uint8)
    array[6:14, 20:30, 20:30] = 1
    return write_image(folder / "labels.nii.gz", array)


def serving(*arguments):
    """Start the command and return it with its link."""
    process = subprocess.Popen([*COMMAND, *arguments, "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=worker_environment(os.environ))
    return process, process.stdout.readline().split()[-1]


def test_once_ends_when_the_page_has_everything(ct, labels):
    process, link = serving(ct, labels, "--once")
    with urllib.request.urlopen(link) as page:  # follows to the page itself
        address, content = page.url, page.read()
    assert b"<canvas" in content and not address.startswith(link)
    for name in NAMES[1:]:
        with urllib.request.urlopen(address + name) as answer:  # whole: what breaks off is not sent
            assert answer.status == 200 and len(answer.read()) == int(answer.headers["Content-Length"])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == "" and out.endswith("The page is no longer served.\n")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_is_its_ordinary_end_and_the_link_opens_once(ct, labels):
    process, link = serving(ct, labels)
    urllib.request.urlopen(link).close()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(link)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == "" and "no longer served" in out


def test_a_dicom_folder_is_a_ct_and_its_patient_is_not_told(folder, write_slices, capsys, monkeypatch):
    write_slices(folder / "series", np.arange(24) * 5.0)
    array = np.zeros((24, 32, 40), np.uint8)
    array[5:9, 8:20, 8:20] = 3
    labels = write_image(folder / "labels.nii", array, origin=(-80.0, -60.0, 0.0))
    seen = []
    monkeypatch.setattr(PageServer, "serve", lambda server, once: seen.append(server.resources))
    assert main(["view", "series", labels, "--no-browser"]) == 0
    assert "127.0.0.1" in capsys.readouterr().out
    assert b'"spleen"' in seen[0]["facts.json"].body
    assert not any(b"SECRET" in resource.body for resource in seen[0].values())


def test_the_browser_gets_the_link(ct, labels, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(PageServer, "serve", lambda server, once: opened.append(server.link))
    assert main(["view", ct, labels]) == 0
    assert len(opened) == 2 and len(set(opened)) == 1


@pytest.mark.parametrize("segmentation, status", [("none.nii", 10), ("ct.nii", 12), ("other.nii", 22),
                                                  ("empty.nii", 20)])
def test_failures_are_one_line(folder, capsys, segmentation, status):
    write_image(folder / "ct.nii", body())
    write_image(folder / "other.nii", np.ones((9, 9, 9), np.uint8))
    write_image(folder / "empty.nii", np.zeros(body().shape, np.uint8))
    assert main(["view", "ct.nii", segmentation, "--no-browser"]) == status
    captured = capsys.readouterr()
    assert captured.err.startswith("flareseg: error: ") and captured.err.count("\n") == 1 and not captured.out


def test_what_is_no_ct_is_refused(bad_input, labels, capsys):
    name, status = bad_input
    assert main(["view", name, labels, "--no-browser"]) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ")


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_does_not_exist(ct, labels, capsys, port):
    assert main(["view", ct, labels, "--no-browser", "--port", port]) == 30
    assert "Port" in capsys.readouterr().err
