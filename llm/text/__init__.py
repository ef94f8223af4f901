"""Text to ids to batches: tokenizers, corpora, windows."""
