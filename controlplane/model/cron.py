"""Cron expressions as Cloudflare's Cron Triggers read them: five fields, in UTC, and when they come round. Pure.

What differs from crontab(5): weekdays are 1 (Sunday) to 7 (Saturday), never 0; a range may wrap (FRI-MON); L, W and # are known; and there are no
names such as @hourly. As in crontab(5), a day fits when either of the two day fields does, unless one of them is a plain *.
"""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

EXPRESSION_CHARACTERS = 100
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_HORIZON_DAYS = 366 * 8 + 2  # the longest gap: from one 29 February to the next over a year such as 2100
_LAST = re.compile(r"L(?:-([0-9]{1,2}))?(W)?")
_NEAREST = re.compile(r"([0-9]{1,2})W")
_LAST_WEEKDAY = re.compile(r"([A-Z0-9]{1,3})L")
_NTH_WEEKDAY = re.compile(r"([A-Z0-9]{1,3})#([0-9])")
_SATURDAY = 5  # date.weekday()

Fits = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH, _WEEKDAY = _Field("day", 1, 31), _Field("month", 1, 12, _MONTHS), _Field("weekday", 1, 7, _WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    fits: Fits

    def next_after(self, moment: float) -> float | None:
        """Return the first time after *moment*, in seconds since 1970, None when there is none within eight years."""
        start = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for days in range(_HORIZON_DAYS):
            day = start.date() + timedelta(days=days)
            if day.month not in self.months or not self.fits(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                    if found >= start:
                        return found.timestamp()
        return None


def parse(text: str) -> Cron:
    """Read an expression. Raises ValueError, whose text says what is wrong with it."""
    if len(text) > EXPRESSION_CHARACTERS:
        raise ValueError(f"has {len(text)} characters; at most {EXPRESSION_CHARACTERS} are allowed")
    fields = text.upper().split()
    if len(fields) != 5:
        raise ValueError(f"has {len(fields)} fields where five are needed: minute hour day month weekday")
    minute, hour, day, month, weekday = fields
    days, weekdays = _day(day), _weekday(weekday)
    if day == "*":
        fits = weekdays
    elif weekday == "*":
        fits = days
    else:
        fits = lambda when: days(when) or weekdays(when)  # noqa: E731  # one expression of the two above
    return Cron(
        tuple(sorted(_values(minute, _MINUTE))), tuple(sorted(_values(hour, _HOUR))), _values(month, _MONTH), fits
    )


def reasons(text: str) -> list[str]:
    """Say why *text* is no cron expression that ever comes round."""
    try:
        cron = parse(text)
    except ValueError as error:
        return [str(error)]
    return [] if cron.next_after(0.0) is not None else ["never comes round"]


def _day(text: str) -> Fits:
    if found := _LAST.fullmatch(text):
        offset = int(found[1] or 0)
        if offset > _DAY.high - 1:
            raise ValueError(f"day {text!r}: the month has no day that far from its end")
        weekday = found[2] is not None
        return lambda when: when.day == _from_end(when, offset, weekday=weekday)
    if found := _NEAREST.fullmatch(text):
        wanted = _number(found[1], _DAY)
        return lambda when: wanted <= _length(when) and when.day == _nearest(when, wanted)
    values = _values(text, _DAY)
    return lambda when: when.day in values


def _weekday(text: str) -> Fits:
    if found := _LAST_WEEKDAY.fullmatch(text):
        last = _number(found[1], _WEEKDAY)
        return lambda when: _weekday_of(when) == last and when.day + 7 > _length(when)
    if found := _NTH_WEEKDAY.fullmatch(text):
        wanted, nth = _number(found[1], _WEEKDAY), int(found[2])
        if not 1 <= nth <= 5:
            raise ValueError(f"weekday {text!r}: there are one to five of a weekday in a month")
        return lambda when: _weekday_of(when) == wanted and (when.day - 1) // 7 + 1 == nth
    values = _values(text, _WEEKDAY)
    return lambda when: _weekday_of(when) in values


def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _part(part, field))


def _part(text: str, field: _Field) -> list[int]:
    body, slash, step_text = text.partition("/")
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit()) or not 1 <= int(step_text) <= field.high - field.low:
            raise ValueError(f"{field.name} {text!r}: a step is a number from 1 to {field.high - field.low}")
        step = int(step_text)
    first, dash, last = body.partition("-")
    if body == "*":
        low, high = field.low, field.high
    elif dash:
        low, high = _number(first, field), _number(last, field)
    else:
        low = _number(body, field)
        high = field.high if slash else low
    if low <= high:
        return list(range(low, high + 1, step))
    return [*range(low, field.high + 1), *range(field.low, high + 1)][::step]


def _number(text: str, field: _Field) -> int:
    if text in field.names:
        return field.names.index(text) + 1
    if not (text.isascii() and text.isdigit()) or not field.low <= int(text) <= field.high:
        also = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise ValueError(f"{field.name} {text!r} is not {field.low} to {field.high}{also}")
    return int(text)


def _length(when: date) -> int:
    return calendar.monthrange(when.year, when.month)[1]


def _weekday_of(when: date) -> int:
    return when.isoweekday() % 7 + 1


def _from_end(when: date, offset: int, *, weekday: bool) -> int:
    wanted = _length(when) - offset
    return _nearest(when, wanted) if weekday and wanted >= 1 else wanted


def _nearest(when: date, wanted: int) -> int:
    # The working day nearest to *wanted* within the month.
    match when.replace(day=wanted).weekday() - _SATURDAY:
        case 0:
            return wanted - 1 if wanted > 1 else 3
        case 1:
            return wanted + 1 if wanted < _length(when) else wanted - 2
        case _:
            return wanted
