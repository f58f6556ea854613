// Text of strangers. Titles, messages and names may hold anything: characters that turn the direction of what follows,
// that have no width, that stack up, that only look like something else. Here such characters become visible marks, and
// what is shown stands isolated, so that it cannot change anything around it.

import { el } from "./dom.js";

// Controls, formats, separators of lines and paragraphs, private and unassigned characters, lone surrogates, and all
// that a browser draws as nothing at all.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/u;
const COMBINING = /\p{M}/u;
const PICTURE = /[\p{Extended_Pictographic}\p{Emoji_Modifier}]/u;
const MOST_COMBINING = 3;

const NAMES = new Map(Object.entries({
  0x00: "null", 0x07: "bell", 0x08: "backspace", 0x09: "tab", 0x0a: "line break", 0x0d: "carriage return", 0x1b: "escape",
  0x7f: "delete", 0xad: "soft hyphen", 0x061c: "Arabic letter mark", 0x200b: "zero-width space",
  0x200c: "zero-width non-joiner", 0x200d: "zero-width joiner", 0x200e: "left-to-right mark", 0x200f: "right-to-left mark",
  0x2028: "line separator", 0x2029: "paragraph separator", 0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding", 0x202c: "end of direction", 0x202d: "left-to-right override",
  0x202e: "right-to-left override", 0x2060: "word joiner", 0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate", 0x2068: "first strong isolate", 0x2069: "end of isolate",
  0x3164: "Hangul filler", 0xfeff: "byte order mark",
}).map(([code, name]) => [Number(code), name]));

/** How a character is written that cannot be shown: `U+202E`. */
function code(character) {
  return "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
}

/**
 * Takes a text apart: an array of `{ text }` (safe to show) and `{ mark, name }` (stands for what cannot be seen). Runs of
 * the same hidden character become one mark. `limit` is in characters; what is over it is reported as `{ more: number }`.
 * With `lines`, line breaks and tabs stay as they are.
 */
export function tokens(text, { limit = Infinity, lines = false } = {}) {
  const out = [];
  let plain = "";
  let before = "";
  let stacked = 0;
  let taken = 0;
  const flush = () => {
    if (plain) out.push({ text: plain });
    plain = "";
  };
  const mark = (label, name) => {
    flush();
    const last = out.at(-1);
    if (last?.label === label) last.count += 1;
    else out.push({ label, name, count: 1 });
  };
  for (const character of text) {
    if (taken >= limit) {
      flush();
      out.push({ more: [...text].length - taken });
      break;
    }
    taken += 1;
    if (COMBINING.test(character) && !isVariation(character)) {
      stacked += 1;
      if (stacked > MOST_COMBINING) mark("combining", "combining characters, stacked");
      else plain += character;
      continue;
    }
    stacked = 0;
    if (!HIDDEN.test(character) || (lines && (character === "\n" || character === "\t"))) {
      plain += character;
    } else if (joinsPictures(character) && PICTURE.test(before)) {
      // As a joiner between pictures or the selector behind one it is what emoji are written with.
      plain += character;
      continue;
    } else {
      mark(code(character), NAMES.get(character.codePointAt(0)) ?? "invisible character");
    }
    before = character;
  }
  flush();
  return out.map((token) => (token.label === undefined ? token : { mark: written(token), name: token.name }));
}

const isVariation = (character) => character === "\ufe0f" || character === "\ufe0e";
const joinsPictures = (character) => character === "\u200d" || isVariation(character);
const written = ({ label, count }) => (count > 1 ? `${label} ×${count}` : label);

/** The text as an isolated element: what is hidden stands as marks with their names. */
export function visible(text, options = {}) {
  const element = el("bdi", { class: "stranger" });
  for (const token of tokens(String(text), options)) {
    if (token.text !== undefined) element.append(token.text);
    else if (token.mark !== undefined) element.append(el("span", { class: "mark", title: token.name }, token.mark));
    else element.append(el("span", { class: "more" }, ` … ${token.more.toLocaleString("en")} more`));
  }
  return element;
}

/** The text as one string, for the canvas and for labels that are read out. */
export function plain(text, limit = 200) {
  return tokens(String(text), { limit })
    .map((token) => token.text ?? (token.mark !== undefined ? `‹${token.mark}›` : "…"))
    .join("");
}

/** JSON that says the same as `value` and holds no character that hides: those are escaped, as JSON allows. */
export function visibleJson(value) {
  const escape = (character) =>
    [...Array(character.length).keys()].map((n) => "\\u" + character.charCodeAt(n).toString(16).padStart(4, "0")).join("");
  // Line breaks outside of strings are the indentation; inside, JSON.stringify has escaped them.
  return JSON.stringify(value, null, 2).replace(new RegExp(HIDDEN.source, "gu"), (c) => (c === "\n" ? c : escape(c)));
}
