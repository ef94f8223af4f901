"""Instructions and conversations from JSON Lines.

Two ways of writing are common, and a file may mix them. That of Alpaca has the keys
"instruction", "input" (which may be missing or empty) and "output":

    {"instruction": "Translate to Chinese.", "input": "Hello", "output": "你好"}

That of chats has the key "messages", each with a role and a content:

    {"messages": [{"role": "user", "content": "Hi"},
                  {"role": "assistant", "content": "Hello!"}]}
"""

from dataclasses import dataclass
from pathlib import Path

from llm.tasks.files import Object, fault, read_objects, text_of


@dataclass(frozen=True)
class Message:
    """What one side says: its role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """Messages in turn: perhaps one of the system, then user and assistant."""

    messages: tuple[Message, ...]


def read_instructions(path: str | Path) -> list[Conversation]:
    """The conversations of a file; an instruction is one of a question and an answer.

    An instruction and its input are put together with an empty line between. Raises
    ValueError, with the file and the line, for a line that is no JSON object, a missing
    key, an empty text, or roles out of turn; and as `llm.tasks.files.read_lines` does.
    """
    return [
        read_messages(path, number, item)
        if "messages" in item
        else read_alpaca(path, number, item)
        for number, item in read_objects(path)
    ]


def read_alpaca(path: str | Path, line: int, item: Object) -> Conversation:
    """One line with the keys of Alpaca."""
    if "instruction" not in item:
        expected = "the key 'messages', or 'instruction' and 'output'"
        raise fault(path, line, expected=expected, found=list(item))
    question = text_of(path, line, item, key="instruction")
    more = item.get("input") or ""
    if not isinstance(more, str):
        raise fault(path, line, expected="a text under 'input'", found=more)
    if more.strip():
        question = f"{question}\n\n{more}"
    answer = text_of(path, line, item, key="output")
    return Conversation((Message("user", question), Message("assistant", answer)))


def read_messages(path: str | Path, line: int, item: Object) -> Conversation:
    """One line with the key "messages"."""
    items = item["messages"]
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        expected = "a list of objects under 'messages'"
        raise fault(path, line, expected=expected, found=items)
    messages = tuple(
        Message(
            text_of(path, line, one, key="role"),
            text_of(path, line, one, key="content"),
        )
        for one in items
    )
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        expected = "user and assistant in turn, after a system message or none"
        raise fault(path, line, expected=f"roles {expected}", found=roles)
    return Conversation(messages)
