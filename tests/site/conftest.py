"""Two sites to test: the real one, and a planted one with every device of a note."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser

from .browser import chromium

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "_site"
DEMO = Path(__file__).parent / "demo"
MACHINERY = ["docs/_site", "mkdocs.yml", "mkdocs.zh.yml"]
NOTES = ["docs", "llm", "snippets", "tests/notes", "mkdocs.yml", "mkdocs.zh.yml"]

sys.path.insert(0, str(SITE))

import records  # noqa: E402


def copy(names: list[str], source: Path, target: Path) -> None:
    """Copy files and folders into a project, over what is there."""
    caches = shutil.ignore_patterns("__pycache__")
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(
                source / name, target / name, dirs_exist_ok=True, ignore=caches
            )
        else:
            shutil.copy(source / name, target / name)


def plant(target: Path) -> Path:
    """A project of the planted pages with the real machinery."""
    (target / "docs").mkdir(parents=True)
    copy(MACHINERY, ROOT, target)
    shutil.copytree(DEMO, target, dirs_exist_ok=True)
    return target


def mkdocs(project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def build(project: Path) -> None:
    done = mkdocs(project)
    assert done.returncode == 0, done.stdout + done.stderr


def once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder made by the first test process that needs it."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(base / f"{name}.lock"):
        if not (base / f"{name}.done").exists():
            make(base / name)
            (base / f"{name}.done").touch()
    return base / name


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted project, built."""
    return once(tmp_path_factory, "demo", lambda target: build(plant(target)))


def _notes(target: Path) -> None:
    scripts = records.scripts(ROOT)
    stale = [s.stem for s in scripts if records.causes(s, root=ROOT)]
    assert stale == [], "run docs/_site/runner.py first: it may take a minute"
    (target / "tests").mkdir(parents=True)
    copy(NOTES, ROOT, target)
    build(target)


@pytest.fixture(scope="session", params=["demo", "notes"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The built pages: of the planted project, and of this one."""
    if request.param == "demo":
        return request.getfixturevalue("demo") / "site"
    return once(tmp_path_factory, "notes", _notes) / "site"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    with chromium() as started:
        yield started
