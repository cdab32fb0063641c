"""convert, train and apply are killed at random moments."""

import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import pytest
import spacy
import srsly
from apply_texts import make_ner, make_texts, write_jsonl
from hypothesis import strategies as st
from processes import CONTEXT
from spacy.cli.train import train
from spacy.tokens import DocBin
from tiny_corpus import make_docs, make_pipeline, with_entities, write_corpus

import spacy_dualre
from spacy_dualre.apply import Settings, apply
from spacy_dualre.cli.convert import convert

PACKAGE = Path(spacy_dualre.__file__).parent
# Seconds after which a call that nobody killed has failed.
TOO_LONG = 120


def call_quietly(function, args, kwargs):
    """Call a function, which prints nothing."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.dup2(nothing, sys.stderr.fileno())
    function(*args, **kwargs)


def start(function, *args, **kwargs):
    """Call a function in a process of its own."""
    process = CONTEXT.Process(target=call_quietly, args=(function, args, kwargs))
    process.start()
    return process


def finish(process):
    """Wait until a process has done all. RAISES (AssertionError): If it does not."""
    process.join(TOO_LONG)
    in_time = not process.is_alive()
    process.kill()
    assert in_time and process.exitcode == 0


class Killed:
    """A call that is killed after a share of the time that it takes."""

    def __init__(self, function, *args, **kwargs):
        self.call = (function, *args), kwargs
        began = time.monotonic()
        self.finish()
        self.seconds = time.monotonic() - began

    def kill(self, share):
        process = start(*self.call[0], **self.call[1])
        process.join(share * self.seconds)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()

    def finish(self):
        finish(start(*self.call[0], **self.call[1]))


def make_convert(folder):
    sources = [folder / "one", folder / "other"]
    for source in sources:
        source.mkdir(parents=True)
        for split in ("train", "dev"):
            lines = [{"text": f"{source.name} {i}", "entities": []} for i in range(200)]
            srsly.write_jsonl(source / f"{split}.jsonl", lines)
    output = folder / "out"
    runs = [Killed(convert, "jsonl", source, output) for source in sources]

    def check(share):
        runs[0].finish()
        runs[1].kill(share)
        # A kill between two renames leaves the old files beside the place.
        kept = output if output.exists() else folder / ".out.old"
        assert texts_in(kept / "train.spacy") == texts_in(kept / "dev.spacy")
        runs[1].finish()
        for split in ("train", "dev"):
            assert texts_in(output / f"{split}.spacy") == {"other"}
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        return "kills of convert"

    return check


def texts_in(path):
    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    return {doc[0].text for doc in docs}


def make_train(folder, bert):
    folder.mkdir()
    nlp = make_pipeline(bert)
    data = write_corpus(folder / "data.spacy", make_docs(nlp.vocab))
    config = nlp.config.copy()
    reader = {"@readers": "spacy-dualre.Corpus.v1", "path": str(data)}
    config["corpora"] = {"train": reader, "dev": reader}
    config["training"].update(max_steps=12, eval_frequency=2)
    config.to_disk(folder / "config.cfg")
    output = folder / "out"
    run = Killed(train, folder / "config.cfg", output)

    def check(share):
        run.kill(share)
        outcome = "kills of train, "
        for name in ("model-best", "model-last"):
            try:
                trained = spacy.load(output / name)
            except (ValueError, OSError) as e:
                # The tokenizer, say, is spaCy's to write and to read.
                is_ours = any(
                    PACKAGE in Path(frame.filename).parents
                    for frame in traceback.extract_tb(e.__traceback__)
                )
                assert not is_ours or str(output / name) in str(e)
                outcome += "model refused" if is_ours else "refused by spaCy"
                break
            for doc in trained.pipe(with_entities(trained)):
                assert doc._.relations is not None
        else:
            outcome += "models whole"
        return outcome

    return check


def make_apply(folder, trained_path, overwrite):
    folder.mkdir()
    source = write_jsonl(folder / "in.jsonl", make_texts(60))
    settings = Settings(ner=str(make_ner(folder / "ner")), batch_size=4)
    options = {"settings": settings, "shard_size": 4}
    apply(trained_path, source, folder / "whole.jsonl", **options)
    whole = (folder / "whole.jsonl").read_bytes()
    output, parts = folder / "out.jsonl", folder / "out.jsonl.parts"
    run = Killed(apply, trained_path, source, output, overwrite=overwrite, **options)

    def check(share):
        if not overwrite:
            output.unlink(missing_ok=True)
            shutil.rmtree(parts)
        run.kill(share)
        finish(start(apply, trained_path, source, output, **options))
        assert output.read_bytes() == whole
        return "kills of apply" + ", over an earlier output" * overwrite

    return check


@pytest.mark.campaign
def test_random_kills(trials, trained_path, bert, tmp_path):
    checks = {
        "convert": make_convert(tmp_path / "convert"),
        "train": make_train(tmp_path / "train", bert),
        "apply": make_apply(tmp_path / "apply", trained_path, False),
        "apply anew": make_apply(tmp_path / "anew", trained_path, True),
    }
    cases = st.tuples(st.sampled_from(sorted(checks)), st.floats(0, 1))
    trials.run(cases, lambda case: checks[case[0]](case[1]), per_seed=3, shrink=False)
