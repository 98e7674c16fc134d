"""Puts the items of a prompt together: which degree, negation or number belongs to which wish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from timbrespace.audio.describe import DESCRIPTORS
from timbrespace.prompt.lexicon import Role
from timbrespace.prompt.reading import DEGREES, Compared, NamedWord, Unknown, Wish
from timbrespace.prompt.scan import Item, value_in
from timbrespace.prompt.tokens import words_of
from timbrespace.prompt.vocabulary import Vocabulary

_PITCH_BELOW = 1_000.0  # Hz: a frequency without a word beside it is a pitch up to here, a brightness from here on
_LARGEST_FACTOR = 16.0
_STEPS = {"octave": 1, "semitone": 12}  # of a unit in an octave
_SHARES = frozenset({"%", *_STEPS})  # units that say how much more, not a value
_OPEN_STOPS = frozenset(":=")  # "attack: fast" is one clause
_UNKNOWN = "neither a word for sounds nor a word of this instrument's names"
_NO_SOUND = "no training sound has this name; a file of yours is given beside the prompt (--like FILE)"
_BARE = "a number without a unit; how many sounds are made is an option of its own"


@dataclass
class Said:
    """What was found, before wishes are settled against each other."""

    wishes: list[Wish] = field(default_factory=list)
    categories: list[tuple[int, str]] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    compared: Compared | None = None
    named: list[NamedWord] = field(default_factory=list)
    velocity: int = 0
    unknown: list[Unknown] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class _Pending:
    """Words whose object has not come yet. words: as written."""

    words: list[str] = field(default_factory=list)
    degree: str = ""
    size: int = 0
    mod: int = 0
    too: bool = False
    negated: bool = False
    without: bool = False
    spent: bool = False  # a negation that has had its object; it goes on over "or"
    factor: float | None = None
    number: float | None = None
    quantity: Item | None = None
    same: bool = False


class Reader:
    """Reads items in order; `said` holds what was found."""

    def __init__(self, items: Sequence[Item], vocabulary: Vocabulary):
        """items: of `scan`. vocabulary: of the instrument."""
        self.said, self._items, self._vocabulary = Said(), items, vocabulary
        self._pending = _Pending()
        self._noun: tuple[Item, Role] | None = None  # a property whose size or value has not come yet
        self._apart = True  # whether the next category is separate from the last one
        self._after_like, self._like = False, True
        self._neither = False
        self._last_wish = -1  # number of the last wish of this clause

    def read(self) -> Said:
        """Returns what all items say together."""
        for place, item in enumerate(self._items):
            if item.read_as:
                self.said.notes.append(f"{item.text!r} was read as {item.read_as!r}")
            self._item(item, place)
        self._end_clause()
        return self.said

    # --- clauses ----------------------------------------------------------------------------------------------------------

    def _end_clause(self) -> None:
        """Settles the pending words at a comma, "but", "like" or the end."""
        pending = self._pending
        if pending.quantity is not None:
            self._quantity_alone(pending.quantity)
        if pending.number is not None:
            self.said.unknown.append(Unknown(pending.words[-1] if pending.words else f"{pending.number:g}", _BARE))
        if pending.degree == "very" and self._last_wish >= 0:  # "as clean as possible"
            last = self.said.wishes[self._last_wish]
            if last.amount is not None:
                sign = 1 if last.amount > 0 else -1
                self.said.wishes[self._last_wish] = replace(last, amount=sign * DEGREES["very"])
        self._close_noun()
        self._pending, self._last_wish = _Pending(), -1

    def _close_noun(self) -> None:
        """A noun alone: "with hiss" asks for more of it."""
        if self._noun is None:
            return
        item, role = self._noun
        self._noun = None
        if role.sign:
            self._wish(item.text, role.name, role.sign)
        else:
            one = DESCRIPTORS[role.name]
            self.said.notes.append(f"{item.text!r} says nothing alone; say {one.more}, {one.less} or a value")

    def _and(self, place: int, *, is_or: bool) -> None:
        """A negation goes on over "or", and over "and" behind "without" where a noun follows."""
        pending, following = self._pending, self._next(place)
        if pending.quantity is not None:
            self._quantity_alone(pending.quantity)
        self._close_noun()
        noun_follows = following is not None and following.has("noun")
        goes_on = (pending.negated or pending.spent) and (is_or or (pending.without and noun_follows))
        self._pending = _Pending(negated=goes_on, without=pending.without and goes_on)

    def _next(self, place: int) -> Item | None:
        """The next item that is no filler and no degree; None at the end of the clause."""
        for item in self._items[place + 1 :]:
            if not item.has("filler", "degree") or item.has("wish", "noun", "size", "category"):
                return None if item.has("stop", "but", "like", "and", "or") else item
        return None

    # --- items ------------------------------------------------------------------------------------------------------------

    def _item(self, item: Item, place: int) -> None:
        roles = item.roles
        if item.has("stop"):
            if item.text not in _OPEN_STOPS:
                self._end_clause()
                self._apart, self._after_like = True, False
        elif item.has("sound"):
            self._sound(item)
        elif item.has("quantity"):
            self._quantity(item)
        elif item.has("like", "than"):
            self._compare(item)
        elif item.has("category") and not (item.has("noun") and self._wants_noun()):
            self._category(item, roles["category"])
        elif item.has("noun"):
            self._named_property(item, roles["noun"])
        elif item.has("wish", "size", "qualifier", "velocity"):
            self._adjective(item, place)
        elif item.has("degree", "factor", "too", "more", "less", "as", "not", "without", "neither", "number", "times"):
            self._modifier(item)
        elif item.has("but"):
            self._end_clause()
            self._apart, self._after_like = True, False
        elif item.has("and", "or"):
            self._and(place, is_or=item.has("or"))
            self._apart = True
        elif item.has("named"):
            self._named(item, roles["named"])
        elif item.has("given") and self._after_like:
            self._given(item)
        elif not item.has("filler", "given"):
            self._not_known(item)

    def _not_known(self, item: Item) -> None:
        roles = item.roles
        if "outside" in roles:
            reason = f"no control: this instrument does not change {roles['outside'].name}"
        elif "path" in roles:
            reason = _NO_SOUND
        elif "absent" in roles:
            known = ", ".join(dict.fromkeys(category for _, category in self._vocabulary.categories.values())) or "no categories"
            reason = f"this instrument has no {roles['absent'].name}; it has {known}"
        else:
            reason = _NO_SOUND if self._after_like else _UNKNOWN
        self.said.unknown.append(Unknown(item.text, reason))

    def _modifier(self, item: Item) -> None:
        """A word that waits for its adjective or noun."""
        pending, roles = self._pending, item.roles
        pending.words.append(item.text)
        if "degree" in roles:
            pending.degree = roles["degree"].name
        if "factor" in roles:
            pending.factor = roles["factor"].value
        if "number" in roles:
            pending.number = roles["number"].value
        if "times" in roles and pending.number is not None:
            pending.factor, pending.number = pending.number, None
        pending.too |= "too" in roles
        pending.mod = 1 if "more" in roles else -1 if "less" in roles else pending.mod
        pending.same |= "as" in roles
        if "neither" in roles and "filler" in roles and not self._neither:
            return  # German "noch": only behind "weder" it negates
        self._neither |= "neither" in roles
        if item.has("not", "without", "neither"):
            pending.negated, pending.without = True, item.has("without")

    def _wants_noun(self) -> bool:
        """Whether the pending words can only come before a property: "more bass", "no bass", "a lot of bass"."""
        pending = self._pending
        return bool(pending.mod or pending.size or pending.without or pending.negated or pending.factor or pending.too)

    def _adjective(self, item: Item, place: int) -> None:
        """A wish, or a size of the noun beside it ("short decay", "ataque rápido"); else how hard it is played, or a word of names."""
        roles, following = item.roles, self._next(place)
        sized = following is not None and following.has("noun") and not (following.has("category") and "wish" in roles)
        if "size" in roles and sized:
            self._pending.size = roles["size"].sign
            self._pending.words.append(item.text)
            if "degree" in roles:
                self._pending.degree = roles["degree"].name
        elif "size" in roles and self._noun is not None:
            (noun, role), self._noun = self._noun, None
            self._wish(f"{noun.text} {item.text}", role.name, roles["size"].sign)
        elif "wish" in roles:
            role = roles["wish"]
            self._pending.degree = "very" if role.value else self._pending.degree  # "the darkest"
            if self._pending.quantity is not None and self._pending.quantity.unit not in _SHARES and self._target(item, role.name):
                return
            self._wish(item.text, role.name, role.sign, comparative=role.comparative)
        elif "degree" in roles:
            self._modifier(item)
        elif "qualifier" in roles and "named" not in roles:
            self._wish(item.text, roles["qualifier"].name, roles["qualifier"].sign)
        elif "velocity" in roles and self._vocabulary.velocity:
            self.said.velocity = roles["velocity"].sign * (-1 if self._pending.negated else 1)
            self._used()
        elif "named" in roles:
            self._named(item, roles["named"])
        elif "velocity" in roles:
            self.said.unknown.append(Unknown(item.text, "no control: this instrument does not know how hard a sound is played"))
        elif "size" in roles and "filler" not in roles:
            self.said.unknown.append(Unknown(item.text, "a size of nothing that follows; say long, fat, loud …"))

    def _named_property(self, item: Item, role: Role) -> None:
        """A noun: with pending words it is a wish; else it waits for a size or a value behind it."""
        self._close_noun()
        pending = self._pending
        if pending.quantity is not None and self._target(item, role.name):
            return
        if pending.size or pending.mod or pending.factor is not None:
            self._wish(item.text, role.name, pending.size or pending.mod or 1, from_noun=True)
        elif (pending.negated or pending.too or pending.degree) and role.sign:
            self._wish(item.text, role.name, role.sign)
        else:
            self._noun = (item, role)

    def _wish(self, text: str, name: str, sign: int, *, comparative: bool = False, from_noun: bool = False) -> None:
        """Adds a wish with the pending words. from_noun: the sign is that of the pending words themselves ("less hiss")."""
        pending = self._pending
        degree = pending.degree or "plain"
        if not from_noun and pending.mod < 0:
            sign = -sign
        if from_noun and pending.mod and pending.size:
            sign = pending.size * pending.mod
        if name == "attack" and from_noun and pending.mod and not pending.size:
            sign = -sign  # more attack is a faster one
        hedged = pending.negated and (pending.too or bool(pending.degree))
        if pending.negated:
            sign, degree = -sign, "bit" if hedged else "plain"
        elif pending.too:
            sign = -sign
        comparative |= bool(pending.mod) or pending.too or pending.factor is not None
        words = " ".join([*pending.words, text])
        factor, share = pending.factor, pending.quantity
        if share is not None and share.unit in _STEPS and share.value is not None and name == "pitch":
            factor = 2 ** (sign * min(abs(share.value), 120.0) / _STEPS[share.unit])
            words, comparative = " ".join([share.text, *pending.words, text]), True
        elif share is not None and share.unit == "%" and share.value is not None:
            percent = min(abs(share.value), 1_500.0) / 100
            factor = 1 + percent if sign > 0 else 1 / (1 + percent) if percent >= 1 else 1 - percent
            words, comparative = " ".join([share.text, *pending.words, text]), True
        elif factor is not None:
            factor = factor**sign
        if factor is not None:
            held = min(max(factor, 1 / _LARGEST_FACTOR), _LARGEST_FACTOR)
            wish = Wish(name, words, factor=held, against="sound")
        elif pending.same:
            wish = Wish(name, words, amount=sign * DEGREES[degree], equal=True)
        else:
            wish = Wish(name, words, amount=sign * DEGREES[degree], hedged=hedged, against="sound" if comparative else "category")
        self.said.wishes.append(wish)
        self._last_wish = len(self.said.wishes) - 1
        if share is not None and share.unit in _SHARES:
            pending.quantity = None
        self._used()

    def _used(self) -> None:
        """Forgets the pending words that an object has taken; a negation goes on over "or"."""
        pending = self._pending
        self._pending = _Pending(without=pending.without, spent=pending.negated or pending.spent, quantity=pending.quantity)

    # --- values -----------------------------------------------------------------------------------------------------------

    def _quantity(self, item: Item) -> None:
        if item.unit == "times" and item.value is not None:
            self._pending.factor = max(abs(item.value), 1e-3)
            self._pending.words.append(item.text)
            return
        if self._pending.quantity is not None:
            self._quantity_alone(self._pending.quantity)
        if not item.unit and self._noun is not None and self._noun[1].name == "pitch" and 0 <= (item.value or -1) <= 127:
            item = replace(item, unit="note")  # "note 60"
        self._pending.quantity = item
        if self._noun is not None and item.unit not in _SHARES:
            (noun, role), self._noun = self._noun, None
            if not self._target(noun, role.name):
                self._noun = (noun, role)

    def _target(self, item: Item, name: str) -> bool:
        """Makes the pending quantity the value of a descriptor. Returns whether its unit fits."""
        quantity = self._pending.quantity
        value = None if quantity is None else value_in(quantity, DESCRIPTORS[name].unit)
        if quantity is None or value is None:
            return False
        self._pending.quantity = None
        self.said.wishes.append(Wish(name, f"{item.text} {quantity.text}", target=value))
        self._used()
        return True

    def _quantity_alone(self, item: Item) -> None:
        """A quantity without a word beside it: a length, a pitch or, from 1 kHz on, a brightness."""
        self._pending.quantity = None
        name = {"s": "length", "ms": "length", "note": "pitch", "Hz": "pitch", "kHz": "brightness"}.get(item.unit)
        if name == "pitch" and item.unit == "Hz" and (item.value or 0) >= _PITCH_BELOW:
            name = "brightness"
        value = None if name is None else value_in(item, DESCRIPTORS[name].unit)
        if name is None or value is None:
            reason = (
                _BARE
                if not item.unit
                else f"{item.unit} of what, or more of what? say for instance length 0.4 s, brightness 2 kHz, 30 % longer"
            )
            self.said.unknown.append(Unknown(item.text, reason))
        else:
            self.said.wishes.append(Wish(name, item.text, target=value))

    # --- names ------------------------------------------------------------------------------------------------------------

    def _category(self, item: Item, role: Role) -> None:
        rank, category = int(role.value), role.name
        named = item.roles.get("named")
        if self._pending.negated:
            self.said.excluded.append(category)
            self._used()
            return
        if self._apart or not self.said.categories:
            self.said.categories.append((rank, category))
        elif rank <= self.said.categories[-1][0]:  # "synth bass" is a bass
            self.said.categories[-1] = (rank, category)
        self._apart = False
        if named is not None and "subtype" in item.roles and named.name not in words_of(category):
            self._named(item, named)

    def _named(self, item: Item, role: Role) -> None:
        self.said.named.append(NamedWord(role.name, item.text, -1 if self._pending.negated else 1))
        self._used()

    def _compare(self, item: Item) -> None:
        """ "like" and "than"; behind "as bright" the sound is what the brightness shall equal."""
        waits = self._last_wish
        self._end_clause()
        self._last_wish = waits
        self._after_like = True
        self._like = item.has("like")
        self._apart = True

    def _sound(self, item: Item) -> None:
        names = self._vocabulary.names
        first = item.sounds[0]
        if first >= 0 and len(item.sounds) > 1:
            self.said.notes.append(f"{len(item.sounds)} training sounds are called {item.text!r}: took {names[first]}")
        self._compare_with(item, self._vocabulary.given or item.text if first < 0 else names[first], None if first < 0 else first)

    def _given(self, item: Item) -> None:
        if self._vocabulary.given is None:
            self.said.unknown.append(Unknown(item.text, "no sound is given beside the prompt (--like FILE)"))
        else:
            self._compare_with(item, self._vocabulary.given, None)

    def _compare_with(self, item: Item, name: str, clip: int | None) -> None:
        like = self._like or not self._after_like
        if self._last_wish >= 0 and self.said.wishes[self._last_wish].equal:
            last = self.said.wishes[self._last_wish]
            self.said.wishes[self._last_wish] = replace(last, amount=None, against="sound", words=f"{last.words} as {item.text}")
            like = False
        if self.said.compared is None:
            self.said.compared = Compared(name, clip, like)
        elif self.said.compared.name == name:
            self.said.compared = replace(self.said.compared, like=self.said.compared.like or like)
        else:
            self.said.notes.append(f"only one sound can be compared with: {self.said.compared.name}; {name} is not used")
        self._after_like = False
