"""`python -m llm finetune`, and `evaluate` on what it leaves: every task and method."""

import json
import re
from pathlib import Path

import pytest
import torch

from llm.cli import main
from llm.cli.tasks import METHODS, load_tuned
from llm.models.bert import BERT, BERTConfig
from llm.models.checkpoint import read_json, read_safetensors, write_json
from llm.models.gpt import GPT, GPTConfig
from llm.models.t5 import T5, T5Config
from llm.models.transformer import Transformer, TransformerConfig
from llm.tasks import Reviews
from llm.text.masking import MARKS
from llm.text.tokenizer import Tokenizer

REVERSING = re.compile("not|hardly|far from|doubt")
OTHER = {"positive": "negative", "negative": "positive"}
SPECIAL = ("<|endoftext|>", *MARKS)


def short_reviews(count: int, seed: int):
    """Reviews of one sentence, in which nothing turns the judgement round."""
    return [
        review
        for review in Reviews("en").examples(count, seed)
        if ". " not in review.text and not REVERSING.search(review.text)
    ]


LEARNED, HELD_OUT = short_reviews(900, 0), short_reviews(300, 1)


@pytest.fixture(scope="module")
def tok() -> Tokenizer:
    texts = [f"{review.text} {review.label}" for review in LEARNED]
    return Tokenizer.train(texts, 400, special=SPECIAL)


@pytest.fixture(scope="module")
def bases(tok, tmp_path_factory):
    """Directories of small models that know nothing yet, by family."""
    root = tmp_path_factory.mktemp("bases")
    torch.manual_seed(0)
    shape = {"vocab_size": tok.vocab_size, "layers": 1, "heads": 2, "width": 32}
    models = {
        "gpt": GPT(GPTConfig(**shape, context=48)),
        "llama": GPT(GPTConfig(**shape, context=48, style="llama")),
        "bert": BERT(BERTConfig(**shape, context=48, init_std=0.1)),
        "t5": T5(T5Config(**shape)),
        "transformer": Transformer(TransformerConfig(**shape, context=24)),
    }
    for name, model in models.items():
        model.save(root / name)
        tok.save(root / name / "tokenizer.json")
    return {name: str(root / name) for name in models}


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def lines(path: Path, rows: list[dict[str, object]]) -> str:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def table(path: Path, reviews) -> str:
    rows = [f"{review.text}\t{review.label}\n" for review in reviews]
    return write(path, "text\tlabel\n" + "".join(rows))


@pytest.fixture
def files(tmp_path):
    """--data and --validation of each task."""
    made = {}
    for part, reviews in (("learned", LEARNED), ("held_out", HELD_OUT)):
        made[part] = {
            "classify": table(tmp_path / f"{part}.tsv", reviews),
            "instruct": lines(
                tmp_path / f"{part}.jsonl",
                [
                    {"instruction": "Good?", "input": r.text, "output": r.label}
                    for r in reviews
                ],
            ),
            "dpo": lines(
                tmp_path / f"{part}.dpo.jsonl",
                [
                    {"prompt": r.text, "chosen": r.label, "rejected": OTHER[r.label]}
                    for r in reviews
                ],
            ),
            "ner": write(tmp_path / f"{part}.conll", conll(reviews)),
            "qa": write(tmp_path / f"{part}.json", json.dumps(asked(reviews))),
            "seq2seq": write(
                tmp_path / f"{part}.pairs.tsv",
                "".join(f"{r.text}\t{r.label}\n" for r in reviews),
            ),
        }
    return made


def conll(reviews) -> str:
    """Each judgement is a span of its kind; the thing judged is none."""
    sentences = []
    for review in reviews:
        *words, last = review.text.removesuffix(".").split()
        rows = [f"{word} O" for word in words]
        rows.append(f"{last} B-{review.label.upper()}")
        sentences.append("\n".join([*rows, ". O"]))
    return "\n\n".join(sentences) + "\n"


def asked(reviews) -> dict[str, object]:
    """How is it? The last word says; every fifth question has no answer."""
    paragraphs = []
    for i, review in enumerate(reviews):
        answer = review.text.removesuffix(".").split()[-1]
        place = review.text.rindex(answer)
        answers = [{"text": answer, "answer_start": place}] if i % 5 else []
        question = "How is it?" if answers else "Who was there?"
        entry = {
            "id": str(i),
            "question": question,
            "answers": answers,
            "is_impossible": not answers,
        }
        paragraphs.append({"context": review.text, "qas": [entry]})
    return {"data": [{"paragraphs": paragraphs}]}


def command(base, files, task, out, *options) -> list[str]:
    learned, held_out = (files[part][task] for part in ("learned", "held_out"))
    argv = ["finetune", "--model", base, "--task", task, "--data", learned]
    return [*argv, "--validation", held_out, "--out", str(out), *options]


def tune(capsys, base, files, task, out, *options):
    """Run finetune; return its result, once evaluate has given the same figures."""
    argv = command(base, files, task, out, *options)
    assert main([*argv, "--json"]) == 0
    *records, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert [record["step"] for record in records][-1] == result["step"]
    argv = ["evaluate", "--model", str(out), "--data", files["held_out"][task]]
    assert main([*argv, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for name, value in result["after"].items():
        assert again[name] == pytest.approx(value, rel=1e-4), name
    return result


def refused(capsys, argv: list[str]) -> str:
    """Run a command that must fail with one line on stderr; return the line."""
    capsys.readouterr()
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def names(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


MODEL = {"config.json", "model.safetensors"}
ADAPTER = {"adapter.json", "adapter.safetensors"}
NOTES = {"task.json", "tokenizer.json", "log.jsonl", "state"}

# Each task learns, and what is saved does as well


def test_a_gpt_learns_to_classify(bases, files, tmp_path, capsys):
    out = tmp_path / "run"
    options = ("--steps", "60", "--lr", "1e-2")
    result = tune(capsys, bases["gpt"], files, "classify", out, *options)
    assert result["before"]["accuracy"] < 0.7 and result["after"]["accuracy"] > 0.9
    assert names(out) == MODEL | NOTES | {"labels.json"}
    assert read_json(out / "labels.json") == {"labels": ["negative", "positive"]}


@pytest.mark.parametrize("task", ["classify", "ner", "qa"])
def test_a_bert_learns_what_its_heads_are_for(bases, files, tmp_path, capsys, task):
    options = ("--steps", "60", "--lr", "5e-3")
    result = tune(capsys, bases["bert"], files, task, tmp_path / "run", *options)
    metric = {"classify": "accuracy", "ner": "f1", "qa": "f1"}[task]
    scale = 100 if task == "qa" else 1
    assert result["after"][metric] > 0.8 * scale
    assert result["before"][metric] < 0.7 * scale


@pytest.mark.parametrize("task", ["ner", "qa"])
def test_a_gpt_can_tag_and_find_too(bases, files, tmp_path, capsys, task):
    options = ("--steps", "60", "--lr", "1e-2")
    result = tune(capsys, bases["gpt"], files, task, tmp_path / "run", *options)
    assert result["after"]["f1"] > result["before"]["f1"]


@pytest.mark.parametrize("family", ["t5", "transformer"])
def test_an_encoder_decoder_learns_pairs(bases, files, tmp_path, capsys, family):
    options = ("--steps", "60", "--lr", "1e-2")
    result = tune(capsys, bases[family], files, "seq2seq", tmp_path / "run", *options)
    assert result["after"]["chrf"] > result["before"]["chrf"] + 20


def test_instructions_are_learned_and_generate_answers(
    bases, files, tmp_path, capsys
):
    out = tmp_path / "run"
    options = ("--steps", "60", "--lr", "1e-2")
    result = tune(capsys, bases["gpt"], files, "instruct", out, *options)
    assert result["after"]["answer_loss"] < result["before"]["answer_loss"] / 4
    prompt = f"User: Good?\n\n{HELD_OUT[0].text}\nAssistant:"
    argv = ["generate", "--model", str(out), "--prompt", prompt, "--temperature", "0"]
    assert main(argv) == 0
    answer = capsys.readouterr().out.removeprefix(prompt).strip()
    assert answer in ("negative", "positive")


def test_dpo_prefers_what_was_chosen(bases, files, tmp_path, capsys):
    options = ("--steps", "60", "--lr", "5e-3", "--batch", "8")
    result = tune(capsys, bases["gpt"], files, "dpo", tmp_path / "run", *options)
    assert result["after"]["preferred"] > 0.9 > result["before"]["preferred"]


# Each method learns, and leaves the base alone


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_a_gpt_to_classify(
    bases, files, tmp_path, capsys, method
):
    out, base = tmp_path / "run", bases["gpt"]
    before = read_safetensors(Path(base) / "model.safetensors")[0]
    options = ("--peft", method, "--steps", "40", "--lr", "3e-2")
    result = tune(capsys, base, files, "classify", out, *options)
    assert result["after"]["accuracy"] > result["before"]["accuracy"]
    merged = MODEL if method in ("lora", "dora", "ia3", "bitfit") else set()
    assert names(out) == ADAPTER | merged | NOTES | {"labels.json"}
    after = read_safetensors(Path(base) / "model.safetensors")[0]
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_learned_can_be_generated_from(
    bases, files, tmp_path, capsys, method
):
    out = tmp_path / "run"
    options = ("--peft", method, "--steps", "20", "--lr", "3e-2")
    result = tune(capsys, bases["gpt"], files, "instruct", out, *options)
    assert result["after"]["answer_loss"] < result["before"]["answer_loss"]
    argv = ["generate", "--model", str(out), "--prompt", "User:", "--seed", "1"]
    assert main([*argv, "--max-tokens", "5"]) == 0
    assert capsys.readouterr().out.startswith("User:")


@pytest.mark.parametrize(("family", "task"), [("bert", "ner"), ("t5", "seq2seq")])
def test_lora_trains_the_other_families(bases, files, tmp_path, capsys, family, task):
    out = tmp_path / "run"
    options = ("--peft", "lora", "--rank", "4", "--steps", "3")
    tune(capsys, bases[family], files, task, out, *options)
    assert read_json(out / "adapter.json")["rank"] == 4
    assert names(out) >= ADAPTER | MODEL


def test_a_tuned_run_can_be_tuned_further(bases, files, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    tune(capsys, bases["gpt"], files, "instruct", first, "--steps", "3")
    tune(capsys, str(first), files, "dpo", second, "--steps", "3", "--peft", "lora")
    third = tmp_path / "third"
    tune(capsys, str(second), files, "classify", third, "--steps", "3")
