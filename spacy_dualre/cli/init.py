"""`spacy-dualre init`: predicates and a training config for a corpus of one's own."""

import textwrap
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import dot_to_dict
from spacy.vocab import Vocab
from thinc.api import Config
from wasabi import msg

from ..corpora import format_names
from ..corpora.format import NO_SPLITS
from ..corpora.guess import guess_format
from ..corpora.report import Report
from ..doc_bins import load_doc_bin, read_docs
from ..model.start import GENERAL
from ..predicates import parse_predicates, read_predicates
from ..training.facts import CorpusFacts
from ..training.recipe import COMPONENT, Recipe, make_recipe, write_predicates
from ..training.trial import make_trial
from ._util import app, fail_on_error
from .config import complete_config
from .convert import convert, print_report
from .divide import divide_file

Optimize = Literal["speed", "accuracy"]
CONFIG_FILE, PREDICATES_FILE = "config.cfg", "predicates.yml"
# The shares of dev and test where the corpus has no split: more of few documents.
SHARE, SHARE_OF_FEW, FEW_DOCS = 0.1, 0.2, 100


class Initialized(NamedTuple):
    """What was made.

    config (Path): The training config.
    predicates (Path): The predicates.
    kept (bool): Whether the predicates were there before.
    reasons (List[str]): Why the config is as it is.
    report (Optional[Report]): How the corpus was converted, if it had to be.
    """

    config: Path
    predicates: Path
    kept: bool
    reasons: list[str]
    report: Report | None


@app.command(
    "init",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def init_cli(
    ctx: typer.Context,
    corpus: Annotated[
        Path,
        typer.Argument(
            help="Folder with train.spacy and dev.spacy, or annotations in any format",
            exists=True,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write", file_okay=False)
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Format of the annotations, where the files do not show it: "
            f"{', '.join(format_names())}",
        ),
    ] = None,
    lang: Annotated[
        str, typer.Option(help="Language of the texts, a code of spaCy's")
    ] = "en",
    optimize: Annotated[
        str, typer.Option(help=f"For {' or '.join(get_args(Optimize))}")
    ] = "accuracy",
    gpu: Annotated[bool, typer.Option("--gpu", help="Train on a GPU")] = False,
    general: Annotated[
        bool, typer.Option("--general", help="Start from the general model")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the config")
    ] = False,
    trial: Annotated[
        bool,
        typer.Option(
            help="Train a few steps, on the CPU, to see that it works and how long it "
            "takes"
        ),
    ] = True,
) -> None:
    """Write predicates.yml, to be edited, and a training config that runs as it is.
    Annotations that are not converted yet are converted, and divided where they have
    no dev split. Settings can be changed (--section.key value).
    """
    with fail_on_error():
        made = init(
            corpus,
            output,
            format_=format_,
            lang=lang,
            optimize=optimize,  # type: ignore[arg-type]
            gpu=gpu,
            general=general,
            overwrite=overwrite,
            overrides=parse_config_overrides(ctx.args),
        )
    if made.report is not None:
        print_report(made.report)
    for reason in made.reasons:
        msg.text(f"- {reason}")
    msg.good(f"{'Kept' if made.kept else 'Wrote'} {made.predicates}: edit it")
    msg.good(f"Wrote {made.config}")
    gpu_id = " --gpu-id 0" if gpu else ""
    msg.text("Look through the data, and train:")
    # Not through `msg`, which wraps lines.
    typer.echo(f"  spacy-dualre check {made.config}")
    typer.echo(f"  python -m spacy train {made.config} --output {output}{gpu_id}")
    if trial:
        with fail_on_error():
            duration = _duration(estimate(made.config))
            msg.info(f"On this CPU, as busy as it is now, training takes {duration}")


def init(
    corpus: Path,
    output: Path,
    *,
    format_: str | None = None,
    lang: str = "en",
    optimize: Optimize = "accuracy",
    gpu: bool = False,
    general: bool = False,
    overwrite: bool = False,
    overrides: dict[str, Any] | None = None,
) -> Initialized:
    """Make what a training on a corpus needs: a file of predicates and a config.

    corpus (Path): A folder with `train.spacy` and `dev.spacy`, a `.spacy` file, or
        annotations in a format that `convert` reads.
    output (Path): The folder for `config.cfg` and `predicates.yml` (which is kept if it
        is there), and for converted or divided documents.
    format_ (Optional[str]): The format. None: it is guessed.
    lang (str): The language of the texts, a code of spaCy's.
    optimize (str): "speed" or "accuracy".
    gpu (bool): Whether to train on a GPU.
    general (bool): Whether to start from the general model.
    overwrite (bool): Whether a config that is there is replaced.
    overrides (Optional[Dict[str, Any]]): Values of the config, by dotted path.
    RETURNS (Initialized): What was made.
    RAISES (ValueError): If the corpus can't be read or has no relations, or a config is
        there.
    """
    if optimize not in get_args(Optimize):
        raise ValueError(
            f"--optimize is {' or '.join(get_args(Optimize))}, not {optimize!r:.200}."
        )
    if general and not GENERAL.is_file():
        raise ValueError(f"The general model is not installed ({GENERAL}).")
    config_path = output / CONFIG_FILE
    if config_path.exists() and not overwrite:
        raise ValueError(f"{config_path} is there. Use --overwrite to replace it.")
    folder, report, found = _find_splits(corpus, output, format_, lang)
    vocab = Vocab()
    train = list(read_docs(folder / "train.spacy", vocab))
    facts = CorpusFacts([*train, *read_docs(folder / "dev.spacy", vocab)])
    if not facts.relations:
        raise ValueError(f"There are no relations in {corpus}, so nothing to learn.")
    recipe = make_recipe(facts, len(train), optimize=optimize, gpu=gpu, general=general)
    predicates = output / PREDICATES_FILE
    kept = predicates.exists()
    if kept:
        _refuse_missing(predicates, facts)
    else:
        text = write_predicates(facts, corpus.name)
        output.mkdir(parents=True, exist_ok=True)
        predicates.write_text(text, encoding="utf8")
    recipe.changes["paths.predicates"] = str(predicates)
    config = make_config(recipe, folder, lang, overrides)
    reasons = [*found, *recipe.reasons]
    if lang != "en" and f"{COMPONENT}.model.encoder" not in (overrides or {}):
        reasons.append(
            f"encoder: the default one reads English. For '{lang}' give another one: "
            f"--{COMPONENT}.model.encoder NAME."
        )
    header = [f"# Made by spacy-dualre init --optimize {optimize}."]
    header += [textwrap.indent(textwrap.fill(x, 86), "# ") for x in reasons]
    config_path.write_text("\n".join([*header, "", config.to_str()]), encoding="utf8")
    return Initialized(config_path, predicates, kept, reasons, report)


def make_config(
    recipe: Recipe, folder: Path, lang: str, overrides: dict[str, Any] | None = None
) -> Config:
    """Make the config of a recipe.

    recipe (Recipe): The recipe.
    folder (Path): Where `train.spacy` and `dev.spacy` are.
    lang (str): The language of the texts.
    overrides (Optional[Dict[str, Any]]): Values by dotted path, which come last.
    RETURNS (Config): The config, with all defaults filled in.
    """
    changes = {
        "nlp.lang": lang,
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(folder / "dev.spacy"),
        **recipe.changes,
    }
    return complete_config(dot_to_dict(changes), overrides)


def estimate(config_path: Path) -> float:
    """Try a config out for some steps.

    config_path (Path): The config.
    RETURNS (float): The seconds that training will take on this CPU, about.
    RAISES (ValueError): If training would fail.
    """
    trial = make_trial(Config().from_disk(config_path))
    trial.initialize()
    return trial.estimate()


def _find_splits(
    corpus: Path, output: Path, format_: str | None, lang: str
) -> tuple[Path, Report | None, list[str]]:
    """A folder with train.spacy and dev.spacy, which is made if need be; the report of
    a conversion; what was found out about the files and done with them.
    """
    report = None
    source = corpus
    reasons = []
    if format_ is not None or not _has_docs(corpus):
        source = output / "corpus"
        name = format_ or guess_format(corpus)
        if format_ is None:
            reasons.append(f"format: by the look of the files it is {name}.")
        try:
            report = convert(name, corpus, source, lang=lang)
        except ValueError as e:
            if format_ is not None:
                raise
            hint = f"The format was taken for {name}. If it is not, name it: --format."
            raise ValueError(f"{e}\n{hint}") from e
    if source.is_dir() and (source / "dev.spacy").is_file():
        return source, report, reasons
    file = source / "train.spacy" if source.is_dir() else source
    n = len(load_doc_bin(file))
    share = SHARE_OF_FEW if n < FEW_DOCS else SHARE
    counts = divide_file(file, output / "divided", dev=share, test=share)
    if "dev" not in counts or "train" not in counts:
        raise ValueError(
            f"{corpus} has {n} documents, too few to divide them into train and dev."
        )
    if report is not None and NO_SPLITS in report.warnings:
        report.warnings.remove(NO_SPLITS)
    sizes = ", ".join(f"{split} {n}" for split, (n, _) in counts.items())
    reasons.append(
        f"paths: {n} documents without a dev split were divided by label ({sizes}). "
        "Keep test for the end."
    )
    return output / "divided", report, reasons


def _has_docs(corpus: Path) -> bool:
    return corpus.suffix == ".spacy" or (corpus / "train.spacy").is_file()


def _refuse_missing(path: Path, facts: CorpusFacts) -> None:
    known = {p.label for p in parse_predicates(read_predicates(str(path)))}
    missing = sorted(set(facts.labels) - known)
    if missing:
        raise ValueError(
            f"{path} is there, but does not have the predicates {', '.join(missing)}. "
            "Add them, or remove the file to have it written anew."
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} seconds"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"
