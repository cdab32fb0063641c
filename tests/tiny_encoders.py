"""Tiny encoders with random weights, built locally: no test needs a model hub.

One for each family of tokenizers that the component reads: WordPiece (BERT, MPNet),
byte-level BPE (RoBERTa) and Unigram with Metaspace (DeBERTa-v2).
"""

import string
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, normalizers, processors, trainers
from tokenizers.models import BPE, Unigram
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    DebertaV2Config,
    DebertaV2Model,
    DebertaV2TokenizerFast,
    MPNetConfig,
    MPNetModel,
    MPNetTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
)

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = [
    "the",
    "a",
    "of",
    "in",
    "was",
    "born",
    "works",
    "for",
    "at",
    "and",
    "is",
    "to",
    "by",
    "marie",
    "curie",
    "warsaw",
]
LETTERS = list(string.ascii_lowercase + string.digits + string.punctuation)
MAX_LENGTH = 128
# What the trained tokenizers see: enough for some merges, not enough for whole texts.
TEXT = [
    "Marie Curie was born in Warsaw and works for the University of Paris.",
    "The subject works for the object; there are no relations between them.",
    "A person, a place or an organization is at the start (or the end) of the text.",
    " ".join([*LETTERS, *string.ascii_uppercase]),
]


def make_bert(folder: Path, **config) -> str:
    """Write a tiny BERT with a WordPiece tokenizer.

    folder (Path): Where to write it.
    RETURNS (str): The folder, as an encoder's name.
    """
    vocab_file = _wordpiece_vocab(
        folder, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    )
    tokenizer = BertTokenizerFast(vocab_file, model_max_length=MAX_LENGTH)
    settings = _settings(tokenizer, max_position_embeddings=MAX_LENGTH, **config)
    return _write(folder, tokenizer, BertModel, BertConfig(**settings))


def make_mpnet(folder: Path, **config) -> str:
    """Write a tiny MPNet with a WordPiece tokenizer. Takes what `make_bert` takes."""
    vocab_file = _wordpiece_vocab(folder, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])
    tokenizer = MPNetTokenizerFast(vocab_file, model_max_length=512)
    # MPNet counts positions from 2: the padding index, and what comes before it.
    settings = _settings(tokenizer, max_position_embeddings=MAX_LENGTH + 2, **config)
    return _write(folder, tokenizer, MPNetModel, MPNetConfig(**settings))


def make_roberta(folder: Path, **config) -> str:
    """Write a tiny RoBERTa with a byte-level BPE. Takes what `make_bert` takes."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = Tokenizer(BPE())
    trained.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trained.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(TEXT, trainer)
    tokenizer = RobertaTokenizerFast(tokenizer_object=trained, model_max_length=512)
    settings = _settings(tokenizer, max_position_embeddings=MAX_LENGTH + 2, **config)
    return _write(folder, tokenizer, RobertaModel, RobertaConfig(**settings))


def make_deberta_v2(folder: Path, **config) -> str:
    """Write a tiny DeBERTa-v2 with a Unigram. Takes what `make_bert` takes."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    words = [*(f"▁{word}" for word in WORDS), *(f"▁{letter}" for letter in LETTERS)]
    # The special tokens are pieces too, as in what is converted from SentencePiece.
    pieces = [*special, "▁", *words, *LETTERS, *string.ascii_uppercase]
    vocab = [(piece, -10.0 / len(piece)) for piece in dict.fromkeys(pieces)]
    trained = Tokenizer(Unigram(vocab, unk_id=3, byte_fallback=False))
    trained.normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    trained.pre_tokenizer = Metaspace(prepend_scheme="always")
    trained.decoder = decoders.Metaspace(prepend_scheme="always")
    trained.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = DebertaV2TokenizerFast(
        tokenizer_object=trained, model_max_length=MAX_LENGTH
    )
    relative = {
        "relative_attention": True,
        "position_buckets": 16,
        "max_relative_positions": -1,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
    }
    settings = _settings(tokenizer, max_position_embeddings=MAX_LENGTH)
    settings = {**settings, **relative, **config}
    return _write(folder, tokenizer, DebertaV2Model, DebertaV2Config(**settings))


MAKERS = {
    "bert": make_bert,
    "roberta": make_roberta,
    "mpnet": make_mpnet,
    "deberta-v2": make_deberta_v2,
}


def _wordpiece_vocab(folder: Path, special: list[str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    vocab = [*special, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    path = folder / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(vocab)), encoding="utf8")
    return str(path)


def _settings(tokenizer, **config) -> dict:
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "intermediate_size": 64,
        **SIZE,
        **config,
    }


def _write(folder: Path, tokenizer, model_class, config) -> str:
    torch.manual_seed(0)
    tokenizer.save_pretrained(folder)
    model_class(config).save_pretrained(folder, safe_serialization=True)
    return str(folder)
