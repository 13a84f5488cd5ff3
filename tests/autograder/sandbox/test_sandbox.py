"""The sandbox at work: what a submission may do, how it ends, machines without a sandbox."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from autograder.sandbox import session as sessions
from tests.inside.ask import MIB, as_ordinary_user, ask, everything_below, session, settles, worker
from tests.places import ROOT


def test_files_lie_in_the_work_folder(bare):
    files = {"a.txt": b"one", "data/长 b.bin": bytes(range(256)) * 5000, "empty": b""}
    with session(bare, files) as one:
        answer = ask(
            one,
            """
            import os
            answer = [os.getcwd(), {}]
            for name in ("a.txt", "data/长 b.bin", "empty"):
                answer[1][name] = open(name, "rb").read().hex()
        """,
        )
    assert answer == ["/submission/work", {name: content.hex() for name, content in files.items()}]


def test_it_may_write_to_its_folder_and_to_tmp_and_shm(bare):
    with session(bare) as one:
        assert (
            ask(
                one,
                """
            import tempfile
            for folder in (".", "/tmp", "/dev/shm", tempfile.gettempdir()):
                open(folder + "/mine", "w").write("x")
            answer = "done"
        """,
            )
            == "done"
        )


def test_threads_subprocesses_and_multiprocessing_work(bare):
    with session(bare) as one:
        assert ask(
            one,
            """
            import multiprocessing, subprocess, threading
            box = []
            thread = threading.Thread(target=box.append, args=(1,)); thread.start(); thread.join()
            text = subprocess.run(["echo", "hi"], capture_output=True, text=True, check=True).stdout
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            child = context.Process(target=queue.put, args=(7,)); child.start()
            answer = [box, text, queue.get(timeout=20)]
            child.join()
        """,
        ) == [[1], "hi\n", 7]


def test_it_may_talk_to_itself_over_loopback(bare):
    with session(bare) as one:
        assert (
            ask(
                one,
                """
            import socket
            server = socket.create_server(("127.0.0.1", 0))
            client = socket.create_connection(server.getsockname(), 5)
            client.sendall(b"hi")
            answer = server.accept()[0].recv(2).decode()
        """,
            )
            == "hi"
        )


def test_torch_works_after_the_fork(warm):
    with session(warm) as one:
        assert ask(
            one,
            """
            import torch
            torch.manual_seed(0)
            layer = torch.nn.Linear(64, 64)
            for _ in range(2):
                (layer(torch.ones(8, 64)) ** 2).sum().backward()
            torch.optim.AdamW(layer.parameters()).step()
            answer = [torch.get_num_threads(), list(layer.weight.grad.shape)]
        """,
        ) == [1, [64, 64]]


def test_the_libraries_are_loaded_before_the_fork(warm):
    with session(warm) as one:
        loaded = ask(one, "import sys; answer = sorted(sys.modules)")
    assert {"torch", "torch.optim", "numpy.linalg", "matplotlib.pyplot"} <= set(loaded)


def test_a_terminal_can_be_opened_and_help_is_there(bare):
    with session(bare) as one:
        assert ask(one, "import os; os.openpty(); answer = [callable(help), callable(exit)]") == [True, True]


def test_two_sessions_run_side_by_side(bare):
    with session(bare, {"who": b"1"}) as one, session(bare, {"who": b"2"}) as two:
        assert [ask(each, "answer = open('who').read()") for each in (one, two)] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "why", "code"),
    [
        ("import os; os._exit(3)", "exit", 3),
        ("import ctypes; ctypes.string_at(0)", "signal", -signal.SIGSEGV),
    ],
)
def test_the_ending_says_how(bare, text, why, code):
    with session(bare) as one:
        assert ask(one, text) is None
        ending = one.wait(10)
    assert (ending.why, ending.code) == (why, code)


def test_a_session_ends_by_itself_when_its_socket_closes(bare):
    with session(bare) as one:
        one.socket.close()
        assert one.wait(10).why == "exit"


def test_waiting_for_a_running_session_can_be_given_up(bare):
    with session(bare) as one, pytest.raises(TimeoutError):
        one.wait(0.05)


def test_a_forgotten_session_is_killed(bare):
    before = everything_below(bare)
    one = bare.submission({})
    assert ask(one, "answer = 1") == 1
    one.close()
    assert settles(lambda: everything_below(bare) == before)


def test_growth_of_memory_can_be_limited_for_a_while(bare):
    with session(bare) as one:
        one.limit_memory_growth(50 * MIB)
        assert ask(one, "bytes(100 << 20)").startswith("MemoryError")
        one.limit_memory_growth(None)
        assert ask(one, "answer = len(bytes(100 << 20))") == 100 * MIB


def test_the_peak_of_memory_is_seen(bare):
    with session(bare) as one:
        assert one.peak_bytes() < 30 * MIB
        ask(one, "import builtins; builtins.hold = b'x' * (60 << 20)")
        assert 60 * MIB <= one.peak_bytes() < 90 * MIB


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", ".", "a\0b"])
def test_a_file_s_name_must_stay_in_the_folder(name):
    with pytest.raises(ValueError, match="work folder"):
        sessions.pack({name: b""})


def test_a_killed_fork_server_is_said_and_replaced():
    with worker(warm=False) as own:
        with session(own) as one:
            assert ask(one, "answer = 1") == 1
            for pid in everything_below(own):
                with suppress(ProcessLookupError):  # it ended with one before it
                    os.kill(pid, signal.SIGKILL)
            assert one.wait(10).why == "server"
        with session(own) as one:
            assert ask(one, "answer = 2") == 2
        assert own.starts == 2


def test_a_submission_killed_from_outside_is_no_fault_of_its_own(bare):
    before = everything_below(bare)
    with session(bare) as one:
        assert ask(one, "answer = 1") == 1
        (first,) = everything_below(bare) - before
        os.kill(first, signal.SIGKILL)
        ending = one.wait(10)
    assert (ending.why, ending.code) == ("server", -signal.SIGKILL)
    assert "killed from outside" in ending.trouble


def test_everything_dies_with_the_coordinator():
    program = """
import sys; sys.path.insert(0, sys.argv[1])
from tests.inside.ask import as_ordinary_user, ask, worker
own = worker(warm=False).start()
one = own.submission({})
ask(one, "import os, time\\nif os.fork() == 0:\\n    os.setsid(); time.sleep(1000)")
print(own._process.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as coordinator:
        assert coordinator.stdout is not None
        outer = psutil.Process(int(coordinator.stdout.readline()))
        family = [outer, *outer.children(recursive=True)]
        assert len(family) >= 4
        coordinator.kill()
        coordinator.wait()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_many_submissions_leak_nothing(bare):
    def state():
        server = max(everything_below(bare))
        mounts = Path("/proc/self/mounts").read_text().count("\n")
        inner = Path(f"/proc/{server}/mounts").read_text().count("\n")
        open_here, open_there = (len(os.listdir(f"/proc/{pid}/fd")) for pid in ("self", server))
        return everything_below(bare), mounts, inner, open_here, open_there

    before = state()
    for _ in range(20):
        with session(bare, {"a": b"x"}) as one:
            assert ask(one, "answer = 1") == 1
    assert settles(lambda: state() == before)


def test_without_the_sandbox_limits_remain_and_nothing_stays():
    own = worker(sandboxed=False, warm=False)
    assert "WITHOUT the sandbox" in own.warning
    with own:
        before = everything_below(own)
        with session(own, {"a/b": b"x"}, memory_bytes=100 * MIB) as one:
            folder = ask(one, "import os; answer = os.getcwd()")
            assert ask(one, "answer = open('a/b').read()") == "x"
            assert ask(one, "bytes(200 << 20)").startswith("MemoryError")
            assert (
                ask(
                    one,
                    """
                import os, time
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(1000)
                    os._exit(0)
                answer = "left"
            """,
                )
                == "left"
            )
        assert settles(lambda: everything_below(own) == before)
        assert not Path(folder).exists()
        scratch = own._scratch
    assert not Path(scratch).exists()


def test_an_ordinary_user_can_run_it():
    command = [sys.executable, "-c", (
        "import sys; import os; sys.path.insert(0, sys.argv[1])\n"
        "from tests.inside.ask import as_ordinary_user, ask, session, worker\n"
        "with worker(warm=False) as own, session(own) as one:\n"
        "    print(os.getuid(), ask(one, 'import os; answer = os.getuid()'))"
    ), str(ROOT)]  # fmt: skip
    if os.getuid() == 0:
        command = as_ordinary_user(command)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    outside, inside = done.stdout.split() if done.stdout else (done.stderr, "")
    assert outside != "0"
    assert inside == "1000"
