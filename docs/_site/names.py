"""Which names a piece of Python uses, binds and changes, read from its syntax tree."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass

GIVEN = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
# A call of one of these methods, or of a function `train`, changes what it is given,
# whatever becomes of its result.
TRAINING = {"fit", "step", "backward"}
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Names:
    """``now`` is used when the code runs, ``later`` when its functions are called."""

    now: frozenset[str]
    later: frozenset[str]
    bound: frozenset[str]
    changed: frozenset[str]

    @property
    def used(self) -> frozenset[str]:
        return self.now | self.later


def of(statements: Iterable[ast.stmt]) -> Names:
    """Names of statements that run one after another."""
    reader = _Reader()
    changed: set[str] = set()
    for statement in statements:
        reader.visit(statement)
        changed |= _changed(statement)
    return Names(
        frozenset(reader.now - GIVEN),
        frozenset(reader.later - reader.bound - GIVEN),
        frozenset(reader.bound),
        frozenset(changed - GIVEN),
    )


def joined(each: Iterable[Names]) -> Names:
    """Names of statements that run one after another, from those of each."""
    now, later, bound, changed = set[str](), set[str](), set[str](), set[str]()
    for read in each:
        now |= read.now - bound
        later |= read.later
        bound |= read.bound
        changed |= read.changed
    return Names(*map(frozenset, (now, later - bound, bound, changed)))


class _Reader(ast.NodeVisitor):
    """Reads in the order of evaluation: what is bound by then is no outside name."""

    def __init__(self, bound: Iterable[str] = ()) -> None:
        self.bound, self.now = set(bound), set[str]()
        self.later, self.outer = set[str](), set[str]()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use({node.id})
        else:
            self.bound.add(node.id)

    def _use(self, names: set[str]) -> None:
        self.now |= names - self.bound

    def _each(self, *fields: ast.AST | Iterable[ast.AST] | None) -> None:
        for field in fields:
            nodes = [field] if isinstance(field, ast.AST) else field or []
            for node in nodes:
                self.visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._each(node.value, node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._each(node.annotation, node.value, node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._use({node.target.id})
        self._each(node.value, node.target)

    def visit_For(self, node: ast.For) -> None:
        self._each(node.iter, node.target, node.body, node.orelse)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bound |= {node.name} if node.name else set()
        self._each(node.type, node.body)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.bound |= {node.name} if node.name else set()
        self._each(node.pattern)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.bound |= {node.name} if node.name else set()

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.bound.add((alias.asname or alias.name).partition(".")[0])

    visit_ImportFrom = visit_Import

    def visit_Global(self, node: ast.Global) -> None:
        self.outer |= set(node.names)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._each(node.decorator_list, node.args, node.returns)
        self.bound.add(node.name)
        self._call(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._call(node)

    def visit_arguments(self, node: ast.arguments) -> None:
        self._each(node.defaults, filter(None, node.kw_defaults))
        self._each(filter(None, (argument.annotation for argument in _given(node))))

    def _call(self, node: Function) -> None:
        inside = _Reader({argument.arg for argument in _given(node.args)})
        inside._each(node.body)
        local = inside.bound - inside.outer
        self.later |= ((inside.now | inside.later) - local) | inside.outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._each(node.decorator_list, node.bases, node.keywords)
        inside = _Reader(self.bound)
        inside._each(node.body)
        self.now |= inside.now
        self.later |= inside.later
        self.bound.add(node.name)

    def _comprehend(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        self._within(node.generators, node.elt)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = _comprehend

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._within(node.generators, node.key, node.value)

    def _within(self, loops: list[ast.comprehension], *made: ast.AST) -> None:
        before = set(self.bound)
        for loop in loops:
            self._each(loop.iter, loop.target, loop.ifs)
        self._each(made)
        self.bound = before


def _given(arguments: ast.arguments) -> list[ast.arg]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*every, *filter(None, (arguments.vararg, arguments.kwarg))]


def _changed(node: ast.AST) -> set[str]:
    """Names whose value a statement alters without binding them anew."""
    if isinstance(node, Function | ast.ClassDef):
        return set()
    changed = set().union(*map(_changed, ast.iter_child_nodes(node)))
    if isinstance(node, ast.Attribute | ast.Subscript):
        if not isinstance(node.ctx, ast.Load):
            changed |= _root(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changed |= _root(node.value.func) or _arguments(node.value)
        if isinstance(node.value.func, ast.Name):
            changed |= _arguments(node.value)
    elif isinstance(node, ast.Call) and _trains(node.func):
        changed |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return changed


def _root(node: ast.AST) -> set[str]:
    """The name at the left end of ``name.x[1].y``; none where something else stands."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _arguments(call: ast.Call) -> set[str]:
    """Names given whole to a call; printing changes nothing."""
    if isinstance(call.func, ast.Name) and call.func.id in GIVEN:
        return set()
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return {node.id for node in given if isinstance(node, ast.Name)}


def _trains(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "train"
    return isinstance(function, ast.Attribute) and function.attr in TRAINING
