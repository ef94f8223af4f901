"""Compare a fresh run with its record: text exactly, numbers within a tolerance."""

from __future__ import annotations

import math
import re
from typing import Any

import cells
import figures
import records

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")
# Below this, two numbers are both rounding noise: 1e-9 and 3e-8 are "equal to zero".
NOISE = 1e-6


def differences(
    old: records.Notebook, new: records.Notebook, parts: list[cells.Cell]
) -> list[str]:
    """One line for each thing in which two runs of the same script differ."""
    found = []
    for part in parts:
        before = records.cell_named(old, part.name)
        after = records.cell_named(new, part.name)
        if before is None or after is None:
            found.append(f"cell '{part.name}' is not in the record")
        elif part.kind == "code" and part.tolerance != math.inf:
            where = f"cell '{part.name}'"
            shown = _texts(before), _texts(after)
            found += compare_texts(*shown, tolerance=part.tolerance, where=where)
            named = _named(before), _named(after)
            found += _compare_values(*named, tolerance=part.tolerance, where=where)
    return found


def compare_texts(
    old: list[str], new: list[str], *, tolerance: float, where: str
) -> list[str]:
    """Differences between two runs' printed lines and figure words."""
    if len(old) != len(new):
        return [f"{where}: {len(old)} lines recorded, {len(new)} now"]
    return [
        f"{where}: recorded {a!r}, now {b!r}"
        for a, b in zip(old, new, strict=True)
        if not _same_line(a, b, tolerance)
    ]


def _texts(cell: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if svg := data.get("image/svg+xml"):
            lines += figures.words("".join(svg))
        else:
            text = output.get("text", data.get("text/plain", ""))
            lines += "".join(text).splitlines()
    return lines


def _named(cell: dict[str, Any]) -> dict[str, Any]:
    results: dict[str, Any] = cell["metadata"][records.KEY]["results"]
    return results


def _same_line(old: str, new: str, tolerance: float) -> bool:
    if NUMBER.sub("0", old).split() != NUMBER.sub("0", new).split():
        return False
    pairs = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
    return all(_close(_value(a), _value(b), tolerance) for a, b in pairs)


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _close(a: float, b: float, tolerance: float) -> bool:
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=NOISE)


def _compare_values(old: Any, new: Any, *, tolerance: float, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        pairs = [(f"{where} {key}", old[key], new[key]) for key in old]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(old, new))]  # noqa: B905
    elif _is_number(old) and _is_number(new):
        pairs = []
        if not _close(old, new, tolerance):
            return [f"{where}: recorded {old!r}, now {new!r}"]
    elif isinstance(old, str) and isinstance(new, str):
        pairs = []
        if not _same_line(old, new, tolerance):
            return [f"{where}: recorded {old!r}, now {new!r}"]
    else:
        return [] if old == new else [f"{where}: recorded {old!r}, now {new!r}"]
    return [
        line
        for name, a, b in pairs
        for line in _compare_values(a, b, tolerance=tolerance, where=name)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
