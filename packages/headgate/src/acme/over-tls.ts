/** Answering tls-alpn-01 challenges (RFC 8737) at a port where TLS is spoken with everybody else. */
import type { Server, Socket } from 'node:net';
import { createSecureContext, createServer } from 'node:tls';
import type { Presenting } from './challenges.ts';

const PROTOCOL = 'acme-tls/1';

/** How a client that asks for nothing else names the protocol. */
const ASKED = Buffer.from(`${String.fromCharCode(PROTOCOL.length)}${PROTOCOL}`);

/** Milliseconds that a client has to begin. */
const PATIENCE = 10_000;

const HANDSHAKE = 0x16;
const RECORD_HEAD = 5;

/**
 * Lets a server of TLS answer challenges too. Call it before others hear of its connections. Which
 * protocol a client asks for is known to Node only when the certificate has been chosen, so while a
 * challenge is under way, and only then, the first record of a connection is read before it is passed on.
 */
export function answerOverTls(
  server: Server,
  { isPresenting, challengePairFor }: Pick<Presenting, 'isPresenting' | 'challengePairFor'>,
): void {
  const challenges = createServer(
    {
      ALPNProtocols: [PROTOCOL],
      handshakeTimeout: PATIENCE,
      SNICallback: (name, done) => {
        const pair = challengePairFor(name);
        if (pair) done(null, createSecureContext(pair));
        else done(new Error(`no challenge is under way for ${name}`));
      },
    },
    (socket) => socket.end(),
  );
  challenges.on('tlsClientError', (_error, socket) => socket.destroy());

  const served = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const pass = () => {
      for (const listener of served) listener.call(server, socket);
    };
    if (!isPresenting()) return pass();
    whenBegun(socket, (record) => {
      if (record.includes(ASKED)) challenges.emit('connection', socket);
      else pass();
    });
  });
}

/** Calls back with the first record of a connection, which is still to be read from it then. */
function whenBegun(socket: Socket, told: (record: Buffer) => void): void {
  let got = Buffer.alloc(0);
  const give = () => socket.destroy();
  const timer = setTimeout(give, PATIENCE);
  const over = () => clearTimeout(timer);
  const read = (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    const isTls = got[0] === HANDSHAKE;
    if (isTls && got.length < RECORD_HEAD) return;
    if (isTls && got.length < RECORD_HEAD + got.readUInt16BE(3)) return;
    over();
    socket.off('data', read);
    socket.off('close', over);
    socket.off('error', give);
    socket.pause();
    socket.unshift(got);
    told(got);
  };
  socket.on('data', read);
  socket.on('close', over);
  socket.on('error', give);
}
