"""What Python text says, by its syntax tree: values that follow from constants and configuration, never carried out.

An interpreter of a small part of Python: constants, arithmetic, conditions, assignments, the app's own functions. What
it does not know it calls UNKNOWN, and goes on. It looks nothing up outside the text and calls nothing but arithmetic.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ftbench.flowertune.app import Module
from ftbench.flowertune.configuration import normal


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
MAX_STEPS = 20_000
"""Expressions that one question may look at."""
MAX_DEPTH = 8
"""Depth of calls among the app's own functions."""
MAX_TEXT = 20_000
"""Longest text or list that is put together."""


@dataclass(frozen=True, slots=True)
class Named:
    """A class or function by its name, as the text has it: `transformers.X` is `X`."""

    name: str


@dataclass(frozen=True, slots=True)
class Keys:
    """A part of the configuration: its path, as far as the text tells."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the text reaches."""

    name: str
    """Last part of what is called."""
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    """Those of `**mapping` among them, where it is a part of the configuration."""
    module: Module
    line: int
    within: str
    """The function or class in whose text it stands."""

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.module.path}:{self.line}"


@dataclass(slots=True)
class Seen:
    """What one walk through the text came upon."""

    calls: list[Call] = field(default_factory=list)
    attributes: dict[str, list[tuple[Any, str]]] = field(default_factory=dict)
    """Name of an attribute → (value that the text gives it, place)."""


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda a, b: float(a) ** float(b),
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
}
PLAIN: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "min": min, "max": max, "abs": abs, "round": round,
    "len": len, "list": list, "sorted": sorted, "tuple": list, "set": list,
    "cos": math.cos, "sin": math.sin, "exp": math.exp, "sqrt": math.sqrt, "log": math.log, "floor": math.floor,
    "ceil": math.ceil, "pow": lambda a, b: float(a) ** float(b),
}  # fmt: skip
TYPES = {"bfloat16", "float16", "float32", "float64"}


class Reader:
    """Answers questions about the modules of one app."""

    def __init__(self, modules: Sequence[Module], settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        self.functions: dict[str, tuple[ast.FunctionDef, Module]] = {}
        self.classes: dict[str, tuple[ast.ClassDef, Module]] = {}
        self.modules = modules
        self.constants: dict[str, tuple[ast.expr, Module]] = {}
        """What a module says of a name at its top, once."""
        for module in modules:
            for node in module.tree.body:
                if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                    self.constants.setdefault(node.targets[0].id, (node.value, module))
                elif isinstance(node, ast.FunctionDef):
                    self.functions.setdefault(node.name, (node, module))
                elif isinstance(node, ast.ClassDef):
                    self.classes.setdefault(node.name, (node, module))

    def everything(self, extra: Mapping[str, Any] | None = None) -> Seen:
        """One walk through all modules, functions and methods; `extra` are settings for this walk alone."""
        kept, self.settings = self.settings, {**self.settings, **(extra or {})}
        seen = Seen()
        try:
            for module in self.modules:
                _Walk(self, module, seen, "").body(module.tree.body)
                for node in ast.walk(module.tree):
                    if isinstance(node, ast.FunctionDef):
                        walk = _Walk(self, module, seen, node.name)
                        walk.defaults(node)
                        walk.body(node.body)
        except RecursionError:
            pass
        finally:
            self.settings = kept
        return seen

    def setting(self, path: Sequence[str]) -> Any:
        """The setting that a chain of names means: `model_cfg.lora.peft_lora_r` is `model.lora.peft_lora_r`."""
        parts = [part for part in (_bare(one) for one in path) if part]
        if not parts:
            return UNKNOWN
        for start in range(len(parts)):
            name = ".".join(parts[start:])
            if name in self.settings:
                return self.settings[name]
            if any(key.startswith(name + ".") for key in self.settings):
                return Keys(tuple(parts[start:]))
            ends = [key for key in self.settings if key.endswith("." + name)]
            if len(ends) == 1 and (start == 0 or "." in name):
                return self.settings[ends[0]]
        return UNKNOWN


def _bare(part: str) -> str:
    """A name without what only says that it is configuration."""
    text = normal(part)
    if text in {"cfg", "config", "self", "context", "run_config", "msg", "content", "args"}:
        return ""
    for ending in ("_cfg", "_config"):
        text = text.removesuffix(ending)
    return {"num_rounds": "num_server_rounds", "total_rounds": "num_server_rounds"}.get(text, text)


class _Walk:
    """Through one function's text, in order."""

    def __init__(
        self, reader: Reader, module: Module, seen: Seen, within: str, known: Mapping[str, Any] | None = None
    ) -> None:
        self.reader, self.module, self.seen, self.within = reader, module, seen, within
        self.known: dict[str, Any] = dict(known or {})
        self.depth = 0
        self.steps = 0

    def defaults(self, node: ast.FunctionDef) -> None:
        """Parameters are not known, but are names of their own: what the module says of the same name is not theirs."""
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            self.known.setdefault(argument.arg, Keys((argument.arg,)))

    def body(self, statements: Sequence[ast.stmt]) -> None:
        """Carry on through statements; functions and classes are others' business."""
        for statement in statements:
            try:
                self.statement(statement)
            except _Return:
                return

    def statement(self, node: ast.stmt) -> None:  # noqa: PLR0912 - one arm for each kind of statement
        match node:
            case ast.Assign(targets=targets, value=value):
                found = self.value(value)
                for target in targets:
                    self.assign(target, found)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self.assign(target, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                self.known[name] = self.binary(op, self.known.get(name, UNKNOWN), self.value(value))
            case ast.If():
                self.condition(node)
            case ast.Return(value=value):
                raise _Return(None if value is None else self.value(value))
            case ast.Raise():
                raise _Return(UNKNOWN)
            case ast.Expr(value=value):
                self.value(value)
            case ast.For() | ast.While():
                self.forget(node)
                self.body(node.body)
                self.forget(node)
            case ast.With(items=items):
                for item in items:
                    self.value(item.context_expr)
                self.inner(node.body)
            case ast.Try():
                self.inner(node.body)
                self.inner(node.finalbody)
            case _:
                pass

    def inner(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def condition(self, node: ast.If) -> None:
        test = self.value(node.test)
        if isinstance(test, Keys | Named):
            test = UNKNOWN
        if test is not UNKNOWN:
            self.inner(node.body if test else node.orelse)
            return
        before = dict(self.known)
        ends = []
        for branch in (node.body, node.orelse):
            self.known = dict(before)
            try:
                self.inner(branch)
            except _Return:
                continue
            ends.append(self.known)
        self.known = {
            name: ends[0][name] if all(name in end and _same(end[name], ends[0][name]) for end in ends) else UNKNOWN
            for name in {name for end in ends for name in end}
        }
        if not ends:
            raise _Return(UNKNOWN)

    def forget(self, node: ast.stmt) -> None:
        """What a loop assigns is known neither in it nor after it."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self.known[inner.id] = UNKNOWN

    def assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.known[target.id] = value
        elif isinstance(target, ast.Attribute):
            self.seen.attributes.setdefault(target.attr, []).append((value, f"{self.module.path}:{target.lineno}"))
        elif isinstance(target, ast.Tuple | ast.List):
            values = value if isinstance(value, list) and len(value) == len(target.elts) else [UNKNOWN] * 999
            for one, part in zip(target.elts, values, strict=False):
                self.assign(one, part)

    def value(self, node: ast.expr) -> Any:  # noqa: PLR0911, PLR0912 - one arm for each kind of expression
        self.steps += 1
        if self.steps > MAX_STEPS:
            return UNKNOWN
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.name(name)
            case ast.Attribute(value=inner, attr=attr):
                return self.attribute(self.value(inner), attr)
            case ast.Subscript(value=inner, slice=key):
                return self.item(self.value(inner), self.value(key))
            case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
                return [self.value(one) for one in elts]
            case ast.Dict(keys=keys, values=values):
                pairs = [(self.value(k) if k else UNKNOWN, self.value(v)) for k, v in zip(keys, values, strict=True)]
                return {k: v for k, v in pairs if isinstance(k, str | int | bool)}
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.value(left), self.value(right))
            case ast.UnaryOp(op=op, operand=operand):
                found = self.value(operand)
                if not _plain(found):
                    return UNKNOWN
                if isinstance(op, ast.Not):
                    return not found
                return -found if isinstance(op, ast.USub) and isinstance(found, int | float) else UNKNOWN
            case ast.BoolOp(op=op, values=values):
                return self.both(isinstance(op, ast.And), [self.value(one) for one in values])
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.value(left), self.value(right)
                made = COMPARE.get(type(op))
                return _tried(made, a, b) if made and _plain(a) and _plain(b) else UNKNOWN
            case ast.IfExp(test=test, body=body, orelse=orelse):
                told = self.value(test)
                return self.value(body if told else orelse) if _plain(told) else UNKNOWN
            case ast.JoinedStr(values=values):
                parts = [self.value(one) for one in values]
                return "".join(map(str, parts)) if all(_plain(one) for one in parts) else UNKNOWN
            case ast.FormattedValue(value=inner):
                return self.value(inner)
            case ast.Call():
                return self.call(node)
            case ast.Lambda() | ast.ListComp() | ast.DictComp() | ast.GeneratorExp() | ast.SetComp():
                return UNKNOWN
            case _:
                return UNKNOWN

    def name(self, name: str) -> Any:
        if name in self.known:
            return self._found(self.known[name])
        if name in self.reader.functions or name in self.reader.classes:
            return Named(name)
        if name in self.reader.constants and self.depth < MAX_DEPTH:
            node, module = self.reader.constants[name]
            walk = _Walk(self.reader, module, Seen(), "")
            walk.depth, walk.steps = self.depth + 1, self.steps
            found = walk.value(node)
            self.steps = walk.steps
            if found is not UNKNOWN:
                return found
        if name[:1].isupper():
            return Named(name)
        return self._found(Keys((name,)))

    def _found(self, value: Any) -> Any:
        """A chain of names as the setting that it means, where there is one."""
        if not isinstance(value, Keys):
            return value
        found = self.reader.setting(value.path)
        return value if found is UNKNOWN or isinstance(found, Keys) else found

    def attribute(self, inner: Any, attr: str) -> Any:
        if isinstance(inner, Keys):
            if inner.path == ("torch",) and attr in TYPES:
                return attr
            if inner.path == ("math",):
                return {"pi": math.pi, "e": math.e}.get(attr, Named(attr))
            if attr[:1].isupper():
                return Named(attr)
            return self._found(Keys((*inner.path, attr)))
        return Keys((attr,)) if isinstance(inner, Named) else UNKNOWN

    def item(self, inner: Any, key: Any) -> Any:
        if isinstance(inner, Keys) and isinstance(key, str):
            return self._found(Keys((*inner.path, *normal(key).split("."))))
        if isinstance(inner, dict | list | str) and isinstance(key, str | int):
            return _tried(operator.getitem, inner, key)
        return UNKNOWN

    def binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        made = BINARY.get(type(op))
        numbers = all(isinstance(one, int | float) for one in (left, right))
        joined = isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, str | list)
        if made is None or not (numbers or joined):
            return UNKNOWN
        found = _tried(made, left, right)
        if isinstance(found, int) and abs(found) > 2**63:
            return UNKNOWN
        return UNKNOWN if isinstance(found, str | list) and len(found) > MAX_TEXT else found

    def both(self, every: bool, values: Sequence[Any]) -> Any:
        for value in values:
            if not _plain(value):
                return UNKNOWN
            if bool(value) is not every:
                return value
        return values[-1]

    def call(self, node: ast.Call) -> Any:
        args = [self.value(one) for one in node.args if not isinstance(one, ast.Starred)]
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, Keys):
                kwargs = {**self.below(value.path), **kwargs}
            elif isinstance(value, dict):
                kwargs |= {str(key): item for key, item in value.items()}
        owner, name = self.called(node.func)
        self.seen.calls.append(Call(name, args, kwargs, self.module, node.lineno, self.within))
        if isinstance(owner, Keys) and name == "get" and args and isinstance(args[0], str):
            found = self._found(Keys((*owner.path, *normal(args[0]).split("."))))
            return (args[1] if len(args) > 1 else None) if isinstance(found, Keys) else found
        if isinstance(owner, str) and name in {"split", "strip", "lower", "upper"}:
            return _tried(getattr(owner, name), *args) if all(isinstance(one, str) for one in args) else UNKNOWN
        if name in {"DictConfig", "unflatten_dict", "replace_keys", "create", "OmegaConf"} and args:
            return args[0] if isinstance(args[0], Keys) else UNKNOWN
        if name in PLAIN and not kwargs and args and all(_plain(one) for one in args):
            return _tried(PLAIN[name], *args)
        if name in self.reader.functions:
            return self.own(name, args, kwargs)
        return UNKNOWN

    def below(self, path: Sequence[str]) -> dict[str, Any]:
        """Settings under a part of the configuration, by their last name."""
        name = ".".join(part for part in (_bare(one) for one in path) if part)
        return {
            key.rpartition(".")[2]: value
            for key, value in self.reader.settings.items()
            if key.rpartition(".")[0] == name or key.rpartition(".")[0].endswith("." + name)
        }

    def called(self, node: ast.expr) -> tuple[Any, str]:
        """What a method is called on, and the last part of the name; a class in a variable is that class."""
        if isinstance(node, ast.Attribute):
            return self.value(node.value), node.attr
        found = self.value(node)
        if isinstance(found, Named):
            return None, found.name
        return None, node.id if isinstance(node, ast.Name) else ""

    def own(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a function of the app returns, where its text tells."""
        function, module = self.reader.functions[name]
        if self.depth >= MAX_DEPTH:
            return UNKNOWN
        walk = _Walk(self.reader, module, Seen(), name)
        walk.depth, walk.steps = self.depth + 1, self.steps
        parameters = [one.arg for one in function.args.args]
        given = function.args.defaults
        for parameter, default in zip(parameters[len(parameters) - len(given) :], given, strict=True):
            walk.known[parameter] = walk.value(default)
        walk.known |= dict(zip(parameters, args, strict=False))
        walk.known |= {key: value for key, value in kwargs.items() if key in parameters}
        for parameter in parameters:
            walk.known.setdefault(parameter, UNKNOWN)
        try:
            walk.inner(function.body)
        except _Return as found:
            return found.value
        finally:
            self.steps = walk.steps
        return None


def _plain(value: Any) -> bool:
    """Whether a value is wholly known."""
    if isinstance(value, list):
        return all(_plain(one) for one in value)
    if isinstance(value, dict):
        return all(_plain(one) for one in value.values())
    return value is None or isinstance(value, str | int | float | bool)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _tried(made: Callable[..., Any], *args: Any) -> Any:
    try:
        found = made(*args)
    except (ArithmeticError, TypeError, ValueError, LookupError):
        return UNKNOWN
    return UNKNOWN if isinstance(found, complex) else found
