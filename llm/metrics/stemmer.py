"""Porter's stemmer (Porter 1980): "relational" and "related" both become "relat".

Published ROUGE figures mostly count stems. Endings come off in five steps, each only
from a stem that is long enough: its measure is the number of times that a vowel is
followed by a consonant ("tr" 0, "trouble" 1, "private" 2; y after a consonant is a
vowel). What differs from the paper is what NLTK's default differs in, which rouge-score
uses; it is marked "not in the paper".
"""

# Endings and what replaces them; of two that fit, the longer one stands first.
STEP_2 = {
    "ational": "ate",
    "ization": "ize",
    "iveness": "ive",
    "fulness": "ful",
    "ousness": "ous",
    "tional": "tion",
    "biliti": "ble",
    "entli": "ent",
    "ousli": "ous",
    "ation": "ate",
    "alism": "al",
    "aliti": "al",
    "iviti": "ive",
    "fulli": "ful",  # not in the paper
    "enci": "ence",
    "anci": "ance",
    "izer": "ize",
    "alli": "al",
    "ator": "ate",
    "bli": "ble",  # the paper has abli: able
    "eli": "e",
}
STEP_3 = {
    "icate": "ic",
    "ative": "",
    "alize": "al",
    "iciti": "ic",
    "ical": "ic",
    "ness": "",
    "ful": "",
}
STEP_4 = dict.fromkeys(
    [
        "ement",
        "ance",
        "ence",
        "able",
        "ible",
        "ment",
        "ant",
        "ent",
        "ism",
        "ate",
        "iti",
        "ous",
        "ive",
        "ize",
        "al",
        "er",
        "ic",
        "ou",
    ],
    "",
)
# Not in the paper: words that the steps would confuse with others.
IRREGULAR = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}


def stem(word: str) -> str:
    """The stem of an English word in lower case; words of two letters are their own."""
    if word in IRREGULAR or len(word) <= 2:
        return IRREGULAR.get(word, word)
    word = past_and_progressive(plural(word))
    if word.endswith("y") and len(word) > 2 and shape(word[:-1])[-1] == "c":
        word = word[:-1] + "i"  # in the paper, wherever there is a vowel before
    word = derived(word)
    word = replace(word, STEP_3, above=0)
    if word.endswith(("sion", "tion")):
        word = word[:-3] if measure(word[:-3]) > 1 else word
    else:
        word = replace(word, STEP_4, above=1)
    return tidy(word)


def shape(word: str) -> str:
    """A "c" for each consonant and a "v" for each vowel: "cvc" for "syl"."""
    letters = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and letters.endswith("c"))
        letters += "v" if vowel else "c"
    return letters


def measure(word: str) -> int:
    """How often a vowel is followed by a consonant."""
    return shape(word).count("vc")


def is_short(word: str) -> bool:
    """Whether it ends like "hop": consonant, vowel, consonant other than w, x, y.

    Not in the paper: or is a vowel and a consonant, like "us".
    """
    return shape(word) == "vc" or (
        shape(word).endswith("cvc") and word[-1] not in "wxy"
    )


def replace(word: str, endings: dict[str, str], *, above: int) -> str:
    """Replace the ending of the table, if what is left has a measure above a number."""
    for ending, other in endings.items():
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            return rest + other if measure(rest) > above else word
    return word


def plural(word: str) -> str:
    """Step 1a: caresses, ponies, cats."""
    if word.endswith("ies") and len(word) == 4:  # not in the paper: "ties", "tie"
        return word[:-1]
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def past_and_progressive(word: str) -> str:
    """Step 1b: agreed, plastered, motoring; hopping and filing become hop and file."""
    if word.endswith("ied"):  # not in the paper: "tied", "tie"; "tried", "tri"
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if measure(word[:-3]) > 0 else word
    ending = next((end for end in ("ed", "ing") if word.endswith(end)), "")
    rest = word.removesuffix(ending)
    if not ending or "v" not in shape(rest):
        return word
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if rest[-1:] == rest[-2:-1] and shape(rest)[-1] == "c":
        return rest if rest[-1] in "lsz" else rest[:-1]
    return rest + "e" if measure(rest) == 1 and is_short(rest) else rest


def derived(word: str) -> str:
    """Step 2: relational, sensibility, vietnamization."""
    if word.endswith("alli") and measure(word[:-4]) > 0:
        return derived(word[:-2])  # in the paper, no further ending comes off
    if word.endswith("logi"):  # not in the paper
        return word[:-1] if measure(word[:-3]) > 0 else word
    return replace(word, STEP_2, above=0)


def tidy(word: str) -> str:
    """Step 5: probate, cease, controll."""
    rest = word.removesuffix("e")
    if rest != word:
        size = measure(rest)
        word = rest if size > 1 or (size == 1 and not is_short(rest)) else word
    return word[:-1] if word.endswith("ll") and measure(word[:-1]) > 1 else word
