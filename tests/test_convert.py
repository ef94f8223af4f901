"""`python -m llm convert`: to and from Hugging Face, as a user would call it."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    XLNetConfig,
    XLNetLMHeadModel,
)

from llm import GPT, GPTConfig, Tokenizer
from llm.cli import main
from llm.models import Recurrent, RecurrentConfig, families

TEXT = "The cat sat on the mat. The dog sat on the log. " * 20


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A directory of ours: a model and its tokenizer."""
    tok = Tokenizer.train(TEXT, 300)
    GPT(GPTConfig(tok.vocab_size, 16, 2, 2, 16)).save(tmp_path / "run")
    tok.save(tmp_path / "run" / "tokenizer.json")
    return tmp_path / "run"


def convert(source: Path, to: Path, form: str) -> int:
    argv = ["convert", "--from", str(source), "--to", str(to), "--format", form]
    return main(argv)


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def test_there_and_back_is_the_same(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(run, tmp_path / "hf", "hf") == 0
    assert "a GPT of" in capsys.readouterr().out
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    library = AutoTokenizer.from_pretrained(tmp_path / "hf")
    ids = Tokenizer.load(run / "tokenizer.json").encode(TEXT)
    assert library(TEXT, add_special_tokens=False)["input_ids"] == ids
    batch = torch.tensor([ids[:16]])
    expected = GPT.load(run)(batch)
    assert (theirs(batch).logits - expected).abs().max() <= 1e-5

    assert convert(tmp_path / "hf", tmp_path / "back", "llm") == 0
    assert GPT.load(tmp_path / "back")(batch).equal(expected)
    assert Tokenizer.load(tmp_path / "back" / "tokenizer.json").encode(TEXT) == ids
    argv = ["generate", "--model", str(tmp_path / "back"), "--prompt", "The"]
    assert main([*argv, "--max-tokens", "5"]) == 0


def test_without_a_tokenizer_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = {"vocab_size": 9, "n_positions": 8, "n_embd": 8, "n_layer": 1, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(**shape)).save_pretrained(tmp_path / "theirs")
    assert convert(tmp_path / "theirs", tmp_path / "ours", "llm") == 0
    assert "no tokenizer, for there was none" in capsys.readouterr().out
    assert isinstance(families.load(tmp_path / "ours"), GPT)


def test_nothing_is_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(run, run, "hf") == 2
    assert "exists: choose another --to" in refused(capsys)


def test_what_does_not_belong_together_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Tokenizer.train(TEXT, 310, special=[f"<{i}>" for i in range(54)]).save(
        run / "tokenizer.json"
    )
    assert convert(run, tmp_path / "hf", "hf") == 2
    assert "310 ids and an embedding of 276" in refused(capsys)
    assert not (tmp_path / "hf").exists()


def test_a_tokenizer_without_a_form_there_leaves_nothing_behind(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Tokenizer.chars(TEXT).save(run / "tokenizer.json")
    assert convert(run, tmp_path / "hf", "hf") == 2
    assert "of characters" in refused(capsys)
    assert not (tmp_path / "hf").exists()


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A Llama checkpoint in several files."""
    config = LlamaConfig(
        vocab_size=64,
        max_position_embeddings=8,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "s", max_shard_size="10KB")
    assert len(list((tmp_path / "s").glob("*.safetensors"))) > 2
    return tmp_path / "s"


def test_shards_give_what_they_give_together(sharded: Path) -> None:
    theirs = AutoModelForCausalLM.from_pretrained(sharded).eval()
    ids = torch.randint(64, (2, 8))
    difference = GPT.from_hf(sharded)(ids) - theirs(ids).logits
    assert difference.abs().max() <= 1e-5


def test_a_missing_shard_is_named(
    sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[1]
    shard.unlink()
    assert convert(sharded, tmp_path / "ours", "llm") == 2
    assert f"has no {shard.name}" in refused(capsys)


def test_a_truncated_shard_is_named(
    sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[0]
    shard.write_bytes(shard.read_bytes()[:-100])
    assert convert(sharded, tmp_path / "ours", "llm") == 2
    assert f"{shard} is damaged" in refused(capsys)


def test_a_shard_that_lacks_what_the_index_promises_is_named(
    sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[0]
    tensors = load_file(shard)
    name = sorted(tensors)[0]
    del tensors[name]
    save_file(tensors, shard)
    assert convert(sharded, tmp_path / "ours", "llm") == 2
    assert f"{shard} lacks {name}" in refused(capsys)


def test_an_index_cannot_lead_out_of_its_directory(
    sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = sharded / "model.safetensors.index.json"
    values = json.loads(index.read_text())
    for name in values["weight_map"]:
        values["weight_map"][name] = "../outside.safetensors"
    index.write_text(json.dumps(values))
    save_file({"x": torch.ones(1)}, tmp_path / "outside.safetensors")
    assert convert(sharded, tmp_path / "ours", "llm") == 2
    assert "has no outside.safetensors" in refused(capsys)


def test_an_index_without_a_map_is_named(
    sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sharded / "model.safetensors.index.json").write_text("{}")
    assert convert(sharded, tmp_path / "ours", "llm") == 2
    assert "has no weight_map" in refused(capsys)


def test_pickled_weights_are_not_opened(
    sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sharded.glob("*.safetensors*"):
        path.unlink()
    (sharded / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert convert(sharded, tmp_path / "ours", "llm") == 2
    assert "pytorch_model.bin is a pickle" in refused(capsys)


def test_a_family_that_we_do_not_have_is_named(
    run: Path, sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(run, tmp_path / "ours", "llm") == 2
    assert "model_type None is none of gpt2, llama" in refused(capsys)
    assert convert(sharded, tmp_path / "hf", "hf") == 2
    assert "model None is none of gpt" in refused(capsys)


def test_a_name_on_the_hub_needs_its_library(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert convert(Path("org/model"), tmp_path / "ours", "llm") == 2
    assert "pip install huggingface_hub" in refused(capsys)


def test_a_name_on_the_hub_without_a_network_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def unreachable(name: str, **_: object) -> str:
        raise ConnectionError(f"no route to {name}\nsecond line")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    assert convert(Path("org/model"), tmp_path / "ours", "llm") == 2
    assert "ConnectionError: no route to org/model" in refused(capsys)


def test_a_name_on_the_hub_is_downloaded(
    sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = []

    def download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert not any("bin" in pattern for pattern in allow_patterns)
        return str(sharded)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert GPT.from_hf("org/model").config.layers == 2
    assert asked == ["org/model"]


FAMILIES = {
    "bert": lambda: BertForMaskedLM(
        BertConfig(
            vocab_size=20,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=12,
            max_position_embeddings=8,
        )
    ),
    "bert with labels": lambda: BertForSequenceClassification(
        BertConfig(
            vocab_size=20,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=12,
            max_position_embeddings=8,
            num_labels=3,
        )
    ),
    "t5": lambda: T5ForConditionalGeneration(
        T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2)
    ),
    "xlnet": lambda: XLNetLMHeadModel(
        XLNetConfig(vocab_size=20, d_model=8, n_layer=1, n_head=2, d_inner=12)
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_comes_and_goes(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = FAMILIES[family]()
    theirs.save_pretrained(tmp_path / "theirs")
    assert convert(tmp_path / "theirs", tmp_path / "ours", "llm") == 0
    assert convert(tmp_path / "ours", tmp_path / "back", "hf") == 0
    back = type(theirs).from_pretrained(tmp_path / "back").state_dict()
    own = theirs.state_dict()
    assert own.keys() == back.keys()
    for name, tensor in own.items():
        assert back[name].equal(tensor), name


def test_a_family_without_a_form_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recurrent(RecurrentConfig(9, 1, 8)).save(tmp_path / "run")
    assert convert(tmp_path / "run", tmp_path / "hf", "hf") == 2
    assert "holds a Recurrent: transformers has none" in refused(capsys)
    assert not (tmp_path / "hf").exists()
