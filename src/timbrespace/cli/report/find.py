"""`timbrespace find X FILE|FOLDER`: similar sounds, duplicates, outliers, clusters, and categories of unlabelled sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json

if TYPE_CHECKING:
    from timbrespace.cli.report.find_answers import Answer
    from timbrespace.instrument import Instrument
    from timbrespace.space.neighbours.measure import Named
    from timbrespace.space.neighbours.sounds import SoundSet

_ALL_DESCRIPTORS = 500  # up to so many sounds the pitch is estimated too, which doubles the time
_ONE, _SEVERAL, _OUTLIERS = 10, 3, 20  # sounds listed where --count is not given
_DUPLICATES_HELP = "List sets of sounds that are the same or nearly so: of those given, else of the training sounds."
_OUTLIERS_HELP = "List sounds that are unlike all others, and why: those given against the training sounds, else of these."
_CLUSTERS_HELP = "Sort sounds, those given or the training sounds, into N groups of like ones; auto chooses the number."
_CLASSIFY_HELP = "Tell the category of the sounds given, and how often that is right; without sounds, which labels are doubtful."
_TABLE_HELP = "With --classify: write categories to FOLDER/timbrespace.csv, which `prepare` reads; --force completes one that exists."
_PAGE_HELP = "Also write an HTML page with players; the audio of the files is inside it."
_SOUNDS_HELP = "Folder or corpus of the training sounds, for paths and for the plain baseline; by default where they were in training."


def find(
    instrument: InstrumentPath,
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE|FOLDER", help="Sound files, or folders of them.", show_default=False)
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, max=10_000, help="Sounds to list: 10; for several files 3 each.", show_default=False),
    ] = None,
    among: Annotated[
        Path | None, typer.Option("--in", metavar="FOLDER", help="Search this folder, not the training sounds.", show_default=False)
    ] = None,
    category: Annotated[str | None, typer.Option("--category", help="Search only sounds of this category.", show_default=False)] = None,
    by: Annotated[
        str, typer.Option("--by", help="all | sound | latent: compare by all, by the embedding, or by the latent alone.")
    ] = "all",
    duplicates: Annotated[bool, typer.Option("--duplicates", help=_DUPLICATES_HELP)] = False,
    within: Annotated[float, typer.Option("--within", metavar="DB", help="With --duplicates: the largest difference.")] = 1.0,
    outliers: Annotated[bool, typer.Option("--outliers", help=_OUTLIERS_HELP)] = False,
    clusters: Annotated[str | None, typer.Option("--clusters", metavar="N|auto", help=_CLUSTERS_HELP, show_default=False)] = None,
    classify: Annotated[bool, typer.Option("--classify", help=_CLASSIFY_HELP)] = False,
    table: Annotated[Path | None, typer.Option("--table", metavar="FILE", help=_TABLE_HELP, show_default=False)] = None,
    sure: Annotated[float, typer.Option("--sure", min=0, max=1, help="With --table: the least confidence of a category written.")] = 0.5,
    relabel: Annotated[bool, typer.Option("--relabel", help="With --table: also sounds whose name or label tells a category.")] = False,
    sounds: Annotated[Path | None, typer.Option("--sounds", metavar="FOLDER", help=_SOUNDS_HELP, show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Also write the result as a table.", show_default=False)] = None,
    page: Annotated[Path | None, typer.Option("--page", metavar="FILE", help=_PAGE_HELP, show_default=False)] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Find sounds: the ones most like yours, duplicates, outliers, groups of like sounds, or the category of unlabelled ones."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.options import check_not_inputs, open_instrument
    from timbrespace.contracts import ConfigError
    from timbrespace.report.notebook.listing import write_listing
    from timbrespace.space.neighbours.table import check_table

    modes = {"--duplicates": duplicates, "--outliers": outliers, "--clusters": clusters is not None, "--classify": classify}
    mode = _mode(modes, sources, among=among, category=category, table=table)
    for output in (one for one in (csv, page) if one is not None):
        check_not_inputs([output], [instrument, *(sources or [])])
        check_absent(output, force=force)
    if page is not None and page.suffix not in (".html", ".htm"):
        raise ConfigError(f"the page is to be written to {page.name!r}; its name must end in .html")
    if table is not None:
        check_table(table, force=force)
    ear = _Ear(open_instrument(instrument), instrument, sources or [], sounds, quiet=json)
    if mode == "--duplicates":
        answer = ear.duplicates(within)
    elif mode == "--outliers":
        answer = ear.outliers(count or _OUTLIERS)
    elif mode == "--clusters":
        answer = ear.clusters(_number(clusters))
    elif mode == "--classify":
        answer = ear.classify(table, sure=sure, relabel=relabel, force=force)
    else:
        answer = ear.search(count, among, category=category, by=by)
    if page is not None:
        write_listing(page, mode.removeprefix("--").capitalize() if mode else "Similar sounds", answer.sections, force=force)
    _print(answer, ear.skipped, csv, page, force=force, json=json)


def _mode(modes: dict[str, bool], sources: Sequence[Path] | None, **options: object) -> str | None:
    """The one thing that is asked for. Raises ConfigError for two, and for options that do not belong to it."""
    from timbrespace.contracts import ConfigError

    asked = [name for name, on in modes.items() if on]
    if len(asked) > 1:
        raise ConfigError(f"{' and '.join(asked)} are two questions; ask one at a time")
    mode = asked[0] if asked else None
    for name, option, belongs in (("among", "--in", None), ("category", "--category", None), ("table", "--table", "--classify")):
        if options[name] is not None and mode != belongs:
            raise ConfigError(
                f"{option} is for {belongs or 'the search of similar sounds'}; leave it out" + (f" with {mode}" if mode else "")
            )
    if not sources and (mode is None or options["table"] is not None):
        raise ConfigError(
            "no sound was given; give sound files or a folder, or ask about the training sounds: "
            "--duplicates, --outliers, --clusters auto, --classify"
        )
    return mode


def _number(clusters: str | None) -> int | None:
    from timbrespace.contracts import ConfigError

    if clusters is None or clusters == "auto":
        return None
    if not clusters.isdecimal():
        raise ConfigError(f"--clusters is {clusters!r}, a number or auto is needed")
    return int(clusters)


class _Ear:
    """The instrument, the given sounds, and the files that were passed over."""

    def __init__(self, instrument: Instrument, path: Path, sources: Sequence[Path], folder: Path | None, *, quiet: bool):
        self.instrument, self.path, self.sources, self.folder, self.quiet = instrument, path, sources, folder, quiet
        self.skipped: list[tuple[str, str]] = []
        self._files: dict[str, Named] | None = None

    def search(self, count: int | None, among: Path | None, *, category: str | None, by: str) -> Answer:
        """The sounds most like each of the given ones."""
        from timbrespace.cli.report.find_answers import matches
        from timbrespace.space.neighbours.measure import QUICK
        from timbrespace.space.neighbours.search import search

        if among is None:
            _ = self.instrument.neighbours.training  # a stripped instrument says so before anything is measured
        given = self._measured(self.sources, descriptors=QUICK)
        others = self._training() if among is None else self._measured([among], descriptors=QUICK)
        same = among is not None and [path.resolve() for path in self.sources] == [among.resolve()]
        metric = self.instrument.neighbours.metric(others, by=by)
        count = count or (_ONE if len(given) == 1 else _SEVERAL)
        return matches(given, search(metric, given, others, count, category=category, same=same))

    def duplicates(self, within: float) -> Answer:
        """Sets of duplicates."""
        from timbrespace.cli.report.find_answers import duplicate_sets
        from timbrespace.space.neighbours.duplicates import duplicates

        sounds = self._asked(descriptors=())
        return duplicate_sets(duplicates(sounds, within=within), sounds, within=within)

    def outliers(self, count: int) -> Answer:
        """The sounds most unlike the corpus, or, of a stripped instrument, unlike each other."""
        from timbrespace.cli.report.find_answers import outlier_list
        from timbrespace.space.neighbours.outliers import outliers
        from timbrespace.space.neighbours.sounds import has_names

        sounds = self._asked()
        against = self._training() if self.sources and has_names(self.instrument.contents) else None
        return outlier_list(outliers(self.instrument.neighbours.metric(sounds), sounds, against), count=count)

    def clusters(self, count: int | None) -> Answer:
        """Groups of like sounds."""
        from timbrespace.cli.report.find_answers import cluster_list
        from timbrespace.space.neighbours.clusters import clusters

        sounds = self._asked()
        return cluster_list(clusters(self.instrument.neighbours.metric(sounds), sounds, count), sounds)

    def classify(self, table: Path | None, *, sure: float, relabel: bool, force: bool) -> Answer:
        """Categories, and how often they are right."""
        from timbrespace.cli.report.find_answers import Answer, categories, doubtful_labels, recognition_lines, recognition_value
        from timbrespace.contracts import ConfigError
        from timbrespace.space.neighbours.origin import with_cepstra
        from timbrespace.space.neighbours.table import write_table
        from timbrespace.space.neighbours.validate import cross_validate

        neighbours = self.instrument.neighbours
        classifier = neighbours.classifier
        training = self._training()
        with self._progress("baseline") as progress:
            labelled = with_cepstra(self.instrument.contents, training, self._found(), progress=progress)
        try:
            result = neighbours.recognition if labelled is None else cross_validate(labelled)
            lines, value = recognition_lines(result), recognition_value(result)
        except ConfigError as error:
            result, lines, value = None, [str(error)], {"reason": str(error)}
        if not self.sources:
            used = training if labelled is None else labelled
            answer = Answer() if result is None else doubtful_labels(used, result)
            return Answer(lines + answer.lines, {"recognition": value} | answer.value, answer.rows, answer.sections)
        found = classifier.classify(self._measured(self.sources, descriptors=()))
        answer = categories(found, classifier.categories)
        answer.value = {"recognition": value, **answer.value}
        answer.lines += lines
        if table is not None:
            unlabelled = [one for one in found if relabel or one.named not in classifier.categories]
            written = write_table(table, [one for one in unlabelled if one.confidence >= sure], relabel=relabel, force=force)
            unsure = sum(one.confidence < sure for one in unlabelled)
            answer.lines.append(
                f"{written} categories written to {table}; {unsure} sounds are below the confidence of {sure:g} and left out"
            )
            answer.value |= {"table": str(table), "written": written, "unsure": unsure}
        return answer

    def _asked(self, *, descriptors: Sequence[str] | None = None) -> SoundSet:
        """The given sounds, else the training sounds."""
        from timbrespace.space.neighbours.measure import QUICK

        return self._measured(self.sources, descriptors=QUICK if descriptors is None else descriptors) if self.sources else self._training()

    def _training(self) -> SoundSet:
        """The training sounds, with their paths as far as they are known."""
        sounds = self.instrument.neighbours.training
        files = self._found()
        return sounds.with_paths([files[name].path if name in files else None for name in sounds.names])

    def _found(self) -> dict[str, Named]:
        """The files of training sounds by name."""
        from timbrespace.corpus.prepared.origin import origin_paths
        from timbrespace.space.neighbours.origin import located, training_files

        if self._files is None:
            sounds = self.instrument.neighbours.training
            if self.folder is not None:
                self._files = located(sounds, self.folder)
            else:
                self._files = training_files(sounds, origin_paths(self.instrument.contents.origin or {}, self.path))
        return self._files

    def _measured(self, sources: Sequence[Path], *, descriptors: Sequence[str]) -> SoundSet:
        """Files and folders, measured; bad files are passed over. Raises TimbrespaceError if none is left."""
        from timbrespace.audio.describe import NAMES
        from timbrespace.contracts import AudioFileError
        from timbrespace.space.neighbours.measure import Measuring, find_files, measure

        found = find_files(sources)
        self.skipped += found.problems
        if descriptors and len(found.sounds) <= _ALL_DESCRIPTORS:
            descriptors = NAMES
        with self._progress("measuring") as progress:
            sounds = measure(self.instrument.contents, found.sounds, Measuring(descriptors), problems=self.skipped, progress=progress)
        if not len(sounds):
            file, reason = self.skipped[-1]
            raise AudioFileError(f"none of the {len(found.sounds)} files could be used; the last: {file}: {reason}")
        return sounds

    def _progress(self, task: str) -> Any:
        from timbrespace.cli.common.corpus import progress_bar

        return progress_bar(task, quiet=self.quiet)


def _print(answer: Answer, skipped: Sequence[tuple[str, str]], csv: Path | None, page: Path | None, *, force: bool, json: bool) -> None:
    """Prints the answer or its JSON, and writes the CSV file."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import printable, skipped_lines

    passed = [{"file": file, "reason": reason} for file, reason in dict.fromkeys(skipped)]
    if csv is not None:
        _write_csv(csv, answer.rows, force=force)
    if json:
        written = {name: str(path) for name, path in (("csv", csv), ("page", page)) if path is not None}
        print_json(answer.value | {"skipped": passed} | written)
        return
    for line in [*answer.lines, *skipped_lines(passed, rest="--json lists all")]:
        print(line)
    for name, path in (("table", csv), ("page", page)):
        if path is not None:
            print(f"{name}: {printable(path)}")


def _write_csv(path: Path, rows: Sequence[dict[str, Any]], *, force: bool) -> None:
    import csv
    import io

    from timbrespace.atomic import write_bytes

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["name"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "backslashreplace"), force=force)
