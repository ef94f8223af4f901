"""What the site costs its authors and its readers: building, reloading, loading.

Every planned note is written, in both languages, from the text, snippet and record of a
note that exists; each line of code that begins a cell is made its own, so that no copy
is cheaper than a note would be. A page is a note in one language: what it takes to show
its notebook, and its share of the API reference, the assets and the two search indexes,
are part of its cost. Cold is without what this project keeps in ``.cache``.
"""

import gzip
import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from playwright.sync_api import Browser, Route, sync_playwright

from bench import Budget

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ["docs", "llm", "snippets", "tests/notes", "mkdocs.yml", "mkdocs.zh.yml"]
MKDOCS = [sys.executable, "-m", "mkdocs"]
BASE = "https://llm-notes.github.io/llm-notes/"
FLAGS = ["--no-sandbox"]
PATIENCE = 120  # seconds to wait for the server

sys.path.insert(0, str(ROOT / "docs" / "_site"))

import curriculum  # noqa: E402
import records  # noqa: E402


def pages(project: Path) -> list[Path]:
    return sorted((project / "docs").glob("[ez][nh]/*/*.md"))


@cache
def project() -> Path:
    """A copy of this project in which every planned note is written."""
    made = Path(tempfile.mkdtemp(prefix="site-bench-"))
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, made / name, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, made / name)
    slugs = [note.slug for part in curriculum.parts() for note in part.notes]
    written = [s for s in slugs if (made / f"docs/en/{s}.md").is_file()]
    sources = itertools.cycle(written)
    for slug in slugs:
        if slug not in written:
            write(slug, next(sources), made)
    return made


def write(slug: str, source: str, made: Path) -> None:
    """The note `slug`, with the words of `source`."""
    for language in ("en", "zh"):
        text = (made / f"docs/{language}/{source}.md").read_text("utf-8")
        text = text.replace(f"snippets/{source}.py", f"snippets/{slug}.py")
        page = made / f"docs/{language}/{slug}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, "utf-8")
    script, notebook = (
        (made / f"snippets/{source}{suffix}").read_text("utf-8")
        for suffix in (".py", ".ipynb")
    )
    copy = made / f"snippets/{slug}.py"
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(
        re.sub("^(# %% .*)$", rf"\1\n# {slug}", script, flags=re.M), "utf-8"
    )
    record = json.loads(notebook)
    for cell in record["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = f"# {slug}\n" + "".join(cell["source"])
    # The record names its script and the hash of that: else it would be stale, and run.
    seen = record["metadata"][records.KEY]["files"]
    del seen[f"snippets/{source}.py"]
    seen[f"snippets/{slug}.py"] = records.digest(copy, shown=True)
    records.write(copy, record)


def build() -> float:
    """Milliseconds a page of a cold build of both languages."""
    shutil.rmtree(project() / ".cache", ignore_errors=True)
    start = time.perf_counter()
    command = [*MKDOCS, "build", "--strict", "--quiet"]
    subprocess.run(command, cwd=project(), check=True)
    return 1000 * (time.perf_counter() - start) / len(pages(project()))


def reload() -> float:
    """Seconds from saving a sentence until the server shows it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{probe.getsockname()[1]}"
    page = project() / "docs/en/text/bpe.md"
    url = f"http://{at}/llm-notes/text/bpe/"
    command = [*MKDOCS, "serve", "--quiet", "--dev-addr", at]
    server = subprocess.Popen(command, cwd=project())
    try:
        until(url, "Byte-pair")
        time.sleep(2)  # the watcher starts after the first build
        start = time.perf_counter()
        text = page.read_text("utf-8")
        page.write_text(f"{text}\nA sentence that was added.\n", "utf-8")
        until(url, "A sentence that was added.")
        return time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()
        page.write_text(page.read_text("utf-8").replace("A sentence that", "It"))


def until(url: str, words: str) -> None:
    """Wait until a page has these words; TimeoutError if it never does."""
    for _ in range(PATIENCE * 20):
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                if words in answer.read().decode("utf-8"):
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not show '{words}' in {PATIENCE} s")


@cache
def first_load() -> tuple[float, int]:
    """Largest first load of a written note: kB compressed, and requests."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        loads = [
            sizes(browser, f"{BASE}{'' if folder == 'en' else 'zh/'}{slug}/")
            for folder, slug in map(address, pages(ROOT))
        ]
        browser.close()
    return max(map(sum, loads)) / 1000, max(map(len, loads))


def address(page: Path) -> tuple[str, str]:
    """Language and slug of a page."""
    folder, _, name = page.relative_to(ROOT / "docs").as_posix().partition("/")
    return folder, name.removesuffix(".md")


def sizes(browser: Browser, url: str) -> list[int]:
    """Compressed bytes of each file that a page asks for, when nothing is kept."""
    found: list[int] = []

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(BASE).partition("?")[0]
        file = ROOT / "site" / (path or "index.html")
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            route.abort()
            return
        found.append(len(packed(file)))
        route.fulfill(path=file)

    context = browser.new_context()
    context.route("**/*", answer)
    context.new_page().goto(url, wait_until="networkidle")
    context.close()
    return found


def packed(file: Path) -> bytes:
    """A file as a server sends it; fonts and pictures are compressed already."""
    content = file.read_bytes()
    return content if file.suffix in (".woff", ".png") else gzip.compress(content, 6)


def comparisons() -> list[Budget]:
    """Built with every planned note written; loaded from site/ as it stands."""
    return [
        Budget("cold build of all planned notes", build, "ms a page", 60),
        Budget("live reload of a sentence, all planned notes", reload, "s", 3),
        Budget("first load of a note", lambda: first_load()[0], "kB", 120),
        Budget(
            "first load of a note, requests", lambda: first_load()[1], "requests", 15
        ),
    ]
