"""Lighthouse on every note in both languages, served as the web serves it: with gzip.

Lighthouse is not needed to build or to test, so that it has a package file of its own:
`npm ci --prefix bench`. A row is how many points the worst page is short of 100. A
phone is simulated from what the page costs this machine, so a busy machine lowers its
performance: the median of five loads is taken.
"""

import functools
import gzip
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench import Budget
from bench.site import address, pages

HERE = Path(__file__).parent
SITE = HERE.parent / "site"
PROGRAM = HERE / "node_modules" / "lighthouse" / "cli" / "index.js"
HOME = "/llm-notes/"  # the site is not at its server's root
FLAGS = "--headless=new --no-sandbox --disable-gpu"
CATEGORIES = ["performance", "accessibility", "best-practices", "seo"]
GOALS = {"desktop": [1, 0, 0, 0], "mobile": [10, 0, 0, 0]}
LOADS = {"desktop": 1, "mobile": 5}
PACKED = {".html", ".css", ".js", ".json", ".xml", ".svg"}


class Server(SimpleHTTPRequestHandler):
    """The built site below HOME, text compressed."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix(HOME.rstrip("/")))

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not urlsplit(self.path).path.startswith(HOME) or not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages
        if path.suffix in PACKED:
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The address at which the site stands meanwhile."""
    handler = functools.partial(Server, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}{HOME}"
        server.shutdown()


def notes() -> list[str]:
    """Where the written notes stand in the site, in both languages."""
    places = map(address, pages(HERE.parent))
    return [f"{'zh/' if folder == 'zh' else ''}{slug}/" for folder, slug in places]


def report(url: str, form: str) -> tuple[list[float], list[str]]:
    """Scores of one load, and each audit that is below its best.

    FileNotFoundError without Lighthouse.
    """
    if not PROGRAM.is_file():
        raise FileNotFoundError("no Lighthouse: run npm ci --prefix bench")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        command = ["node", str(PROGRAM), url, "--quiet", "--output=json"]
        command += [f"--output-path={written}", f"--chrome-flags={FLAGS}"]
        command += [f"--only-categories={','.join(CATEGORIES)}"]
        command += ["--preset=desktop"] if form == "desktop" else []
        environment = {**os.environ, "CHROME_PATH": str(chromium)}
        subprocess.run(command, check=True, env=environment)
        found = json.loads(written.read_text("utf-8"))
    audits = [
        f"{name} {audit['score']} {audit.get('displayValue', '')}".strip()
        for name, audit in found["audits"].items()
        if audit["score"] is not None and audit["score"] < 1
    ]
    scores = [100 * found["categories"][name]["score"] for name in CATEGORIES]
    return scores, audits


@cache
def short(form: str) -> list[float]:
    """By category the points that the worst page, median of its loads, has not got."""
    pages = []
    with served(SITE) as home:
        for note in notes():
            loads = [report(f"{home}{note}", form) for _ in range(LOADS[form])]
            columns = zip(*(scores for scores, _ in loads), strict=True)
            pages.append([100 - median(column) for column in columns])
            print(f"  {form} {note} {pages[-1]} {loads[0][1]}", flush=True)
    return [max(column) for column in zip(*pages, strict=True)]


def comparisons() -> list[Budget]:
    """Of site/ as it stands."""
    return [
        Budget(
            f"{form}, {category}, worst note",
            functools.partial(lambda form, n: short(form)[n], form, n),
            "points short",
            goal,
        )
        for form, goals in GOALS.items()
        for n, (category, goal) in enumerate(zip(CATEGORIES, goals, strict=True))
    ]
