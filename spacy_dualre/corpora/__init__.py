"""Dataset formats that can be converted. A new one is a module and a line here."""

from . import biored, chemprot, jsonl, scierc, semeval2010
from .format import Format

CORPORA: dict[str, Format] = {
    "chemprot": chemprot.FORMAT,
    "biored": biored.FORMAT,
    "scierc": scierc.FORMAT,
    "semeval2010": semeval2010.FORMAT,
    "jsonl": jsonl.FORMAT,
}
