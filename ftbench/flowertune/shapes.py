"""The shape of a function: its syntax tree without what changes nothing, as a digest that any Python computes alike."""

from __future__ import annotations

import ast
import hashlib

LEFT_OUT = {"lineno", "col_offset", "end_lineno", "end_col_offset", "ctx", "type_comment", "type_params", "kind"} | {
    "annotation",
    "returns",
    "decorator_list",
}


def digest(function: ast.FunctionDef) -> str:
    """32 hexadecimal digits. Comments, docstrings, annotations and layout do not move it; names and texts do."""
    return hashlib.sha256(_shape(_without_docstring(function)).encode()).hexdigest()[:32]


def _without_docstring(node: ast.FunctionDef) -> list[ast.AST]:
    body = node.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:] if isinstance(body[0].value.value, str) else body
    return [node.args, *body]


def _shape(value: object) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(_shape, value)) + "]"
    if not isinstance(value, ast.AST):
        return repr(value)
    if isinstance(value, ast.JoinedStr):
        return "f" + _shape(_joined(value))
    fields = [
        f"{name}={_shape(item)}"
        for name, item in ast.iter_fields(value)
        if name not in LEFT_OUT and item is not None and item != []
    ]
    return f"{type(value).__name__}({','.join(sorted(fields))})"


def _joined(value: ast.JoinedStr) -> list[object]:
    """Neighbouring texts as one: Python 3.11 and 3.13 part them differently."""
    parts: list[object] = []
    for part in value.values:
        if isinstance(part, ast.Constant) and parts and isinstance(parts[-1], str):
            parts[-1] = str(parts[-1]) + str(part.value)
        else:
            parts.append(str(part.value) if isinstance(part, ast.Constant) else part)
    return parts
