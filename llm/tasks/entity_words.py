"""The words of the generated entities: names, what is said of them, dates.

Names stand in several types on purpose, and within other names.
"""

from dataclasses import dataclass

from llm.tasks.numbers import MONTHS


@dataclass(frozen=True)
class Language:
    """The words of a language.

    names       of each type; of those in several, only the context tells
    predicates  what may be said of a name of a type: words, the type of a name, words
    day         the parts of a date, in their order
    months      dates of one month
    openings    before a day and before a month at the beginning, and after both
    endings     the end of a sentence, or a day or a month before that
    joint       between words
    """

    names: dict[str, tuple[str, ...]]
    predicates: dict[str, tuple[tuple[str, str, str], ...]]
    day: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    months: tuple[str, ...]
    openings: tuple[str, str, str]
    endings: tuple[str, ...]
    joint: str

    def split(self, text: str) -> list[str]:
        """The words of a text, in Chinese its characters."""
        return text.split(self.joint) if self.joint else list(text)


YEARS = range(1990, 2030)
DAYS = range(1, 29)  # as many as every month has
CHINESE_MONTHS = [f"{number}月" for number in [*"一二三四五六七八九十", "十一", "十二"]]
LANGUAGES = {
    "en": Language(
        names={
            "PER": (
                "Jordan",
                "Washington",
                "Paris",
                "Florence",
                "Ford",
                "Chanel",
                "May",
                "April",
                "Anna Meyer",
                "David Lincoln",
                "Lucy",
                "Tom Boston",
            ),
            "LOC": (
                "Jordan",
                "Washington",
                "Paris",
                "Florence",
                "Amazon",
                "Victoria",
                "Lima",
                "New York",
                "Lake Victoria",
                "Cairo",
                "Boston",
                "Mount Lincoln",
            ),
            "ORG": (
                "Ford",
                "Chanel",
                "Amazon",
                "Victoria",
                "Siemens",
                "Victoria Bank",
                "Paris Motors",
                "World Vision",
                "Radio Cairo",
                "Lucy Travel",
                "Lima University",
                "New York Life",
            ),
        },
        predicates={
            "PER": (
                (" flew to ", "LOC", ""),
                (" was born in ", "LOC", ""),
                (" joined ", "ORG", ""),
                (" sued ", "ORG", ""),
                (" married ", "PER", ""),
                (" wrote to ", "PER", ""),
            ),
            "LOC": (
                (" had more rain than ", "LOC", ""),
                (" was linked by rail to ", "LOC", ""),
                (" was visited by ", "PER", ""),
                (" elected ", "PER", ""),
                (" , where ", "PER", " was born , had little rain"),
                (" , the seat of ", "ORG", " , had little rain"),
            ),
            "ORG": (
                (" hired ", "PER", ""),
                (" lost its director , ", "PER", ""),
                (" opened a branch in ", "LOC", ""),
                (" moved its seat to ", "LOC", ""),
                (" bought ", "ORG", ""),
                (" lent money to ", "ORG", ""),
            ),
        },
        day=(
            tuple(f"{day} " for day in DAYS),
            tuple(f"{month} " for month in MONTHS),
            tuple(f"{year}" for year in YEARS),
        ),
        months=tuple(MONTHS),
        openings=("On ", "In ", " , "),
        endings=(" .", " on ", " in "),
        joint=" ",
    ),
    "zh": Language(
        names={
            "PER": (
                "白云",
                "黄河",
                "向阳",
                "长安",
                "永辉",
                "海天",
                "王芳",
                "李小龙",
                "张伟",
                "赵北京",
                "欧阳明",
                "陈晨",
            ),
            "LOC": (
                "白云",
                "黄河",
                "向阳",
                "长安",
                "北京",
                "南京",
                "武汉",
                "长沙",
                "海天",
                "北京路",
                "王芳村",
                "西湖",
            ),
            "ORG": (
                "长安",
                "永辉",
                "海天",
                "向阳",
                "北京大学",
                "南京银行",
                "武汉大学",
                "白云电器",
                "小米",
                "红十字会",
                "长沙日报社",
                "张伟书店",
            ),
        },
        predicates={
            "PER": (
                ("飞往", "LOC", ""),
                ("出生在", "LOC", ""),
                ("加入了", "ORG", ""),
                ("起诉了", "ORG", ""),
                ("嫁给了", "PER", ""),
                ("写信给", "PER", ""),
            ),
            "LOC": (
                ("开通了到", "LOC", "的铁路"),
                ("选", "PER", "当市长"),
                ("的雨水多过", "LOC", ""),
                ("的天上飘着白云，", "PER", "常去那里"),
                ("新建了", "ORG", "的大楼"),
                ("迎来了", "PER", ""),
            ),
            "ORG": (
                ("聘请了", "PER", ""),
                ("收购了", "ORG", ""),
                ("在", "LOC", "开了分店"),
                ("的经理", "PER", "辞职了"),
                ("总部迁到", "LOC", ""),
                ("拒绝了", "ORG", "的请求"),
            ),
        },
        day=(
            tuple(f"{year}年" for year in YEARS),
            tuple(f"{month}月" for month in range(1, 13)),
            tuple(f"{day}日" for day in DAYS),
        ),
        months=tuple(CHINESE_MONTHS),
        openings=("", "", "，"),
        endings=("。",),
        joint="",
    ),
}
