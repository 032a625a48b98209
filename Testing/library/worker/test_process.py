"""The worker as a program that does not use our client sees it."""

import json
import subprocess
import sys

import pytest

from FlareSegLib.worker.client import worker_environment


def start(command, *arguments):
    return subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=worker_environment({}))


def talk(command, line: bytes, *arguments):
    """Send one line, keep the pipe open until the worker ends; return its messages and exit status."""
    with start(command, *arguments) as worker:
        worker.stdin.write(line)
        worker.stdin.flush()
        lines = worker.stdout.read().decode("ascii").splitlines()
        return [json.loads(text) for text in lines], worker.wait()


@pytest.mark.parametrize("line", [b"garbage\n", b"\xff\xfe\n", b"[]\n", b"\n", b'{"input": "a"}\n',
                                  b"[" * 100000 + b"\n"])
def test_a_garbled_job_is_refused_in_one_message(python, line):
    messages, status = talk(python["direct"], line)
    assert [message["type"] for message in messages] == ["hello", "error"]
    assert (messages[1]["code"], messages[1]["exit_code"], status) == ("bad_option", 30, 30)


def test_an_error_has_the_command_line_s_code_and_exit_status(python, job):
    messages, status = talk(python["direct"], json.dumps(job("wrong").as_fields()).encode() + b"\n")
    assert messages[-1] == {"type": "error", "code": "not_ct", "exit_code": 13, "message": "This is no CT."}
    assert status == 13


def test_a_defect_keeps_its_traceback(python, job):
    messages, status = talk(python["direct"], json.dumps(job("defect").as_fields()).encode() + b"\n")
    assert messages[-1]["code"] == "defect" and status == 1
    assert "ZeroDivisionError" in messages[-1]["traceback"]


def test_a_missing_job_file_is_told(tmp_path):
    messages, status = talk((sys.executable, "-m", "FlareSegLib.worker"), b"", str(tmp_path / "none.json"))
    assert messages[-1]["code"] == "not_found" and status == 10


@pytest.mark.parametrize("ending", [b"", b'{"type": "cancel"}\n'])
def test_closing_the_pipe_or_cancel_stops_it(python, job, folder, ending):
    line = json.dumps(job("writing").as_fields()).encode() + b"\n"
    with start(python["direct"]) as worker:
        worker.stdin.write(line + ending)
        worker.stdin.flush()
        if not ending:
            while b'"writing"' not in worker.stdout.readline():
                pass
            worker.stdin.close()
        messages = [json.loads(text) for text in worker.stdout.read().splitlines()]
        assert worker.wait() == 130
    assert messages[-1]["code"] == "cancelled"
    assert not list(folder.iterdir())


def test_a_parent_that_stops_reading_is_no_reason_to_stay(python, job, folder):
    with start(python["direct"]) as worker:
        worker.stdin.write(json.dumps(job("slow").as_fields()).encode() + b"\n")
        worker.stdin.flush()
        worker.stdout.readline()
        worker.stdout.close()
        assert worker.wait(10) == 130
    assert not list(folder.iterdir())
