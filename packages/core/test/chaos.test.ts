/** A minute of bad weather between Headgate and its origin, and what clients get to see of it. */
import { createHash } from 'node:crypto';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { chaosProxy, TOXICS } from './chaos.ts';
import { randomBy } from './mutate.ts';
import { front, listen, until } from './wire.ts';

const SECONDS = 60;
const SEED = 1;
const LIMITS = { connectTimeout: 500, headTimeout: 700, idleTimeout: 700 };

t.setTimeout(120_000);

const pageOf = (target: string) => `${target} `.repeat(1 + (target.length % 7) * 2_000);
const digest = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

t.test('whatever the network does: whole and right, or plainly failed, and soon', async (t) => {
  const origin = createHttpServer((req, res) => {
    if (req.method === 'GET') return void res.end(pageOf(req.url ?? ''));
    const hash = createHash('sha256');
    req.on('data', (chunk) => hash.update(chunk)).on('end', () => res.end(hash.digest('hex')));
  });
  new WebSocketServer({ server: origin }).on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => socket.send(data));
  });
  origin.on('clientError', (_error, socket) => socket.destroy()); // half a request gets no answer
  const random = randomBy(SEED);
  const { server, set } = chaosProxy(await listen(t, origin), random);
  const between = await listen(t, server);
  const { url, reports } = await front(t, `http://127.0.0.1:${between}`, {
    upstream: LIMITS,
    tunnels: { headTimeout: 700, idleTimeout: 1_500 },
    idleTimeout: 2_000,
  });

  const tally: Record<string, number> = {};
  const wrong: string[] = [];
  const count = (outcome: string) => {
    tally[outcome] = (tally[outcome] ?? 0) + 1;
  };
  /** Sends one request, and tells how it ended: a status if its answer was whole, else `cut off`. */
  const ask = (target: string, body?: Buffer) =>
    new Promise<string>((resolve) => {
      const hung = setTimeout(() => {
        wrong.push(`${target} hangs`);
        req.destroy();
      }, 15_000);
      const end = (outcome: string) => {
        clearTimeout(hung);
        resolve(outcome);
      };
      const req = httpRequest(url + target, { method: body ? 'POST' : 'GET', agent: false });
      req.on('error', () => end('cut off'));
      req.on('response', async (res) => {
        const text = await res.toArray().then(
          (chunks) => String(Buffer.concat(chunks)),
          () => undefined,
        );
        if (text === undefined) return end('cut off');
        const right = body ? digest(body) : pageOf(target);
        if (res.statusCode === 200 && text !== right) wrong.push(`${target}: ${text.slice(0, 80)}`);
        if (![200, 502, 504].includes(res.statusCode ?? 0))
          wrong.push(`${target}: ${res.statusCode}`);
        end(String(res.statusCode));
      });
      req.end(body);
    });
  const talk = (number: number) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/${number}`);
      let isRight = false;
      socket.on('error', () => {});
      socket.on('open', () => socket.send(`hello ${number}`));
      socket.on('message', (data) => {
        isRight = String(data) === `hello ${number}`;
        if (!isRight) wrong.push(`WebSocket ${number} got ${data}`);
        socket.close();
      });
      socket.on('close', () => resolve(isRight ? 'echoed' : 'cut off'));
    });

  const over = performance.now() + SECONDS * 1_000;
  let number = 0;
  const client = async (isSocket: boolean) => {
    while (performance.now() < over) {
      number += 1;
      if (isSocket) count(await talk(number));
      else if (number % 3 === 0)
        count(await ask(`/${number}`, Buffer.alloc(random(200_000), number)));
      else count(await ask(`/${number}`));
      await new Promise((done) => setTimeout(done, 5));
    }
  };
  const weather = setInterval(() => set(TOXICS[random(TOXICS.length)] ?? 'none'), 400);
  await Promise.all(Array.from({ length: 12 }, (_, i) => client(i % 4 === 0)));
  clearInterval(weather);
  set('none');
  t.comment(`seed ${SEED}: ${JSON.stringify(tally)}`);
  t.same(wrong, [], 'no answer is wrong, another’s, or missing');
  t.ok((tally['200'] ?? 0) > 20, 'some got through');
  t.ok((tally['502'] ?? 0) + (tally['504'] ?? 0) + (tally['cut off'] ?? 0) > 5, 'some did not');

  const after = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`/after/${i}`)));
  t.same(new Set(after), new Set(['200']), 'when it is over, all is well at once');
  await until(() => reports.length >= number + 20);
  t.equal(reports.length, number + 20, 'each exchange is reported once');
});
