"""`spacy-dualre convert`: a dataset in its own format to `.spacy` files."""

from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from spacy.language import Language
from spacy.tokens import DocBin
from tqdm import tqdm
from wasabi import msg

from ..corpora import find_format, format_names
from ..corpora.format import SPLITS, changed_files
from ..corpora.output import REPORT_FILE, write_output
from ..corpora.report import OUTCOMES, Report, TooManyErrors
from ..doc_bins import new_doc_bin
from ._util import app, fail_on_error

MAX_ERRORS = 20


@app.command("convert")
def convert_cli(
    corpus: Annotated[
        str, typer.Argument(help=f"Format of the dataset: {', '.join(format_names())}")
    ],
    input_path: Annotated[
        Path, typer.Argument(help="The dataset's directory or file", exists=True)
    ],
    output_dir: Annotated[
        Path | None,
        typer.Argument(help="Where .spacy files and report go", file_okay=False),
    ] = None,
    lang: Annotated[
        str, typer.Option(help="Language of the texts, a code of spaCy's")
    ] = "en",
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if anything would be lost")
    ] = False,
    allow_changed: Annotated[
        bool,
        typer.Option("--allow-changed", help="Accept other files than the known ones"),
    ] = False,
    check_only: Annotated[
        bool,
        typer.Option("--check", help="List the errors in the files; write nothing"),
    ] = False,
) -> None:
    """Convert a dataset, as its owners distribute it, to train.spacy, dev.spacy and
    test.spacy with gold entities, relations and sentence boundaries, and report what
    was changed or lost.
    """
    if check_only:
        with fail_on_error():
            errors = check(corpus, input_path, lang=lang)
        for error in errors:
            msg.fail(error)
        if errors:
            more = " or more" if len(errors) == MAX_ERRORS else ""
            msg.fail(f"{len(errors)}{more} errors in {input_path}", exits=1)
        msg.good(f"No errors in {input_path}")
        return
    with fail_on_error():
        if output_dir is None:
            raise ValueError("Give a directory to write to, or --check.")
        report = convert(
            corpus,
            input_path,
            output_dir,
            lang=lang,
            strict=strict,
            allow_changed=allow_changed,
            progress=True,
        )
    print_report(report)
    msg.good(f"Wrote {', '.join(_outputs(report))} to {output_dir}")


def convert(
    corpus: str,
    input_path: Path,
    output_dir: Path,
    *,
    lang: str = "en",
    strict: bool = False,
    allow_changed: bool = False,
    progress: bool = False,
) -> Report:
    """Convert a dataset. Nothing is written unless all of it can be.

    corpus (str): The format, a name in `spacy_dualre.corpora.FORMATS`.
    input_path (Path): The directory or file of the dataset.
    output_dir (Path): Where `train.spacy`, `dev.spacy`, `test.spacy` and `report.json`
        are written.
    lang (str): The language whose tokenizer is used, a code of spaCy's.
    strict (bool): Whether any loss is an error.
    allow_changed (bool): Whether files may differ from the known ones, and counts too.
    progress (bool): Whether to show a progress bar on stderr.
    RETURNS (Report): What was read and written, and what differs.
    RAISES (ValueError): If the format or language is unknown, a file is missing, has an
        error or is not the known one, or something is lost although `strict` is set.
    """
    format_ = find_format(corpus)
    changed = changed_files(input_path, format_.files)
    report = Report(corpus)
    doc_bins: dict[str, DocBin] = {}
    # None: only where stderr is a terminal.
    hidden = None if progress else True
    docs = format_.read(_blank(lang), input_path, report)
    try:
        for split, doc in tqdm(docs, unit=" documents", disable=hidden):
            report[split].add(doc)
            doc_bins.setdefault(split, new_doc_bin()).add(doc)
    except ValueError as e:
        # Often the reason: a file that was cut short, say.
        reasons = [] if allow_changed else changed
        raise ValueError("\n".join([str(e), *reasons])) from e
    wrong = report.wrong_counts(format_.counts)
    if allow_changed:
        report.warnings += changed + wrong
    elif changed or wrong:
        raise ValueError(
            "\n".join([*changed, *wrong])
            + "\nGet the original files, or use --allow-changed to convert these."
        )
    _check_accounts(report, strict)
    if not doc_bins:
        raise ValueError(f"There are no documents in {input_path}.")
    report.warn_of_early_ends()
    files = {f"{split}.spacy": doc_bins[split].to_bytes() for split in doc_bins}
    files[REPORT_FILE] = srsly.json_dumps(report.to_data(), indent=2).encode("utf8")
    write_output(output_dir, files)
    return report


def check(corpus: str, input_path: Path, *, lang: str = "en") -> list[str]:
    """Look for errors in the files of a dataset.

    corpus (str): The format, a name in `spacy_dualre.corpora.FORMATS`.
    input_path (Path): The directory or file of the dataset.
    lang (str): The language whose tokenizer is used, a code of spaCy's.
    RETURNS (List[str]): The errors, up to `MAX_ERRORS`, each with its place. In formats
        that are one known dataset, the first one.
    RAISES (ValueError): If the format or language is unknown.
    """
    format_ = find_format(corpus)
    nlp = _blank(lang)
    report = Report(corpus, MAX_ERRORS)
    try:
        for _ in format_.read(nlp, input_path, report):
            pass
    except TooManyErrors:
        pass
    except ValueError as e:
        report.errors.append(str(e))
    return report.errors


def print_report(report: Report) -> None:
    """Print a conversion report.

    report (Report): The report.
    """
    for warning in report.warnings:
        msg.warn(warning)
    splits = [split for split in SPLITS if split in report.splits]
    data = {split: report[split].to_data() for split in splits}
    rows: list[list[str]] = []
    for what in ("documents", "sentences", "tokens"):
        rows.append([what, *(f"{data[split][what]:,}" for split in splits)])
    for what in ("mentions", "relations", "concept_relations"):
        counts = [data[split].get(what, {}) for split in splits]
        if any(counts):
            totals = [sum(count.values()) for count in counts]
            rows.append([what.replace("_", " "), *(f"{n:,}" for n in totals)])
        for label in dict.fromkeys(label for count in counts for label in count):
            rows.append([f"  {label}", *(f"{c.get(label, 0):,}" for c in counts)])
    if any(report[split].no_relation for split in splits):
        rows.append(
            ["no_relation", *(f"{report[split].no_relation:,}" for split in splits)]
        )
    findings = {finding for split in splits for finding in report[split].findings}
    in_order = sorted(findings, key=lambda f: (OUTCOMES.index(f.outcome), f))
    for finding in in_order:
        doc_ids = [report[split].findings.get(finding, []) for split in splits]
        example = next(ids[0] for ids in doc_ids if ids)
        text = f"{finding.outcome}: {finding.what} {finding.reason} (e.g. {example})"
        rows.append([text, *(f"{len(ids):,}" for ids in doc_ids)])
    aligns = ("l", *("r" for _ in splits))
    msg.table(rows, header=["", *splits], aligns=aligns, divider=True, max_col=100)
    for finding in in_order:
        if finding.meaning:
            msg.info(f"{finding.what} {finding.reason}: {finding.meaning}")
    if not report.losses():
        msg.good("Nothing was lost in converting")


def _blank(lang: str) -> Language:
    try:
        return spacy.blank(lang)
    except ImportError as e:  # no such language, or a tokenizer that must be installed
        raise ValueError(
            f"Can't make a pipeline for --lang {lang}: {e} Give a language code of "
            "spaCy's, or 'xx' for a tokenizer that fits most languages."
        ) from e


def _check_accounts(report: Report, strict: bool) -> None:
    for split in report.splits:
        for what, n in report[split].unaccounted().items():
            if n:
                raise ValueError(
                    f"{n} of the {what}s of {split} were neither written nor reported "
                    "as lost. This is a bug in the converter; please report it."
                )
    losses = [
        f"{split}: {finding.what}: {finding.reason} ({len(doc_ids)}, e.g. in document "
        f"{doc_ids[0]})"
        for split, finding, doc_ids in report.losses()
    ]
    if strict and losses:
        raise ValueError(
            "\n".join(
                ["With --strict nothing may be lost, but this would be:", *losses]
            )
        )


def _outputs(report: Report) -> list[str]:
    written = [s for s in SPLITS if report[s].counts["documents"]]
    return [*(f"{split}.spacy" for split in written), REPORT_FILE]
