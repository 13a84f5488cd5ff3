"""What a judgement says of a submission: points, whose fault, and what its learner reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autograder.author import bank, lesson
from autograder.author.lesson import Cell
from autograder.judge.halves import visible_part
from autograder.judge.judge import Judged
from autograder.verdict import Verdict
from tests.pair import Limits, check_of, code, judged, solution
from tests.places import TINY

VALUES = """import numpy as np
from byhand import check
with check.exercise("f"):
    check.values("f(2)", f(2), want=4)
    ### BEGIN HIDDEN TESTS
    check.values("f of another number", f(31), want=62)
    ### END HIDDEN TESTS
"""


def only(result: Judged) -> Verdict:
    (verdict,) = result.verdicts
    return verdict


def of(text: str, test: str = VALUES, limits: Limits | None = None) -> Verdict:
    """The verdict on one answer to one exercise called f."""
    return only(judged(solution("f", text), check_of("f", test), limits=limits))


def test_every_known_answer_of_the_tiny_lesson_gets_its_verdict() -> None:
    tiny = lesson.read("90_tiny", TINY)
    for answer in bank.read("90_tiny", TINY):
        cells = [
            replace(cell, source=answer.source)
            if (cell.kind, cell.grade_id) == ("solution", answer.exercise)
            else cell
            for cell in tiny.cells
        ]
        result = {verdict.exercise: verdict for verdict in judged(*cells).verdicts}
        lost = {name for name, verdict in result.items() if verdict.status != "passed"}
        assert lost == (set() if answer.verdict == "right" else {answer.exercise}), answer.name
        assert all(words in result[answer.exercise].message for words in answer.reads), answer.name


def test_a_test_cell_has_its_own_libraries_whatever_the_learner_binds() -> None:
    bare = VALUES.replace("import numpy as np\nfrom byhand import check\n", "np.ones(2)\n")
    assert of("def f(x): return 2 * x", bare).points == 1.0
    assert of("check = np = None\ndef f(x): return 2 * x", bare).points == 1.0
    assert of("check = np = None\ndef f(x): return 4", bare).points == 0.0


def test_points_are_all_or_nothing() -> None:
    assert of("def f(x): return 2 * x").points == 1.0
    assert of("def f(x): return 4").points == 0.0


def test_a_failure_in_the_visible_part_says_what_the_learner_raised_and_where() -> None:
    verdict = of("def f(x):\n    y = x\n    raise IndexError('no item ' + str(x))")
    assert (verdict.status, verdict.fault) == ("failed", "learner")
    assert verdict.message.startswith("f(2) raised IndexError: no item 2 (line 3 of your cell f).")


def test_a_failure_in_the_hidden_part_says_only_which_kind_of_error_and_where() -> None:
    verdict = of("def f(x):\n    if x == 2: return 4\n    raise IndexError('got %d' % x)")
    assert verdict.message == "f(int) raised IndexError (line 3 of your cell f)."


@pytest.mark.parametrize(
    "thief",
    [
        "raise type(f'E{x}', (Exception,), {})()",
        "raise ValueError(f'secret {x}')",
        "return type(f'T{x}', (), {})()",
        "1 / 0 if x != 31 else exec(f'raise KeyError({x})')",
    ],
)
def test_what_a_hidden_check_passed_in_is_not_in_the_message(thief: str) -> None:
    text = f"def f(x):\n    if x == 2: return 4\n    {thief}"
    assert "31" not in of(text).message


def test_a_hidden_check_for_an_error_does_not_show_what_was_said() -> None:
    test = VALUES.replace(
        'check.values("f of another number", f(31), want=62)', 'check.raises("f(word)", lambda: f("no"))'
    )
    verdict = of("def f(x):\n    if x == 2: return 4\n    raise TypeError(x * 3)", test)
    assert verdict.status == "failed"
    assert "nonono" not in verdict.message


def test_hidden_inputs_reach_no_output_of_a_later_cell() -> None:
    spy = "seen = []\ndef f(x):\n    seen.append(x)\n    open('seen', 'a').write(str(x))\n    return 2 * x"
    later = code("print(seen)\nimport os; print(os.path.exists('seen'))")
    result = judged(solution("f", spy), check_of("f", VALUES), later)
    assert only(result).status == "passed"
    assert result.runs[-1].outputs[0]["text"] == "[]\nFalse\n"


def test_a_test_questions_the_state_at_its_place() -> None:
    result = judged(solution("f", "def f(x): return 2 * x"), check_of("f", VALUES), code("f = None"))
    assert only(result).status == "passed"


def test_what_a_test_prints_and_the_learner_prints_in_a_test_goes_nowhere() -> None:
    result = judged(
        solution("f", "def f(x):\n    print('called', x)\n    return 2 * x"), check_of("f", VALUES)
    )
    assert only(result).message == ""
    assert result.runs[0].outputs == ()


def test_a_missing_answer_says_what_to_do() -> None:
    verdict = of("def f(x):\n    raise NotImplementedError('Not written yet: replace this line')")
    assert "f is not written yet" in verdict.message


def test_an_answer_that_does_not_compile_says_so() -> None:
    verdict = of("def f(x) return 2 * x")
    assert (verdict.status, verdict.fault) == ("failed", "learner")
    assert "f does not exist yet" in verdict.message
    assert "The cell f itself stopped: SyntaxError" in verdict.message


def test_an_error_after_the_definition_costs_nothing() -> None:
    assert of("def f(x): return 2 * x\n1 / 0").status == "passed"


def test_an_object_that_equals_everything_does_not_pass() -> None:
    verdict = of("class Liar:\n    __eq__ = lambda self, other: True\ndef f(x): return Liar()")
    assert (verdict.status, verdict.points) == ("failed", 0.0)
    assert "Liar" in verdict.message


@pytest.mark.parametrize(
    "patch",
    [
        "import builtins; builtins.abs = lambda x: 0; builtins.all = lambda x: True",
        "import numpy as np; np.allclose = np.array_equal = lambda *a, **k: True",
        "from byhand import check; check.values = lambda *a, **k: None",
        "import sys; sys.modules['byhand.check'] = None",
        "AssertionError = Exception; check = None; np = None",
    ],
)
def test_patching_the_checks_over_there_changes_nothing_here(patch: str) -> None:
    assert of(f"{patch}\ndef f(x): return 0").status == "failed"
    assert of(f"{patch}\ndef f(x): return 2 * x").status == "passed"


def test_ending_the_process_in_a_call_costs_only_that_exercise() -> None:
    other = VALUES.replace('"f', '"g').replace(" f(", " g(")
    cells = (
        solution("f", "import os\ndef f(x): os._exit(0)"),
        check_of("f", VALUES),
        solution("g", "def g(x): return 2 * x"),
        check_of("g", other),
    )
    first, second = judged(*cells).verdicts
    assert (first.status, first.fault) == ("failed", "learner")
    assert "ended the Python process" in first.message
    assert second.status == "passed"


def test_ending_the_process_in_a_cell_leaves_earlier_tests_their_verdicts() -> None:
    cells = (
        solution("f", "def f(x): return 2 * x"),
        check_of("f", VALUES),
        code("import os; os._exit(0)"),
        check_of("g", VALUES),
    )
    first, second = judged(*cells).verdicts
    assert first.status == "passed"
    assert (second.status, second.fault, second.points) == ("unchecked", "learner", 0.0)
    assert "ended the Python process" in second.message


def test_a_cell_that_never_ends_is_stopped_and_the_next_ones_run() -> None:
    limits = Limits(cell_seconds=0.5)
    cells = (code("while True: pass"), solution("f", "def f(x): return 2 * x"), check_of("f", VALUES))
    result = judged(*cells, limits=limits)
    assert only(result).status == "passed"
    assert result.runs[0].outputs[-1]["ename"] == "OutOfTime"


def test_a_cell_that_swallows_interrupts_ends_the_run_but_not_the_class() -> None:
    stubborn = code("import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass")
    cells = (solution("f", "def f(x): return 2 * x"), check_of("f", VALUES), stubborn, check_of("g", VALUES))
    first, second = judged(*cells, limits=Limits(cell_seconds=0.3)).verdicts
    assert first.status == "passed"
    assert (second.status, second.fault) == ("unchecked", "learner")
    assert "took longer than 0.3 seconds" in second.message


def test_a_call_that_never_ends_fails_its_exercise() -> None:
    verdict = of("def f(x):\n    while True: pass", limits=Limits(call_seconds=0.3))
    assert (verdict.status, verdict.fault) == ("failed", "learner")
    assert "f(2) took longer than 0.3 seconds" in verdict.message


def test_an_except_in_a_test_does_not_take_a_crash_for_an_error() -> None:
    test = "try:\n    f(2)\nexcept Exception:\n    pass\n"
    assert of("import os\ndef f(x): os._exit(1)", test).status == "failed"
    assert of("def f(x): raise ValueError", test).status == "passed"


def test_a_mistake_of_the_test_itself_is_the_graders_fault() -> None:
    for test in ("1 / 0", "def", "import no_such_module", "f(object())"):
        verdict = of("def f(x): return 2 * x", test)
        assert (verdict.status, verdict.fault, verdict.points) == ("unchecked", "grader", 0.0), test


def test_an_answer_the_test_cannot_use_is_the_learners_fault() -> None:
    verdict = of("def f(x): return None", "y = f(2) + 1")
    assert (verdict.status, verdict.fault) == ("failed", "learner")
    assert "TypeError" in verdict.message


def test_a_bare_assert_shows_no_line_of_the_test() -> None:
    verdict = of("def f(x): return 1", "assert f(2) == 4")
    assert verdict.message == "a check of f fails."


def test_messages_hold_no_control_characters_and_are_bounded() -> None:
    verdict = of("def f(x): raise ValueError('\\x1b[31m\\x00\\u202e' + 'a' * 10**6)")
    assert len(verdict.message) < 2001
    assert not set("\x1b\x00\u202e") & set(verdict.message)


def test_outputs_of_cells_are_kept_and_bounded() -> None:
    cells = (
        code("print('a'); import sys; print('b', file=sys.stderr); 7"),
        code("print('x' * 10**6)"),
        code("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()"),
        code("1 / 0"),
        code("for i in range(10**4): print(i, flush=True)"),
    )
    runs = judged(*cells, limits=Limits(output_bytes=60_000)).runs
    assert [output["output_type"] for output in runs[0].outputs] == ["stream", "stream", "execute_result"]
    assert sum(len(str(output)) for output in runs[1].outputs) < 61_000
    assert "image/png" in runs[2].outputs[0]["data"]
    assert runs[3].outputs[0]["ename"] == "ZeroDivisionError"
    assert "left out" in runs[1].outputs[-1]["text"]


def test_source_rules_read_the_submitted_text() -> None:
    test = "from byhand import check\nwith check.exercise('f'):\n    check.source('f', forbid=('sum',))\n"
    assert of("def f(x): return sum([x, x])\nIn = ['']", test).status == "failed"
    assert of("def f(x): return x + x", test).status == "passed"


def test_random_inputs_are_those_of_the_seed() -> None:
    test = "from byhand import check\ncheck.values('f', f(check.rng().normal()), want=0.0)\n"
    cells = (solution("f", "def f(x): return x"), check_of("f", test))
    assert only(judged(*cells, seed=1)).message == only(judged(*cells, seed=1)).message
    assert only(judged(*cells, seed=1)).message != only(judged(*cells, seed=2)).message


def test_the_learners_process_cannot_answer_before_it_is_asked() -> None:
    text = "import os, struct\nfor fd in range(3, 20):\n"
    text += "    try: os.write(fd, struct.pack('<I', 5) + b'early')\n    except OSError: pass\n"
    verdict = of(text + "def f(x): return 0")
    assert (verdict.points, verdict.fault) == (0.0, "learner")


@pytest.mark.parametrize(
    "forged",
    [
        "struct.pack('<I', 1 << 31)",
        "struct.pack('<I', 0)",
        "struct.pack('<I', 3) + b'\\x80\\x04.'",
        "frame(('ok', 1, 0, [], b'', b'T'))",
        "frame(('ok', 99, 0, [], b'', wire.encode(62)))",
        "frame(('ok', 2, 0, [], wire.encode([(7, b'N')]), wire.encode(4)))",
        "frame(('ask', 1, 'call', 1, True, [], [], b'', wire.encode(((), {}))))",
        "frame(('ask', 1, 'get', 5, True, [], [], b'', wire.encode(('__class__',))))",
        "frame(('error', 2, {'names': ['ValueError']}, b''))",
        "frame(('error', 2, {}, b''))",
        "struct.pack('<I', 3) + b'=ab'",
        "frame(('ask', 1, '\\xff' * 4, 1, True, [], [], b'', b'N'))",
    ],
)
def test_forged_messages_earn_nothing(forged: str) -> None:
    text = (
        "import os, struct\nfrom autograder.wire import encode as wire, envelope\n"
        "def frame(m):\n    data = envelope.pack(m, wire.Limits())\n"
        "    return struct.pack('<I', len(data)) + data\n"
        f"def f(x):\n    for fd in range(3, 20):\n"
        f"        try: os.write(fd, {forged})\n        except OSError: pass\n    return 0"
    )
    verdict = of(text, limits=Limits(call_seconds=2))
    assert (verdict.points, verdict.status, verdict.fault) == (0.0, "failed", "learner")


def test_the_visible_part_keeps_lines_where_they_are() -> None:
    lines = visible_part(VALUES).splitlines()
    assert len(lines) == len(VALUES.splitlines())
    assert "hidden" not in visible_part(VALUES).lower().replace("pass", "")
    assert lines[4].strip() == "pass"


def test_cells_graded_by_hand_are_left_alone() -> None:
    result = judged(Cell("written", "my text", "essay", 2.0), Cell("markdown", "# a"))
    assert (result.verdicts, result.runs) == ((), ())
