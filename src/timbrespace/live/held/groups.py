"""Which held voices share a timbre: those of an instrument on one channel, of one velocity, or of one note with an id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

GROUPS = 32  # at once


class Group(NamedTuple):
    """Voices that sound alike. velocity: of their layer, None: it changes nothing. id: of a single note, None: those without one."""

    program: int
    velocity: int | None
    channel: int
    id: Any


class Groups:
    """Gives groups slots of the mixer for as long as their voices sound. Where all are taken, a voice joins a group of its instrument.

    slots: of the mixer. fade: samples that a voice may sound after it was let go.
    """

    def __init__(self, slots: Sequence[int], *, fade: int):
        self._free, self._fade = list(reversed(slots)), fade
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
        """Adds a voice that starts at a sample. Returns the group that it is in: another of the instrument where no slot is free."""
        self.active(now)
        if group not in self._slots:
            alike = [one for one in self._slots if one.program == group.program]
            if not self._free or (group.id is not None and len(self._free) <= GROUPS // 8 and alike):
                group = max(alike or self._slots, key=lambda one: (one.velocity == group.velocity, one.channel == group.channel))
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
