"""Finish what Material ships: Chinese search, names for screen readers, size."""

from __future__ import annotations

import json
from pathlib import Path

from mkdocs.exceptions import PluginError

import styles

LATE_WORKER = (
    "t=Object.assign(new EventTarget,{postMessage(n){this.worker||(this.worker=new"
    ' Worker(e),this.worker.addEventListener("message",({data:i})=>this.dispatchEvent('
    'new MessageEvent("message",{data:i})))),this.worker.postMessage(n)}})'
)
MEASURED = (
    "Ia.pipe(O(r=>r.observe(e)),b(r=>cn.pipe(g(o=>o.target===e),A(()=>r.unobserve(e)))),"
    "m(()=>de(e)))"
)
HEX = (
    r"a.backgroundColor.match(/\d+/g).map(c=>(+c)"
    '.toString(16).padStart(2,"0")).join("")'
)

# Each text must occur exactly once in the pinned theme.
PATCHES = {
    "javascripts/workers/search.*.min.js": [
        # A query's last word was never looked up …
        ("o<t.length;o++)t.slice(s,o)", "o<=t.length;o++)t.slice(s,o)"),
        ("n[a]&&a<t.length-1&&", "n[a]&&a<t.length&&"),
        # … and its words ran into Latin text beside them.
        (
            's=>[...fe(s,this.index.invertedIndex)].join("* "))',
            's=>" "+[...fe(s,this.index.invertedIndex)].join(" ")+" ")',
        ),
        # A colon after a hyphenated word made the whole query invalid.
        (
            "let r=[],n=new lunr.QueryLexer(e)",
            'e=e.replace(/:+$/,"");let r=[],n=new lunr.QueryLexer(e)',
        ),
    ],
    "javascripts/bundle.*.min.js": [
        # One nameless navigation landmark for every code block.
        ('x("nav",{class:"md-code__nav"})', 'x("div",{class:"md-code__nav"})'),
        # The index was fetched with every page, the worker too. Now the index waits
        # until somebody searches, as the theme does for files …
        ('L($(location.protocol!=="file:"),Je("search"))', 'Je("search")'),
        # … or arrives at words to be marked …
        (
            'z([t,r.pipe(Q(we()),g(o=>!!o.searchParams.get("h")))])',
            'r.pipe(Q(we()),g(o=>!!o.searchParams.get("h")),b(o=>t.pipe(m(n=>[n,o]))))',
        ),
        # … and the worker until it is sent the index.
        ("t=new Worker(e)", LATE_WORKER),
        # Each code block was measured between changes: the page was laid out anew for
        # every one. The observer tells its size in any case, after all changes.
        (
            "function es(e){return Le(e).pipe(",
            f"function es(e){{return {MEASURED}.pipe(",
        ),
        # Instant navigation writes addresses in full, so that heads can be compared;
        # written so, a style sheet is loaded and applied a second time.
        ("{t[r]=t[r];break}", '{t.rel==="stylesheet"?t.key=t.href:t[r]=t[r];break}'),
        ("t.set(r.outerHTML,r)", "t.set(r.key||r.outerHTML,r)"),
        # The page was styled anew three times for the colours that it had already.
        (
            'if(document.body.setAttribute("data-md-color-switching",""),',
            'if(s.color.scheme===document.body.getAttribute("data-md-color-scheme")||'
            'document.body.setAttribute("data-md-color-switching",""),',
        ),
        (';document.head.appendChild(o);let n=Wt("(pref', ';let n=Wt("(pref'),
        (
            f"return o.content=a.colorScheme,{HEX}",
            f"let f={HEX};o.content=a.colorScheme;document.head.append(o);return f",
        ),
    ],
}


def patch(site: Path) -> None:
    """Apply the patches; PluginError where the theme is not the pinned one."""
    for pattern, changes in PATCHES.items():
        (file,) = (site / "assets").glob(pattern)
        text = file.read_text("utf-8")
        for old, new in changes:
            if text.count(old) != 1:
                raise PluginError(
                    f"{file.name}: expected {old!r} once, found {text.count(old)};"
                    " Material changed, look again at docs/_site/assets.py"
                )
            text = text.replace(old, new)
        file.write_text(text, "utf-8")


def slim(site: Path) -> None:
    """Drop source maps and rules without use; write the search index without spaces."""
    styles.slim(site)
    for waste in (site / "assets").rglob("*.map"):
        waste.unlink()
    index = site / "search" / "search_index.json"
    entries = json.loads(index.read_text("utf-8"))
    small = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    index.write_text(small, "utf-8")
