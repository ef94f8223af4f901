"""Checkpoints of Hugging Face `transformers`, there and back.

They hold the same numbers as ours under other names, some of them transposed or laid
together. `layout` has what all families share; a module a family has its names.
"""
