"""Many documents, on each engine, of which workers, drivers and heads are killed."""

import random
import signal
import time

import psutil
import pytest
import spacy
from apply_texts import make_ner, make_texts, write_jsonl
from processes import CONTEXT, wait_until

from spacy_dualre.apply import Settings, apply

N_DOCUMENTS = 10_000
N_KILLS = 12
SHARD_SIZE = 50
# By engine: what is killed in turns, and how its processes are told.
VICTIMS = {
    "local": {"driver": (), "worker": ("forkserver", "spawn_main")},
    "ray": {
        "worker": ("ray::Worker",),
        "driver": (),
        "head": ("gcs_server",),
    },
}


def call_apply(args, options):
    """`apply`, in a process that works on."""
    apply(*args, **options)


class Run:
    """The same run, which goes on after it was killed."""

    def __init__(self, *args, **options):
        self.call = args, options
        self.process = None

    def go_on(self):
        """Start the driver where there is none."""
        if self.process is None or not self.process.is_alive():
            self.process = CONTEXT.Process(target=call_apply, args=self.call)
            self.process.start()

    def kill(self, texts):
        """Kill the driver, or the first of its processes whose command has one of
        these texts. RETURNS (bool): Whether there was one."""
        driver = psutil.Process(self.process.pid)
        children = driver.children(recursive=True)
        victims = [
            child
            for child in children
            if any(text in command_of(child) for text in texts)
        ]
        if texts and not victims:
            return False
        (victims[0] if texts else driver).send_signal(signal.SIGKILL)
        # A driver without its head notices it, or waits for it.
        if "gcs_server" in texts or not texts:
            self.process.join(30)
            self.end(children)
        return True

    def end(self, children):
        """End what is left of a driver, and of the cluster that it had started."""
        for process in children:
            if process.is_running():
                process.kill()
        psutil.wait_procs(children, timeout=30)
        self.process.kill()
        self.process.join()


def command_of(process):
    """RETURNS (str): The command of a process, "" if it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.campaign
@pytest.mark.parametrize("engine", VICTIMS)
def test_kills_at_scale(engine, trained_path, trials, tmp_path, request):
    if engine == "ray":
        pytest.importorskip("ray")
    if request.config.getoption("--minutes") < 10:
        pytest.skip("takes ten minutes; tests/test_apply.py kills shorter runs")
    source = write_jsonl(tmp_path / "in.jsonl", make_texts(N_DOCUMENTS))
    # Workers know no component of the tests.
    ner = spacy.load(make_ner(tmp_path / "ner"), exclude=["link_or_fail"])
    ner.to_disk(tmp_path / "ner")
    settings = Settings(ner=str(tmp_path / "ner"))
    options = {"settings": settings, "shard_size": SHARD_SIZE}
    apply(trained_path, source, tmp_path / "whole.jsonl", **options)
    output = tmp_path / "out.jsonl"
    parts = tmp_path / "out.jsonl.parts"
    run = Run(trained_path, source, output, engine=engine, n_process=2, **options)
    choose = random.Random(trials.seed)
    moments = sorted(choose.sample(range(N_DOCUMENTS // SHARD_SIZE - 1), N_KILLS))
    kinds = list(VICTIMS[engine])
    for i, moment in enumerate(moments):
        kind = kinds[i % len(kinds)]
        run.go_on()
        wait_until(lambda n=moment: count(parts) > n or output.exists(), 600)
        time.sleep(choose.random() / 10)
        if run.process.is_alive() and run.kill(VICTIMS[engine][kind]):
            trials.outcomes[f"kills of a {kind}"] += 1
    while not output.exists():
        run.go_on()
        run.process.join()
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    trials.outcomes["runs as if uninterrupted"] += 1
    trials.seed += 1


def count(parts):
    """RETURNS (int): How many parts are finished."""
    return sum(1 for _ in parts.glob("0*.jsonl"))
