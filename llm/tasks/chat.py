"""How a conversation is written down for a language model: as plain text.

    User: Translate to Chinese. Hello
    Assistant: 你好<|endoftext|>

A model that continues what stands up to "Assistant:" answers, and the end token says
that it has done so. Nothing here is a special token but that end, so that any model can
learn it whatever its vocabulary; "System: …" is a line before the first.
"""

from collections.abc import Sequence

from llm.tasks.instructions import Conversation, Message
from llm.text.tokenizer import Tokenizer

NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}


def chat_prompt(messages: Sequence[Message]) -> str:
    """What the model continues with its answer to the last of `messages`.

    >>> chat_prompt([Message("user", "Hi")])
    'User: Hi\\nAssistant:'
    """
    lines = [f"{NAMES[message.role]}: {message.content}\n" for message in messages]
    return "".join(lines) + "Assistant:"


def answer_ids(tok: Tokenizer, answer: str) -> list[int]:
    """The ids of an answer to `chat_prompt`, with what ends it."""
    ending = tok.encode("\n") if tok.end is None else [tok.end]
    return tok.encode(f" {answer}") + ending


def chat_pairs(
    tok: Tokenizer, conversation: Conversation
) -> list[tuple[list[int], list[int]]]:
    """Each answer of the assistant, and all that comes before it: pairs of ids."""
    pairs = []
    before: list[int] = []  # what has been said and answered
    said: list[Message] = []  # what is still to be answered
    for message in conversation.messages:
        if message.role != "assistant":
            said.append(message)
            continue
        prompt = before + tok.encode(chat_prompt(said))
        answer = answer_ids(tok, message.content)
        pairs.append((prompt, answer))
        before, said = prompt + answer, []
    return pairs
