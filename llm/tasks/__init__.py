"""Task files in the formats that data sets come in, read into plain dataclasses.

Instructions and chats (`instructions`), preference pairs (`preferences`), texts with
labels (`classification`), tagged words (`conll`), questions about passages (`squad`)
and translations (`parallel`); and sets that are generated, with the rule of their
answers: reviews (`reviews`). What a file holds amiss is told in one line: the file,
the line, what was expected and what was found.
"""

from llm.tasks.classification import Labelled, labels_of, read_labelled
from llm.tasks.conll import Tagged, read_conll, to_iob2
from llm.tasks.instructions import Conversation, Message, read_instructions
from llm.tasks.parallel import Translation, read_parallel
from llm.tasks.preferences import Preference, read_preferences
from llm.tasks.reviews import Reviews
from llm.tasks.squad import Answer, Question, read_squad

__all__ = [
    "Answer",
    "Conversation",
    "Labelled",
    "Message",
    "Preference",
    "Question",
    "Reviews",
    "Tagged",
    "Translation",
    "labels_of",
    "read_conll",
    "read_instructions",
    "read_labelled",
    "read_parallel",
    "read_preferences",
    "read_squad",
    "to_iob2",
]
