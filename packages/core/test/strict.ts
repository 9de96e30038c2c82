/** An origin that takes RFC 9112 at its word: what isn't exactly one request after another is a fault. */
import { createServer, type Socket } from 'node:net';

/** One request as the origin read it. Bytes are latin1. */
export interface Parsed {
  readonly method: string;
  readonly target: string;
  /** Names in lower case, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Without its framing. */
  readonly body: string;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[!-~]*) HTTP\/1\.1$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/** The value of a field, lines joined by commas; absent when it isn't there. */
export function valueIn({ fields }: Pick<Parsed, 'fields'>, name: string): string | undefined {
  const values = fields.filter(([candidate]) => candidate === name).map(([, value]) => value);
  return values.length > 0 ? values.join(', ') : undefined;
}

/** A fault of the sender. */
export class Fault extends Error {}

/** Takes the first whole request off `text`; nothing if more must come. Throws a `Fault`. */
export function takeRequest(text: string): { request: Parsed; rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) {
    const [line] = text.split('\r\n', 1);
    if (text.includes('\r\n') && !REQUEST_LINE.test(line ?? '')) throw new Fault(`line: ${line}`);
    return undefined;
  }
  const [line = '', ...rest] = text.slice(0, end).split('\r\n');
  const [, method = '', target = ''] = REQUEST_LINE.exec(line) ?? [];
  if (method === '') throw new Fault(`request line: ${line}`);
  const fields = rest.map((field): [string, string] => {
    const [, name = '', value = ''] = FIELD_LINE.exec(field) ?? [];
    if (name === '') throw new Fault(`field line: ${field}`);
    return [name.toLowerCase(), value];
  });
  const lines = (name: string) => fields.filter(([candidate]) => candidate === name);
  if (lines('host').length !== 1) throw new Fault('not one Host');
  const [coding, ...codings] = lines('transfer-encoding');
  const [length, ...lengths] = lines('content-length');
  if (codings.length + lengths.length > 0 || (coding && length)) throw new Fault('framed twice');
  if (coding && coding[1] !== 'chunked') throw new Fault(`coding ${coding[1]}`);
  if (length && !/^\d+$/.test(length[1])) throw new Fault(`length ${length[1]}`);

  const after = text.slice(end + 4);
  if (coding) {
    const body = takeChunks(after);
    return body && { request: { method, target, fields, body: body.data }, rest: body.rest };
  }
  const size = Number(length?.[1] ?? 0);
  if (after.length < size) return undefined;
  return {
    request: { method, target, fields, body: after.slice(0, size) },
    rest: after.slice(size),
  };
}

function takeChunks(text: string): { data: string; rest: string } | undefined {
  let data = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = text.slice(at, end);
    if (!/^[0-9a-f]{1,8}$/i.test(size)) throw new Fault(`chunk size ${size}`);
    const begin = end + 2;
    at = begin + Number.parseInt(size, 16) + 2;
    if (text.length < at) return undefined;
    if (text.slice(at - 2, at) !== '\r\n') throw new Fault('a chunk is not as long as it says');
    if (at === begin + 2) return { data, rest: text.slice(at) };
    data += text.slice(begin, at - 2);
  }
}

/** What a strict origin saw. */
export interface Seen {
  readonly requests: Parsed[];
  /** What was wrong with what it got. */
  readonly faults: string[];
  readonly sockets: Set<Socket>;
}

/** A TCP server that is such an origin. It answers each request with what `answer` gives. */
export function strictOrigin(answer: (request: Parsed) => string) {
  const seen: Seen = { requests: [], faults: [], sockets: new Set() };
  const server = createServer((socket) => {
    seen.sockets.add(socket);
    let rest = '';
    socket.on('error', () => {});
    socket.on('close', () => seen.sockets.delete(socket));
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      try {
        for (let next = takeRequest(rest); next; next = takeRequest(rest)) {
          rest = next.rest;
          seen.requests.push(next.request);
          socket.write(answer(next.request), 'latin1');
        }
      } catch (error) {
        seen.faults.push(`${(error as Error).message} in ${JSON.stringify(rest.slice(0, 300))}`);
        socket.destroy();
      }
    });
  });
  return { server, ...seen };
}
