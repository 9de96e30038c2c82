/**
 * Fuzzing with a differential oracle: `./dev fuzz [--runs 20000] [--seed 1]`.
 *
 * Three parts of the runs cut valid requests at every byte, or mutate hostile ones; what a strict
 * origin then reads must be exactly what Headgate meant to send, each request once. One part mutates
 * an origin's answers; what a client then reads is whole if and only if Headgate says so. Victims ask
 * in between on connections of their own, and must get their own answers.
 */
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  type Finished,
  field,
  type Handler,
  type Headers,
  type ProxyRequest,
  withFields,
} from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { type Tunnel, tunnelTo } from '@headgate/core/upgrade';
import { upstreamTo } from '@headgate/core/upstream';
import { CLIENT_ROWS, ORIGIN_ROWS } from './hostile.ts';
import { mutant, type Random, randomBy } from './mutate.ts';
import { type Parsed, strictOrigin, valueIn } from './strict.ts';
import { until } from './wire.ts';

/** What came of it. All but `inputs` and `requests` should be empty. */
export interface Outcome {
  /** Inputs tried. */
  inputs: number;
  /** Requests that reached an origin whole. */
  requests: number;
  /** Errors that nobody caught. */
  readonly crashes: string[];
  /** Inputs whose connection did not end although their client had hung up. */
  readonly hangs: string[];
  /** What an origin, or a client, could not read as whole messages. */
  readonly unframed: string[];
  /** Requests that differ from what was meant, or that nobody meant to send. */
  readonly different: string[];
  /** Answers that went to somebody else. */
  readonly misdelivered: string[];
}

const WORKERS = 40;
const QUIET = 20;
const PATIENCE = 10_000;
const ID = 'x-fuzz-id';
/** Fields that Headgate adds, or decides. */
const OURS =
  /^(?:x-forwarded-(?:for|host|proto)|forwarded|x-real-ip|headgate-loop|connection|upgrade|content-length|transfer-encoding)$/;

const VALID = CLIENT_ROWS.filter(
  ([, input, statuses]) => statuses[0] === 200 && input.length < 300,
).map(([, input]) => [input].flat().join(''));
const REQUESTS = CLIENT_ROWS.map(([, input]) => [input].flat().join('')).filter(
  ({ length }) => length < 4_000,
);
const ANSWERS = ORIGIN_ROWS.flatMap(([, answer]) =>
  typeof answer === 'string' && answer.length < 4_000 ? [answer] : [],
);

/** Runs the fuzzer. The same seed tries the same inputs. */
export async function fuzz({ runs, seed }: { runs: number; seed: number }): Promise<Outcome> {
  const outcome: Outcome = {
    inputs: 0,
    requests: 0,
    crashes: [],
    hangs: [],
    unframed: [],
    different: [],
    misdelivered: [],
  };
  const onCrash = (error: unknown) => outcome.crashes.push(String((error as Error).stack ?? error));
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
  const answers = Math.floor(runs / 4);
  await fuzzRequests(runs - answers, randomBy(seed), outcome);
  await fuzzAnswers(answers, randomBy(seed + 1), outcome);
  process.off('uncaughtException', onCrash);
  process.off('unhandledRejection', onCrash);
  return outcome;
}

const closing = (target: string) =>
  `GET ${target} HTTP/1.1\r\nHost: v.example\r\nConnection: close\r\n\r\n`;

/** What Headgate meant to send. */
interface Meant {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly chunks: Buffer[];
  isWhole: boolean;
}

async function fuzzRequests(runs: number, random: Random, outcome: Outcome): Promise<void> {
  const meant = new Map<string, Meant>();
  const origin = strictOrigin((request) => {
    const id = valueIn(request, ID) ?? 'none';
    return `HTTP/1.1 200 OK\r\n${ID}: ${id}\r\nContent-Length: ${id.length}\r\n\r\n${id}`;
  });
  const url = `http://127.0.0.1:${await portOf(origin.server)}`;
  const upstream = upstreamTo(url);
  /** Remembers a request, and gives the one that is sent: it has its number with it. */
  const mean = (request: ProxyRequest): { id: string; sent: ProxyRequest } => {
    const id = String(meant.size + 1);
    const { method, headers, body } = request;
    const entry: Meant = { method, url: request.url, headers, chunks: [], isWhole: true };
    meant.set(id, entry);
    if (body instanceof Readable) {
      entry.isWhole = false;
      body.on('data', (chunk) => entry.chunks.push(chunk));
      body.on('end', () => (entry.isWhole = true));
    }
    return { id, sent: { ...request, headers: withFields(headers, { [ID]: id }) } };
  };
  const handler: Handler = async (request) => {
    const { id, sent } = mean(request);
    const response = await upstream.handler(sent);
    if (field(response.headers, ID) !== id) outcome.misdelivered.push(`${request.url} of ${id}`);
    return response;
  };
  const open = tunnelTo(url);
  const tunnel: Tunnel = (request, client, done) => open(mean(request).sent, client, done);
  const server = createServer({ handler, tunnel, headTimeout: 2_000 });
  const port = await portOf(server);

  const isCut = VALID.flatMap((text) => Array.from(text, (_, i): [string, number] => [text, i]));
  const next = (n: number): string[] => {
    const [text, i] = isCut[n % isCut.length] ?? ['', 0];
    if (n < Math.min(isCut.length, runs / 4)) return [text.slice(0, i)];
    if (n < Math.min(2 * isCut.length, runs / 2)) return [text.slice(0, i), text.slice(i)];
    const input = mutant(REQUESTS, random);
    const cut = random(3) === 0 ? random(input.length + 1) : input.length;
    return [input.slice(0, cut), input.slice(cut)];
  };
  await work(runs, async (n) => {
    outcome.inputs += 1;
    const pieces = next(n);
    const { isOver } = await say(port, pieces);
    if (!isOver) outcome.hangs.push(JSON.stringify(pieces));
    if (n % 50 > 0) return;
    const target = `/victim/${n}`;
    const { text } = await say(port, [closing(target)], PATIENCE);
    const id = /\r\n\r\n(\d+)$/.exec(text)?.[1] ?? '';
    if (meant.get(id)?.url !== target) outcome.misdelivered.push(`${target} got ${text}`);
  });
  await new Promise((done) => setTimeout(done, 200));

  const seen = new Set<string>();
  for (const request of origin.requests) {
    outcome.requests += 1;
    const id = valueIn(request, ID) ?? '';
    const wrong = seen.has(id) ? 'sent twice' : difference(request, meant.get(id));
    seen.add(id);
    if (wrong) outcome.different.push(`${wrong}: ${JSON.stringify(request)}`);
  }
  outcome.unframed.push(...origin.faults);
  upstream.close();
  server.close();
  server.closeAllConnections();
  origin.server.close();
  for (const socket of origin.sockets) socket.destroy();
}

/** What is different about a request from what was meant, nothing if nothing is. */
function difference(request: Parsed, meant: Meant | undefined): string | undefined {
  if (!meant) return 'nobody meant it';
  if (request.method !== meant.method) return `method ${meant.method}`;
  if (request.target !== meant.url) return `target ${meant.url}`;
  if (!meant.isWhole) return 'its body had no end';
  if (request.body !== Buffer.concat(meant.chunks).toString('latin1')) return 'body';
  const lines = Object.entries(meant.headers).flatMap(([name, value]) =>
    [value].flat().map((line) => `${name}: ${line}`),
  );
  const isTheirs = (name: string) => !OURS.test(name) && name !== ID;
  const expected = lines.filter((line) => isTheirs(line.split(':')[0] ?? '')).toSorted();
  const got = request.fields.filter(([name]) => isTheirs(name));
  const isSame =
    got
      .map(([name, value]) => `${name}: ${value}`)
      .toSorted()
      .join('\n') === expected.join('\n');
  return isSame ? undefined : `fields ${JSON.stringify(expected)}`;
}

async function fuzzAnswers(runs: number, random: Random, outcome: Outcome): Promise<void> {
  const inputs = new Map<string, string>();
  const origin = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const [, target = ''] = String(chunk).split(' ', 2);
      const input = inputs.get(target);
      const plain = `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`;
      socket.write(input ?? plain, 'latin1', () => {
        if (input !== undefined) setTimeout(() => socket.end(), QUIET / 2);
      });
    });
  });
  const upstream = upstreamTo(`http://127.0.0.1:${await portOf(origin)}`, { headTimeout: 1_000 });
  const reports = new Map<string, Finished>();
  const server = createServer({
    handler: upstream.handler,
    finished: (exchange) => reports.set(exchange.request.url, exchange),
  });
  const port = await portOf(server);
  await work(runs, async (n) => {
    outcome.inputs += 1;
    const target = `/${n}`;
    const input = mutant(ANSWERS, random);
    inputs.set(target, input);
    const { text, isOver } = await say(port, [closing(target)], PATIENCE);
    inputs.delete(target);
    await until(() => reports.has(target));
    const report = reports.get(target);
    reports.delete(target);
    if (!isOver || !report) outcome.hangs.push(JSON.stringify(input));
    else if (isWhole(text) === (report.error !== undefined && report.response !== undefined))
      outcome.unframed.push(
        `${report.error} for ${JSON.stringify(input)} gave ${JSON.stringify(text)}`,
      );
    if (n % 20 > 0) return;
    const victim = await say(port, [closing(`/victim/${n}`)], PATIENCE);
    if (!victim.text.endsWith(`\r\n\r\n/victim/${n}`)) outcome.misdelivered.push(victim.text);
  });
  upstream.close();
  server.close();
  server.closeAllConnections();
  origin.close();
}

/** True for exactly one response, whole by its own framing. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  if (end < 0 || !/^HTTP\/1\.1 [2-5]\d\d /.test(head)) return false;
  if (/^HTTP\/1\.1 (?:204|304) /.test(head)) return body === '';
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (length !== undefined) return body.length === Number(length);
  if (!/^transfer-encoding: chunked$/im.test(head)) return false;
  return /^(?:([0-9a-f]+)\r\n[\s\S]*\r\n)?0\r\n\r\n$/.test(body);
}

/** Writes the pieces, hangs up when all is quiet for `quiet` milliseconds, and waits for the end. */
function say(port: number, pieces: readonly string[], quiet = QUIET) {
  return new Promise<{ text: string; isOver: boolean }>((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const finish = (isOver: boolean) => {
      clearTimeout(silence);
      clearTimeout(deadline);
      socket.destroy();
      resolve({ text, isOver });
    };
    const silence = setTimeout(() => socket.end(), quiet);
    const deadline = setTimeout(() => finish(false), PATIENCE + quiet);
    socket.on('error', () => {});
    socket.on('close', () => finish(true));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      silence.refresh();
    });
    socket.on('connect', async () => {
      socket.setNoDelay();
      for (const piece of pieces) {
        if (piece !== '') socket.write(piece, 'latin1');
        await new Promise(setImmediate);
      }
      silence.refresh();
    });
  });
}

async function portOf(server: Server | HttpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function work(runs: number, run: (n: number) => Promise<void>): Promise<void> {
  let n = 0;
  const worker = async () => {
    while (n < runs) await run(n++);
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
  });
  const started = performance.now();
  const { inputs, requests, ...faults } = await fuzz({
    runs: Number(values.runs),
    seed: Number(values.seed),
  });
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`seed ${values.seed}: ${inputs} inputs, ${requests} requests, ${seconds} s`);
  for (const [name, found] of Object.entries(faults)) {
    console.log(`${name}: ${found.length}`);
    for (const example of found.slice(0, 5)) console.log(`  ${example}`);
  }
  process.exit(Object.values(faults).some((found) => found.length > 0) ? 1 : 0);
}
