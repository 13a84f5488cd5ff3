"""Limits: what a submission may use, all its processes together, and that nothing stays."""

from tests.inside.ask import MIB, ask, everything_below, session


def test_a_fork_bomb_is_bounded_and_ends(bare):
    before = everything_below(bare)
    with session(bare, processes=20) as one:
        assert (
            ask(
                one,
                """
            import os, time
            answer = 0
            try:
                while answer < 1000:
                    if os.fork() == 0:
                        time.sleep(1000)
                    answer += 1
            except OSError:
                pass
        """,
            )
            == 19
        )
    assert everything_below(bare) == before
    with session(bare) as one:
        assert ask(one, "answer = 'alive'") == "alive"


def test_too_much_memory_at_once_is_a_memory_error(bare):
    with session(bare, memory_bytes=100 * MIB) as one:
        assert ask(one, "bytes(200 << 20)").startswith("MemoryError")
        assert ask(one, "answer = len(bytes(20 << 20))") == 20 * MIB


def test_memory_of_many_processes_is_added_up(bare):
    with session(bare, memory_bytes=100 * MIB) as one:
        assert (
            ask(
                one,
                """
            import os, time
            for _ in range(4):
                if os.fork() == 0:
                    hold = b"x" * (60 << 20)
                    time.sleep(1000)
            time.sleep(60)
        """,
            )
            is None
        )
        ending = one.wait(10)
    assert ending.why == "memory"
    assert ending.peak_bytes > 100 * MIB
    with session(bare) as one:
        assert ask(one, "answer = 'alive'") == "alive"


def test_memory_that_processes_share_counts_once(bare):
    with session(bare, memory_bytes=100 * MIB) as one:
        assert (
            ask(
                one,
                """
            import os, time
            hold = b"x" * (60 << 20)
            for _ in range(4):
                if os.fork() == 0:
                    time.sleep(1000)
            time.sleep(0.5)
            answer = "alive"
        """,
            )
            == "alive"
        )


def test_the_disk_is_bounded_in_bytes_and_files(bare):
    with session(bare, disk_bytes=16 * MIB) as one:
        written, made = ask(
            one,
            """
            answer = [0, 0]
            try:
                with open("big", "wb", 0) as big:
                    while answer[0] < 1 << 26:
                        answer[0] += big.write(bytes(1 << 16))
            except OSError:
                pass
            open("big", "wb").close()
            try:
                while answer[1] < 100000:
                    open(f"/tmp/{answer[1]}", "w").close(); answer[1] += 1
            except OSError:
                pass
        """,
        )
    assert 15 * MIB < written <= 16 * MIB
    assert 500 < made < 2000


def test_one_file_is_bounded(bare):
    with session(bare, file_bytes=1 * MIB) as one:
        assert (
            ask(one, "open('big', 'wb', 0).write(bytes(2 << 20)); answer = len(open('big', 'rb').read())")
            == MIB
        )


def test_open_files_are_bounded(bare):
    with session(bare, open_files=40) as one:
        assert (
            ask(
                one,
                """
            opened = []
            try:
                while len(opened) < 500:
                    opened.append(open("/dev/null"))
            except OSError as problem:
                answer = problem.errno
            del opened
        """,
            )
            == 24
        )


def test_limits_cannot_be_raised_or_set_anew(bare):
    with session(bare) as one:
        assert (
            ask(
                one,
                """
            import resource
            answer = []
            for what in (resource.RLIMIT_NPROC, resource.RLIMIT_AS, resource.RLIMIT_NOFILE):
                soft, hard = resource.getrlimit(what)
                try:
                    resource.setrlimit(what, (soft, hard))
                    answer.append("set")
                except (ValueError, OSError):
                    answer.append("refused")
        """,
            )
            == ["refused"] * 3
        )


def test_an_endless_loop_ends_with_the_submission_s_time(bare):
    with session(bare, submission_seconds=0.3) as one:
        assert ask(one, "while True: pass") is None
        assert one.wait(10).why == "time"


def test_cpu_time_is_bounded(bare):
    with session(bare, cpu_seconds=1) as one:
        assert ask(one, "while True: pass") is None
        assert one.wait(10).why == "time"
