"""Dates and times as they are written, as forms that can be compared."""

from __future__ import annotations

import re

from gateway.intent.v1.values_words import MONTHS

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
DATE = (
    r"(?P<iso>\d{4}-\d{1,2}-\d{1,2})(?=[T\s]|\b)"
    r"|(?P<slash>\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})\b|\d{4}/\d{1,2}/\d{1,2}\b)"
    rf"|(?P<dmy>\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?(?:{_MONTH})\b\.?,?(?:\s\d{{4}}\b)?)"
    rf"|(?P<mdy>(?:{_MONTH})\b\.?\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?)"
)
TIME = (
    r"(?P<clock>T?\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:\s?[ap]\.?m\b\.?)?"
    r"(?:Z\b|[+-]\d{2}:?\d{2}\b)?|\d{1,2}\s?[ap]\.?m\b\.?|(?:noon|midnight)\b)"
)
_NUMBERS = re.compile(r"\d{1,4}")
_LETTERS = re.compile(r"[a-z]{3,9}", re.IGNORECASE)


def date_forms(kind: str, text: str) -> list[str]:
    """Every day that the text may mean; none when it is no day of any calendar."""
    numbers = [int(number) for number in _NUMBERS.findall(text)]
    if kind in {"dmy", "mdy"}:
        month = next((MONTHS[w] for w in map(str.lower, _LETTERS.findall(text)) if w in MONTHS), 0)
        return _named(month, numbers)
    if len(numbers) != 3:
        return []
    if numbers[0] > 31:
        return _day(*numbers)
    first, second, year = numbers
    year += 2000 if year < 100 else 0
    return list(dict.fromkeys(_day(year, second, first) + _day(year, first, second)))


def _named(month: int, numbers: list[int]) -> list[str]:
    if not numbers or not 1 <= numbers[0] <= 31:
        return []
    if len(numbers) > 1:
        return _day(numbers[1], month, numbers[0])
    return [f"md:{month:02}-{numbers[0]:02}"]


def _day(year: int, month: int, day: int) -> list[str]:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return []
    return [f"date:{year:04}-{month:02}-{day:02}", f"md:{month:02}-{day:02}"]


def time_forms(text: str) -> list[str]:
    """The minute of the day. A zone is kept apart: `Z` and none are the same to a planner."""
    low = text.lower().lstrip("t")
    if low in {"noon", "midnight"}:
        return ["time:12:00" if low == "noon" else "time:00:00"]
    numbers = [int(number) for number in _NUMBERS.findall(low)[:2]]
    hour, minute = numbers[0], numbers[1] if ":" in low else 0
    if hour > 24 or minute > 59:
        return []
    letters = low.replace(".", "").rstrip()
    if letters.endswith("pm") and hour < 12:
        hour += 12
    elif letters.endswith("am") and hour == 12:
        hour = 0
    return [f"time:{hour % 24:02}:{minute:02}"]
