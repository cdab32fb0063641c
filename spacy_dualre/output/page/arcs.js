// Where arcs go: of boxes (of pieces of marks, in pixels) and label widths it makes
// levels above lines, places of labels, tracks in the gutters and paths.

// Sizes in pixels. The style sheet has the same gutter.
const GUTTER = 32; // beside the text, for arcs between lines
const STEP = 21; // from one level of arcs to the next
const CLEARANCE = 17; // from the text to the first level
const CORNER = 7;
const PORT_GAP = 9; // between arcs that end at one entity
const SAME_LINE = 10; // at most between the heights of marks on one line

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

// Both ends of an arc: of all boxes of its two spans (one for each line that a span
// lies on), the two that are closest.
function closest(subjects, objects) {
  const pairs = subjects.flatMap((s) => objects.map((o) => [s, o]));
  const distance = ([s, o]) => Math.abs(s.line - o.line) * 1e5 + Math.abs(s.x - o.x);
  return pairs.reduce((best, pair) => (distance(pair) < distance(best) ? pair : best));
}

// An arc is one flat stretch above a line or, between two lines, a stretch above each,
// joined in the gutter that is nearer.
function planArcs(relations, width) {
  const arcs = relations.map(({ index, subjects, objects, labelWidth }) => {
    const [subject, object] = closest(subjects, objects);
    const isAcross = subject.line !== object.line;
    const isLeft = subject.x + object.x < 2 * width - subject.x - object.x;
    const arc = { index, side: isAcross ? (isLeft ? -1 : 1) : 0, stretches: [] };
    arc.ends = [subject, object].map((box, i) => {
      const other = [object, subject][i];
      const toOther = Math.sign(other.x - box.x) || (i ? -1 : 1);
      const reach = isAcross ? Infinity : Math.abs(other.x - box.x);
      return { box, x: box.x, direction: arc.side || toOther, reach };
    });
    arc.labelWidth = labelWidth;
    return arc;
  });
  spreadEnds(arcs.flatMap((arc) => arc.ends));
  for (const arc of arcs) {
    const [a, b] = arc.ends;
    const edge = arc.side < 0 ? GUTTER - 4 : width - GUTTER + 4;
    if (!arc.side) arc.stretches = [stretch(a.box.line, [a.x, b.x], [a.x, b.x])];
    else
      arc.stretches = arc.ends.map((end) =>
        stretch(end.box.line, [end.x, edge], [end.x]),
      );
    const longest = arc.stretches.reduce((s, t) =>
      t.high - t.low > s.high - s.low ? t : s,
    );
    longest.labelWidth = arc.labelWidth;
  }
  return arcs;
}

function stretch(line, xs, stems) {
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  return { line, low, high, stems, labelWidth: 0, level: null, left: null };
}

// Side by side along an entity, so that arcs which go the same way do not cross.
function spreadEnds(ends) {
  const groups = new Map();
  for (const end of ends) groups.set(end.box, [...(groups.get(end.box) ?? []), end]);
  for (const [box, group] of groups) {
    group.sort(
      (a, b) =>
        a.direction - b.direction || (a.reach < b.reach ? a.direction : -a.direction),
    );
    const gap = Math.min(PORT_GAP, (box.width - 8) / group.length);
    group.forEach((end, i) => (end.x = box.x + (i - (group.length - 1) / 2) * gap));
  }
}

// Give the stretches above one line their levels, shortest first, each the lowest level
// that is free; and their labels a place where the fewest ends of other arcs run behind
// them. A label that has no place where none does waits for others, to be above them.
function setLevels(stretches, width) {
  const placed = [];
  const waiting = [...stretches].sort((a, b) => a.high - a.low - (b.high - b.low));
  let nDeferred = 0; // since one was placed
  while (waiting.length) {
    const current = waiting.shift();
    const top = Math.max(0, ...placed.map((other) => other.level + 1));
    let best = { nBehind: Infinity };
    for (let level = 0; level <= top && best.nBehind; level++) {
      const higher = placed.filter((other) => other.level > level);
      const stems = [...waiting, ...higher].flatMap((other) => other.stems);
      const same = placed.filter((other) => other.level === level);
      for (const left of labelPlaces(current, stems, width)) {
        const extent = extentOf(current, left);
        if (!same.every((other) => isApart(extent, extentOf(other, other.left))))
          continue;
        const nBehind = stems.filter((stem) => isBehind(stem, left, current)).length;
        if (nBehind < best.nBehind) best = { level, left, nBehind };
        if (!nBehind) break;
      }
    }
    if (best.nBehind && nDeferred < waiting.length) {
      waiting.push(current);
      nDeferred += 1;
    } else {
      nDeferred = 0;
      placed.push(Object.assign(current, { level: best.level, left: best.left }));
    }
  }
}

// Left edges that a label can have, best first: where it lies on its stretch, or where
// it covers it if the stretch is the shorter one.
function labelPlaces({ low, high, labelWidth }, stems, width) {
  const spare = (high - low - labelWidth) / 2;
  const pad = clamp(spare, 0, CORNER);
  const ends = [low + pad, high - pad - labelWidth].sort((a, b) => a - b);
  // In the gutters only if it is too long for the text's width.
  const margin = clamp((width - labelWidth) / 2, 1, GUTTER - 3);
  const inside = (x) => clamp(clamp(x, ...ends), margin, width - labelWidth - margin);
  const centre = (low + high - labelWidth) / 2;
  const beside = stems.flatMap((stem) => [stem + 5, stem - 5 - labelWidth]);
  const places = new Set([centre, ...ends, ...beside].map(inside));
  return [...places].sort((a, b) => Math.abs(a - centre) - Math.abs(b - centre));
}

const extentOf = (s, left) =>
  s.labelWidth
    ? [Math.min(s.low, left - 2), Math.max(s.high, left + s.labelWidth + 2)]
    : [s.low, s.high];
const isApart = (a, b) => a[1] + 2 < b[0] || b[1] + 2 < a[0];
const isBehind = (stem, left, { labelWidth }) =>
  labelWidth > 0 && stem > left - 3 && stem < left + labelWidth + 3;

// Give arcs that run in one gutter their distances from the text. The shortest are next
// to it, and of those the ones that leave the upper line below the others.
function setTracks(arcs) {
  for (const arc of arcs) {
    const [upper, lower] = [...arc.stretches].sort((a, b) => a.line - b.line);
    if (arc.side)
      Object.assign(arc, { rows: [upper.line, lower.line], level: upper.level });
  }
  const extent = ({ rows: [from, to] }) => to - from;
  for (const side of [-1, 1]) {
    const tracks = [];
    const here = arcs.filter((arc) => arc.side === side);
    for (const arc of here.sort((a, b) => extent(a) - extent(b) || a.level - b.level)) {
      const isFree = (track) =>
        track.every(({ rows: [from, to] }) => to < arc.rows[0] || arc.rows[1] < from);
      let track = tracks.find(isFree);
      if (!track) tracks.push((track = []));
      track.push(arc);
      arc.track = tracks.indexOf(track);
    }
    const gap = Math.min(6, (GUTTER - 8) / tracks.length);
    for (const arc of here) arc.fromText = 6 + arc.track * gap;
  }
}

// Where the first and the last piece of a mark begin and end: a box for each. What lies
// between, on lines of its own, no arc goes to.
function boxesOf(marks, frame) {
  const boxes = marks.flatMap((mark) =>
    rectsOf(mark).map(({ left, right, top, bottom }, nth, { length }) => ({
      mark,
      nth,
      x: (left + right) / 2 - frame.left,
      y: (top + bottom) / 2 - frame.top,
      top: top - frame.top,
      width: right - left,
      lifter:
        nth && nth === length - 1 ? mark.lastLifter : mark.querySelector(".lifter"),
    })),
  );
  return boxes.length > 1 ? [boxes[0], boxes.at(-1)] : boxes;
}

// One rectangle for each line: where directions mix, a browser may give several.
function rectsOf(mark) {
  const rects = [];
  for (const { left, right, top, bottom } of mark.getClientRects()) {
    const last = rects.at(-1);
    if (!last || top - last.top > SAME_LINE) rects.push({ left, right, top, bottom });
    else {
      last.left = Math.min(last.left, left);
      last.right = Math.max(last.right, right);
    }
  }
  return rects;
}

function groupLines(boxes) {
  const lines = [];
  for (const box of [...boxes].sort((a, b) => a.y - b.y)) {
    if (!lines.length || box.y - lines.at(-1).y > SAME_LINE) {
      lines.push({ y: box.y, boxes: [], lifter: box.lifter });
    }
    lines.at(-1).boxes.push(box);
    box.line = lines.length - 1;
  }
  return lines;
}

// A path along points, with round corners.
function roundPath(points) {
  const towards = ([x, y], [toX, toY], by) => {
    const length = Math.hypot(toX - x, toY - y) || 1;
    const part = Math.min(by, length / 2) / length;
    return `${x + (toX - x) * part} ${y + (toY - y) * part}`;
  };
  const corners = points.slice(1, -1).map((point, i) => {
    const [before, after] = [points[i], points[i + 2]];
    const [from, to] = [before, after].map((other) => towards(point, other, CORNER));
    return `L${from}Q${point.join(" ")} ${to}`;
  });
  return `M${points[0].join(" ")}${corners.join("")}L${points.at(-1).join(" ")}`;
}
