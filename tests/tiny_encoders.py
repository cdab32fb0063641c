"""Tiny encoders with random weights, built locally: no test needs a model hub."""

import string
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = "the a of in was born works for at and is to by marie curie warsaw".split()


def make_bert(folder: Path, **config) -> str:
    """Write a tiny BERT with a WordPiece tokenizer.

    folder (Path): Where to write it.
    RETURNS (str): The folder, as an encoder's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    letters = list(string.ascii_lowercase + string.digits + string.punctuation)
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    vocab += [*letters, *(f"##{letter}" for letter in letters)]
    vocab_file = folder / "vocab.txt"
    vocab_file.write_text("\n".join(dict.fromkeys(vocab)), encoding="utf8")
    tokenizer = BertTokenizerFast(str(vocab_file), model_max_length=128)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    settings = {"intermediate_size": 64, "max_position_embeddings": 128, **SIZE}
    model = BertModel(BertConfig(vocab_size=len(tokenizer), **settings, **config))
    model.save_pretrained(folder, safe_serialization=True)
    return str(folder)
