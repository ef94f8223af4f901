"""BERT from scratch: mask tokens, train in both directions, probe, fine-tune."""

# %% corpus
from random import Random

import torch

from llm.text.masking import MARKS, Marks

torch.set_num_threads(1)  # small shapes gain nothing from more

# Singular and plural. The last of each topic has one form for both.
NOUNS = {
    "farm": "hen hens pig pigs sheep sheep",
    "water": "frog frogs crab crabs fish fish",
    "forest": "owl owls bear bears deer deer",
    "house": "cat cats child children offspring offspring",
}
VERBS = "sleeps sleep waits wait".split()
forms = {topic: nouns.split() for topic, nouns in NOUNS.items()}


def sentence(random, topic):
    """Words that agree: "these sheep near the cow sleep"."""
    plural = random.randrange(2)
    start = random.choice(["the", ("this", "these")[plural]])
    words = [start, forms[topic][2 * random.randrange(3) + plural]]
    for _ in range(random.randrange(3)):
        words += [random.choice(["near", "behind"]), "the", random.choice(forms[topic])]
    return [*words, VERBS[2 * random.randrange(2) + plural]]


def document(random):
    """Four sentences on one topic."""
    topic = random.choice(list(forms))
    return [sentence(random, topic) for _ in range(4)]


vocabulary = [*MARKS, "the", "this", "these", "near", "behind", *VERBS]
vocabulary += sorted({noun for nouns in forms.values() for noun in nouns})
id_of = {word: id for id, word in enumerate(vocabulary)}
marks = Marks(*range(4))


def encode(words):
    """Ids of words."""
    return [id_of[word] for word in words]


random = Random(0)
documents = [[encode(s) for s in document(random)] for _ in range(2000)]
held_out = [[encode(s) for s in document(random)] for _ in range(500)]
for ids in documents[0]:
    print(" ".join(vocabulary[id] for id in ids))
print(len(vocabulary), "words")

# %% mask
import numpy as np

from llm.text.batches import IGNORE
from llm.text.masking import Masking, mask_tokens

masking = Masking(marks, len(vocabulary))
text = encode("[CLS] these sheep near the hen behind the pig sleep [SEP]".split())
for seed in range(4):
    seen, targets = mask_tokens(
        torch.tensor(text), masking, random=np.random.default_rng(seed)
    )
    chosen = targets != IGNORE
    print(" ".join(vocabulary[id] for id in seen))
    print("   to name:", " ".join(vocabulary[id] for id in targets[chosen]))

many = torch.tensor(text).repeat(20000, 1)
seen, targets = mask_tokens(many, masking, random=np.random.default_rng(0))
chosen = targets != IGNORE
share_hidden = (seen[chosen] == marks.mask).float().mean().item()
share_same = (seen == targets)[chosen].float().mean().item()
print(f"[MASK] {share_hidden:.3f}, as it was {share_same:.3f}")

# %% embed
from llm.models.bert import BERT, BERTConfig

torch.manual_seed(0)
shape = {"context": 24, "layers": 2, "heads": 4, "width": 64}
std = 0.02 * (768 / 64) ** 0.5  # BERT's, for our width
bert = BERT(BERTConfig(len(vocabulary), **shape, init_std=std)).eval()

ids = torch.tensor([[*text[:4], 2, *text[4:6], 2]])  # [CLS] A [SEP] B [SEP]
types = torch.tensor([[0] * 5 + [1] * 3])
word = bert.embedding.weight[ids]  # (B, T, C): which word it is
place = bert.position.weight[:8]  # (T, C): where it stands
part = bert.segment.weight[types]  # (B, T, C): A or B
summed = bert.norm(word + place + part)
embed_error = (summed - bert.embed(ids, types)).abs().max().item()
print(f"largest difference: {embed_error:.1e}")

with torch.device("meta"):
    base = BERT(BERTConfig(30522, 512, layers=12, heads=12, width=768))
base_count = base.parameter_count()
base_parameters = sum(base_count.values())
for name, number in base_count.items():
    print(f"{name:14}{number:12,}")
print(f"{'BERT base':14}{base_parameters:12,}")

# %% train tolerance=0.2
from llm import TrainConfig, Trainer
from llm.text.masking import MaskedTexts
from llm.train.objectives import masked_token

steps = 500
rows = [[marks.begin, *ids, marks.end] for document in documents for ids in document]
texts = MaskedTexts(rows, masking, batch_size=64)
rates = {"optimizer": "muon", "lr": 0.02, "embedding_lr": 0.01, "other_lr": 0.005}
config = TrainConfig(steps=steps, schedule="linear", warmup=50, **rates)
records = Trainer(bert, texts, config=config, objective=masked_token).fit()
bert.eval()
losses = [record["loss"] for record in records]
bert_parameters = sum(bert.parameter_count().values())
print(f"{bert_parameters:,} parameters, loss {losses[0]:.2f} to {losses[-1]:.2f}")

# %% parts tolerance=0.2
new_rows = [[marks.begin, *ids, marks.end] for document in held_out for ids in document]
tests = MaskedTexts(new_rows, masking, batch_size=2000, seed=1)(0)
with torch.no_grad():
    log_p = bert(tests["ids"], mask=tests["mask"]).log_softmax(-1)
chosen = tests["targets"] != IGNORE
right = tests["targets"][chosen]
found = -log_p[chosen].gather(1, right[:, None])[:, 0]
seen = tests["ids"][chosen]
cases = {
    "hidden": seen == marks.mask,
    "replaced": (seen != marks.mask) & (seen != right),
    "kept": seen == right,
}
case_losses = {name: found[case].mean().item() for name, case in cases.items()}
case_counts = {name: int(case.sum()) for name, case in cases.items()}
for name, loss in case_losses.items():
    print(f"{name:9} {case_counts[name]:5} tokens, {loss:.3f} nats")
case_hidden, case_kept = case_losses["hidden"], case_losses["kept"]

# %% gpt tolerance=0.2
from dataclasses import replace

from llm import GPT, GPTConfig


def whole(step):
    """A batch for a GPT: sentences as they are, each word's target the next word."""
    random = Random(step)
    rows = [random.choice(random.choice(documents)) for _ in range(64)]
    table = torch.full((64, 11), marks.pad)
    for i, row in enumerate(rows):
        table[i, : len(row) + 2] = torch.tensor([marks.begin, *row, marks.end])
    targets = table[:, 1:].masked_fill(table[:, 1:] == marks.pad, IGNORE)
    return {"ids": table[:, :-1], "targets": targets}


torch.manual_seed(0)
gpt = GPT(GPTConfig(len(vocabulary), **shape))
Trainer(gpt, whole, config=replace(config, steps=300)).fit()
gpt.eval()


# %% probe tolerance=0.05
def probes(place, count=500):
    """Sentences in which one word of two forms is masked, with both forms."""
    random = Random(1)
    while count:
        words = sentence(random, random.choice(list(forms)))
        plural = words[-1] in VERBS[1::2]
        # One form for both numbers: only the determiner and the verb tell.
        deer = words[1] in ("sheep", "fish", "deer", "offspring")
        if place == "verb":
            verb = VERBS.index(words[-1])
            right, wrong, at = words[-1], VERBS[verb ^ 1], len(words)
            clear = words[0] != "the" or not deer
        else:
            right, wrong = ("this", "these")[plural], ("this", "these")[not plural]
            at, clear = 1, words[0] == right and deer
        # An attractor stands beside the verb and is of the other number.
        noun = words[-2]
        if clear and len(words) > 3 and noun in forms_of(not plural):
            count -= 1
            yield encode(["[CLS]", *words, "[SEP]"]), at, id_of[right], id_of[wrong]


def forms_of(plural):
    """All nouns that are of one number alone."""
    return {noun for nouns in forms.values() for noun in nouns[plural:4:2]}


@torch.no_grad()
def accuracy(place, model):
    """How often the right form is likelier than the wrong one."""
    score = total = 0
    for ids, at, right, wrong in probes(place):
        row = torch.tensor([ids])
        if isinstance(model, GPT):  # reads what stands before
            logits = model(row[:, :at])[0, -1]
        else:
            row[0, at] = marks.mask
            logits = model(row)[0, at]
        score += (logits[right] > logits[wrong]).item()
        total += 1
    return score / total


agreement = {
    f"{name} {place}": accuracy(place, model)
    for place in ("verb", "determiner")
    for name, model in {"bert": bert, "gpt": gpt}.items()
}
for name, share in agreement.items():
    print(f"{name:16} {share:.1%}")


# %% next tolerance=0.1
from llm.text.masking import SentencePairs
from llm.train.objectives import masked_and_next_sentence

torch.manual_seed(0)
paired = BERT(BERTConfig(len(vocabulary), **shape, init_std=std))
pairs = SentencePairs(documents, masking, context=24, batch_size=32)
longer = replace(config, steps=800)
Trainer(paired, pairs, config=longer, objective=masked_and_next_sentence).fit()
paired.eval()


def pair_accuracy(documents, *, same_topic=False):
    """How often the model tells whether B follows A."""
    random, score = Random(2), 0
    for i in range(1000):
        label = i % 2  # 1: B is random
        own = random.choice(documents)
        place = random.randrange(3)
        a, b = own[place], own[place + 1]
        if label:
            others = [d for d in documents if d is not own]
            if same_topic:
                others = [d for d in others if topic_of(d) == topic_of(own)]
            b = random.choice(random.choice(others))
        ids = torch.tensor([[marks.begin, *a, marks.end, *b, marks.end]])
        types = torch.tensor([[0] * (len(a) + 2) + [1] * (len(b) + 1)])
        with torch.no_grad():
            said = paired.follows(paired.features(ids, types=types)).argmax().item()
        score += said == label
    return score / 1000


def topic_of(document):
    """The topic that most words of a document belong to."""
    words = {vocabulary[id] for ids in document for id in ids}
    return max(forms, key=lambda topic: len(words.intersection(forms[topic])))


next_accuracy = {
    "as trained": pair_accuracy(held_out),
    "same topic": pair_accuracy(held_out, same_topic=True),
}
next_ceiling = 1 - 0.5 / len(forms)  # a random B shares the topic so often
for name, share in next_accuracy.items():
    print(f"{name:15} {share:.1%}")
paired_verb = accuracy("verb", paired)
print(f"by topic alone  {next_ceiling:.1%}")
print(f"masked verbs    {paired_verb:.1%}")
next_trained, next_same = next_accuracy.values()

# %% attention tolerance=0.5
import matplotlib.pyplot as plt

from llm.nn.attention import split_heads

words = "[CLS] these sheep near the hen [MASK] [SEP]".split()


@torch.no_grad()
def look(model, ids):
    """Weights of the last block's attention, mean over heads: (T, T)."""
    kept = []
    block = model.blocks[-1]
    hook = block.attention.register_forward_pre_hook(lambda _, x: kept.append(x[0]))
    model.features(ids)
    hook.remove()
    q = split_heads(block.attention.query(kept[0]), 4)  # (1, H, T, D)
    k = split_heads(block.attention.key(kept[0]), 4)
    scores = q @ k.mT / q.size(-1) ** 0.5  # (1, H, T, T)
    if isinstance(model, GPT):
        scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
    return scores.softmax(-1).mean(1)[0]


ids = torch.tensor([encode(words)])
fig, axes = plt.subplots(1, 2, figsize=(7, 3.6))
for ax, (title, model) in zip(axes, {"BERT": bert, "GPT": gpt}.items()):
    ax.imshow(look(model, ids), cmap="Blues", vmin=0, vmax=1)
    ax.set_xticks(range(len(words)), words, rotation=90)
    ax.set_yticks(range(len(words)), words)
    ax.set_title(title)
fig.tight_layout()

# %% losses tolerance=0.2
fig, ax = plt.subplots(figsize=(6, 2.2))
names = ["[MASK]", "random word", "left as it was"]
ax.barh(names, list(case_losses.values()), color=["C0", "C1", "C2"])
ax.invert_yaxis()
ax.set(xlabel="nats a token")
fig.tight_layout()

# %% fine-tune tolerance=0.1
import copy

from llm.models.heads import SequenceClassifier
from llm.train.objectives import cross_entropy


def labelled(count, seed):
    """Sentences, and whether their verb agrees; half of them do not."""
    random, rows, labels = Random(seed), [], []
    while len(rows) < count:
        words = sentence(random, random.choice(list(forms)))
        if words[0] == "the":  # may agree with either
            continue
        label = random.randrange(2)
        verb = VERBS[VERBS.index(words[-1]) ^ (not label)]
        rows.append(torch.tensor(encode(["[CLS]", *words[:-1], verb, "[SEP]"])))
        labels.append(label)
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return {"ids": ids, "mask": ids != marks.pad, "labels": torch.tensor(labels)}


def label(model, batch):
    """Cross-entropy of the label of each text."""
    return cross_entropy(model(batch["ids"], mask=batch["mask"]), batch["labels"])


def fine_tune(below, examples):
    """Accuracy on new sentences after 40 steps on a few labelled ones."""
    torch.manual_seed(0)
    classifier = SequenceClassifier(copy.deepcopy(below), classes=2)
    few, new = labelled(examples, seed=3), labelled(500, seed=4)
    config = TrainConfig(steps=40, lr=1e-3, warmup=5, schedule="linear")
    Trainer(classifier, lambda step: few, config=config, objective=label).fit()
    with torch.no_grad():
        said = classifier.eval()(new["ids"], mask=new["mask"]).argmax(-1)
    return (said == new["labels"]).float().mean().item()


fresh = BERT(bert.config)
tuned = {
    f"{examples} {name}": fine_tune(model, examples)
    for examples in (32, 128)
    for name, model in {"pre-trained": bert, "fresh": fresh}.items()
}
for name, share in tuned.items():
    print(f"{name:16} {share:.1%}")
