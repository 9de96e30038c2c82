/** Stands between an application and the Node response that it writes to. */
import { OutgoingMessage, type ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { HeadgateError } from './errors.ts';
import type { ProxyRequest, ProxyResponse } from './exchange.ts';
import { type Method, type Recording, record } from './recording.ts';

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

/** Methods about fields: one object has the application's, another the host's. */
const FIELDS = Object.getOwnPropertyNames(OutgoingMessage.prototype).filter((name) =>
  /^(?:append|get|has|remove|set)\w*Header/.test(name),
);

/** Methods by which one listens, for one to `drain`: to each side it means another buffer. */
const LISTENING = [
  ...['on', 'addListener', 'prependListener'],
  ...['off', 'removeListener', 'removeAllListeners'],
];

/** What several of us on one response share. */
interface Layers {
  count: number;
  /** Which of us is talking to the host right now: to it and to all above, `res` is the host's. */
  talking: number;
  /** What the innermost of us asked for, and what it hears. */
  asked?: ProxyRequest;
  app?: Recording;
  /** For each of us, where a property is to be read and written at the moment. */
  readonly sides: ((name: string) => PropertyDescriptor | undefined)[];
}

/** Properties that have two sides. */
const PROPERTIES = ['statusCode', 'headersSent', 'writableEnded', 'writableNeedDrain'];

/** Where the layers are on a response. A WeakMap would keep responses from being collected early. */
const LAYERS = Symbol('layers');
type Layered = ServerResponse & { [LAYERS]?: Layers };

const NOBODY = Number.POSITIVE_INFINITY;

/** Stands before `res`, through which a request with the method `method` will be answered. */
export function intercept(res: ServerResponse, method: string): Interception {
  const layered: Layered = res;
  layered[LAYERS] ??= { count: 0, talking: NOBODY, sides: [] };
  const layers = layered[LAYERS];
  const depth = layers.count;
  layers.count += 1;
  const { asked, app: below } = layers;
  /** The methods that are covered, as they were before. */
  const host = new Map<string | symbol, Method>();

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

  // For one above another, what counts is whether that one hears, not whether the client is there.
  const held = below && {
    once: (event: string, listener: () => void) => below.stream().once(event, listener),
    chunkedEncoding: true,
  };
  const instead: Readonly<Record<string | symbol, unknown>> = { req: { method }, ...held };
  const outlet = new Proxy(res, {
    get(_, name) {
      if (Object.hasOwn(instead, name)) return instead[name];
      const value = host.get(name) ?? asHost(() => Reflect.get(res, name, res));
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
    layers.app = app;

    const members = res as unknown as Record<string, Method>;
    const cover = (name: string, ours: (args: unknown[], theirs: Method) => unknown) => {
      const theirs = members[name];
      if (!theirs) return;
      host.set(name, theirs);
      // Assigned, which is much cheaper than to define it.
      members[name] = (...args) => (isHosts() ? theirs.apply(res, args) : ours(args, theirs));
    };
    // With both heads out, to set a field is a mistake, and it is the host who complains of those.
    const isPast = () => isHosts() || (app.hasBegun() && outlet.headersSent);
    for (const name in app.methods) cover(name, (args) => app.methods[name]?.(...args));
    for (const name of FIELDS) {
      const ours: Method = Reflect.get(fields, name);
      cover(name, (args, theirs) => {
        if (isPast()) return theirs.apply(res, args);
        const result = ours.apply(fields, args);
        return result === fields ? res : result;
      });
    }
    for (const name of LISTENING) {
      cover(name, (args, theirs) => {
        if (args[0] !== 'drain') return theirs.apply(res, args);
        const stream = app.stream();
        (Reflect.get(stream, name) as Method).apply(stream, args);
        return res;
      });
    }
    cover('writeInformation', (args, theirs) => {
      if (!outlet.headersSent) return theirs.apply(res, args);
      for (const arg of args) if (typeof arg === 'function') arg(); // too late: done
    });
    const theirs = new Map(PROPERTIES.map((name) => [name, propertyOf(res, name)]));
    layers.sides[depth] = (name) => {
      const isTheirs = name === 'statusCode' ? isPast() : isHosts();
      return isTheirs ? theirs.get(name) : app.properties[name];
    };
    Object.defineProperties(res, accessorsAt(depth));
    if (depth === 0) follow(res, layers, app);
    return app.response;
  };
  return { outlet, asked, hear };
}

/** Tells the ends of a response of each other's end. Once for all of us: listeners are counted. */
function follow(res: ServerResponse, layers: Layers, outermost: Recording): void {
  const { socket } = res.req;
  const app = () => layers.app ?? outermost;
  res.once('close', () => {
    if (res.writableFinished || !socket.destroyed) return;
    // A client that leaves ends its side or resets it: then the application may still go on.
    if (!socket.readableEnded && !socket.errored)
      app().giveUp(new HeadgateError('UPSTREAM_BROKEN', 'the application cut the connection'));
  });
  res.on('unpipe', (source: Readable) => {
    const { hasEnded, isDropped, giveUp } = app();
    if (hasEnded()) return;
    // An answer of somebody else's went out: unread, the source would never come to its end.
    if (isDropped() || res.writableFinished) source.resume();
    else if (res.destroyed)
      giveUp(new HeadgateError('CLIENT_GONE', 'the client left, and the application gave up'));
  });
  // Whoever logs when the response is out means what went out.
  res.prependListener('finish', () => {
    layers.talking = 0;
    queueMicrotask(() => {
      layers.talking = NOBODY;
    });
  });
}

const accessors: PropertyDescriptorMap[] = [];

/**
 * The accessors of `PROPERTIES` for one of us. The same for all responses: with accessors of its own,
 * each would be of a hidden class of its own, which lives on until the next full collection.
 */
function accessorsAt(depth: number): PropertyDescriptorMap {
  const make = (name: string): PropertyDescriptor => ({
    configurable: true,
    get(this: Layered) {
      return this[LAYERS]?.sides[depth]?.(name)?.get?.();
    },
    set(this: Layered, value) {
      this[LAYERS]?.sides[depth]?.(name)?.set?.(value);
    },
  });
  accessors[depth] ??= Object.fromEntries(PROPERTIES.map((name) => [name, make(name)]));
  return accessors[depth];
}

/** A property as it is before it is covered: its accessors, or a place of its own for its value. */
function propertyOf(res: ServerResponse, name: string): PropertyDescriptor {
  for (let owner: object = res; owner; owner = Object.getPrototypeOf(owner)) {
    const property = Object.getOwnPropertyDescriptor(owner, name);
    const { get, set } = property ?? {};
    if (get) return { get: get.bind(res), set: (value) => set?.call(res, value) };
    if (property) break;
  }
  let value = Reflect.get(res, name);
  return {
    get: () => value,
    set: (next) => {
      value = next;
    },
  };
}
