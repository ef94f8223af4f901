"""Programs by running them here, by mutants, and by programs that mean harm."""

import os
import random as randoms
import subprocess
import time
from itertools import product

import pytest

from llm.tasks import Outcome, Programs, check_program, run_calls
from llm.tasks.programs import ENDS, INPUTS, STEPS, value


def run_here(source, call):
    space = {}
    exec(source, space)  # our own solutions only
    return eval(call, space)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_solutions_have_the_values_of_the_steps(language):
    for program in Programs(language).examples(150):
        assert len(program.cases) == len(INPUTS)
        for case in program.cases:
            assert repr(run_here(program.solution, case.call)) == case.value


def test_the_inputs_tell_all_short_descriptions_apart():
    """What is equal on the inputs is equal on hundreds of other lists."""
    random = randoms.Random(0)
    others = [
        [random.randint(-width, 2 * width) for _ in range(random.randint(0, width))]
        for width in (2, 4, 8)
        for _ in range(80)
    ]
    pipelines = [
        (list(steps), end)
        for steps in (*product(STEPS), *product(STEPS, STEPS))
        for end in ENDS
    ]
    first = {}
    for steps, end in pipelines:
        key = repr([value(steps, end, x) for x in INPUTS])
        known = first.setdefault(key, (steps, end))
        if known != (steps, end):
            for x in others:
                assert value(steps, end, x) == value(*known, x)
    assert (len(pipelines), len(first)) == (1224, 529)


def test_descriptions_say_what_is_done():
    words = Programs("en").program([STEPS[12], STEPS[5]], ENDS[1])
    assert words.description == (
        "Write f(x) for a list of whole numbers x: keep the even ones, multiply each "
        "by 3, and return the sum."
    )
    assert words.solution == (
        "def f(x):\n    return sum([3 * n for n in [n for n in x if n % 2 == 0]])\n"
    )
    assert run_here(words.solution, "f([1, 2, 4])") == 18
    chinese = Programs("zh").program([STEPS[12], STEPS[5]], ENDS[1])
    assert chinese.description == (
        "写出 f(x)，x 是整数列表：只留下偶数，每个数乘以 3，返回总和。"
    )
    assert (chinese.solution, chinese.cases) == (words.solution, words.cases)


def test_right_programs_pass_however_they_are_written():
    task = Programs("en").program([STEPS[12], STEPS[5]], ENDS[1])
    other = """
import functools, math, re, collections
print("noise")
def f(x):
    total = 0
    for n in x:
        total += 0 if n % 2 else 3 * n
    return total
"""
    assert check_program(task, task.solution) is None
    assert check_program(task, other) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("3 *", "4 *"), "f([-2]): expected -6, found -8"),
        (("== 0", "== 1"), "f([-3]): expected 0, found -9"),
        (("return sum(", "return str(sum("), "found SyntaxError"),
        (("sum(", "float(sum("), "found SyntaxError"),
        (("return ", "return 0.0 + "), "f([]): expected 0, found 0.0"),
        (("return", "yield"), "f([]): expected 0, found <generator"),
        (("def f", "def g"), "found NameError: name 'f' is not defined"),
    ],
)
def test_wrong_programs_are_told_with_the_call(change, fault):
    task = Programs("en").program([STEPS[12], STEPS[5]], ENDS[1])
    assert fault in check_program(task, task.solution.replace(*change))


HARM = {
    "writes a file": "open('here.txt', 'w')",
    "writes through os": "import os; os.open('here.txt', os.O_WRONLY | os.O_CREAT)",
    "reads a file": "x = open('VICTIM').read()",
    "looks around": "import os; os.listdir('FOLDER')",
    "removes a file": "import os; os.remove('VICTIM')",
    "removes a tree": "import shutil; shutil.rmtree('FOLDER')",
    "starts a shell": "import os; os.system('echo > VICTIM')",
    "starts a process": "import subprocess; subprocess.run(['rm', 'VICTIM'])",
    "forks": "import os; os.fork()",
    "calls a server": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "calls C": "import ctypes; ctypes.CDLL(None)",
    "makes code": "(lambda: 0).__code__.replace(co_consts=())",
    "loads another module": "import sqlite3",
    "loads a module again": "import sys; del sys.modules['posix']; import posix",
    "writes history": "import readline; readline.write_history_file('here.txt')",
    "cuts a file": "import os; os.open('VICTIM', os.O_RDONLY | os.O_TRUNC)",
    "frees itself": "import __main__; __main__.refuse.__defaults__ = (0,)",
    "finds the hook": "import gc; gc.get_objects()",
    "raises its limits": "import resource; resource.setrlimit(0, (-1, -1))",
    "kills": "import os; os.kill(os.getppid(), 9)",
    "fills the memory": "x = [0] * 10**10",
    "exits with success": "raise SystemExit(0)",
    "asks the user": "input()",
    "is no program": "def f(:",
    "raises what is no Exception": "class B(BaseException): pass\nraise B",
}

# What fails of itself, or by a limit.
UNREFUSED = {
    "fills the memory",
    "frees itself",
    "exits with success",
    "asks the user",
    "is no program",
    "raises what is no Exception",
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_refused_and_told(harm, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("whole")
    source = HARM[harm].replace("VICTIM", str(victim)).replace("FOLDER", str(tmp_path))
    outcomes = run_calls(source + "\nf = len", ["f([1])", "f([])"])
    assert [outcome.value for outcome in outcomes] == [None, None]
    assert all(outcome.error for outcome in outcomes)
    refused = "PermissionError: a program may not do this" in outcomes[0].error
    assert refused == (harm not in UNREFUSED)
    assert victim.read_text() == "whole"
    assert not os.path.exists("here.txt")


@pytest.mark.parametrize("source", ["while True: pass", "import time; time.sleep(60)"])
def test_a_program_that_does_not_end_is_ended(source):
    begin = time.monotonic()
    outcomes = run_calls(source, ["1"], seconds=0.5)
    assert outcomes == [Outcome(None, "no answer in 0.5 s")]
    assert time.monotonic() - begin < 30  # far from the 60 s that it wanted


@pytest.mark.parametrize(
    "source",
    [
        "import os; os._exit(0)",
        "import __main__; __main__.answer.close()",
        "import __main__; __main__.answer.write('[['); __main__.answer.flush()",
        "import __main__, os; print = __main__.answer.write; print('[1]');"
        "__main__.answer.flush(); os._exit(0)",
        "import __main__; __main__.answer.write('['*10**6); __main__.answer.flush()",
        "import __main__, os; __main__.answer.write('[[1, 2], [3, 4]]');"
        "__main__.answer.flush(); os._exit(0)",
        "import __main__\nwhile True: __main__.answer.write('9' * 10**6)",
    ],
)
def test_a_program_that_disturbs_its_answer_has_none(source):
    for outcome in run_calls(source, ["1", "2"]):
        assert outcome.value is None
        assert "the program ended Python with status" in outcome.error


def test_each_call_has_an_outcome_of_its_own():
    calls = ["1 + 1", "1 / 0", "'x' * 20000", "'一'", "[].g", "x", "exit()"]
    found = run_calls("x = '\\udcff'", calls)
    assert found == [
        Outcome("2", None),
        Outcome(None, "ZeroDivisionError: division by zero"),
        Outcome(None, "ValueError: the value has 20002 characters"),
        Outcome("'一'", None),
        Outcome(None, "AttributeError: 'list' object has no attribute 'g'"),
        Outcome("'\\udcff'", None),
        found[-1],
    ]
    assert found[-1].value is None


def test_a_program_sees_neither_environment_nor_expected_values(monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    look = "import os, __main__\nf = lambda: (dict(os.environ), sorted(__main__.task))"
    [outcome] = run_calls(look, ["f()"])
    assert "SECRET" not in outcome.value
    assert "'calls', 'file', 'memory', 'output', 'program', 'seconds'" in outcome.value


def test_a_value_that_looks_right_is_not_enough():
    """Equality, and what is printed, are in the program's hands: repr is compared."""
    task = Programs("en").program([STEPS[0]], ENDS[0])
    sly = "class A:\n    def __eq__(self, other): return True\nf = lambda x: A()"
    assert "expected []" in check_program(task, sly)


@pytest.mark.parametrize(
    "source",
    [
        "import builtins\nbuiltins.PermissionError = lambda *a: 0\n",
        "import __main__\n__main__.PermissionError = lambda *a: 0\n",
        "import __main__\nfor name in [*vars(__main__)]:\n"
        "    name == '__builtins__' or setattr(__main__, name, None)\n",
    ],
)
def test_the_hook_cannot_be_talked_out_of_it(source, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("whole")
    source += f"import os\nos.remove({str(victim)!r})\nf = len"
    [outcome] = run_calls(source, ["f([1])"])
    assert outcome.value is None and outcome.error
    assert victim.read_text() == "whole"


def test_a_value_cannot_lie_about_its_length():
    source = """
class Text(str):
    __len__ = lambda self: 1
class Value:
    __repr__ = lambda self: Text("x" * 20000)
"""
    [outcome] = run_calls(source, ["Value()"])
    assert outcome == Outcome(None, "ValueError: the value has 20000 characters")


def test_limits_must_be_above_zero():
    with pytest.raises(ValueError, match="limits must be above 0: 0 s"):
        run_calls("", [], seconds=0)
    with pytest.raises(ValueError, match="-1 bytes"):
        run_calls("", [], memory=-1)


def test_where_there_are_no_limits_of_posix_programs_still_run(monkeypatch):
    """As on Windows, where the module `resource` is not there."""
    real = subprocess.run

    def without(command, **options):
        program = "import sys; sys.modules['resource'] = None\n" + command[-1]
        return real([*command[:-1], program], **options)

    monkeypatch.setattr(subprocess, "run", without)
    assert run_calls("f = len", ["f([1])"]) == [Outcome("1", None)]


def test_a_seed_gives_one_set_and_other_languages_are_told():
    programs = Programs("zh")
    assert programs.examples(20, seed=3) == programs.examples(30, seed=3)[:20]
    assert programs.examples(20, seed=3) != programs.examples(20, seed=4)
    with pytest.raises(ValueError, match="no programs in 'fr': there are en and zh"):
        Programs("fr")


@pytest.mark.parametrize("place", range(3))
def test_a_mutated_solution_fails_unless_it_does_the_same(place):
    """Every number and sign of the solutions is changed; right here is right there."""
    lists = [[n] for n in range(-12, 13)] + [[1, -2, 5, 4], [4, 3, 9, 9, -8]]
    swaps = [("2", "3"), ("3", "4"), (" > ", " >= "), ("==", "!=")]
    for task in Programs("en").examples(40, seed=place):
        for swap in swaps:
            mutant = task.solution.replace(*swap, 1)
            found = [repr(run_here(mutant, case.call)) for case in task.cases]
            if found == [case.value for case in task.cases]:
                for x in lists:
                    same = run_here(task.solution, f"f({x})")
                    assert run_here(mutant, f"f({x})") == same
