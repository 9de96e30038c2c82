/** Stands between an application and the Node response that it writes to. */
import { OutgoingMessage, type ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { EMPTY } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { Body, ProxyRequest, ProxyResponse } from './exchange.ts';
import { toEndToEnd } from './headers.ts';

/** A Node response with two sides: the host's below and, once it is heard, the application's above. */
export interface Interception {
  /** The response as the host has it; what is written here isn't the application's. */
  readonly outlet: ServerResponse;
  /** What another of us, below, has asked for. It hears what is written, client or no client. */
  readonly asked: ProxyRequest | undefined;
  /**
   * Hears the application from now on, whatever goes out through `outlet` meanwhile. Resolves with
   * its answer to `request`; rejects with `UPSTREAM_BROKEN` or `CLIENT_GONE` if it gives up before.
   */
  readonly hear: (request: ProxyRequest) => Promise<ProxyResponse>;
}

type Method = (...args: unknown[]) => unknown;

/** By these an application writes. */
const WRITERS = 'writeHead writeHeader write end flushHeaders addTrailers destroy'.split(' ');

/** These are about fields. */
const FIELDS = [
  ...'setHeader setHeaders appendHeader removeHeader hasHeader'.split(' '),
  ...'getHeader getHeaders getHeaderNames getRawHeaderNames'.split(' '),
];

/** By these one listens, for one to `drain`, which means another buffer to the host than to the app. */
const LISTENING = 'on addListener off removeListener'.split(' ');

/** What several of us on one response share. */
interface Layers {
  count: number;
  /** Which of us is talking to the host right now: to it and to all above, `res` is the host's. */
  talking: number;
  /** What the innermost of us asked for, and the body that it hears. */
  asked?: ProxyRequest;
  body?: Readable;
}

const layersOf = new WeakMap<ServerResponse, Layers>();
const NOBODY = Number.POSITIVE_INFINITY;

/** Stands before `res`, through which a request with the method `method` will be answered. */
export function intercept(res: ServerResponse, method: string): Interception {
  const layers = layersOf.get(res) ?? { count: 0, talking: NOBODY };
  layersOf.set(res, layers);
  const depth = layers.count;
  layers.count += 1;
  const { asked, body: heardBelow } = layers;
  const host = methodsOf(res, [...WRITERS, ...FIELDS, ...LISTENING]);

  const isHosts = () => layers.talking <= depth;
  const asHost = <T>(run: () => T): T => {
    const before = layers.talking;
    layers.talking = depth;
    try {
      return run();
    } finally {
      layers.talking = before;
    }
  };

  // Whether somebody hears is what counts for one above another, not whether the client is there.
  const held = heardBelow && { once: heardBelow.once.bind(heardBelow), chunkedEncoding: true };
  const instead: Record<string | symbol, unknown> = { req: { method }, ...held };
  const outlet = new Proxy(res, {
    get(_, name) {
      if (Object.hasOwn(instead, name)) return instead[name];
      const value = host.get(name as string) ?? asHost(() => Reflect.get(res, name, res));
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => asHost(() => value.apply(res, args));
    },
  });

  const hear = (request: ProxyRequest) => {
    const fields = new OutgoingMessage();
    for (const [name, value] of Object.entries(outlet.getHeaders()))
      if (value !== undefined) fields.setHeader(name, value);
    const app = record(res, fields, request.method === 'HEAD');
    layers.asked = request;
    layers.body = app.body;

    // With both heads out, to set a field is a mistake, and it is the host who complains of those.
    const isPast = () => isHosts() || (app.hasBegun() && outlet.headersSent);
    const put = (name: string, run: (args: unknown[], theirs: Method) => unknown) => {
      const theirs = host.get(name)?.bind(res) ?? (() => undefined);
      const value = (...args: unknown[]) => (isHosts() ? theirs(...args) : run(args, theirs));
      Object.defineProperty(res, name, { configurable: true, writable: true, value });
    };
    for (const [name, write] of Object.entries(app.writers)) put(name, (args) => write(...args));
    for (const [name, onFields] of methodsOf(fields, FIELDS)) {
      put(name, (args, theirs) => {
        const result = isPast() ? theirs(...args) : onFields.apply(fields, args);
        return result === fields ? res : result;
      });
    }
    const onBody = methodsOf(app.body, LISTENING);
    for (const name of LISTENING) {
      put(name, (args, theirs) => {
        if (args[0] !== 'drain') return theirs(...args);
        onBody.get(name)?.apply(app.body, args);
        return res;
      });
    }
    for (const [name, ours] of Object.entries(app.views)) {
      const theirs = viewOf(res, name);
      const side = () => ((ours.set ? isPast() : isHosts()) ? theirs : ours);
      Object.defineProperty(res, name, {
        configurable: true,
        get: () => side().get(),
        set: (value) => side().set?.(value),
      });
    }
    follow(res, app);
    // Who logs when the response is out means what went out.
    if (depth === 0) {
      res.prependListener('finish', () => {
        layers.talking = depth;
        queueMicrotask(() => {
          layers.talking = NOBODY;
        });
      });
    }
    return app.response;
  };
  return { outlet, asked, hear };
}

/** Sees to it that the two ends of a response learn of each other's end. */
function follow(res: ServerResponse, { body, hasEnded, giveUp }: Recording): void {
  const { socket } = res;
  res.once('close', () => {
    if (hasEnded() || res.writableFinished || !socket?.destroyed) return;
    // A client that leaves ends its side or resets it: then the application may still go on.
    if (!socket.readableEnded && !socket.errored)
      giveUp(new HeadgateError('UPSTREAM_BROKEN', 'the application cut the connection'));
  });
  res.on('unpipe', (source: Readable) => {
    if (hasEnded()) return;
    // An answer of somebody else's went out: unread, the source would never come to its end.
    if (body.destroyed || res.writableFinished) source.resume();
    else if (res.destroyed)
      giveUp(new HeadgateError('CLIENT_GONE', 'the client left, and the application gave up'));
  });
}

interface View {
  readonly get: () => unknown;
  readonly set?: (value: unknown) => void;
}

/** What an application has said so far, and the ways in which it says it. */
interface Recording {
  readonly response: Promise<ProxyResponse>;
  readonly body: PassThrough;
  readonly writers: Readonly<Record<string, Method>>;
  readonly views: Readonly<Record<string, View>>;
  readonly hasBegun: () => boolean;
  readonly hasEnded: () => boolean;
  readonly giveUp: (error: HeadgateError) => void;
}

function record(res: ServerResponse, fields: OutgoingMessage, isHead: boolean): Recording {
  const { promise, resolve, reject } = Promise.withResolvers<ProxyResponse>();
  const stream = new PassThrough();
  let status: unknown = res.statusCode;
  let head: Omit<ProxyResponse, 'body'> | undefined;
  let body: Body | undefined;
  let hasEnded = false;
  promise.catch(() => {}); // whoever waits is told; that nobody waits is no reason to crash
  stream.on('error', () => {});
  stream.once('close', () => !hasEnded && stream.emit('drain')); // who waits for it may go on

  const begin = () => {
    if (head) return;
    const code = Number(status) | 0; // as Node does
    if (code < 100 || code > 999) throw new RangeError(`Invalid status code: ${status}`);
    const given = { status: code, headers: toEndToEnd(rawOf(fields)) };
    head = given;
    if (isHead || code === 204 || code === 304) body = EMPTY;
    // A moment later, so that what is written in one go is a buffer.
    queueMicrotask(() => {
      body ??= stream;
      resolve({ ...given, body });
    });
  };
  /** As Node does: by the `writeHead` on top, which is how those that patch it add their fields. */
  const beginSomehow = () => {
    if (!head) res.writeHead(status as number);
    begin();
  };
  const writeHead: Method = (code, ...rest) => {
    if (head) return res; // patched methods ask again and again
    status = code;
    setAll(fields, typeof rest[0] === 'string' ? rest[1] : (rest[1] ?? rest[0]));
    begin();
    return res;
  };
  const write: Method = (chunk, ...rest) => {
    beginSomehow();
    body ??= stream;
    const done = rest.find(isFunction);
    const encoding = rest[0] === done ? undefined : rest[0];
    if (body === stream && !hasEnded && !stream.destroyed)
      return stream.write(chunk, encoding as BufferEncoding, done);
    if (done) process.nextTick(done);
    return true;
  };
  const end: Method = (...args) => {
    const done = args.find(isFunction);
    const [chunk, encoding] = args.filter((arg) => !isFunction(arg));
    if (done && res.writableFinished) process.nextTick(done);
    else if (done) res.once('finish', done);
    if (hasEnded) return res;
    const last = toBuffer(chunk, encoding);
    beginSomehow();
    hasEnded = true;
    if (last.length > 0 && body === stream) stream.write(last);
    if (body === stream) stream.end();
    body ??= last;
    return res;
  };
  const giveUp = (error: HeadgateError) => {
    if (hasEnded) return;
    reject(error);
    stream.destroy(error);
  };
  const destroy: Method = (cause) => {
    giveUp(new HeadgateError('UPSTREAM_BROKEN', 'the application gave up its response', cause));
    return res;
  };

  return {
    response: promise,
    body: stream,
    writers: {
      writeHead,
      writeHeader: writeHead,
      write,
      end,
      flushHeaders: beginSomehow,
      addTrailers: () => {}, // they end here, as everywhere
      destroy,
    },
    views: {
      statusCode: {
        get: () => status,
        set: (value) => {
          status = value;
        },
      },
      headersSent: { get: () => head !== undefined },
      writableEnded: { get: () => hasEnded },
      writableNeedDrain: { get: () => stream.writableNeedDrain },
      writableLength: { get: () => stream.writableLength },
    },
    hasBegun: () => head !== undefined,
    hasEnded: () => hasEnded,
    giveUp,
  };
}

/** Sets the fields that were given to `writeHead`, in each of the three forms that it takes. */
function setAll(fields: OutgoingMessage, given: unknown): void {
  if (given === undefined || given === null) return;
  if (!Array.isArray(given)) {
    for (const [name, value] of Object.entries(given)) fields.setHeader(name, value);
    return;
  }
  const raw: unknown[] = Array.isArray(given[0]) ? given.flat() : given;
  const names = raw.filter((_, index) => index % 2 === 0).map(String);
  for (const name of names) fields.removeHeader(name);
  for (const [index, name] of names.entries())
    fields.appendHeader(name, raw[2 * index + 1] as string);
}

function rawOf(fields: OutgoingMessage): string[] {
  const raw: string[] = [];
  for (const [name, value] of Object.entries(fields.getHeaders()))
    for (const line of [value ?? []].flat()) raw.push(name, String(line));
  return raw;
}

function toBuffer(chunk: unknown, encoding: unknown): Buffer {
  if (chunk === undefined || chunk === null) return EMPTY;
  if (Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding as BufferEncoding);
  if (!(chunk instanceof Uint8Array))
    throw new TypeError(`a chunk must be a string or a Uint8Array, got ${typeof chunk}`);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function methodsOf(target: object, names: readonly string[]): Map<string, Method> {
  const members = target as Readonly<Record<string, Method>>;
  return new Map(names.flatMap((name) => (members[name] ? [[name, members[name]]] : [])));
}

/** A property as it is before it is covered: through its accessors, or as a place of its own. */
function viewOf(target: ServerResponse, name: string): View {
  for (let owner: object = target; owner; owner = Object.getPrototypeOf(owner)) {
    const property = Object.getOwnPropertyDescriptor(owner, name);
    const { get, set } = property ?? {};
    if (get) return { get: get.bind(target), set: set?.bind(target) ?? (() => {}) };
    if (property) break;
  }
  let value = Reflect.get(target, name);
  return {
    get: () => value,
    set: (next) => {
      value = next;
    },
  };
}

function isFunction(value: unknown): value is () => void {
  return typeof value === 'function';
}
