/**
 * A Headgate in a process of its own, with fedicache for everybody, in front of the URL that it is given.
 * Tells its parent its port.
 */
import type { AddressInfo } from 'node:net';
import { compose } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { fedicache } from '@headgate/middleware-fedicache';
import { EVERYBODY } from './everybody.ts';

const { handler } = upstreamTo(process.argv[2] ?? '');
const { middleware } = fedicache({}, { background: handler, agents: [EVERYBODY] });
const server = createServer({ handler: compose([middleware], handler) });
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
