"""Labels as objectives: for a text, for each token, or for the ends of a span.

One loss for the three heads of `llm.models.heads`, as in fine-tuning BERT (Devlin et
al. 2019, arXiv:1810.04805, section 4): the cross-entropy of the right label. A span has
two, the places of its first and of its last token, and the labels are all places.
"""

from torch import nn

from llm.text.batches import Batch
from llm.train.objectives import Loss, cross_entropy


def labels(model: nn.Module, batch: Batch) -> Loss:
    """-log p of each label, summed.

    `batch` holds "ids" and "mask", both (B, T), "types" (B, T) where the model shall
    have them, and "targets": (B,) for a `SequenceClassifier`, (B, T) with IGNORE where
    there is no label for a `TokenClassifier`, (B, 2) for a `SpanExtractor`.
    """
    logits = model(batch["ids"], mask=batch["mask"], types=batch.get("types"))
    return cross_entropy(logits, batch["targets"])
