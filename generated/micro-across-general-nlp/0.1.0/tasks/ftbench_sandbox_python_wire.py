"""What crosses between the two Python processes of the sandbox: plain data as bytes, and nothing that acts by itself.

Both sides find it in their folder as `wire`. Scalars, tuples and frozensets stand in place; whatever can be changed
(lists, dicts, sets, …) stands in a table with a number, so that cycles and shared parts survive and a changed argument
can be told from an unchanged one. The judge reads what a hostile program wrote: reading builds plain values only, from
counted and bounded bytes. What is not plain stays where it is and crosses as a number, a `Handle`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # each import costs every program milliseconds
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

LARGEST = 64 << 20
"""Bytes of a message."""
QUESTION, ANSWER = b"Q", b"A"


class NotPlain(BaseException):
    """A value that does not cross; the message is its type. No test catches it by `except Exception`."""


class Ended(BaseException):
    """The other side is gone, or speaks nonsense."""


class Handle:
    """An object of the program, as the judge holds it: it can be passed back, called and read, never compared."""

    __slots__ = ("_kind", "_number", "_wire")

    def __init__(self, wire: Wire, number: int, kind: str) -> None:
        object.__setattr__(self, "_wire", wire)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_kind", kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._wire.ask("call", self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._wire.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._wire.ask("setattr", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._wire.ask("item", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._wire.ask("setitem", self, key, value)

    def __len__(self) -> Any:
        return self._wire.ask("len", self)

    def __iter__(self) -> Any:
        return self._wire.ask("iter", self)

    def __next__(self) -> Any:
        return self._wire.ask("next", self)

    def _unusable(self, *_: Any) -> Any:
        self._wire.odd = self._wire.odd or self._kind
        raise NotPlain(self._kind)

    # Whatever could decide a test would be the program's word: it is a failure instead.
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __hash__ = __repr__ = __str__ = _unusable
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _unusable
    __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __abs__ = __int__ = __float__ = __index__ = _unusable
    __and__ = __or__ = __xor__ = __round__ = __format__ = _unusable


# Values of the standard library that are their constructor's arguments: name → module, and the arguments of a value.
VALUES: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    "complex": ("builtins", lambda v: (v.real, v.imag)),
    "range": ("builtins", lambda v: (v.start, v.stop, v.step)),
    "slice": ("builtins", lambda v: (v.start, v.stop, v.step)),
    "Decimal": ("decimal", lambda v: (str(v),)),
    "Fraction": ("fractions", lambda v: (v.numerator, v.denominator)),
    "date": ("datetime", lambda v: (v.year, v.month, v.day)),
    "timedelta": ("datetime", lambda v: (v.days, v.seconds, v.microseconds)),
    "time": ("datetime", lambda v: (v.hour, v.minute, v.second, v.microsecond)),
    "datetime": ("datetime", lambda v: (v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond)),
}
VIEWS: dict[str, Callable[[Any], Any]] = {
    "dict_keys": lambda v: dict.fromkeys(v).keys(),
    "dict_items": lambda v: dict(v).items(),
    "dict_values": lambda v: dict(enumerate(v)).values(),
}
TABLED = {"list": b"l", "set": b"S", "dict": b"d", "bytearray": b"B"}
TABLED |= {"deque": b"k", "Counter": b"C", "OrderedDict": b"O", "defaultdict": b"D"}
MADE = {tag: name for name, tag in TABLED.items()}
NAMED = {"Ellipsis": ..., "NotImplemented": NotImplemented}
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, ImportError)


def library(name: str, module: str) -> Any:
    """A class of the standard library by its name and module, from this process's own copy."""
    return getattr(__import__(module), name)


def _is_library(kind: Any, module: str) -> bool:
    """Whether a class is the library's. Its own word is not enough: classes of a program say `builtins` too, since it
    runs without a module of its own."""
    return kind.__module__ == module and getattr(__import__(module), kind.__name__, None) is kind


class Wire:
    """One end of the two pipes. `serve` answers what the other side asks, also while this one waits for an answer."""

    def __init__(
        self, source: int, sink: int, serve: Callable[[Wire, Any, Sequence[tuple[Any, bytes]]], None], *, judge: bool
    ) -> None:
        self.source, self.sink, self.serve, self.judge = source, sink, serve, judge
        self.odd = ""
        """Type of the first value that a test needed and that is not plain."""
        self.gone = False
        self.kept: list[Any] = []
        """Objects that the other side holds by number."""
        self.read, self.write = os.read, os.write  # a program may replace them later

    def ask(self, *request: Any) -> Any:
        """Send a request and return the answer's value, or raise what was raised. Raises Ended and NotPlain."""
        if self.gone:
            raise Ended
        writer = Writer(self)
        self.send(QUESTION + writer.message(request))
        while True:
            found = self.receive(writer.objects)
            if found is None:
                self.gone = True
                raise Ended
            kind, root, received = found
            if kind == QUESTION:
                self.serve(self, root, received)
                continue
            if root[0] == "value":
                return root[1]
            if root[0] == "raise":
                raise root[1]
            self.odd = self.odd or str(root[1])
            raise NotPlain(self.odd)

    def answer(self, root: Any, received: Sequence[tuple[Any, bytes]]) -> None:
        """Send the answer to a question, with whatever has changed of the objects that came with it."""
        writer = Writer(self, received)
        try:
            message = writer.message(root)
            if len(message) > LARGEST:
                raise NotPlain(f"more than {LARGEST >> 20} MiB")
        except RecursionError:
            message = writer.refusal("nested too deep")
        except NotPlain as problem:
            message = writer.refusal(str(problem))
        except Exception as problem:  # a value of the program that breaks when it is looked at
            message = writer.refusal(type(problem).__name__)
        self.send(ANSWER + message)

    def send(self, message: bytes) -> None:
        """Raises Ended where nobody reads."""
        data = memoryview(b"%08x" % len(message) + message)
        while data:
            try:
                data = data[self.write(self.sink, data) :]
            except OSError:
                self.gone = True
                raise Ended from None

    def receive(self, objects: Sequence[Any]) -> tuple[bytes, Any, list[tuple[Any, bytes]]] | None:
        """Kind, content and objects of the next message; None where there is none, or nonsense. An answer refers to
        the `objects` of its question."""
        try:
            length = int(self.exactly(8), 16)
            if not 0 < length <= LARGEST + 1:
                return None
            kind, data = self.exactly(1), self.exactly(length - 1)
            reader = Reader(self, data, objects if kind == ANSWER else ())
            return kind, reader.message(), reader.received()
        except (*NONSENSE, EOFError, OSError):
            return None

    def exactly(self, count: int) -> bytes:
        """So many bytes. Raises EOFError and OSError."""
        parts = []
        while count:
            part = self.read(self.source, min(count, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Writer:
    """Makes one message. Objects that came with the question keep their numbers; unchanged ones are left out."""

    def __init__(self, wire: Wire, received: Iterable[tuple[Any, bytes]] = ()) -> None:
        self.wire = wire
        self.before = list(received)
        self.objects = [value for value, _ in self.before]
        self.numbers = {id(value): number for number, value in enumerate(self.objects)}

    def message(self, root: Any) -> bytes:
        text, at, table = self.value(root), 0, []
        while at < len(self.objects):  # writing a body may add objects
            body = self.body(self.objects[at])
            if at >= len(self.before) or body != self.before[at][1]:
                table.append(b"%x;%x;" % (at, len(body)) + body)
            at += 1
        return b"".join([b"%x;%x;" % (at, len(table)), *table, text])

    def refusal(self, why: str) -> bytes:
        """The message that the value does not cross; nothing has changed."""
        return b"%x;0;" % len(self.before) + self.value(("odd", why))

    def body(self, value: Any) -> bytes:
        kind = type(value)
        if not _tabled(kind):  # of a class of its own: what it is underneath
            kind = next(base for base in (list, dict, set, bytearray) if isinstance(value, base))
        tag = TABLED[kind.__name__]
        if tag == b"B":
            return tag + b"%x:" % len(value) + bytes(value)
        parts = [tag]
        if tag in (b"d", b"C", b"O", b"D"):
            items = [part for pair in kind.items(value) for part in pair]
            parts += [self.value(value.default_factory)] if tag == b"D" else []
        else:
            items = list(kind.__iter__(value))
        return b"".join([*parts, b"%x:" % len(items), *map(self.value, items)])

    def value(self, value: Any) -> bytes:  # noqa: PLR0911 - one line a kind, the frequent ones first
        if value is None:
            return b"N"
        kind = type(value)
        if kind is bool:
            return b"T" if value else b"F"
        if kind is int:
            return b"i%x;" % value
        if kind is str:
            text: bytes = value.encode("utf-8", "surrogatepass")
            return b"s%x:" % len(text) + text
        if kind is float:
            return b"f%s;" % value.hex().encode()
        if kind is tuple or kind is frozenset:
            return b"".join([b"t" if kind is tuple else b"z", b"%x:" % len(value), *map(self.value, value)])
        if kind is bytes:
            return b"b%x:%s" % (len(value), value)
        if kind is list or kind is dict or kind is set or _tabled(kind):
            return self.reference(value)
        return self._other(value, kind)

    def _other(self, value: Any, kind: type) -> bytes:  # noqa: PLR0911
        name, module = kind.__name__, kind.__module__
        if kind is Handle:
            return b"h%x;0:" % value._number
        if name in VALUES and _is_library(kind, VALUES[name][0]):
            if getattr(value, "tzinfo", None) is None:
                return b"v" + self.value((name, VALUES[name][1](value)))
        elif name in VIEWS and module == "builtins":
            return b"w" + self.value((name, tuple(value)))
        elif isinstance(value, BaseException):
            return b"e" + self.value(self._exception(value, kind))
        elif kind is type and _is_library(value, "builtins"):
            return b"y" + self.value(value.__name__)
        elif value is Ellipsis or value is NotImplemented:
            return b"y" + self.value(repr(value))
        underneath = _underneath(value)
        if underneath is not value:
            return self.value(underneath)
        if isinstance(value, list | dict | set | bytearray):
            return self.reference(value)
        if module == "numpy" and getattr(value, "ndim", None) == 0:
            return self.value(value.item())
        return self._kept(value, name)

    def _exception(self, value: BaseException, kind: type) -> tuple[str, tuple[Any, ...]]:
        """The nearest class that both sides have, and its arguments; the message where they would not cross."""
        base = next(k for k in kind.__mro__ if _is_library(k, "builtins"))
        arguments = value.args if kind is base and type(value.args) is tuple else (str(value),)
        plain = all(isinstance(part, str | int | float | bytes | None) for part in arguments)
        return base.__name__, arguments if plain else (str(value),)

    def _kept(self, value: Any, name: str) -> bytes:
        """Anything else stays here and is named by a number: the tests' functions, and all of the program's."""
        if self.wire.judge and not callable(value):
            raise TypeError(f"the tests hand over {name}, which can't leave the judge")
        self.wire.kept.append(value)
        shown = name[:80].encode("utf-8", "replace")
        return (b"c" if self.wire.judge else b"h") + b"%x;%x:" % (len(self.wire.kept) - 1, len(shown)) + shown

    def reference(self, value: Any) -> bytes:
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        return b"r%x;" % number


def _tabled(kind: type) -> bool:
    name = kind.__name__
    return name in TABLED and _is_library(kind, "collections" if name in _COLLECTIONS else "builtins")


def _underneath(value: Any) -> Any:  # noqa: PLR0911
    """A number, text or tuple of a class of its own as the plain one that it is; anything else as it is."""
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes.__getitem__(value, slice(None))
    if isinstance(value, tuple):
        return tuple(tuple.__iter__(value))
    if isinstance(value, frozenset):
        return frozenset(frozenset.__iter__(value))
    return value


class Reader:
    """Reads one message. `objects` are those of the question that it answers: they are changed in place."""

    def __init__(self, wire: Wire, data: bytes, objects: Sequence[Any]) -> None:
        self.wire, self.data, self.at = wire, data, 0
        self.objects = list(objects)
        self.bodies: dict[int, bytes] = {}

    def message(self) -> tuple[Any, ...]:
        """Raises one of NONSENSE where it is none."""
        total, changed, known = self.number(), self.number(), len(self.objects)
        if not 0 <= total - known <= len(self.data) or changed > total:
            raise ValueError("no such table")
        self.objects += [None] * (total - known)
        for _ in range(changed):  # first every object, empty, since bodies refer to each other
            number, length = self.number(), self.number()
            if number in self.bodies or self.at + length > len(self.data):
                raise ValueError("no such object")
            self.bodies[number] = body = self.data[self.at : self.at + length]
            self.at += length
            name = MADE[body[:1]]
            if number >= known:
                self.objects[number] = library(name, "collections" if name in _COLLECTIONS else "builtins")()
            elif type(self.objects[number]).__name__ != name:
                raise ValueError("an object changes its kind")
        if any(value is None for value in self.objects):
            raise ValueError("an object without a body")
        end = self.at
        root = self.value()
        if self.at != len(self.data) or type(root) is not tuple or not root:
            raise ValueError("more than one message")
        for number, body in self.bodies.items():
            self.data, self.at = body, 1
            self.fill(self.objects[number], body[:1])
        self.at = end
        return root

    def received(self) -> list[tuple[Any, bytes]]:
        """Object and body of each object of the table: what `Writer` tells changes by."""
        return [(value, self.bodies.get(number, b"")) for number, value in enumerate(self.objects)]

    def fill(self, target: Any, tag: bytes) -> None:
        if tag == b"B":
            target[:] = self.raw()
            return
        if tag == b"D":
            factory = self.value()
            target.default_factory = factory if isinstance(factory, type) or not self.wire.judge else None
        items = [self.value() for _ in range(self.count())]
        target.clear()
        if tag in (b"l", b"k"):
            target.extend(items)
        elif tag == b"S":
            target.update(items)
        else:
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[key] = value

    def number(self) -> int:
        return self._until(b";", 20, len(self.data))

    def count(self) -> int:
        return self._until(b":", 20, len(self.data) - self.at)

    def _until(self, mark: bytes, within: int, most: int) -> int:
        end = self.data.index(mark, self.at, self.at + within)
        found = int(self.data[self.at : end], 16)
        self.at = end + 1
        if not 0 <= found <= max(most, 1 << 32 if mark == b";" else 0):
            raise ValueError("more than there is")
        return found

    def raw(self) -> bytes:
        count = self.count()
        self.at += count
        if self.at > len(self.data):
            raise ValueError("more than there is")
        return self.data[self.at - count : self.at]

    def text(self) -> str:
        end = self.data.index(b";", self.at)
        found = self.data[self.at : end].decode("ascii")
        self.at = end + 1
        return found

    def value(self) -> Any:  # noqa: PLR0911, PLR0912 - one line a kind
        tag = self.data[self.at : self.at + 1]
        self.at += 1
        if tag == b"i":
            return int(self.text(), 16)
        if tag == b"s":
            return self.raw().decode("utf-8", "surrogatepass")
        if tag == b"r":
            return self.objects[self.number()]
        if tag == b"f":
            return float.fromhex(self.text())
        if tag == b"T":
            return True
        if tag == b"F":
            return False
        if tag == b"N":
            return None
        if tag == b"t":
            return tuple([self.value() for _ in range(self.count())])
        if tag == b"z":
            return frozenset([self.value() for _ in range(self.count())])
        if tag == b"b":
            return self.raw()
        if tag in (b"h", b"c"):
            return self._thing(tag, self.number(), self.raw().decode("utf-8", "replace"))
        if tag == b"v":
            name, arguments = self.value()
            return library(name, VALUES[name][0])(*arguments)
        if tag == b"w":
            name, items = self.value()
            return VIEWS[name](items)
        if tag == b"e":
            return self._raised(*self.value())
        if tag == b"y":
            return self._named(self.value())
        raise ValueError("no such kind of value")

    def _thing(self, tag: bytes, number: int, name: str) -> Any:
        wire = self.wire
        if wire.judge:
            if tag == b"c":
                raise ValueError("the program holds no number of its own")
            return Handle(wire, number, name)
        if tag == b"h":
            return wire.kept[number]
        return lambda *args, **kwargs: wire.ask("callback", number, args, kwargs)

    def _raised(self, name: str, arguments: tuple[Any, ...]) -> BaseException:
        kind = library(name, "builtins")
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ValueError("no exception")
        try:
            return kind(*arguments)
        except TypeError:  # such as UnicodeDecodeError, which wants five arguments
            return Exception(*arguments) if issubclass(kind, Exception) else BaseException(*arguments)

    def _named(self, name: str) -> Any:
        found = NAMED[name] if name in NAMED else library(name, "builtins")
        if name not in NAMED and not isinstance(found, type):
            raise ValueError("no type")
        return found


_COLLECTIONS = ("deque", "Counter", "OrderedDict", "defaultdict")
