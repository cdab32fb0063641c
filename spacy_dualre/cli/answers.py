"""`spacy-dualre answers`: predictions in the answer format of SemEval-2010 Task 8."""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.util import minibatch
from tqdm import tqdm
from wasabi import msg

from ..corpora.semeval2010 import answer
from ..pipelines import get_extractor, load_pipeline
from ..relations import get_relations
from ..training.corpus import build_corpus
from ..training.gold import complete
from ._util import Component, GpuId, app, fail_on_error


@app.command("answers")
def answers_cli(
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[
        Path, typer.Argument(help="Converted SemEval-2010 Task 8 file", exists=True)
    ],
    output: Annotated[Path, typer.Argument(help="Text file to write")],
    component: Component = "dual_relation_extractor",
    gpu_id: GpuId = -1,
) -> None:
    """Predict the relations between the gold nominals of SemEval-2010 Task 8, and write
    them in the answer format that the task's own scorer reads.
    """
    with fail_on_error():
        setup_gpu(gpu_id)
        lines = find_answers(model, data, component)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")
    msg.good(f"Wrote {len(lines)} answers to {output}")


def find_answers(model: Path, data: Path, component: str) -> list[str]:
    """Predict the answers for converted sentences.

    model (Path): The pipeline.
    data (Path): A `.spacy` file with gold nominals; gold relations are not read.
    component (str): The name of the relation extractor.
    RETURNS (List[str]): A line for each sentence, in the order of the file.
    RAISES (ValueError): If the pipeline has no such component, or a document is no
        converted sentence.
    """
    nlp = load_pipeline(str(model), None, component)
    extractor = get_extractor(nlp, component)
    examples = [
        complete(example, extractor.spans_key)
        for example in build_corpus(str(data))(nlp)
    ]
    lines = []
    for batch in minibatch(tqdm(examples, disable=None), nlp.batch_size):
        docs = [example.predicted for example in batch]
        extractor.set_annotations(docs, extractor.predict(docs))
        for example, doc in zip(batch, docs):
            found = get_relations(doc, extractor.relations_key)
            lines.append(answer(example.reference, found))
    return lines
