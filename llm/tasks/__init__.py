"""Task files in the formats that data sets come in, read into plain dataclasses.

Instructions and chats (`instructions`), preference pairs (`preferences`), texts with
labels (`classification`), tagged words (`conll`), questions about passages (`squad`)
and translations (`parallel`). What a file holds amiss is told in one line: the file,
the line, what was expected and what was found.

Sets that are generated, with the rule of their answers: reviews (`reviews`), names in
sentences (`entities`), facts in passages (`facts`), numbers and dates in two languages
(`numbers`), reports and their key facts (`reports`), programs with tests (`programs`,
run by `sandbox`), and episodes whose rule stands in the context alone (`episodes`).

Answers without training: prompts with examples (`prompts`), options compared by their
likelihood (`choice`), chains of thought that vote (`chains`).

A module is loaded when it is first asked for, so that the record of a run depends on
what it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm.tasks.chains import (
        Vote,
        explained,
        extract_answer,
        self_consistency,
        vote,
    )
    from llm.tasks.choice import Choice, calibrate, choose, option_log_probs
    from llm.tasks.classification import Labelled, labels_of, read_labelled
    from llm.tasks.conll import Tagged, read_conll, to_iob2
    from llm.tasks.entities import Entities
    from llm.tasks.episodes import (
        Episodes,
        KeyLabels,
        Linear,
        Recall,
        answer_episodes,
    )
    from llm.tasks.facts import Facts
    from llm.tasks.instructions import Conversation, Message, read_instructions
    from llm.tasks.numbers import Numbers
    from llm.tasks.numerals import chinese_number, read_chinese_number
    from llm.tasks.parallel import Translation, read_parallel
    from llm.tasks.preferences import Preference, read_preferences
    from llm.tasks.programs import Case, Program, Programs, check_program
    from llm.tasks.prompts import (
        Example,
        Format,
        Prompt,
        build_prompt,
        choose_examples,
    )
    from llm.tasks.reports import KeyFact, Report, Reports
    from llm.tasks.reviews import Reviews
    from llm.tasks.sandbox import Outcome, run_calls
    from llm.tasks.squad import Answer, Question, read_squad

__all__ = [
    "Answer",
    "Case",
    "Choice",
    "Conversation",
    "Entities",
    "Episodes",
    "Example",
    "Facts",
    "Format",
    "KeyFact",
    "KeyLabels",
    "Labelled",
    "Linear",
    "Message",
    "Numbers",
    "Outcome",
    "Preference",
    "Program",
    "Programs",
    "Prompt",
    "Question",
    "Recall",
    "Report",
    "Reports",
    "Reviews",
    "Tagged",
    "Translation",
    "Vote",
    "answer_episodes",
    "build_prompt",
    "calibrate",
    "check_program",
    "chinese_number",
    "choose",
    "choose_examples",
    "explained",
    "extract_answer",
    "labels_of",
    "option_log_probs",
    "read_chinese_number",
    "read_conll",
    "read_instructions",
    "read_labelled",
    "read_parallel",
    "read_preferences",
    "read_squad",
    "run_calls",
    "self_consistency",
    "to_iob2",
    "vote",
]

MODULES = {
    "chains": ("Vote", "explained", "extract_answer", "self_consistency", "vote"),
    "choice": ("Choice", "calibrate", "choose", "option_log_probs"),
    "classification": ("Labelled", "labels_of", "read_labelled"),
    "conll": ("Tagged", "read_conll", "to_iob2"),
    "entities": ("Entities",),
    "episodes": ("Episodes", "KeyLabels", "Linear", "Recall", "answer_episodes"),
    "facts": ("Facts",),
    "instructions": ("Conversation", "Message", "read_instructions"),
    "numbers": ("Numbers",),
    "numerals": ("chinese_number", "read_chinese_number"),
    "parallel": ("Translation", "read_parallel"),
    "preferences": ("Preference", "read_preferences"),
    "programs": ("Case", "Program", "Programs", "check_program"),
    "prompts": ("Example", "Format", "Prompt", "build_prompt", "choose_examples"),
    "reports": ("KeyFact", "Report", "Reports"),
    "reviews": ("Reviews",),
    "sandbox": ("Outcome", "run_calls"),
    "squad": ("Answer", "Question", "read_squad"),
}


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
