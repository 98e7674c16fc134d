"""The sections of the page of results, each a function from its data to HTML; a section without data is an empty string."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timbrespace.report.escaping import clean, link
from timbrespace.report.spectrogram import height_of

if TYPE_CHECKING:
    from timbrespace.report.page import PageData, PageSound

_NOVELTY_HINT = "Distance to the nearest training sound: 0 is a copy, 1 is as far as a real sound that was never trained on usually is."
PLAY = (
    '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path class="go" d="M4 2.2v11.6L14 8z"/>'
    '<path class="halt" d="M3.5 3h3.2v10H3.5zM9.3 3h3.2v10H9.3z"/></svg>'
)
_FREQUENCIES = ((100, "100 Hz"), (1_000, "1 kHz"), (10_000, "10 k"))


def facts(data: PageData) -> str:
    """The line of counts under the heading."""
    words = [
        (len(data.sounds), "new sound"),
        (len(data.morphs), "morph"),
        (len(data.corpus), "training clip"),
    ]
    items = [f"<li><b>{count:,}</b> {word}{'' if count == 1 else 's'}</li>" for count, word in words if count]
    total = sum(seconds for _, seconds in data.steps)
    if total:
        items.append(f"<li>made in <b>{duration(total)}</b></li>")
    return f'<ul class="facts">{"".join(items)}</ul>' if items else ""


def reel(data: PageData) -> str:
    """The reel: one wide picture, a button, a slider."""
    if data.reel is None:
        return ""
    sound = data.reel
    picture = f'<img src="{link(sound.picture)}" alt="" draggable="false">' if sound.picture else ""
    return f"""<section class="reel" aria-label="The reel" data-reel>
<button class="round play" data-src="{link(sound.file)}" data-seconds="{sound.seconds:.3f}" aria-pressed="false"
 aria-label="Play the reel: {clean(sound.name)}">{PLAY}</button>
<div class="strip"><div class="pic wide">{picture}<i class="head"></i></div>
<input type="range" min="0" max="{sound.seconds:.3f}" step="0.01" value="0" aria-label="Position in the reel"></div>
<p class="now"><span class="time">0:00 / {clock(sound.seconds)}</span> <bdi data-now>{clean(sound.name)}</bdi></p>
</section>"""


def gallery(data: PageData, colours: dict[str, int]) -> str:
    """The new sounds as cards, with a row of category filters when there is more than one category."""
    if not data.sounds:
        return ""
    counts: dict[str, int] = {}
    for sound in data.sounds:
        counts[sound.category or ""] = counts.get(sound.category or "", 0) + 1
    chips = "".join(
        f'<button class="chip" data-filter="{clean(name)}" aria-pressed="false"><i class="dot c{colours[name]}"></i>'
        f"<bdi>{clean(name or 'no category')}</bdi> <small>{count}</small></button>"
        for name, count in sorted(counts.items())
    )
    everything = f'<button class="chip" data-filter-all aria-pressed="true">all <small>{len(data.sounds)}</small></button>'
    filters = f'<div class="chips" role="group" aria-label="Show a category">{everything}{chips}</div>' if len(counts) > 1 else ""
    cards = "\n".join(_sound_card(sound, colours) for sound in data.sounds)
    return f"""<section aria-labelledby="h-new"><h2 id="h-new">New sounds</h2>
<p class="lead">Click a picture to listen; space or enter on the keyboard, arrow keys for the next.
Bright is loud, up is high, left to right is time.</p>
{filters}<div class="grid" data-keys>
{cards}
</div></section>"""


def _sound_card(sound: PageSound, colours: dict[str, int]) -> str:
    kind = sound.category or ""
    nearest = ""
    if sound.nearest:
        nearest = f'<p class="near" title="The training sound closest to this one">nearest <bdi>{clean(sound.nearest)}</bdi></p>'
    label = f'<span class="kind"><i class="dot c{colours[kind]}"></i><bdi>{clean(kind)}</bdi></span>' if kind else ""
    return f"""<article class="sound" data-category="{clean(kind)}">{_tile(sound, axis=True)}
<h3 title="{clean(sound.name)}"><bdi>{clean(sound.name)}</bdi></h3>
<p class="tags">{label}{_badge(sound)}</p>{nearest}</article>"""


def _tile(sound: PageSound, *, axis: bool = False, detail: str = "") -> str:
    """The picture as a button, with its play sign, playhead and, on the large ones, a frequency axis."""
    span = max(sound.span or sound.seconds, 1e-3)
    picture = f'<img src="{link(sound.picture)}" alt="" loading="lazy" draggable="false">' if sound.picture else ""
    marks = "".join(f'<span class="hz" style="bottom:{height_of(hz) * 100:.1f}%">{text}</span>' for hz, text in _FREQUENCIES)
    return (
        f'<button class="pic play" data-src="{link(sound.file)}" data-seconds="{sound.seconds:.3f}" data-span="{span:.3f}" '
        f'aria-pressed="false" aria-label="Play {clean(sound.name)}{clean(detail)}">{picture}'
        f'{marks if axis and picture else ""}<i class="head"></i>'
        f'<span class="sign">{PLAY}</span><span class="length">{length(sound.seconds)}</span></button>'
    )


def _badge(sound: PageSound) -> str:
    if sound.is_copy:
        return '<span class="badge copy" title="So close to a training sound that it counts as a copy of it.">copy</span>'
    if sound.novelty is None:
        return ""
    share = min(max(sound.novelty, 0.0), 1.5) / 1.5 * 100
    return (
        f'<span class="badge" title="{_NOVELTY_HINT}"><i class="meter" style="--share:{share:.0f}%"></i>'
        f"<span>novelty {sound.novelty:.2f}</span></span>"
    )


def morphs(data: PageData) -> str:
    """The morphs, one a row, first to last."""
    rows = []
    for row in filter(None, data.morphs):
        steps = "".join(f"<li>{_tile(sound, detail=f', step {number} of {len(row)}')}</li>" for number, sound in enumerate(row, 1))
        ends = f'<bdi>{clean(row[0].name)}</bdi> <span class="to">to</span> <bdi>{clean(row[-1].name)}</bdi>'
        label = f"Play all steps from {clean(row[0].name)} to {clean(row[-1].name)}"
        button = f'<button class="round small" data-row aria-label="{label}">{PLAY}</button>'
        rows.append(f'<article class="morph"><h3>{button}<span>{ends}</span></h3><ol data-keys>{steps}</ol></article>')
    if not rows:
        return ""
    return f"""<section aria-labelledby="h-morphs"><h2 id="h-morphs">Morphs</h2>
<p class="lead">Each row walks from one sound to another. Play a step, or the whole row.</p>
<div class="morphs">{"".join(rows)}</div></section>"""


def map_section(data: PageData, colours: dict[str, int], spots: dict[int, tuple[float, float]]) -> str:
    """The map: training sounds on a canvas (drawn by the script), new sounds as buttons over it, a legend."""
    if not spots and not data.corpus:
        return ""
    buttons = []
    for index, (x, y) in spots.items():
        sound = data.sounds[index]
        kind = sound.category or ""
        buttons.append(
            f'<button class="spot play c{colours[kind]}" style="left:{x * 100:.2f}%;top:{y * 100:.2f}%" data-src="{link(sound.file)}" '
            f'data-seconds="{sound.seconds:.3f}" data-name="{clean(sound.name)}" data-category="{clean(kind)}" '
            f'data-nearest="{clean(sound.nearest or "")}" aria-pressed="false" aria-label="Play {clean(sound.name)}"></button>'
        )
    totals: dict[str, int] = {}
    for point in data.corpus:
        totals[point[3] or ""] = totals.get(point[3] or "", 0) + 1
    for sound in data.sounds:
        totals.setdefault(sound.category or "", 0)
    legend = "".join(
        f'<li><button class="chip" data-legend="{clean(name)}" aria-pressed="false"><i class="dot c{colours[name]}"></i>'
        f"<bdi>{clean(name or 'no category')}</bdi> <small>{totals[name]}</small></button></li>"
        for name in sorted(totals, key=lambda name: (colours[name], name))
    )
    return f"""<section aria-labelledby="h-map"><h2 id="h-map">Map</h2>
<p class="lead">Sounds that lie close are alike. Small dots are the {len(data.corpus):,} training clips,
ringed dots the new sounds: point to see the name, click to listen.</p>
<div class="map" data-map><canvas aria-hidden="true"></canvas><div class="spots" role="group" aria-label="New sounds on the map" data-keys>
{"".join(buttons)}</div><div class="tip" hidden></div></div>
<ul class="chips legend" aria-label="Categories; press one to bring it out">{legend}
<li class="key"><i class="ring"></i> new sound</li></ul></section>"""


def card(data: PageData) -> str:
    """The honest figures as a table."""
    if not data.card:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><bdi>{clean(label)}</bdi></th><td class="value"><bdi>{clean(value)}</bdi></td>'
        f'<td class="hint">{clean(hint)}</td></tr>'
        for label, value, hint in data.card
    )
    return f"""<section aria-labelledby="h-card"><h2 id="h-card">The card</h2>
<p class="lead">What the instrument is and how good it is, measured, with what to compare it to.</p>
<table><thead class="sr"><tr><th>Figure</th><th>Value</th><th>What it means</th></tr></thead><tbody>{rows}</tbody></table></section>"""


def steps(data: PageData) -> str:
    """What each step took, as bars on one scale."""
    if not data.steps:
        return ""
    longest = max(max(seconds for _, seconds in data.steps), 1e-9)
    rows = "".join(
        f'<li><span class="name"><bdi>{clean(name)}</bdi></span>'
        f'<span class="bar"><i style="width:{max(seconds / longest * 100, 0.4):.1f}%"></i></span>'
        f'<span class="value">{duration(seconds)}</span></li>'
        for name, seconds in data.steps
    )
    total = sum(seconds for _, seconds in data.steps)
    return f"""<section aria-labelledby="h-steps"><h2 id="h-steps">What each step took</h2>
<ul class="steps">{rows}</ul><p class="total">{duration(total)} in all</p></section>"""


def length(seconds: float) -> str:
    """A sound's length as one reads it: ms below a second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def duration(seconds: float) -> str:
    """Time that work took."""
    if seconds >= 100:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds * 1000:.0f} ms"


def clock(seconds: float) -> str:
    """Minutes and seconds, 1:05."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
