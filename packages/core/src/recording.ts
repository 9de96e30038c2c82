/** Makes a response value of what an application says to its Node response, word by word. */
import { PassThrough } from 'node:stream';
import { EMPTY } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { Body, ProxyResponse } from './exchange.ts';
import { toEndToEnd } from './headers.ts';

/** A method of Node's response, in whatever form it is called. */
export type Method = (...args: unknown[]) => unknown;

/** Where an application's fields are until its head is complete: a bare `OutgoingMessage`. */
interface FieldStore {
  getHeaders(): Readonly<Record<string, number | string | readonly string[] | undefined>>;
  setHeader(name: string, value: string): unknown;
  appendHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
}

/** What of Node's response is needed here. */
interface Written {
  readonly destroyed: boolean;
  readonly statusCode: number;
  readonly writableFinished: boolean;
  writeHead(status: number): unknown;
  once(event: 'finish', listener: () => void): unknown;
}

/** What an application has said so far, and the members of `res` by which it says it. */
export interface Recording {
  /** Rejects if the application gives up before its head is complete. */
  readonly response: Promise<ProxyResponse>;
  /** The stream that carries the body, unless that comes in one go. Made on the first call. */
  readonly stream: () => PassThrough;
  readonly methods: Readonly<Record<string, Method>>;
  readonly properties: Readonly<Record<string, PropertyDescriptor>>;
  readonly hasBegun: () => boolean;
  readonly hasEnded: () => boolean;
  /** True when whoever asked doesn't want the body any more. */
  readonly isDropped: () => boolean;
  /** Breaks the response off, unless the application has ended it. */
  readonly giveUp: (error: HeadgateError) => void;
}

/** Records what is said to `res`, with `fields` as they are set so far. */
export function record(res: Written, fields: FieldStore, isHead: boolean): Recording {
  const { promise, resolve, reject } = Promise.withResolvers<ProxyResponse>();
  const waiting = new Set<() => void>();
  let made: PassThrough | undefined;
  let status: unknown = res.statusCode;
  let head: Omit<ProxyResponse, 'body'> | undefined;
  let body: Body | undefined;
  let hasEnded = false;
  promise.catch(() => {}); // whoever waits is told; that nobody waits is no reason to crash
  const stream = () => {
    if (made) return made;
    const carrier = new PassThrough();
    made = carrier;
    carrier.on('error', () => {});
    carrier.once('close', () => {
      // Whoever waits may go on: a stream forgets them when it is destroyed.
      for (const done of waiting) done();
      if (!hasEnded) carrier.emit('drain');
    });
    return carrier;
  };
  const begin = () => {
    if (head) return;
    const code = Number(status) | 0; // as Node does
    if (code < 100 || code > 999) throw new RangeError(`Invalid status code: ${status}`);
    const said = { status: code, headers: toEndToEnd(rawOf(fields)) };
    head = said;
    if (isHead || code === 204 || code === 304) body = EMPTY;
    // A moment later, so that what is said in one go is a buffer.
    queueMicrotask(() => {
      body ??= stream();
      resolve({ ...said, body });
    });
  };
  /** Begins as Node does, by the `writeHead` on top: by patching it, others add their fields. */
  const beginOnTop = () => {
    if (!head) res.writeHead(status as number);
    begin();
  };
  const writeHead: Method = (code, ...rest) => {
    if (head) return res; // patches ask again and again
    status = code;
    setAll(fields, typeof rest[0] === 'string' ? rest[1] : (rest[1] ?? rest[0]));
    begin();
    return res;
  };
  const write: Method = (chunk, ...rest) => {
    beginOnTop();
    body ??= stream();
    const done = rest.find(isFunction);
    const encoding = isFunction(rest[0]) ? undefined : rest[0];
    if (body === made && !hasEnded && !made.destroyed) {
      const settle = (error?: Error | null) => waiting.delete(settle) && done?.(error);
      waiting.add(settle);
      return made.write(chunk, encoding as BufferEncoding, settle);
    }
    // Nobody wants it. One who isn't told may go on to the end; where the client left, Node tells.
    const isGone = res.destroyed && !res.writableFinished;
    const why = isGone && new HeadgateError('CLIENT_GONE', 'the client left');
    if (done) process.nextTick(done, ...(why ? [why] : []));
    return !why;
  };
  const end: Method = (...args) => {
    const done = args.find(isFunction);
    const [chunk, encoding] = args.filter((arg) => !isFunction(arg));
    if (done && res.writableFinished) process.nextTick(done);
    else if (done) res.once('finish', done);
    if (hasEnded) return res;
    const last = toBuffer(chunk, encoding as BufferEncoding);
    beginOnTop();
    hasEnded = true;
    if (made && body === made) made.end(last);
    body ??= last;
    return res;
  };
  const giveUp = (error: HeadgateError) => {
    if (hasEnded) return;
    reject(error);
    stream().destroy(error);
  };
  const destroy: Method = (cause) => {
    const why = 'the application gave up its response';
    const isOurs = cause instanceof HeadgateError;
    giveUp(isOurs ? cause : new HeadgateError('UPSTREAM_BROKEN', why, cause));
    return res;
  };

  return {
    response: promise,
    stream,
    methods: {
      writeHead,
      writeHeader: writeHead,
      flushHeaders: beginOnTop,
      write,
      end,
      addTrailers: () => {}, // they end here, as everywhere
      destroy,
    },
    properties: {
      statusCode: {
        get: () => status,
        set: (value) => {
          status = value;
        },
      },
      headersSent: { get: () => head !== undefined },
      writableEnded: { get: () => hasEnded },
      writableNeedDrain: { get: () => made?.writableNeedDrain ?? false },
    },
    hasBegun: () => head !== undefined,
    hasEnded: () => hasEnded,
    isDropped: () => made?.destroyed ?? false,
    giveUp,
  };
}

/** Sets the fields that were given to `writeHead`, in each of the three forms that it takes. */
function setAll(fields: FieldStore, given: unknown): void {
  if (given === undefined || given === null) return;
  if (!Array.isArray(given)) {
    for (const [name, value] of Object.entries(given)) fields.setHeader(name, value);
    return;
  }
  const raw: readonly string[] = Array.isArray(given[0]) ? given.flat() : given;
  const names = raw.filter((_, index) => index % 2 === 0);
  for (const name of names) fields.removeHeader(name);
  for (const [index, name] of names.entries())
    fields.appendHeader(name, raw[2 * index + 1] as string);
}

function rawOf(fields: FieldStore): string[] {
  const raw: string[] = [];
  for (const [name, value] of Object.entries(fields.getHeaders())) {
    if (typeof value === 'object') for (const line of value) raw.push(name, String(line));
    else if (value !== undefined) raw.push(name, String(value));
  }
  return raw;
}

function toBuffer(chunk: unknown, encoding: BufferEncoding): Buffer {
  if (chunk === undefined || chunk === null) return EMPTY;
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding);
  if (chunk instanceof Uint8Array)
    return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError(`a chunk must be a string or a Uint8Array, got ${typeof chunk}`);
}

function isFunction(value: unknown): value is (error?: Error | null) => void {
  return typeof value === 'function';
}
