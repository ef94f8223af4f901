"""The Chinese stories: the same happenings as in English, told the Chinese way.

Every noun takes its measure word (一只风筝, 三颗弹珠), two is 两 before it, and a
pronoun is written 他 or 她 as the person asks. Sums are right; who is tallest follows
from who is taller than whom; things stay with their owner until they are swapped.
"""

from itertools import product
from typing import NamedTuple

from llm.text.grammar import Options, Story, one_of, say


class Person(NamedTuple):
    """Someone, with the pronoun."""

    name: str
    he: str


class Things(NamedTuple):
    """One or more things of a kind, such as 一只红色的风筝 or 两面蓝色的小旗."""

    number: int
    colour: str
    noun: str

    @property
    def some(self) -> str:
        """With its number: 一只红色的风筝."""
        return f"{count(self.number, NOUNS[self.noun])}{self.colour}的{self.noun}"

    @property
    def those(self) -> str:
        """Known already: 那只红色的风筝, 那三颗蓝色的弹珠."""
        measured = count(self.number, NOUNS[self.noun]).removeprefix("一")
        return f"那{measured}{self.colour}的{self.noun}"


PEOPLE = {
    name: Person(name, he)
    for names, he in [
        (["小红", "小丽", "小雨", "阿芳", "阿兰", "婷婷"], "她"),
        (["小明", "小刚", "小军", "阿强", "阿亮", "冬冬"], "他"),
    ]
    for name in names
}
TIMES = one_of(
    ["一个晴朗的早晨", "星期天上午", "昨天中午", "放学以后", "春天的一个下午"]
)
PLACES = one_of(["公园", "河边", "海边", "村口", "山脚下"])
COLOURS = ["红色", "蓝色", "绿色", "黄色", "白色", "黑色", "紫色", "橙色"]
NOUNS = {
    "风筝": "只",
    "弹珠": "颗",
    "帽子": "顶",
    "皮球": "个",
    "雨伞": "把",
    "小旗": "面",
    "灯笼": "盏",
    "围巾": "条",
}
FRUITS = {
    "苹果": "个",
    "桃子": "个",
    "梨": "个",
    "草莓": "颗",
    "枣": "颗",
    "香蕉": "根",
    "葡萄": "串",
    "野花": "朵",
}
SPOTS = ["长椅下面", "大树后面", "草丛里", "石头后面", "木箱里"]
MORE = {
    "个子": ("高", "矮"),
    "年纪": ("大", "小"),
    "力气": ("大", "小"),
    "头发": ("长", "短"),
}
ENDINGS = {"天快黑了，": None, "太阳下山了，": None, "到了傍晚，": None}


def count(number: int, measure: str) -> str:
    """The number with its measure word: 一个, 两只, 三颗."""
    return "零一两三四五六七八九"[number] + measure


def counts(most: int, measure: str) -> Options:
    """The same, from one on."""
    return {count(number, measure): number for number in range(1, most + 1)}


THINGS = {
    things.some: things
    for things in map(Things._make, product([1, 2, 3], COLOURS, NOUNS))
}
HARVEST = {
    count(number, measure) + fruit: (number, fruit)
    for number, (fruit, measure) in product(range(1, 6), FRUITS.items())
}
Owned = dict[Person, Things]


def story() -> Story:
    """A meeting, one or two episodes, and the way home."""
    _, hero = yield from say(TIMES, "，", PEOPLE)
    friend, place = yield from say("和", all_but([hero]), "在", PLACES, "见面了。")
    mine, yours = yield from say(
        f"{hero.name}带着", THINGS, f"，{friend.name}带着", THINGS, "。"
    )
    owned = {hero: mine, friend: yours}
    turns = {hero.name: (hero, friend), friend.name: (friend, hero)}

    episodes = {"摘了": pick, "把": hide, "的": compare, "用": swap}
    turn = yield turns
    while turn:
        episode = yield episodes
        episodes = {word: other for word, other in episodes.items() if other != episode}
        yield from episode(*turn, owned)
        turn = yield turns | ENDINGS if len(episodes) == 3 else ENDINGS
    yield from go_home(turns, place, owned)


def pick(who: Person, friend: Person, owned: Owned) -> Story:
    """A sum and a difference, each number with the measure word of the fruit."""
    [(number, fruit)] = yield from say(HARVEST, "，又摘了")
    measure = FRUITS[fruit]
    [more] = yield from say(counts(4, measure))
    total = number + more
    [given] = yield from say(
        f"，一共是{count(total, measure)}。{who.he}分给{friend.name}",
        counts(total - 1, measure),
    )
    yield from say(f"，自己还剩{count(total - given, measure)}{fruit}。")


def hide(who: Person, friend: Person, owned: Owned) -> Story:
    """The friend looks in a wrong place, then where the things really are."""
    things = owned[who]
    [spot] = yield from say(f"{things.those}藏在", one_of(SPOTS), "，让")
    wrong = one_of(other for other in SPOTS if other != spot)
    yield from say(
        f"{friend.name}来找。{friend.name}先看了看",
        wrong,
        f"，没有找到。{friend.he}又去看{spot}，果然找到了{things.those}。",
    )


def compare(who: Person, friend: Person, owned: Owned) -> Story:
    """Two comparisons put three people in order; the third comes last, or first."""
    [topic] = yield from say(one_of(MORE))
    more, less = MORE[topic]
    orders = {}
    for third in all_but([who, friend]).values():
        orders[f"{friend.name}又比{third.name}{more}"] = (who, third)
        orders[f"{third.name}又比{who.name}{more}"] = (third, friend)
    [(first, last)] = yield from say(f"比{friend.name}{more}，", orders)
    yield from say(
        f"。三个人里，{first.name}的{topic}最{more}，{last.name}的{topic}最{less}。"
    )


def swap(who: Person, friend: Person, owned: Owned) -> Story:
    """Things change hands, and the story remembers it."""
    owned[who], owned[friend] = owned[friend], owned[who]
    yield from say(
        f"{owned[friend].those}换来了{friend.name}{owned[who].those}。"
        f"现在{who.name}有{owned[who].some}，{friend.name}有{owned[friend].some}。"
    )


def go_home(turns: Options, place: str, owned: Owned) -> Story:
    """Each leaves with what is theirs by now."""
    [(first, second)] = yield from say(turns)
    yield from say(
        f"带着{owned[first].those}离开了{place}，"
        f"{second.name}也带着{owned[second].those}回家了。"
    )


def all_but(people: list[Person]) -> Options:
    """Somebody else."""
    return {name: person for name, person in PEOPLE.items() if person not in people}
