"""`spacy-dualre check`: look through data and config before training."""

from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config
from spacy.vocab import Vocab
from wasabi import msg

from ..doc_bins import read_docs
from ..training.check import Check, check_config
from ..training.facts import CorpusFacts
from ..training.recipe import make_recipe
from ._util import app, fail_on_error
from .init import make_config


@app.command(
    "check",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def check_cli(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|CORPUS",
            help="Training config, or folder with train.spacy and dev.spacy",
            exists=True,
        ),
    ],
    lang: Annotated[
        str, typer.Option(help="Language of a corpus, a code of spaCy's")
    ] = "en",
) -> None:
    """Look through data and settings before training, and say what to change. Settings
    can be changed for the run (--section.key value). The exit status is 1 where
    training would fail or mean nothing.
    """
    with fail_on_error():
        found = check(source, lang=lang, overrides=parse_config_overrides(ctx.args))
    print_check(found)
    if found.failed:
        msg.fail("Training would fail, or mean nothing", exits=1)
    msg.good("Ready to train")


def check(
    source: Path, *, lang: str = "en", overrides: dict[str, Any] | None = None
) -> Check:
    """Look through a training config or a corpus.

    source (Path): A config, or a folder with `train.spacy` and `dev.spacy`, of which is
        then said what holds with the settings that `init` would choose.
    lang (str): The language of a corpus.
    overrides (Optional[Dict[str, Any]]): Values of the config, by dotted path.
    RETURNS (Check): What was found.
    RAISES (ValueError): If the source can't be used at all.
    """
    if source.is_file():
        return check_config(load_config(source, overrides=overrides or {}))
    missing = [s for s in ("train", "dev") if not (source / f"{s}.spacy").is_file()]
    if missing:
        raise ValueError(
            f"There is no {' and no '.join(missing)}.spacy in {source}. Convert the "
            "annotations (spacy-dualre convert), divide them (spacy-dualre divide), or "
            "let spacy-dualre init do both."
        )
    vocab = Vocab()
    train = list(read_docs(source / "train.spacy", vocab))
    facts = CorpusFacts([*train, *read_docs(source / "dev.spacy", vocab)])
    recipe = make_recipe(facts, len(train))
    test = source / "test.spacy"
    return check_config(
        make_config(recipe, source, lang, overrides),
        list(read_docs(test, vocab)) if test.is_file() else [],
    )


def print_check(found: Check) -> None:
    """Print what was found.

    found (Check): What was found.
    """
    reports = found.reports
    rows = [["documents", *(f"{len(r.pairs):,}" for r in reports.values())]]
    rows.append(["relations", *(f"{r.relations:,}" for r in reports.values())])
    labels = sorted({label for report in reports.values() for label in report.labels})
    for label in sorted(labels, key=lambda x: -reports["train"].labels[x]):
        rows.append([f"  {label}", *(f"{r.labels[label]:,}" for r in reports.values())])
    for name, values in {
        "candidate pairs": [sum(r.pairs) for r in reports.values()],
        "  with a relation": [r.positive for r in reports.values()],
        "  of a document, at most": [max(r.pairs, default=0) for r in reports.values()],
    }.items():
        rows.append([name, *(f"{value:,}" for value in values)])
    reasons = sorted({reason for r in reports.values() for reason in r.dropped})
    for reason in reasons:
        counts = (f"{r.dropped[reason]:,}" for r in reports.values())
        rows.append([f"no candidates: {reason}", *counts])
    if found.by_concept:
        recalls = [r.concepts_found / max(r.concepts, 1) for r in reports.values()]
    else:
        recalls = [r.candidate_recall for r in reports.values()]
    what = "concepts" if found.by_concept else "relations"
    percent = (f"{100 * recall:.1f}" for recall in recalls)
    rows.append([f"candidate recall of {what}, %", *percent])
    if reports:
        aligns = ("l", *("r" for _ in reports))
        header = ["", *reports]
        msg.table(rows, header=header, aligns=aligns, divider=True, max_col=100)
    for finding in found.findings:
        if finding.fatal:
            msg.fail(finding.what, finding.advice)
        else:
            msg.warn(finding.what, finding.advice)
