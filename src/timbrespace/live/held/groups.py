"""Which held voices share a timbre: those of an instrument on one channel, of one velocity, or of one note with an id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

GROUPS = 32  # at once; more where more instruments play


class Group(NamedTuple):
    """Voices that sound alike. velocity: of their layer, None: it changes nothing. id: of a single note, None: those without one."""

    program: int
    velocity: int | None
    channel: int
    id: Any


class Groups:
    """Gives groups slots of the mixer for as long as their voices sound. Where none is left, a voice joins a group of its instrument.

    A slot is kept for each instrument that has none, so that its notes never have the timbre of another one.
    slots: of the mixer; with fewer than programs, a voice may join any group. fade: samples that a voice may sound after it was let go.
    programs: that play.
    """

    def __init__(self, slots: Sequence[int], *, fade: int, programs: Collection[int]):
        self._free, self._fade, self._programs = list(reversed(slots)), fade, set(programs)
        self._slots: dict[Group, int] = {}
        self._members: dict[Group, set[int]] = {}
        self._ends: dict[Group, int] = {}
        self._group_of: dict[int, Group] = {}

    def __contains__(self, group: Group) -> bool:
        return group in self._slots

    def slot(self, group: Group) -> int:
        """Returns the slot of a group that has one."""
        return self._slots[group]

    def join(self, group: Group, number: int, now: int) -> Group:
        """Adds a voice that starts at a sample. Returns the group that it is in: another of the instrument where no slot is left."""
        self.active(now)
        if group not in self._slots:
            alike = [one for one in self._slots if one.program == group.program]
            left = len(self._free) - len(self._programs - {group.program} - {one.program for one in self._slots})
            if not self._free or (alike and left <= (0 if group.id is None else GROUPS // 8)):
                group = max(
                    alike or self._slots, key=lambda one: (one.velocity == group.velocity, one.channel == group.channel, one.id is None)
                )
            else:
                self._slots[group], self._members[group] = self._free.pop(), set()
        self._members[group].add(number)
        self._group_of[number] = group
        return group

    def leave(self, number: int, when: int) -> None:
        """A voice is let go at a sample."""
        group = self._group_of.pop(number, None)
        if group is not None:
            self._members[group].discard(number)
            self._ends[group] = max(when + self._fade, self._ends.get(group, 0))

    def leave_all(self, when: int) -> None:
        """All voices are let go."""
        for number in list(self._group_of):
            self.leave(number, when)

    def active(self, now: int) -> list[Group]:
        """Returns the groups with a voice that sounds; the slots of others are free again."""
        for group in [one for one, members in self._members.items() if not members and self._ends.get(one, 0) <= now]:
            self._free.append(self._slots.pop(group))
            del self._members[group]
            self._ends.pop(group, None)
        return list(self._slots)
