/** What somebody might write who has installed every package. Runs as an ES module and as CommonJS. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { instrument } from '@headgate/metrics';
import express from 'express';
import { register } from 'prom-client';
import { onExpress, onFastify, onHono, PAGE } from './applications.ts';
import { inFrontOf, withoutSockets } from './parts.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

async function run(): Promise<void> {
  instrument(register);
  const express4: typeof express = createRequire(join(process.cwd(), 'x'))('express4');
  const makers = [() => onExpress(express), () => onExpress(express4), onFastify, onHono];
  for (const make of makers) await use(await make());
  await withoutSockets();
  process.stdout.write(`${makers.length} applications ran on Node ${process.versions.node}\n`);
}

/** A browser, a preview fetcher and the one who looks at the metrics. */
async function use(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async (path: string, agent: string) => {
    const headers = { 'user-agent': agent, accept: 'text/html' };
    const response = await fetch(site + path, { headers, redirect: 'manual' });
    return { ...Object.fromEntries(response.headers), text: await response.text() };
  };
  const page: Record<string, string> = await ask('/', 'Mozilla/5.0');
  assert.equal(page.text, PAGE);
  assert.match(page['content-security-policy'] ?? '', /img-src 'self' https:\/\/cdn\.example/);
  assert.equal(page['content-encoding'], 'gzip'); // what fetch likes best
  const image: Record<string, string> = await ask('/media/a.png', 'Mozilla/5.0');
  assert.equal(image.location, 'https://cdn.example/media/a.png');
  for (const status of [/fwd=miss/, /; hit/]) {
    const preview: Record<string, string> = await ask('/?utm_source=x', MASTODON);
    assert.match(preview['cache-status'] ?? '', status);
    assert.ok(preview.text && preview.text.length < 200 && preview.text.includes('<title>Hello'));
  }
  const { text } = await ask('/metrics', 'Prometheus/3');
  const metrics = text.includes('headgate_') ? text : await register.metrics();
  assert.match(metrics, /^headgate_previews_total\{.*agent="mastodon",outcome="hit"\} \d+$/m);
  await inFrontOf(site);
  server.closeAllConnections();
  server.close();
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
