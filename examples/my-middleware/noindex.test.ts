import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aRequest, upstream } from '@headgate/core/testing';
import { noindex } from './noindex.ts';

test('pages below a path are marked, others are not', async () => {
  const middleware = noindex({ paths: ['/drafts/'] });
  const origin = upstream({ status: 200, headers: { 'content-type': 'text/html' } });
  const draft = await middleware(aRequest({ url: '/drafts/1' }), origin);
  assert.equal(draft.headers['x-robots-tag'], 'noindex');
  const page = await middleware(aRequest({ url: '/about' }), origin);
  assert.equal(page.headers['x-robots-tag'], undefined);
  assert.equal(origin.asked.length, 2);
});

test('a wrong option says what to write', () => {
  assert.throws(() => noindex({ paths: ['drafts'] }), /noindex: paths\.0: write a path/);
});
