/** The processes that are measured: `node bench/subjects.ts NAME UPSTREAM` prints the port it has. */
import { Agent, createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { instrument, processRegistry } from '@headgate/metrics';
import httpProxy from 'http-proxy-3';

const subjects: Record<string, (argument: string) => Server | Promise<Server>> = {
  /** What stands behind: answers of so many bytes. */
  origin: (size) => {
    const body = Buffer.alloc(Number(size), 'x');
    const headers = { 'content-type': 'text/html', 'content-length': body.length };
    return createHttpServer((_req, res) => res.writeHead(200, headers).end(body));
  },
  'http-proxy-3': (target) => {
    const proxy = httpProxy.createProxyServer({ target, agent: new Agent({ keepAlive: true }) });
    proxy.on('error', () => {});
    return createHttpServer((req, res) => proxy.web(req, res));
  },
  'headgate, empty chain': (url) => createServer({ handler: upstreamTo(url).handler }),
  'headgate, empty chain, metrics': (url) => {
    const { layer, finished } = instrument(processRegistry());
    const { handler } = upstreamTo(url);
    return createServer({ handler: (request) => layer(request, handler), finished });
  },
};

process.on('SIGINT', () => process.exit());
const [name = '', argument = ''] = process.argv.slice(2);
const server = await subjects[name]?.(argument);
server?.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
