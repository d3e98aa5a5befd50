"""python late_imports.py DIR FILE: writes to FILE, as a JSON list, the modules that code in DIR imports inside functions."""

from __future__ import annotations

import ast
import json
import pathlib
import sys


def imported(node: ast.Import | ast.ImportFrom, package: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not node.level:
        return [node.module] if node.module else []
    base = package[: len(package) - node.level + 1]
    if node.module:
        return [".".join([*base, node.module])]
    return [".".join([*base, alias.name]) for alias in node.names if alias.name != "*"]


def late_imports(path: pathlib.Path, package: list[str]) -> set[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    found = set()
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                found.update(imported(node, package))
    return found


def main(root: pathlib.Path, target: pathlib.Path) -> None:
    found = set()
    for path in sorted(root.rglob("*.py")):
        package = list(path.relative_to(root).parts[:-1])
        # The SDK imports at its top whatever it needs in a component.
        if package[:1] != ["mint_sdk"]:
            found |= late_imports(path, package)
    target.write_text(json.dumps(sorted(found)))


main(*map(pathlib.Path, sys.argv[1:]))
