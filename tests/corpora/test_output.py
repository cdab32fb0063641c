import os
import random
import subprocess
import sys
import time

import pytest

from spacy_dualre.corpora.output import write_output

WRITE = """
import sys
from pathlib import Path
from spacy_dualre.corpora.output import write_output

print("ready", flush=True)
for n in range(100_000):
    content = str(n).encode() * 100
    write_output(Path(sys.argv[1]), {"train.spacy": content, "dev.spacy": content})
"""


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_other_files_stay(tmp_path):
    output_dir = tmp_path / "out"
    (output_dir / "sub").mkdir(parents=True)
    (output_dir / "sub" / "mine").write_bytes(b"1")
    (output_dir / "notes").write_bytes(b"2")
    for content in (b"a", b"b"):
        write_output(output_dir, {"train.spacy": content})
    assert (output_dir / "sub" / "mine").read_bytes() == b"1"
    assert (output_dir / "notes").read_bytes() == b"2"
    assert (output_dir / "train.spacy").read_bytes() == b"b"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_an_earlier_killed_run_left_is_cleared(tmp_path):
    for name in (".out.new", ".out.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.spacy").write_bytes(b"old")
    (tmp_path / ".out.old" / "notes").write_bytes(b"mine")
    write_output(tmp_path / "out", {"train.spacy": b"new"})
    assert files_of(tmp_path / "out") == {"train.spacy": b"new", "notes": b"mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_current_directory_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="it is the current directory"):
        write_output(tmp_path, {"train.spacy": b""})


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    output_dir = tmp_path / "out"
    moments = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", WRITE, str(output_dir)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.random() * 0.1)
        process.kill()
        process.wait()
        if output_dir.exists():
            contents = files_of(output_dir)
            assert len(set(contents.values())) == 1
            assert len(contents) == 2
        else:
            # Nothing was written yet, or the last conversion stands beside it.
            assert (
                os.listdir(tmp_path) in ([], [".out.new"])
                or len(set(files_of(tmp_path / ".out.old").values())) == 1
            )
    write_output(output_dir, {"train.spacy": b"last", "dev.spacy": b"last"})
    assert os.listdir(tmp_path) == ["out"]
    assert set(files_of(output_dir).values()) == {b"last"}
