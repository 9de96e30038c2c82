/** Two servers that speak ActivityPub, each behind a Headgate: signatures must hold both ways. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import {
  type Context,
  createFederation,
  generateCryptoKeyPair,
  type KvStore,
  MemoryKvStore,
} from '@fedify/fedify';
import { verifyRequest } from '@fedify/fedify/sig';
import { Accept, Endpoints, Follow, Person } from '@fedify/fedify/vocab';
import { gate, toConfig } from 'headgate';
import t, { type Test } from 'tap';
import { listen, until } from '../../core/test/wire.ts';

type Knock = 'rfc9421' | 'draft-cavage-http-signatures-12';

/** What a server was asked, and by which signature. */
interface Asked {
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly status: number;
}

/** Making one takes a second. */
const KEYS = [await generateCryptoKeyPair('RSASSA-PKCS1-v1_5')];

const signatureOf = ({ 'signature-input': input, signature }: IncomingHttpHeaders) => {
  if (input !== undefined) return 'rfc9421';
  return signature === undefined ? 'none' : 'draft-cavage-http-signatures-12';
};

/** A server of one actor, which accepts who follows it, and its address behind a Headgate. */
async function instance(
  t: Test,
  name: string,
  { refuses, firstKnock }: { refuses?: Knock; firstKnock?: Knock } = {},
) {
  const asked: Asked[] = [];
  const heard: string[] = [];
  const kv: KvStore = new MemoryKvStore();
  const federation = createFederation<void>({
    kv,
    allowPrivateAddress: true,
    ...(firstKnock && { firstKnock }),
  });
  federation
    .setActorDispatcher('/users/{identifier}', async (context, identifier) => {
      if (identifier !== name) return null;
      const [pair] = await context.getActorKeyPairs(identifier);
      return new Person({
        id: context.getActorUri(identifier),
        preferredUsername: identifier,
        inbox: context.getInboxUri(identifier),
        endpoints: new Endpoints({ sharedInbox: context.getInboxUri() }),
        publicKey: pair?.cryptographicKey ?? null,
        assertionMethods: pair ? [pair.multikey] : [],
      });
    })
    .setKeyPairsDispatcher(async () => KEYS);
  federation
    .setInboxListeners('/users/{identifier}/inbox', '/inbox')
    .on(Follow, async (context, follow) => {
      const follower = await follow.getActor(context);
      heard.push(`Follow by ${follower?.id?.href}`);
      if (!follower) return;
      await context.sendActivity(
        { identifier: name },
        follower,
        new Accept({
          id: new URL(`#accepts/${heard.length}`, context.getActorUri(name)),
          actor: context.getActorUri(name),
          object: follow,
        }),
      );
    })
    .on(Accept, async (context, accept) => {
      heard.push(`Accept by ${(await accept.getActor(context))?.id?.href}`);
    });

  let context: Context<void>;
  const origin = createServer(async (req, res) => {
    const { method = 'GET', headers, url = '/' } = req;
    const body = await buffer(req);
    const fields = Object.entries(headers).map(([field, value]): [string, string] => [
      field,
      String(value),
    ]);
    const request = () =>
      new Request(`http://${headers.host}${url}`, {
        method,
        headers: fields,
        ...(body.length > 0 && { body: Uint8Array.from(body) }),
      });
    // Fedify would also take the signature in the body, which no proxy can break.
    const isSigned = method !== 'POST' || (await verifyRequest(request(), context)) !== null;
    const isRefused = refuses !== undefined && signatureOf(headers) === refuses;
    const answer =
      isSigned && !isRefused
        ? await federation.fetch(request(), { contextData: undefined })
        : new Response('this signature is not known here', { status: 401 });
    asked.push({ line: `${method} ${url}`, headers, body, status: answer.status });
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    res.end(Buffer.from(await answer.arrayBuffer()));
  });
  const config = await toConfig({
    sites: [{ upstream: `http://127.0.0.1:${await listen(t, origin)}` }],
  });
  const front = await gate(config);
  t.teardown(() => front.close());
  const address = `http://127.0.0.1:${await listen(t, front.server())}`;
  context = federation.createContext(new URL(address), undefined);
  return { name, actor: context.getActorUri(name), context, asked, heard };
}

t.test(
  'a signed Follow and its Accept pass, by every signature and after a second knock',
  async (t) => {
    const rows: [first: Knock, refused: Knock | undefined][] = [
      ['rfc9421', undefined],
      ['draft-cavage-http-signatures-12', undefined],
      ['rfc9421', 'rfc9421'],
      ['draft-cavage-http-signatures-12', 'draft-cavage-http-signatures-12'],
    ];
    for (const [firstKnock, refuses] of rows) {
      const alice = await instance(t, 'alice', { firstKnock });
      const bob = await instance(t, 'bob', refuses ? { refuses } : {});
      const why = `${firstKnock}, refused: ${refuses}`;
      const recipient = await alice.context.lookupObject(bob.actor);
      if (!(recipient instanceof Person)) return t.fail(`${why}: no actor at ${bob.actor}`);
      t.equal(recipient.id?.href, bob.actor.href, 'the actor says where it is: Host passed');

      await alice.context.sendActivity(
        { identifier: 'alice' },
        recipient,
        new Follow({
          id: new URL('#follows/1', alice.actor),
          actor: alice.actor,
          object: bob.actor,
        }),
      );
      await until(() => alice.heard.length > 0);
      t.same(bob.heard, [`Follow by ${alice.actor.href}`], why);
      t.same(alice.heard, [`Accept by ${bob.actor.href}`], why);

      const knocks = bob.asked
        .filter(({ line }) => line.startsWith('POST '))
        .map(({ headers, status }) => `${signatureOf(headers)} ${status}`);
      const other = firstKnock === 'rfc9421' ? 'draft-cavage-http-signatures-12' : 'rfc9421';
      t.same(knocks, refuses ? [`${firstKnock} 401`, `${other} 202`] : [`${firstKnock} 202`], why);
    }
  },
);

t.test(
  'a signature holds for its own body, path and host alone, as without Headgate',
  async (t) => {
    for (const firstKnock of ['rfc9421', 'draft-cavage-http-signatures-12'] as const) {
      const alice = await instance(t, 'alice', { firstKnock });
      const bob = await instance(t, 'bob');
      const recipient = { id: bob.actor, inboxId: new URL('/users/bob/inbox', bob.actor) };
      const follow = new Follow({
        id: new URL('#follows/1', alice.actor),
        actor: alice.actor,
        object: bob.actor,
      });
      await alice.context.sendActivity({ identifier: 'alice' }, recipient, follow);
      const [sent] = bob.asked.filter(({ line }) => line === 'POST /users/bob/inbox');
      if (!sent) return t.fail('nothing was sent');
      const signed = Object.entries(sent.headers).filter(([field]) =>
        /^(?:accept|content-type|content-digest|date|digest|signature.*)$/.test(field),
      );
      const again = async (url: URL, body: Buffer) => {
        const headers = signed.map(([field, value]): [string, string] => [field, String(value)]);
        return (await fetch(url, { method: 'POST', headers, body: Uint8Array.from(body) })).status;
      };
      const other = Buffer.from(String(sent.body).replace('#follows/1', '#follows/2'));
      t.equal(await again(recipient.inboxId, sent.body), 202, `${firstKnock}: as it was`);
      t.equal(await again(recipient.inboxId, other), 401, `${firstKnock}: another body`);
      t.equal(
        await again(new URL('/inbox', bob.actor), sent.body),
        401,
        `${firstKnock}: elsewhere`,
      );
      const host = new URL(recipient.inboxId);
      host.hostname = 'localhost';
      t.equal(await again(host, sent.body), 401, `${firstKnock}: another host`);
    }
  },
);
