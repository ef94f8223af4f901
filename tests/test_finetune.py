"""`python -m llm finetune`, and `evaluate` on what it leaves: every task and method."""

import doctest
import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llm.cli import main
from llm.cli.finding import Find, best_answer
from llm.cli.labelling import Tag, spaced
from llm.cli.tasks import METHODS, load_tuned
from llm.models.bert import BERT, BERTConfig
from llm.models.checkpoint import read_json, read_safetensors, write_json
from llm.models.families import load
from llm.models.gpt import GPT, GPTConfig
from llm.models.heads import SpanExtractor, TokenClassifier
from llm.models.t5 import T5, T5Config
from llm.models.transformer import Transformer, TransformerConfig
from llm.tasks import Conversation, Message, Reviews, Tagged, chat
from llm.tasks.chat import answer_ids, chat_pairs
from llm.text.masking import MARKS
from llm.text.tokenizer import Tokenizer
from llm.train import Trainer

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


def test_instructions_are_learned_and_generate_answers(bases, files, tmp_path, capsys):
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
    options = ("--steps", "60", "--lr", "1e-2")
    result = tune(capsys, bases["gpt"], files, "dpo", tmp_path / "run", *options)
    assert result["after"]["preferred"] > 0.9 > result["before"]["preferred"]


# Each method learns, and leaves the base alone


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_kept_and_leaves_the_base_alone(
    bases, files, tmp_path, capsys, method
):
    out, base = tmp_path / "run", bases["gpt"]
    before = read_safetensors(Path(base) / "model.safetensors")[0]
    options = ("--peft", method, "--steps", "3", "--lr", "3e-2")
    tune(capsys, base, files, "classify", out, *options)
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


# What is printed, held out and cut


def test_a_tenth_is_held_out_and_progress_is_told(bases, files, tmp_path, capsys):
    out, data = tmp_path / "run", files["learned"]["classify"]
    argv = ["finetune", "--model", bases["gpt"], "--task", "classify", "--data", data]
    argv += ["--out", str(out), "--steps", "4", "--log-every", "2"]
    assert main([*argv, "--eval-every", "2", "--peft", "lora"]) == 0
    shown = capsys.readouterr().out
    size = len(LEARNED) // 10
    assert f"{len(LEARNED) - size} examples to learn from, {size} held out" in shown
    assert "parameters train" in shown and "untouched: accuracy" in shown
    assert (
        "step 2/4  loss " in shown
        and "targets/s" in shown
        and "accuracy" in shown.split("step 2/4")[1]
    )
    assert f"python -m llm evaluate --model {out}" in shown
    assert "cut" not in shown
    assert main(["evaluate", "--model", str(out), "--data", data]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("classify: accuracy 0.") and "macro F1" in shown


@pytest.mark.parametrize("method", [(), ("--peft", "lora"), ("--peft", "prefix")])
def test_stopped_and_resumed_equals_straight_through(
    bases, files, tmp_path, capsys, monkeypatch, method
):
    """Ctrl-C after 3 steps of 6, and the same command with --resume."""
    options = ("--steps", "6", "--save-every", "3", *method)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    expected = tune(capsys, bases["gpt"], files, "dpo", whole, *options)
    argv = command(bases["gpt"], files, "dpo", halves, *options)
    update = Trainer.update

    def interrupted(trainer):
        if trainer.step == 2:
            signal.raise_signal(signal.SIGINT)
        return update(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", interrupted)
        assert main(argv) == 0
    assert "stopped, and the same with --resume goes on: 3 steps" in (
        capsys.readouterr().out
    )
    assert "add --resume" in refused(capsys, argv)
    assert "--batch 3: the run in" in refused(
        capsys, [*argv, "--resume", "--batch", "3"]
    )
    found = tune(capsys, bases["gpt"], files, "dpo", halves, *options, "--resume")
    assert found["after"] == expected["after"]
    name = "adapter.safetensors" if method else "model.safetensors"
    a, b = (read_safetensors(out / name)[0] for out in (whole, halves))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_after_instructions_the_way_to_ask_is_told(bases, files, tmp_path, capsys):
    out = tmp_path / "run"
    argv = command(bases["gpt"], files, "instruct", out, "--steps", "1")
    assert main(argv) == 0
    line = rf"generate --model {out} --prompt $'User: …\nAssistant:'"
    assert line in capsys.readouterr().out


def test_columns_may_have_other_names(bases, tmp_path, capsys):
    rows = "sentence\tkind\n" + "a film\tgood\nno film\tbad\n" * 4
    data = write(tmp_path / "sst.tsv", rows)
    files = {part: {"classify": data} for part in ("learned", "held_out")}
    options = ("--columns", "sentence", "kind", "--steps", "1")
    tune(capsys, bases["gpt"], files, "classify", tmp_path / "run", *options)


def test_the_same_seed_gives_the_same_run(bases, files, tmp_path, capsys):
    options = ("--steps", "3", "--seed", "5")
    first = tune(capsys, bases["gpt"], files, "classify", tmp_path / "a", *options)
    second = tune(capsys, bases["gpt"], files, "classify", tmp_path / "b", *options)
    assert first["after"] == second["after"]
    a, b = (read_safetensors(tmp_path / name / "model.safetensors")[0] for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


LONG = " ".join(["The food is good and the view is bad."] * 9)


@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("gpt", "classify"),
        ("bert", "ner"),
        ("bert", "qa"),
        ("gpt", "instruct"),
        ("gpt", "dpo"),
        ("transformer", "seq2seq"),
    ],
)
def test_what_exceeds_the_context_is_cut_and_counted(
    bases, files, tmp_path, capsys, family, task
):
    answer = LONG.rindex("bad")
    question = {"id": "x", "question": "Is it bad? " + LONG, "answers": []}
    question["answers"] = [{"text": "bad", "answer_start": answer}]
    longer = {
        "classify": table(tmp_path / "l.tsv", [type(LEARNED[0])(LONG, "positive")]),
        "ner": write(tmp_path / "l.conll", LONG.replace(" ", " O\n") + " O\n"),
        "qa": write(
            tmp_path / "l.json",
            json.dumps(
                {"data": [{"paragraphs": [{"context": LONG, "qas": [question]}]}]}
            ),
        ),
        "instruct": lines(
            tmp_path / "l.jsonl",
            [
                {"instruction": LONG, "output": "no"},
                {"instruction": "a", "output": LONG},
            ],
        ),
        "dpo": lines(
            tmp_path / "l.dpo.jsonl",
            [
                {"prompt": LONG, "chosen": "good", "rejected": "bad"},
                {"prompt": "a", "chosen": LONG, "rejected": "bad"},
            ],
        ),
        "seq2seq": write(tmp_path / "l.pairs.tsv", f"{LONG}\tgood\n"),
    }
    files["held_out"] = longer
    out = tmp_path / "run"
    result = tune(capsys, bases[family], files, task, out, "--steps", "1")
    assert result["cut"] == result["held_out"]
    argv = ["evaluate", "--model", str(out), "--data", longer[task]]
    assert main(argv) == 0
    count = result["cut"]
    assert capsys.readouterr().out.startswith(
        f"{count} of {count} examples exceed the model's context, and were cut\n"
    )


def test_every_turn_of_a_conversation_is_an_answer(bases, files, tmp_path, capsys):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Good?"},
        {"role": "assistant", "content": "good"},
        {"role": "user", "content": "Bad?"},
        {"role": "assistant", "content": "bad"},
    ]
    files["held_out"]["instruct"] = lines(tmp_path / "c", [{"messages": messages}])
    result = tune(
        capsys, bases["gpt"], files, "instruct", tmp_path / "run", "--steps", "1"
    )
    assert result["held_out"] == 2


# Chinese


def test_chinese_is_classified_tagged_found_and_translated(
    bases, files, tmp_path, capsys
):
    """Bytes serve any language; words are characters, and no spaces come between."""
    tok = Tokenizer.bytes(special=SPECIAL)
    for family, kind in (("bert", BERT), ("t5", T5)):
        config = kind.load(bases[family]).config
        model = kind(replace(config, vocab_size=tok.vocab_size))
        model.save(tmp_path / family)
        tok.save(tmp_path / family / "tokenizer.json")
        bases = {**bases, family: str(tmp_path / family)}
    reviews = [r for r in Reviews("zh").examples(40) if len(r.text) < 12]
    tagged = "\n\n".join("\n".join(f"{c} B-X" for c in r.text) for r in reviews)
    squads = [
        {
            "context": r.text,
            "qas": [
                {
                    "id": str(i),
                    "question": "谁？",
                    "answers": [{"text": r.text[1:3], "answer_start": 1}],
                }
            ],
        }
        for i, r in enumerate(reviews)
    ]
    tree = {"data": [{"paragraphs": squads}]}
    chinese = {
        "classify": table(tmp_path / "zh.tsv", reviews),
        "ner": write(tmp_path / "zh.conll", tagged),
        "qa": write(tmp_path / "zh.json", json.dumps(tree)),
        "seq2seq": write(
            tmp_path / "zh.pairs.tsv",
            "".join(f"{r.text}\t{r.text[:2]}\n" for r in reviews),
        ),
    }
    files = {"learned": chinese, "held_out": chinese}
    for task in chinese:
        family = "t5" if task == "seq2seq" else "bert"
        options = ("--steps", "30", "--lr", "1e-2")
        result = tune(capsys, bases[family], files, task, tmp_path / task, *options)
        if task in ("ner", "qa"):
            assert result["after"]["f1"] > result["before"]["f1"]


def test_words_of_chinese_and_of_english_enter_as_they_are_written():
    assert [spaced(word) for word in ("cat", "猫", "!")] == [" cat", "猫", " !"]


# Examples as ids


def test_a_conversation_becomes_a_pair_for_each_answer():
    assert doctest.testmod(chat) == (0, 1)
    tok = Tokenizer.bytes()
    roles = ("system", "user", "assistant", "user", "assistant")
    talk = Conversation(tuple(Message(role, role[0].upper()) for role in roles))
    (first, answer), (second, _) = chat_pairs(tok, talk)
    assert tok.decode(first) == "System: S\nUser: U\nAssistant:"
    assert tok.decode(answer) == " A<|endoftext|>" and answer[-1] == tok.end
    assert second[: len(first) + len(answer)] == first + answer
    assert tok.decode(second[len(first) + len(answer) :]) == "User: U\nAssistant:"
    endless = Tokenizer.bytes(special=())
    assert endless.decode(answer_ids(endless, "A")) == " A\n"


@pytest.mark.parametrize("family", ["bert", "gpt"])
def test_an_answer_is_found_where_its_tokens_are(bases, tok, tmp_path, family):
    """What points at the target of a question gives its answer back."""
    model = SpanExtractor(load(bases[family]))
    task = Find(model, tok, [])
    path = write(tmp_path / "q.json", json.dumps(asked(LEARNED[:20])))
    questions = task.read(path)
    items, cut = task.encode(questions)
    assert cut == 0
    for question, item in zip(questions, items, strict=True):
        row = torch.zeros(2, len(item.ids))
        row[[0, 1], item.target] = 1.0
        right = question.answers[0].text if question.answers else ""
        assert best_answer(row, item) == right
        assert sorted(set(item.types)) == [0, 1] and len(item.types) == len(item.ids)


@pytest.mark.parametrize(("family", "piece"), [("bert", 0), ("gpt", -1)])
def test_a_word_is_read_at_its_first_token_or_its_last(bases, tok, family, piece):
    words = ("The", "unheard-of", "room")
    task = Tag(TokenClassifier(load(bases[family]), 1), tok, ["O"])
    [item], cut = task.encode([Tagged(words, ("O", "O", "O"))])
    assert cut == 0
    tokens = [tok.encode(f" {word}") for word in words]
    assert [item.ids[place] for place in item.places] == [t[piece] for t in tokens]


# Bad input


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        ("classify", "sentence\tlabel\na\tb\n", "line 1: expected one column 'text'"),
        ("classify", "text\tlabel\na\tb\nc\tb\n", "all examples have the label 'b'"),
        ("ner", "a O\n\nb O\n", "all words are tagged O"),
        ("instruct", '{"instruction": "a", "output": " "}\n', "a text under 'output'"),
        ("dpo", '{"prompt": "a", "chosen": "b"}\n', "expected the key 'rejected'"),
        ("dpo", '{"prompt":"a","chosen":"b","rejected":"c"}\n', "one example"),
    ],
)
def test_bad_files_are_named(bases, tmp_path, capsys, task, text, message):
    name = "bad.tsv" if task == "classify" else "bad.jsonl"
    data, out = write(tmp_path / name, text), tmp_path / "run"
    argv = ["finetune", "--model", bases["gpt"], "--task", task, "--data", data]
    assert message in refused(capsys, [*argv, "--out", str(out)])
    assert not out.exists()


def test_answers_not_in_their_passage_are_named(bases, files, tmp_path, capsys):
    tree = asked(LEARNED[:3])
    tree["data"][0]["paragraphs"][1]["qas"][0]["answers"][0]["answer_start"] = 2
    files["learned"]["qa"] = write(tmp_path / "bad.json", json.dumps(tree))
    argv = command(bases["bert"], files, "qa", tmp_path / "run")
    assert "(id 1): expected the answer" in refused(capsys, argv)


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        ("classify", "text\tlabel\na\tmixed\n", "line 2: expected one of the labels"),
        ("ner", "a B-MIXED\n", "found 'B-MIXED'"),
    ],
)
def test_labels_not_seen_in_training_are_named(
    bases, files, tmp_path, capsys, task, text, message
):
    bad = write(tmp_path / ("bad.tsv" if task == "classify" else "bad.conll"), text)
    out = tmp_path / "run"
    argv = command(bases["gpt"], files, task, out, "--steps", "1")
    assert message in refused(capsys, [*argv, "--validation", bad])
    assert main(argv) == 0
    argv = ["evaluate", "--model", str(out), "--data", bad]
    assert message in refused(capsys, argv)


@pytest.mark.parametrize(
    ("family", "task", "options", "message"),
    [
        ("t5", "classify", (), "holds a T5, and task classify needs a GPT or BERT"),
        ("bert", "instruct", (), "holds a BERT, and task instruct needs a GPT"),
        ("gpt", "seq2seq", (), "needs a T5 or Transformer"),
        ("bert", "classify", ("--peft", "prompt"), "--peft prompt with this model: "),
        (
            "llama",
            "classify",
            ("--peft", "bitfit"),
            "--peft bitfit trains biases, and this model has ",
        ),
        ("t5", "seq2seq", ("--peft", "prefix"), "--peft prefix with this model: "),
        ("gpt", "classify", ("--rank", "4"), "--rank is for --peft lora and dora"),
        ("gpt", "dpo", ("--columns", "a", "b"), "--columns is for --task classify"),
        ("gpt", "classify", ("--peft", "magic"), "invalid choice: 'magic'"),
        ("gpt", "classify", ("--lr", "-1"), "lr=-1.0 must be positive"),
        ("gpt", "classify", ("--steps", "0"), "'0' is not a whole number from 1 on"),
    ],
)
def test_what_does_not_go_together_is_named(
    bases, files, tmp_path, capsys, family, task, options, message
):
    out = tmp_path / "run"
    argv = command(bases[family], files, task, out, *options)
    assert message in refused(capsys, argv)
    assert not out.exists()


def test_files_that_are_missing_or_in_the_way_are_named(bases, files, tmp_path, capsys):
    out = tmp_path / "run"
    argv = command("nowhere", files, "classify", out)
    assert "nowhere" in refused(capsys, argv)
    argv = command(bases["gpt"], files, "classify", out)
    assert "no file absent.tsv" in refused(capsys, [*argv, "--data", "absent.tsv"])
    out.mkdir()
    assert f"{out} exists: add --resume" in refused(capsys, argv)
    resumed = refused(capsys, [*argv, "--resume"])
    assert f"{out} exists: choose another --out" in resumed
    assert list(out.iterdir()) == []


def test_a_tokenizer_without_marks_is_refused_by_bert(bases, files, tmp_path, capsys):
    base = tmp_path / "base"
    BERT.load(bases["bert"]).save(base)
    Tokenizer.bytes().save(base / "tokenizer.json")
    argv = command(str(base), files, "classify", tmp_path / "run")
    assert "neither [CLS] and [SEP] nor <s> and </s>" in refused(capsys, argv)


def test_a_tokenizer_without_an_end_writes_no_translations(
    bases, files, tmp_path, capsys
):
    base = tmp_path / "base"
    T5.load(bases["t5"]).save(base)
    Tokenizer.bytes(special=()).save(base / "tokenizer.json")
    argv = command(str(base), files, "seq2seq", tmp_path / "run")
    assert "has no end token" in refused(capsys, argv)


def test_a_run_that_cannot_be_used_says_why(bases, files, tmp_path, capsys):
    out = tmp_path / "run"
    options = ("--peft", "prompt", "--steps", "1")
    tune(capsys, bases["gpt"], files, "classify", out, *options)
    data = files["held_out"]["classify"]
    argv = ["evaluate", "--model", str(out), "--data", data]
    generate = ["generate", "--model", str(out), "--prompt", "a"]
    assert "was tuned for classify" in refused(capsys, generate)
    again = command(str(out), files, "classify", tmp_path / "again")
    assert f"learned beside {bases['gpt']}" in refused(capsys, again)
    notes = read_json(out / "task.json")
    write_json(out / "task.json", {**notes, "base": str(tmp_path / "gone")})
    assert "gone" in refused(capsys, argv)
    write_json(out / "task.json", {**notes, "base": bases["llama"]})
    refused(capsys, argv)
    write_json(out / "task.json", {**notes, "task": "magic"})
    assert "task 'magic' is none of" in refused(capsys, argv)
    write_json(out / "task.json", notes)
    assert load_tuned(out).task == "classify"
    (out / "adapter.json").unlink()
    assert "its finetune did not finish" in refused(capsys, argv)


def test_a_diverging_run_fails_with_status_1(bases, files, tmp_path, capsys):
    argv = command(bases["gpt"], files, "classify", tmp_path / "run", "--lr", "1e30")
    assert main([*argv, "--steps", "9"]) == 1
    assert "learning rate" in capsys.readouterr().err
