"""Docs for the tests and the picture of `render`. All people, places and drugs in them
are invented."""

import spacy
from spacy.util import filter_spans

from spacy_dualre.relations import set_relations


def make_doc(doc_id, text, entities, relations, lang="en"):
    """A Doc in which entities and the ends of relations are found by their text.

    doc_id (str): The id.
    text (str): The text.
    entities (Dict[str, str]): Types, by the text of the entity. All are in the span
        group "entities", those that do not overlap are the Doc's entities.
    relations (List[Tuple[str, str, str, float]]): Subject, predicate, object, score.
    lang (str): The language.
    RETURNS (Doc): The Doc.
    """
    doc = spacy.blank(lang)(text)
    doc.user_data["doc_id"] = doc_id

    def span(words):
        start = text.index(words)
        return doc.char_span(
            *(start, start + len(words)),
            label=entities.get(words, ""),
            alignment_mode="expand",
        )

    doc.spans["entities"] = [span(words) for words in entities]
    doc.ents = filter_spans(doc.spans["entities"])
    set_relations(doc, [(span(s), span(o), label, n) for s, label, o, n in relations])
    return doc


def make_company():
    return make_doc(
        "company-1",
        "Ada Moss and Jonas Pfeil founded Quillon Optics in Bergheim in 1987, three "
        "years after they had met at the University of Larmont. Quillon, which makes "
        "lenses for lighthouses, was bought by Stenhammar Group in 2011; its old "
        "workshop on the river is now the Museum of Light. Moss lives in Tarvik, where "
        "her sister Edda Moss leads the harbour office.",
        {
            "Ada Moss": "PERSON",
            "Jonas Pfeil": "PERSON",
            "Quillon Optics": "ORG",
            "Bergheim": "PLACE",
            "1987": "DATE",
            "University of Larmont": "ORG",
            "Larmont": "PLACE",
            "Stenhammar Group": "ORG",
            "2011": "DATE",
            "Museum of Light": "ORG",
            "Tarvik": "PLACE",
            "Edda Moss": "PERSON",
            "harbour office": "ORG",
        },
        [
            ("Ada Moss", "founded", "Quillon Optics", 0.97),
            ("Jonas Pfeil", "founded", "Quillon Optics", 0.95),
            ("Quillon Optics", "based_in", "Bergheim", 0.91),
            ("Quillon Optics", "founded_in", "1987", 0.88),
            ("Ada Moss", "studied_at", "University of Larmont", 0.62),
            ("Jonas Pfeil", "studied_at", "University of Larmont", 0.58),
            ("University of Larmont", "based_in", "Larmont", 0.83),
            ("Stenhammar Group", "owns", "Quillon Optics", 0.79),
            ("Ada Moss", "lives_in", "Tarvik", 0.74),
            ("Ada Moss", "sibling_of", "Edda Moss", 0.9),
            ("Edda Moss", "works_for", "harbour office", 0.86),
            ("Edda Moss", "lives_in", "Tarvik", 0.41),
        ],
    )


def make_drugs():
    """Twelve relations in one sentence."""
    return make_doc(
        "trial-2",
        "Velprazole blocked KDR7 and, at higher doses, MTP2 in liver cells, whereas "
        "ostamine activated MTP2, doubled the expression of FOX9 and had no effect on "
        "KDR7, so that nausea and headache, which are common under Velprazole alone, "
        "were rare when ostamine was given with it.",
        {
            "Velprazole": "DRUG",
            "KDR7": "GENE",
            "MTP2": "GENE",
            "liver cells": "CELL",
            "ostamine": "DRUG",
            "FOX9": "GENE",
            "nausea": "SYMPTOM",
            "headache": "SYMPTOM",
        },
        [
            ("Velprazole", "inhibits", "KDR7", 0.98),
            ("Velprazole", "inhibits", "MTP2", 0.87),
            ("Velprazole", "tested_in", "liver cells", 0.66),
            ("ostamine", "activates", "MTP2", 0.93),
            ("ostamine", "upregulates_expression_of", "FOX9", 0.9),
            ("ostamine", "no_effect_on", "KDR7", 0.71),
            ("Velprazole", "causes", "nausea", 0.84),
            ("Velprazole", "causes", "headache", 0.8),
            ("ostamine", "relieves", "nausea", 0.55),
            ("ostamine", "relieves", "headache", 0.52),
            ("Velprazole", "interacts_with", "ostamine", 0.77),
            ("MTP2", "expressed_in", "liver cells", 0.48),
        ],
    )


def make_short():
    """Names that are far longer than what they connect, at both edges."""
    return make_doc(
        "short-3",
        "Io saw Al. Al met Bo at Ur, by a road that leads past mill and weir to Ox",
        {"Io": "PERSON", "Al": "PERSON", "Bo": "PERSON", "Ur": "PLACE", "Ox": "PLACE"},
        [
            ("Io", "is_said_to_have_been_seen_in_the_company_of", "Al", 0.5),
            ("Al", "acquainted_with", "Bo", 0.7),
            ("Bo", "acquainted_with", "Al", 0.7),
            ("Bo", "was_last_seen_in_the_neighbourhood_of", "Ur", 0.9),
            ("Ur", "is_connected_by_a_road_to", "Ox", 0.6),
        ],
    )


def make_arabic():
    return make_doc(
        "arabic-4",
        "أسست ليلى مراد شركة نجمة البحر في مدينة سلوى عام 1990، وتعمل أختها هدى مراد "
        "في الشركة منذ البداية. وتعيش هدى اليوم في قرية النخيل قرب الساحل، حيث تدير "
        "متحف القوارب الصغير.",
        {
            "ليلى مراد": "PERSON",
            "شركة نجمة البحر": "ORG",
            "سلوى": "PLACE",
            "1990": "DATE",
            "هدى مراد": "PERSON",
            "قرية النخيل": "PLACE",
            "متحف القوارب": "ORG",
        },
        [
            ("ليلى مراد", "founded", "شركة نجمة البحر", 0.96),
            ("شركة نجمة البحر", "based_in", "سلوى", 0.9),
            ("شركة نجمة البحر", "founded_in", "1990", 0.81),
            ("هدى مراد", "أخت", "ليلى مراد", 0.88),
            ("هدى مراد", "works_for", "شركة نجمة البحر", 0.7),
            ("هدى مراد", "lives_in", "قرية النخيل", 0.65),
            ("هدى مراد", "works_for", "متحف القوارب", 0.6),
        ],
        lang="ar",
    )


def make_overlapping():
    """Entities that nest and cross, with and without a type, and a pair of an entity
    and a part of it."""
    doc = make_doc(
        "overlap-5",
        "The North Larmont Water and Power Company supplies the towns of Greater "
        "Tarvik Bay and Oster with drinking water from the Lake of the Seven Old "
        "Herons near the border, 🦢 a nature reserve.",
        {
            "North Larmont Water and Power Company": "ORG",
            "North Larmont": "PLACE",
            "Larmont": "PLACE",
            "Greater Tarvik": "PLACE",
            "Tarvik Bay": "PLACE",
            "Lake of the Seven Old Herons": "PLACE",
            "Herons": "ANIMAL",
        },
        [
            (
                "North Larmont Water and Power Company",
                "based_in",
                "North Larmont",
                0.83,
            ),
            ("North Larmont", "part_of", "Larmont", 0.4),
            (
                "North Larmont Water and Power Company",
                "supplies",
                "Greater Tarvik",
                0.77,
            ),
            ("North Larmont Water and Power Company", "supplies", "Tarvik Bay", 0.7),
            ("North Larmont Water and Power Company", "supplies", "Oster", 0.69),
            ("drinking water", "comes_from", "Lake of the Seven Old Herons", 0.91),
            ("Lake of the Seven Old Herons", "located_at", "border", 0.33),
            ("🦢", "symbol_of", "nature reserve", 0.25),
        ],
    )
    same = doc.spans["entities"][0]
    second = doc.char_span(same.start_char, same.end_char, label="UTILITY")
    doc.spans["entities"] = [*doc.spans["entities"], second]
    return doc


def make_empty():
    return make_doc("empty-6", "Nothing is said of Oslo here.", {"Oslo": "PLACE"}, [])


def make_chinese():
    """A language without spaces, and a Doc without an id."""
    return make_doc(
        None,
        "林海星于1998年创办了海风电机。海风电机的总部设在青叶城，工厂设在北野村。林海星"
        "出生在青叶城，现在住在北野村，她的哥哥林海明在总部工作。",
        {
            "林海星": "PERSON",
            "1998年": "DATE",
            "海风电机": "ORG",
            "青叶城": "PLACE",
            "北野村": "PLACE",
            "林海明": "PERSON",
        },
        [
            ("林海星", "founded", "海风电机", 0.94),
            ("海风电机", "founded_in", "1998年", 0.9),
            ("海风电机", "based_in", "青叶城", 0.85),
            ("林海星", "born_in", "青叶城", 0.7),
            ("林海星", "lives_in", "北野村", 0.6),
            ("林海明", "works_for", "海风电机", 0.5),
        ],
        lang="zh",
    )


def make_examples():
    """All of them."""
    makers = (make_company, make_drugs, make_short, make_arabic, make_overlapping)
    return [make() for make in (*makers, make_empty, make_chinese)]
