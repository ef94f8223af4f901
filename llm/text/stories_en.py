"""The English stories: two friends, what they own, pick, hide, swap and compare.

Nouns and verbs agree in number, pronouns with the person; sums are right; who is
tallest follows from who is taller than whom; things stay with their owner until they
are swapped.
"""

from itertools import product
from typing import NamedTuple

from llm.text.grammar import Options, Story, one_of, say


class Person(NamedTuple):
    """Someone, with the pronouns."""

    name: str
    he: str
    his: str


class Things(NamedTuple):
    """One or more things of a kind, such as a red kite or two blue drums."""

    number: int
    colour: str
    noun: str

    @property
    def some(self) -> str:
        """With an article or a number: a red kite, two blue drums."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.bare}" if self.number == 1 else self.bare

    @property
    def bare(self) -> str:
        """Without an article: red kite, two blue drums."""
        words = f"{self.colour} {count(self.number, self.noun)}"
        return words if self.number == 1 else f"{NUMBERS[self.number]} {words}"


NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
]
PEOPLE = {
    name: Person(name, *pronouns)
    for names, pronouns in [
        ("Anna Clara Emma Lucy Mia Nora", ("she", "her")),
        ("Ben David Jack Leo Sam Tom", ("he", "his")),
    ]
    for name in names.split()
}
TIMES = one_of(
    ["One sunny morning", "One day", "Last Sunday", "After school", "In May"]
)
PLACES = one_of(["the beach", "the park", "the lake", "the old mill", "the bridge"])
COLOURS = ["red", "blue", "green", "yellow", "white", "black", "orange", "purple"]
NOUNS = ["kite", "drum", "hat", "boat", "lamp", "ball", "flag", "cup"]
FRUITS = ["apple", "pear", "plum", "lemon", "fig", "rose", "nut", "cherry"]
SPOTS = [
    "under the bench",
    "behind the tree",
    "in the box",
    "behind the wall",
    "in the grass",
]
MORE = {
    "taller": ("tallest", "shortest"),
    "older": ("oldest", "youngest"),
    "faster": ("fastest", "slowest"),
    "stronger": ("strongest", "weakest"),
}
ENDINGS = {" When it got dark,": None, " In the evening,": None, " At last,": None}


def count(number: int, noun: str) -> str:
    """The noun in the number that it needs: "apple", "cherries"."""
    if number == 1:
        return noun
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"


def was(number: int) -> str:
    """The verb that agrees."""
    return "was" if number == 1 else "were"


def numbers(most: int) -> Options:
    """The number words from one on."""
    return {NUMBERS[number]: number for number in range(1, most + 1)}


THINGS = {
    things.some: things
    for things in map(Things._make, product([1, 2, 3], COLOURS, NOUNS))
}
HARVEST = {
    f"{NUMBERS[number]} {count(number, fruit)}": (number, fruit)
    for number, fruit in product(range(1, 6), FRUITS)
}
Owned = dict[Person, Things]


def story() -> Story:
    """A meeting, one or two episodes, and the way home."""
    _, hero = yield from say(TIMES, ", ", PEOPLE)
    friend, place = yield from say(" and ", all_but([hero]), " met at ", PLACES, ".")
    mine, yours = yield from say(
        f" {hero.name} had ", THINGS, f", and {friend.name} had ", THINGS, "."
    )
    owned = {hero: mine, friend: yours}
    turns = {f" {hero.name} ": (hero, friend), f" {friend.name} ": (friend, hero)}

    episodes = {"picked ": pick, "hid ": hide, "was ": compare, "gave ": swap}
    turn = yield turns
    while turn:
        episode = yield episodes
        episodes = {verb: other for verb, other in episodes.items() if other != episode}
        yield from episode(*turn, owned)
        turn = yield turns | ENDINGS if len(episodes) == 3 else ENDINGS
    yield from go_home(turns, place, owned)


def pick(who: Person, friend: Person, owned: Owned) -> Story:
    """A sum, and a difference with a noun and verb that agree with it."""
    (number, fruit), more = yield from say(HARVEST, " and then ", numbers(4))
    total = number + more
    yield from say(f" more, so {who.he} had {NUMBERS[total]}.")
    [given] = yield from say(
        f" {who.he.title()} gave {friend.name} ", numbers(total - 1), " of them, and "
    )
    left = total - given
    yield from say(f"{NUMBERS[left]} {count(left, fruit)} {was(left)} left.")


def hide(who: Person, friend: Person, owned: Owned) -> Story:
    """The friend looks in a wrong place, then where the things really are."""
    things = owned[who]
    nouns = count(things.number, things.noun)
    [spot] = yield from say(f"{who.his} {things.bare} ", one_of(SPOTS), ".")
    wrong = one_of(other for other in SPOTS if other != spot)
    yield from say(
        f" {friend.name} looked ",
        wrong,
        f", but the {nouns} {was(things.number)} not there."
        f" Then {friend.he} looked {spot} and found the {things.bare}.",
    )


def compare(who: Person, friend: Person, owned: Owned) -> Story:
    """Two comparisons put three people in order; the third comes last, or first."""
    [more] = yield from say(one_of(MORE), f" than {friend.name}, and ")
    orders = {}
    for third in all_but([who, friend]).values():
        orders[f"{friend.name} was {more} than {third.name}"] = (who, third)
        orders[f"{third.name} was {more} than {who.name}"] = (third, friend)
    [(first, last)] = yield from say(orders)
    most, least = MORE[more]
    yield from say(
        f". So {first.name} was the {most} of the three, "
        f"and {last.name} was the {least}."
    )


def swap(who: Person, friend: Person, owned: Owned) -> Story:
    """Things change hands, and the story remembers it."""
    owned[who], owned[friend] = owned[friend], owned[who]
    yield from say(
        f"{friend.name} {who.his} {owned[friend].bare} "
        f"and got {friend.his} {owned[who].bare} in return. "
        f"Now {who.name} had {owned[who].some}, "
        f"and {friend.name} had {owned[friend].some}."
    )


def go_home(turns: Options, place: str, owned: Owned) -> Story:
    """Each leaves with what is theirs by now."""
    [(first, second)] = yield from say(turns)
    yield from say(
        f"left {place} with {first.his} {owned[first].bare}, "
        f"and {second.name} with {second.his} {owned[second].bare}."
    )


def all_but(people: list[Person]) -> Options:
    """Somebody else."""
    return {name: person for name, person in PEOPLE.items() if person not in people}
