/** Seeded mutation of bytes (latin1 strings): the same seed gives the same inputs. */

/** Numbers from 0 up to, not including, `below`. */
export type Random = (below: number) => number;

/** A small generator (mulberry32); good enough to choose bytes, and repeatable. */
export function randomBy(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) % below) | 0;
  };
}

const BYTES = [
  '\0',
  '\t',
  '\n',
  '\r',
  ' ',
  '"',
  '#',
  ',',
  '0',
  ':',
  ';',
  '\\',
  '\x7f',
  '\x80',
  '\xff',
];
const LINES = [
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 43',
  'Content-Length : 5',
  'Content-Length: 5, 5',
  'content-length:\t5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding : chunked',
  'Connection: close',
  'Connection: keep-alive, Content-Length, Transfer-Encoding, Host',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Trailer: Content-Length',
  'Host: evil.example',
  ' folded',
  'X-Fuzz-Id: 1',
];

type Mutator = (text: string, random: Random, other: string) => string;

const at = (text: string, random: Random) => random(text.length + 1);
const splice = (text: string, begin: number, end: number, by: string) =>
  text.slice(0, begin) + by + text.slice(end);
const inLines = (text: string, change: (lines: string[]) => void) => {
  const lines = text.split('\r\n');
  change(lines);
  return lines.join('\r\n');
};
const pick = <T>(items: readonly T[], random: Random): T => items[random(items.length)] as T;

const MUTATORS: readonly Mutator[] = [
  function flipBit(text, random) {
    const i = random(text.length || 1);
    return splice(
      text,
      i,
      i + 1,
      String.fromCharCode((text.charCodeAt(i) || 0) ^ (1 << random(8))),
    );
  },
  function replaceByte(text, random) {
    const i = random(text.length || 1);
    return splice(text, i, i + 1, pick(BYTES, random));
  },
  function insertByte(text, random) {
    const i = at(text, random);
    return splice(text, i, i, pick(BYTES, random));
  },
  function dropByte(text, random) {
    const i = at(text, random);
    return splice(text, i, i + 1, '');
  },
  function repeatSlice(text, random) {
    const i = at(text, random);
    return splice(text, i, i, text.slice(i, i + random(40)));
  },
  function dropSlice(text, random) {
    const i = at(text, random);
    return splice(text, i, i + random(40), '');
  },
  function spliceOther(text, random, other) {
    return text.slice(0, at(text, random)) + other.slice(at(other, random));
  },
  function insertOther(text, random, other) {
    const i = at(text, random);
    return splice(text, i, i, other);
  },
  function follow(text, _random, other) {
    return text + other;
  },
  function repeatLine(text, random) {
    return inLines(text, (lines) => {
      const i = random(lines.length);
      lines.splice(i, 0, lines[i] ?? '');
    });
  },
  function dropLine(text, random) {
    return inLines(text, (lines) => lines.splice(random(lines.length), 1));
  },
  function swapLines(text, random) {
    return inLines(text, (lines) => {
      const [line = ''] = lines.splice(random(lines.length), 1);
      lines.splice(random(lines.length + 1), 0, line);
    });
  },
  function insertLine(text, random) {
    return inLines(text, (lines) => lines.splice(1 + random(lines.length), 0, pick(LINES, random)));
  },
  function insertLineInHead(text, random) {
    const end = Math.max(text.indexOf('\r\n\r\n'), 0);
    return splice(text, end, end, `\r\n${pick(LINES, random)}`);
  },
  function breakLine(text, random) {
    const i = text.indexOf('\r\n', at(text, random));
    return i < 0 ? text : splice(text, i, i + 2, pick(['\n', '\r', '\n\r', '\r\r\n', ''], random));
  },
  function changeNumber(text, random) {
    const numbers = Array.from(text.matchAll(/\d+/g));
    const number = numbers.length > 0 ? pick(numbers, random) : undefined;
    if (!number) return text;
    const by = pick(
      ['0', '1', '-1', '00', '4294967296', '99999999999999999999', '0x1', '1_0'],
      random,
    );
    return splice(text, number.index, number.index + number[0].length, by);
  },
  function nudgeNumber(text, random) {
    const numbers = Array.from(text.matchAll(/\b\d{1,6}\b/g));
    const number = numbers.length > 0 ? pick(numbers, random) : undefined;
    if (!number) return text;
    const by = String(Number(number[0]) + pick([-1, 1, 2, -5, 43], random));
    return splice(text, number.index, number.index + number[0].length, by);
  },
  function padColon(text, random) {
    const i = text.indexOf(':', at(text, random));
    return i < 0
      ? text
      : splice(text, i, i + 1, pick([' :', ':\t', '\t:', ':  ', '::', ''], random));
  },
  function changeCase(text, random) {
    const i = at(text, random);
    const slice = text.slice(i, i + 12);
    return splice(text, i, i + 12, random(2) ? slice.toUpperCase() : slice.toLowerCase());
  },
  function truncate(text, random) {
    return text.slice(0, at(text, random));
  },
  function swell(text, random) {
    const i = at(text, random);
    return splice(text, i, i, pick(BYTES, random).repeat(1 + random(2_000)));
  },
];

/** One of the seeds, changed in one to four ways. */
export function mutant(seeds: readonly string[], random: Random): string {
  let text = pick(seeds, random);
  for (let left = 1 + random(4); left > 0; left--)
    text = pick(MUTATORS, random)(text, random, pick(seeds, random));
  return text;
}
