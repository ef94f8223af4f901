"""The mathematics font, cut down to the characters that the formulae use.

Without a font that has a MATH table (Android and most Linux have none) brackets do not
grow and roots come apart. STIX Two Math (SIL Open Font Licence) comes with the ziamath
package.
"""

from __future__ import annotations

import hashlib
import html
import re
from importlib.resources import as_file, files
from pathlib import Path

from fontTools import subset

import mathml

TARGET = "assets/fonts/stix-two-math.woff"
TOKEN = re.compile(r"<(mi|mn|mo|mtext)\b[^>]*>([^<]*)<")
ALWAYS = "√"  # what <msqrt> draws stands in no formula's text


def characters(root: Path) -> str:
    """Every character that a formula shows, as a browser draws it."""
    shown = set(ALWAYS)
    for formula in mathml.known(root).values():
        for tag, content in TOKEN.findall(formula):
            text = html.unescape(content)
            single = tag == "mi" and len(text) == 1
            shown |= {italic(text)} if single else set(text)
    return "".join(sorted(shown))


def italic(letter: str) -> str:
    """What a browser draws for a single-letter ``<mi>``."""
    if letter == "h":
        return "ℎ"  # the one letter whose italic form was encoded before the others
    for first, start in (
        ("A", 0x1D434),
        ("a", 0x1D44E),
        ("Α", 0x1D6E2),
        ("α", 0x1D6FC),
    ):
        if 0 <= ord(letter) - ord(first) < (26 if first.isascii() else 25):
            return chr(start + ord(letter) - ord(first))
    return letter


def write(site: Path, *, root: Path) -> None:
    """Put the font into the site; cutting it takes a second, so the cut is kept."""
    text = characters(root)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    kept = root / ".cache" / "fonts" / f"{name}.woff"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        _cut(text, part)
        part.replace(kept)
    target = site / TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(kept.read_bytes())


def _cut(text: str, target: Path) -> None:
    # Without hints, which screens of today pass over, and without the second and third
    # drawing of each letter for exponents: either is half of the file.
    options = subset.Options(flavor="woff", layout_features=["dtls"], hinting=False)
    with as_file(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf") as source:
        font = subset.load_font(str(source), options)
        cutter = subset.Subsetter(options)
        cutter.populate(text=text)
        cutter.subset(font)
        subset.save_font(font, str(target), options)
