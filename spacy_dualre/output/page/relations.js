const N_COLOURS = 8;

// Elements are made here and nowhere from HTML, so that all text stays text.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  return fill(element, attributes, children);
}

function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  return fill(element, attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Text that can also break within long names such as is_the_capital_of.
function breakable(text) {
  if (text.length < 20) return [text];
  return text.split(/(?<=[_:/.-])/).flatMap((part) => [part, make("wbr")]);
}

// --- Names and their colours

function countNames(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function colourNames(counts, shift) {
  const names = [...counts.keys()].filter((name) => name !== "");
  return new Map(
    names.map((name, i) => [name, `var(--colour-${(i + shift) % N_COLOURS})`]),
  );
}

// --- Text with marks, which may nest and overlap

// The end of the first word, after which the line of a mark can be raised. There a line
// is never broken, which before the word it may be.
const FIRST_WORD =
  /^[^\p{L}\p{N}]*(?:[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|[\p{L}\p{N}\p{M}]+)/u;

function makeLifter() {
  return make("i", { class: "lifter", "aria-hidden": "true" });
}

// Fill an element with a text whose spans are marked. A span that crosses the end of
// another is marked in several pieces. Returns the text nodes with where they start,
// and the pieces of each span.
function markText(element, text, spans, typeColours) {
  const nodes = [];
  const pieces = spans.map(() => []);
  const starting = spans.map((_, i) => i);
  starting.sort(
    (a, b) => spans[a].start - spans[b].start || spans[b].end - spans[a].end,
  );
  const places = new Set([0, text.length, ...spans.flatMap((s) => [s.start, s.end])]);
  const open = [];
  const inner = () => (open.length ? open.at(-1).mark : element);

  function start(i, isContinued) {
    const colour = typeColours.get(spans[i].type) ?? "var(--muted)";
    const mark = make("mark", { "data-span": i, style: `--colour: ${colour}` });
    if (isContinued) mark.classList.add("continued");
    inner().append(mark);
    pieces[i].push(mark);
    open.push({ i, mark, depth: 0 });
  }

  function end(isCut) {
    const { i, mark, depth } = open.pop();
    mark.style.setProperty("--depth", depth);
    if (open.length) open.at(-1).depth = Math.max(open.at(-1).depth, depth + 1);
    mark.lastLifter = makeLifter();
    const isNamed = !isCut && spans[i].type;
    const name = make("small", {}, spans[i].type, mark.lastLifter);
    mark.append(isNamed ? name : mark.lastLifter);
    mark.classList.toggle("cut", isCut);
  }

  function write(from, to) {
    if (from === to) return;
    const node = document.createTextNode(text.slice(from, to));
    nodes.push({ node, start: from });
    inner().append(node);
  }

  let from = 0;
  for (const to of [...places].sort((a, b) => a - b)) {
    const word = open.length
      ? (text.slice(from, to).match(FIRST_WORD)?.[0].length ?? 0)
      : 0;
    if (word) {
      write(from, from + word);
      inner().append(makeLifter());
    }
    write(from + word, to);
    const cut = [];
    while (open.some(({ i }) => spans[i].end === to)) {
      const { i } = open.at(-1);
      if (spans[i].end !== to) cut.unshift(i);
      end(spans[i].end !== to);
    }
    for (const i of cut) start(i, true);
    while (starting.length && spans[starting[0]].start === to) {
      const i = starting.shift();
      start(i, false);
      if (spans[i].end === to) end(false);
    }
    from = to;
  }
  return { nodes, pieces };
}

// --- A document

class View {
  constructor(description, number, colours) {
    Object.assign(this, description);
    this.colours = colours;
    this.shown = new Set();
    this.isStale = true;
    const heading = description.id ?? `Document ${number}`;
    this.section = make("section", { class: "document", "aria-label": heading });
    this.heading = make("h2", { dir: "auto" }, heading);
    const { language } = description;
    const isKnown = language && language !== "xx";
    this.content = make("div", {
      class: "text",
      dir: "auto",
      ...(isKnown && { lang: language }),
    });
    Object.assign(this, markText(this.content, this.text, this.spans, colours.types));
    this.svg = makeSvg("svg", { "aria-hidden": "true" });
    this.labels = make("div", { class: "labels" });
    this.canvas = make("div", { class: "canvas" }, this.content, this.svg, this.labels);
    this.table = make("div", { class: "triples" });
    const columns = make("div", { class: "columns" }, this.canvas, this.table);
    this.section.append(this.heading, columns);
  }

  // What is wanted only once the document is near to what can be seen.
  complete() {
    if (this.buttons) return;
    const words = (span) => this.text.slice(span.start, span.end).replace(/\s+/g, " ");
    const colour = (relation) =>
      `--colour: ${this.colours.predicates.get(relation.predicate)}`;
    this.buttons = this.relations.map((relation, i) => {
      const named = (span) => words(span) + (span.type && ` (${span.type})`);
      const [subject, object] = [relation.subject, relation.object].map((end) =>
        named(this.spans[end]),
      );
      const score = relation.score.toFixed(2);
      return make(
        "button",
        {
          type: "button",
          "data-relation": i,
          "aria-pressed": "false",
          "aria-label": `${subject}, ${relation.predicate}, ${object}; score ${score}`,
          title: relation.predicate,
          style: colour(relation),
        },
        make("span", { dir: "auto" }, relation.predicate),
        make("small", {}, score),
      );
    });
    this.labels.append(...this.buttons);
    this.rows = this.relations.map((relation, i) => {
      const cell = (span) => {
        const style = `--colour: ${this.colours.types.get(span.type) ?? "var(--muted)"}`;
        return make("td", {}, make("bdi", { style, title: span.type }, words(span)));
      };
      return make(
        "tr",
        {
          "data-relation": i,
          style: colour(relation),
        },
        cell(this.spans[relation.subject]),
        make("td", {}, make("span", { dir: "auto" }, ...breakable(relation.predicate))),
        cell(this.spans[relation.object]),
        make("td", { class: "number" }, relation.score.toFixed(2)),
      );
    });
    const names = ["Subject", "Predicate", "Object", "Score"];
    const head = names.map((name) => make("th", { scope: "col" }, name));
    this.table.append(
      make(
        "table",
        {},
        make("thead", {}, make("tr", {}, ...head)),
        make("tbody", {}, ...this.rows),
      ),
    );
  }

  // Under the row of a relation: how all predicates were scored, where that is told.
  explain(i) {
    this.explanation?.remove();
    const explanation = this.relations[i]?.explanation;
    if (!explanation) return;
    const { opinions } = explanation;
    const columns = ["Score", "Cosine", "Head"].filter((name) =>
      opinions.some((opinion) => opinion[name.toLowerCase()] !== null),
    );
    const heads = columns.map((name) =>
      make("th", { scope: "col", class: "number" }, name),
    );
    const rows = opinions.flatMap((opinion) => [
      make(
        "tr",
        {},
        make("td", {}, make("span", { dir: "auto" }, ...breakable(opinion.predicate))),
        ...columns.map((name) =>
          make(
            "td",
            { class: "number" },
            opinion[name.toLowerCase()]?.toFixed(2) ?? "",
          ),
        ),
      ),
      ...(opinion.pruned ? ["pruned, not read:"] : [])
        .concat(opinion.descriptions)
        .map((text) =>
          make("tr", {}, make("td", { colspan: 4, dir: "auto", class: "read" }, text)),
        ),
    ]);
    const { shortened, n_others: nOthers } = explanation;
    const notes = [
      shortened.length && `Shortened to fit: ${shortened.join(", ")}.`,
      nOthers && `${nOthers} predicates that are less likely or were not asked for.`,
    ];
    this.explanation = make(
      "tr",
      { class: "explanation" },
      make(
        "td",
        { colspan: 4 },
        make("p", { class: "read", dir: "auto" }, explanation.text),
        make(
          "table",
          {},
          make(
            "thead",
            {},
            make("tr", {}, make("th", { scope: "col" }, "Predicate"), ...heads),
          ),
          make("tbody", {}, ...rows),
        ),
        ...notes.filter(Boolean).map((note) => make("p", {}, note)),
      ),
    );
    this.rows[i].after(this.explanation);
  }

  // A stretch of text without the types that stand in it: a range for each text node.
  ranges(from, to) {
    const touched = this.nodes.filter(
      ({ node, start }) => start < to && from < start + node.length,
    );
    return touched.map(({ node, start }) => {
      const range = document.createRange();
      range.setStart(node, Math.max(0, from - start));
      range.setEnd(node, Math.min(node.length, to - start));
      return range;
    });
  }

  show(shown, hiddenTypes) {
    this.shown = shown;
    this.isStale = true;
    this.pieces.forEach((marks, i) => {
      const isHidden = hiddenTypes.has(this.spans[i].type);
      for (const mark of marks) mark.classList.toggle("plain", isHidden);
    });
  }

  // The layout, in steps that either read or write: a browser lays a page out anew
  // when it is read after it was written.
  reset() {
    this.complete();
    for (const [i, button] of this.buttons.entries())
      button.hidden = !this.shown.has(i);
    for (const [i, row] of this.rows.entries()) row.hidden = !this.shown.has(i);
    this.table.hidden = !this.shown.size;
    for (const { lifter } of this.lifted ?? []) lifter.style.verticalAlign = "";
  }

  plan() {
    const frame = this.canvas.getBoundingClientRect();
    this.width = frame.width;
    const boxes = this.pieces.map((marks) => boxesOf(marks, frame));
    this.lines = groupLines(boxes.flat());
    const relations = [...this.shown].map((index) => ({
      index,
      subjects: boxes[this.relations[index].subject],
      objects: boxes[this.relations[index].object],
      labelWidth: this.buttons[index].offsetWidth,
    }));
    this.arcs = planArcs(relations, this.width);
    for (const [i, line] of this.lines.entries()) {
      line.stretches = this.arcs
        .flatMap((arc) => arc.stretches)
        .filter((s) => s.line === i);
      if (!line.stretches.length) continue;
      setLevels(line.stretches, this.width);
      const level = Math.max(...line.stretches.map((s) => s.level));
      const baseline = line.lifter.getBoundingClientRect().top - frame.top;
      const top = Math.min(...line.boxes.map((box) => box.top));
      line.lift = baseline - top + CLEARANCE + (level + 0.6) * STEP;
    }
    setTracks(this.arcs);
  }

  lift() {
    this.lifted = this.lines.filter((line) => line.lift);
    for (const { lifter, lift } of this.lifted)
      lifter.style.verticalAlign = `${lift}px`;
  }

  measure() {
    const { top } = this.canvas.getBoundingClientRect();
    for (const line of this.lines) {
      for (const box of line.boxes) box.top = rectsOf(box.mark)[box.nth].top - top;
      line.top = Math.min(...line.boxes.map((box) => box.top));
    }
  }

  draw() {
    const height = (s) => this.lines[s.line].top - CLEARANCE - s.level * STEP;
    const groups = this.arcs.map((arc) => {
      const [subject, object] = arc.ends;
      const [first, last] = [arc.stretches[0], arc.stretches.at(-1)];
      const start = [subject.x, subject.box.top - 2];
      const tip = [object.x, object.box.top - 1];
      const points = [
        start,
        [subject.x, height(first)],
        [object.x, height(last)],
        [tip[0], tip[1] - 5],
      ];
      if (arc.side) {
        const track =
          arc.side < 0 ? GUTTER - arc.fromText : this.width - GUTTER + arc.fromText;
        points.splice(2, 0, [track, height(first)], [track, height(last)]);
      }
      for (const s of arc.stretches.filter((s) => s.labelWidth)) {
        const { style } = this.buttons[arc.index];
        style.left = `${s.left}px`;
        style.top = `${height(s)}px`;
      }
      const d = roundPath(points);
      const colour = this.colours.predicates.get(this.relations[arc.index].predicate);
      return makeSvg(
        "g",
        { "data-relation": arc.index, class: "arc", style: `--colour: ${colour}` },
        makeSvg("path", { d, class: "reach" }),
        makeSvg("path", { d, class: "line" }),
        makeSvg("circle", { cx: start[0], cy: start[1], r: 2.5 }),
        makeSvg("path", {
          d: `M${tip[0] - 4.5} ${tip[1] - 8}h9L${tip.join(" ")}Z`,
          class: "tip",
        }),
      );
    });
    this.svg.replaceChildren(...groups);
    this.isStale = false;
  }
}

// --- The page

function draw(id) {
  const host = document.getElementById(id);
  if (host.shadowRoot) return;
  const data = JSON.parse(
    host.querySelector("script[type='application/json']").textContent,
  );
  const root = host.attachShadow({ mode: "open" });
  root.append(host.querySelector("template").content.cloneNode(true));
  const find = (selector) => root.querySelector(selector);
  find("h1").textContent = data.title;

  const { documents } = data;
  const relations = documents.flatMap((d) => d.relations);
  const counts = {
    predicates: countNames(relations.map((r) => r.predicate)),
    types: countNames(documents.flatMap((d) => d.spans.map((span) => span.type))),
  };
  const colours = {
    predicates: colourNames(counts.predicates, 4),
    types: colourNames(counts.types, 0),
  };
  const views = documents.map((d, i) => new View(d, i + 1, colours));
  const viewOf = new Map(views.map((view) => [view.section, view]));
  find(".documents").append(...views.map((view) => view.section));

  // Gold relations all have the score 1, which then says nothing.
  const isScored = relations.some((r) => r.score < 1);
  find(".page").classList.toggle("unscored", !isScored);

  // The relation that was clicked on: { view, relations: [index], spans: [] }.
  let pinned = null;

  // Arcs are laid out when their document is near to what can be seen.
  const near = new Set();
  function arrange(candidates) {
    const stale = candidates.filter((view) => view.isStale && !view.section.hidden);
    for (const step of ["reset", "plan", "lift", "measure", "draw"]) {
      for (const view of stale) view[step]();
    }
    if (stale.includes(pinned?.view)) light(pinned);
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        near[isIntersecting ? "add" : "delete"](viewOf.get(target));
      }
      arrange([...near]);
    },
    { rootMargin: "800px 0px" },
  );
  for (const view of views) observer.observe(view.section);

  let width = null;
  const arrangeAnew = () => {
    for (const view of views) view.isStale = true;
    arrange([...near]);
  };
  new ResizeObserver(([{ contentRect }]) => {
    if (width !== null && width !== contentRect.width) arrangeAnew();
    width = contentRect.width;
  }).observe(find(".documents"));

  // The width of the paper is not told, so it is set.
  const onPrint = (isPrinting) => {
    find(".page").classList.toggle("printing", isPrinting);
    for (const view of views) view.isStale = true;
    arrange(isPrinting ? views : [...near]);
  };
  addEventListener("beforeprint", () => onPrint(true));
  addEventListener("afterprint", () => onPrint(false));

  // --- Filters
  const hidden = {
    predicates: makeMenu(
      find(".predicates"),
      counts.predicates,
      colours.predicates,
      filter,
    ),
    types: makeMenu(find(".types"), counts.types, colours.types, filter),
  };
  const search = find("input[type=search]");
  const slider = find("input[type=range]");
  const only = find(".only input");

  function filter() {
    const least = Number(slider.value);
    find("output").textContent = least.toFixed(2);
    const query = search.value.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const pattern = new RegExp(query, "giu");
    const matches = [];
    let nDocuments = 0;
    let nRelations = 0;
    for (const view of views) {
      const isType = (span) => !hidden.types.has(view.spans[span].type);
      const isShown = (r) =>
        r.score >= least &&
        !hidden.predicates.has(r.predicate) &&
        isType(r.subject) &&
        isType(r.object);
      const shown = new Set(
        [...view.relations.keys()].filter((i) => isShown(view.relations[i])),
      );
      const found = query ? [...view.text.matchAll(pattern)] : [];
      const isFound =
        !query || found.length || view.heading.textContent.search(pattern) >= 0;
      view.section.hidden = !isFound || (only.checked && !shown.size);
      view.show(shown, hidden.types);
      if (view.section.hidden) continue;
      nDocuments += 1;
      nRelations += shown.size;
      for (const { 0: words, index } of found) {
        matches.push(...view.ranges(index, index + words.length));
      }
    }
    highlight(matches);
    const ofAll = (n, all) =>
      (n === all ? "" : `${n.toLocaleString("en")} of `) + all.toLocaleString("en");
    const count = (n, all, noun) => `${ofAll(n, all)} ${noun}${all === 1 ? "" : "s"}`;
    find(".count").textContent = [
      count(nRelations, relations.length, "relation"),
      count(nDocuments, views.length, "document"),
    ].join(" in ");
    if (pinned && !pinned.view.shown.has(pinned.relations[0])) pin(null);
    arrange([...near]);
  }
  for (const input of [search, slider, only]) input.addEventListener("input", filter);

  // One registry serves the whole of a notebook, so only own ranges are taken out.
  let highlighted = [];
  function highlight(ranges) {
    if (!globalThis.CSS?.highlights) return;
    const name = "relations-search";
    if (!CSS.highlights.has(name)) CSS.highlights.set(name, new Highlight());
    const registry = CSS.highlights.get(name);
    for (const range of highlighted) registry.delete(range);
    for (const range of ranges) registry.add(range);
    highlighted = ranges;
  }

  // --- What belongs to a relation or an entity lights up

  const targetOf = (event) => {
    const element = event.target.closest?.("[data-relation], [data-span]:not(.plain)");
    if (!element) return null;
    const view = viewOf.get(element.closest("section"));
    const { relation, span } = element.dataset;
    if (relation !== undefined)
      return { view, relations: [Number(relation)], spans: [] };
    const touches = (i) =>
      [view.relations[i].subject, view.relations[i].object].includes(Number(span));
    return { view, relations: [...view.shown].filter(touches), spans: [Number(span)] };
  };

  function light(target) {
    for (const element of root.querySelectorAll(".lit"))
      element.classList.remove("lit");
    if (!target) return;
    const { view, relations: indices, spans } = target;
    const ends = indices.flatMap((i) => [
      view.relations[i].subject,
      view.relations[i].object,
    ]);
    view.section.classList.add("lit");
    for (const i of indices) {
      const parts = view.section.querySelectorAll(`[data-relation="${i}"]`);
      for (const part of parts) part.classList.add("lit");
    }
    for (const mark of [...spans, ...ends].flatMap((span) => view.pieces[span])) {
      mark.classList.add("lit");
    }
  }

  function pin(target) {
    mark(false);
    pinned = target;
    mark(true);
    light(pinned);

    function mark(isPinned) {
      if (!pinned) return;
      const [i] = pinned.relations;
      pinned.view.buttons[i].setAttribute("aria-pressed", isPinned);
      pinned.view.rows[i].setAttribute("aria-current", isPinned);
      pinned.view.explain(isPinned ? i : null);
    }
  }

  const list = find(".documents");
  for (const name of ["pointerover", "focusin"]) {
    list.addEventListener(name, (event) => light(targetOf(event) ?? pinned));
  }
  for (const name of ["pointerleave", "focusout"]) {
    list.addEventListener(name, () => light(pinned));
  }
  list.addEventListener("click", (event) => {
    if (event.target.closest(".explanation")) return;
    const target = targetOf(event);
    const isRelation = target && event.target.closest("[data-relation]");
    const isPinned = (t) =>
      pinned?.view === t.view && pinned.relations[0] === t.relations[0];
    if (!isRelation || isPinned(target)) return pin(null);
    pin(target);
    const { buttons, rows } = target.view;
    const other = event.target.closest("tr") ? buttons : rows;
    other[target.relations[0]].scrollIntoView({ block: "nearest" });
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of root.querySelectorAll("details")) menu.open = false;
    pin(null);
  });
  root.addEventListener("pointerdown", (event) => {
    for (const menu of root.querySelectorAll("details[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  filter();
}

// A menu of check boxes, one for each name. Returns the set of names that are hidden.
function makeMenu(menu, counts, colours, onChange) {
  const hidden = new Set();
  const boxes = [...counts].map(([name, count]) => {
    const input = make("input", { type: "checkbox" });
    const swatch = make("i", {
      style: `--colour: ${colours.get(name) ?? "var(--muted)"}`,
    });
    const text = make("bdi", {}, name || "no type");
    const label = make("label", {}, input, swatch, text, make("small", {}, count));
    return { name, input, label };
  });
  const update = () => {
    for (const { name, input } of boxes) input.checked = !hidden.has(name);
    menu.querySelector("summary span").textContent = hidden.size
      ? `${counts.size - hidden.size}/${counts.size}`
      : counts.size;
  };
  for (const { name, input } of boxes) {
    input.addEventListener("change", () => {
      hidden[input.checked ? "delete" : "add"](name);
      update();
      onChange();
    });
  }
  const choose = (label, names) => {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      hidden.clear();
      for (const name of names) hidden.add(name);
      update();
      onChange();
    });
    return button;
  };
  const all = make("p", {}, choose("All", []), choose("None", [...counts.keys()]));
  menu.querySelector("div").append(all, ...boxes.map(({ label }) => label));
  update();
  return hidden;
}
