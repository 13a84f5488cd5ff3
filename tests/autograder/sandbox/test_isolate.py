"""The walls: what a submission must not read, reach or change."""

import os
import socket
import sys
from pathlib import Path

import pytest

from autograder.sandbox import wall
from tests.inside.ask import ask, everything_below, session, settles, worker
from tests.places import ROOT

# Of an environment below /tmp the way to it can be seen, read-only; else /tmp is empty.
BELOW_TMP = [Path(sys.prefix).parts[2]] if sys.prefix.startswith("/tmp/") else []


@pytest.mark.parametrize("place", ["tmp", "repository", "system"])
def test_a_file_outside_cannot_be_read(bare, tmp_path, place):
    (tmp_path / "canary").write_text("secret")
    files = {
        "tmp": tmp_path / "canary",
        "repository": ROOT / "pyproject.toml",
        "system": Path("/etc/passwd"),
    }
    assert files[place].is_file()
    with session(bare) as one:
        assert ask(one, f"answer = open({str(files[place])!r}).read()").startswith("FileNotFoundError")


def test_of_the_repository_just_the_needed_modules_are_seen(bare):
    with session(bare) as one:
        seen = ask(
            one,
            f"""
            import os
            inside = [file for _, _, files in os.walk("/grader/autograder") for file in files]
            answer = [sorted(os.listdir("/grader")), inside,
                      [p for p in ("solutions", "lessons", "course", "tests", ".git", "data")
                       if os.path.exists({str(ROOT)!r} + "/" + p)]]
        """,
        )
    assert seen[0] == ["autograder", "byhand", "probe_learner.py"]
    assert len(seen[1]) == len(wall.modules(*wall.INSIDE_RUN))
    assert not {"bank.py", "lesson.py", "judge.py", "verdict.py"} & set(seen[1])
    assert seen[2] == []


def test_the_environment_is_not_inherited(monkeypatch):
    monkeypatch.setenv("CANARY", "secret-in-the-environment")
    with worker(warm=False) as own, session(own) as one:
        seen = ask(
            one,
            """
            import os, glob
            answer = str(dict(os.environ))
            for path in glob.glob("/proc/[0-9]*/environ"):
                answer += open(path, "rb").read().decode()
        """,
        )
    assert "BYHAND_GRADING" in seen
    assert "secret-in-the-environment" not in seen


def test_system_accounts_and_keys_are_not_there(bare):
    with session(bare) as one:
        assert (
            ask(
                one,
                """
            import os
            answer = [p for p in ("/etc/shadow", "/etc/passwd", "/root/.ssh", "/var", "/run", "/sys", "/home",
                                  "/dev/kmsg", "/dev/mem", "/dev/vda", "/dev/sda") if os.path.exists(p)]
        """,
            )
            == []
        )


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_a_listener_outside_cannot_be_reached(bare, kind):
    with socket.socket(socket.AF_INET, getattr(socket, kind)) as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "SOCK_STREAM":
            listener.listen()
        listener.settimeout(0.3)
        with session(bare) as one:
            ask(
                one,
                f"""
                import socket
                s = socket.socket(socket.AF_INET, socket.{kind})
                s.connect({listener.getsockname()!r}); s.send(b"secret")
            """,
            )
        with pytest.raises(TimeoutError):
            listener.accept() if kind == "SOCK_STREAM" else listener.recv(10)


def test_abstract_sockets_reach_nobody(bare):
    name = f"\0canary-{os.getpid()}"
    connect = f"""
        import socket
        socket.socket(socket.AF_UNIX).connect({name!r})
        answer = "connected"
    """
    with socket.socket(socket.AF_UNIX) as outside, session(bare) as one, session(bare) as two:
        outside.bind(name)
        outside.listen()
        assert ask(one, connect).startswith("ConnectionRefusedError")
        bind = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind({name!r}); s.listen(); globals()"
        assert ask(one, f"import builtins; {bind}; builtins.keep = s; answer = 1") == 1
        assert ask(one, connect) == "connected"
        assert ask(two, connect).startswith("ConnectionRefusedError")


def test_one_submission_leaves_nothing_for_the_next(bare):
    with session(bare) as one:
        ask(
            one,
            """
            import os, json
            json.planted = 1
            for folder in (".", "/tmp", "/dev/shm"):
                open(folder + "/planted", "w").write("x")
        """,
        )
    with session(bare) as one:
        assert ask(
            one,
            """
            import os, json
            answer = [hasattr(json, "planted"), os.listdir("."), os.listdir("/tmp"), os.listdir("/dev/shm")]
        """,
        ) == [False, [], BELOW_TMP, []]


def test_no_other_file_system_can_be_written_to(warm):
    with session(warm) as one:
        written, tried = ask(
            one,
            """
            import os
            answer = [[], 0]
            for line in open("/proc/self/mounts"):
                place = line.split()[1].encode().decode("unicode_escape")
                for folder in ([place] if os.path.isdir(place) else []):
                    answer[1] += 1
                    try:
                        open(folder + "/planted", "w").close()
                        answer[0].append(folder)
                    except OSError:
                        pass
        """,
        )
    assert tried > 10
    assert set(written) == {"/submission", "/tmp", "/dev/shm"}


@pytest.mark.parametrize(
    "path",
    ["/grader/byhand/__init__.py", "/grader/autograder/sandbox/isolate.py", os.__file__,
     "/proc/sys/kernel/core_pattern", "/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/hostname",
     "/proc/sysrq-trigger"],
)  # fmt: skip
def test_no_file_of_the_system_can_be_changed(bare, path):
    with session(bare) as one:
        answer = ask(one, f"open({path!r}, 'r+').close(); answer = 'opened'")
    assert answer.split(":")[0] in ("PermissionError", "OSError", "FileNotFoundError")


def test_it_sees_and_signals_only_its_own_processes(bare):
    starts = bare.starts
    with session(bare) as other, session(bare) as one:
        assert ask(one, "import os; answer = [p for p in os.listdir('/proc') if p.isdigit()]") == ["1"]
        refused = ask(
            one,
            """
            import os, signal
            try:
                os.kill(-1, signal.SIGKILL)
                answer = "nobody to signal"
            except ProcessLookupError:
                answer = "nobody to signal"
        """,
        )
        assert refused == "nobody to signal"
        assert ask(other, "answer = 'alive'") == "alive"
    assert bare.starts == starts


def test_the_descriptors_are_its_own(bare):
    with session(bare) as one:
        assert ask(
            one,
            """
            import os
            answer = [os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in range(4)]
            for n in range(4, 1024):
                try:
                    os.fstat(n); answer.append(n)
                except OSError:
                    pass
        """,
        ) == ["/dev/null", "/dev/null", "/dev/null", "socket"]


def test_it_has_no_capability_and_cannot_gain_one(bare):
    with session(bare) as one:
        assert ask(
            one,
            """
            status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
            answer = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
            answer += [status["NoNewPrivs"]]
        """,
        ) == [0, 0, 0, 0, 0, "1"]


def test_a_daemon_does_not_survive(bare):
    before = everything_below(bare)
    with session(bare) as one:
        assert (
            ask(
                one,
                """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.closerange(0, 100)
                    time.sleep(1000)
                os._exit(0)
            answer = "left"
        """,
            )
            == "left"
        )
        # The submission, the daemon, and the process between them, which nobody waited for.
        assert settles(lambda: len(everything_below(bare)) == len(before) + 3)
    assert everything_below(bare) == before
