"""While serving, a saved sentence costs its page; for all else everything is built."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import BuildError

import reload


@dataclass
class Served:
    """A project as its server has it: pages, and what is called when files change."""

    root: Path
    full: list[str] = field(default_factory=list)
    rebuild: Callable[[], None] = lambda: None

    def page(self, url: str) -> Path:
        return self.root / "site" / url / "index.html"

    def add(self, file: str, text: str) -> None:
        path = self.root / file
        path.write_text(path.read_text("utf-8") + text, "utf-8")


@pytest.fixture(scope="module")
def served(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    root = tmp_path_factory.mktemp("served") / "project"
    shutil.copytree(demo, root, ignore=shutil.ignore_patterns("site"))
    config = load_config(str(root / "mkdocs.yml"), site_dir=str(root / "site"))
    config.plugins.on_startup(command="serve", dirty=False)
    build(config, serve_url="http://127.0.0.1/")
    made = Served(root)
    watched = [config.docs_dir, *config.watch]
    made.rebuild = reload.builder(lambda: made.full.append("built"), watched)
    return made


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_saved_sentence_is_built_alone(served: Served, language: str) -> None:
    folder = "" if language == "en" else "zh/"
    page, other = (served.page(f"{folder}{s}") for s in ("text/bpe", "attention/idea"))
    before, untouched = page.read_text("utf-8"), other.stat().st_mtime_ns
    served.add(f"docs/{language}/text/bpe.md", "\nNew words.\n")
    served.rebuild()
    after = page.read_text("utf-8")
    assert "<p>New words.</p>" in after
    assert after.partition("<article")[0] == before.partition("<article")[0]
    assert other.stat().st_mtime_ns == untouched
    assert served.full == []


def test_a_page_that_fails_is_still_to_be_built(served: Served) -> None:
    file = served.root / "docs/en/text/bpe.md"
    text = file.read_text("utf-8")
    file.write_text(text + "\n{{ gone }}\n", "utf-8")
    for _ in range(2):
        with pytest.raises(BuildError, match="no result 'gone'"):
            served.rebuild()
    file.write_text(text + "\nMended.\n", "utf-8")
    served.rebuild()
    assert "Mended." in served.page("text/bpe").read_text("utf-8")
    assert served.full == []


def test_title_code_record_and_new_page_concern_every_page(served: Served) -> None:
    for file, old, new in (
        ("docs/en/text/bpe.md", "# ", "# Other "),
        ("llm/attention.py", '"""', '"""Other '),
        ("snippets/attention/idea.ipynb", '"outputs"', '"outputs" '),
    ):
        path = served.root / file
        text = path.read_text("utf-8")
        path.write_text(text.replace(old, new, 1), "utf-8")
        served.full.clear()
        served.rebuild()
        assert served.full == ["built"], file
    served.full.clear()
    (served.root / "docs/en/text/new.md").write_text("# New\n", "utf-8")
    served.rebuild()
    assert served.full == ["built"]
