"""Small functions described in words, and tests that tell right programs from wrong.

    Write f(x) for a list of whole numbers x: keep the even ones, multiply each by 3,
    and return the sum.

    def f(x):
        return sum([3 * n for n in [n for n in x if n % 2 == 0]])

    f([1, 2, 4]) is 18

A program is right if it does what was described, however it is written. The values of
the tests are computed step by step, not by the solution; their inputs tell apart any
two descriptions of one or two steps that do not always come to the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from llm.tasks.sandbox import run_calls


@dataclass(frozen=True)
class Case:
    """A call, and the repr of the value that it must have."""

    call: str
    value: str


@dataclass(frozen=True)
class Program:
    """What is to be written, one way to write it, and its tests."""

    description: str
    solution: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Step:
    """Something done to a list.

    words  in English and in Chinese
    code   in Python, with {} for the list
    do     done
    """

    words: dict[str, str]
    code: str
    do: Callable[[list[int]], list[int]]


@dataclass(frozen=True)
class End:
    """What is returned of a list, with the fields of a step."""

    words: dict[str, str]
    code: str
    do: Callable[[list[int]], object]


def add(k: int) -> Step:
    """Add k to each."""
    words = {"en": f"add {k} to each", "zh": f"每个数加上 {k}"}
    return Step(words, f"[n + {k} for n in {{}}]", lambda x: [n + k for n in x])


def multiply(k: int) -> Step:
    """Multiply each by k."""
    words = {"en": f"multiply each by {k}", "zh": f"每个数乘以 {k}"}
    return Step(words, f"[{k} * n for n in {{}}]", lambda x: [k * n for n in x])


def above(k: int) -> Step:
    """Keep what is above k."""
    words = {"en": f"keep those above {k}", "zh": f"只留下大于 {k} 的数"}
    code = f"[n for n in {{}} if n > {k}]"
    return Step(words, code, lambda x: [n for n in x if n > k])


STEPS = [
    *(make(k) for make in (add, multiply, above) for k in (2, 3, 4, 5)),
    Step(
        {"en": "keep the even ones", "zh": "只留下偶数"},
        "[n for n in {} if n % 2 == 0]",
        lambda x: [n for n in x if n % 2 == 0],
    ),
    Step(
        {"en": "keep the odd ones", "zh": "只留下奇数"},
        "[n for n in {} if n % 2 == 1]",
        lambda x: [n for n in x if n % 2 == 1],
    ),
    Step(
        {"en": "square each", "zh": "每个数取平方"},
        "[n * n for n in {}]",
        lambda x: [n * n for n in x],
    ),
    Step(
        {"en": "reverse the order", "zh": "把顺序倒过来"},
        "{}[::-1]",
        lambda x: x[::-1],
    ),
    Step(
        {"en": "sort from small to large", "zh": "从小到大排序"},
        "sorted({})",
        sorted,
    ),
]
ENDS = [
    End({"en": "the list", "zh": "列表"}, "{}", lambda x: x),
    End({"en": "the sum", "zh": "总和"}, "sum({})", sum),
    End({"en": "how many there are", "zh": "个数"}, "len({})", len),
    End(
        {"en": "the largest, or 0 if there is none", "zh": "最大的数，没有则为 0"},
        "max({}, default=0)",
        lambda x: max(x, default=0),
    ),
]
FRAMES = {
    "en": ("Write f(x) for a list of whole numbers x: ", ", ", ", and return {}."),
    "zh": ("写出 f(x)，x 是整数列表：", "，", "，返回{}。"),
}
# The fewest that a greedy search found to tell apart all that one or two steps and an
# end can do: 529 functions, described in 1,224 ways. A test repeats that.
INPUTS: tuple[list[int], ...] = (
    [],
    [-3],
    [-2],
    [-1],
    [0],
    [1],
    [2],
    [6, 6],
    [7, 7, 4, 8],
    [-1, -2, 0, 5],
    [3, 9, 5, 0, 6],
    [4, 2, 4, -1, 4],
    [-4, -4, 3, 1, -3],
)


class Programs:
    """Descriptions in English ("en") or Chinese ("zh"), with solutions and tests.

    Raises ValueError for any other language.
    """

    def __init__(self, language: str) -> None:
        if language not in FRAMES:
            raise ValueError(f"no programs in {language!r}: there are en and zh")
        self.language = language

    def examples(self, count: int, seed: int = 0) -> list[Program]:
        """The first `count` programs of `seed`, each of one or two steps and an end."""
        random = Random(seed)
        return [self.draw(random) for _ in range(count)]

    def draw(self, random: Random) -> Program:
        """One program by lot."""
        steps = random.sample(STEPS, random.randint(1, 2))
        return self.program(steps, random.choice(ENDS))

    def program(self, steps: list[Step], end: End) -> Program:
        """The program of these steps."""
        before, joint, after = FRAMES[self.language]
        words = joint.join(step.words[self.language] for step in steps)
        code = "x"
        for step in steps:
            code = step.code.format(code)
        code = end.code.format(code)
        return Program(
            before + words + after.format(end.words[self.language]),
            f"def f(x):\n    return {code}\n",
            tuple(Case(f"f({x})", repr(value(steps, end, x))) for x in INPUTS),
        )


def value(steps: list[Step], end: End, x: list[int]) -> object:
    """What the steps come to."""
    for step in steps:
        x = step.do(x)
    return end.do(x)


def check_program(task: Program, source: str, *, seconds: float = 5.0) -> str | None:
    """What is wrong with a program, in words; None if it passes all tests.

    It runs apart, with limits: see `llm.tasks.sandbox`, and what that cannot do.
    """
    calls = [case.call for case in task.cases]
    outcomes = run_calls(source, calls, seconds=seconds)
    for case, outcome in zip(task.cases, outcomes, strict=True):
        if outcome.value != case.value:
            found = outcome.value if outcome.error is None else outcome.error
            return f"{case.call}: expected {case.value}, found {found}"
    return None
