/** TLS at the front edge: which certificate who asks for a name is shown, and what is agreed upon. */
import { constants, randomBytes, X509Certificate } from 'node:crypto';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { H2 } from './http2.ts';

/** A certificate with its chain and its key, in PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Where pairs come from. */
export interface Certificates {
  /** The pair for a name in lower case; for `''` the one that is shown where no other fits. */
  pairFor(name: string): Pair | undefined;
  /** Has `told` called whenever `pairFor` gives others than before. */
  onChange(told: () => void): void;
}

/** How TLS is spoken. */
export interface TlsSettings {
  readonly certificates: Certificates;
  /** Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
}

/** A server that speaks TLS, and what it knows of its connections. */
export interface SecureServer {
  readonly server: Server;
  /** True when who was promised another name on this connection must not ask for `host` there. */
  readonly isMisdirected: (socket: Socket, host: string) => boolean;
}

/** Mozilla's intermediate list without what has no forward secrecy or no authenticated cipher. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Milliseconds in which a handshake must be over. */
const HANDSHAKE_TIME = 10_000;

/** Milliseconds after which sessions can't be resumed: who gets their key reads no more than that. */
const TICKET_KEY_TIME = 12 * 3_600_000;

/** A pair made ready, and what its certificate vouches for. */
interface Ready {
  readonly context: SecureContext;
  readonly covers: (host: string) => boolean;
}

/** Makes a server that speaks TLS with the options of an HTTP server. */
export function secureServer(
  options: ServerOptions,
  { certificates, minVersion = 'TLSv1.2' }: TlsSettings,
): SecureServer {
  const secureOptions = constants.SSL_OP_NO_RENEGOTIATION;
  const rules = { ciphers: CIPHERS, honorCipherOrder: true, minVersion, secureOptions };
  const made = new Map<string, Ready>();
  const readyFor = (name: string) => {
    const pair = certificates.pairFor(name.toLowerCase()) ?? certificates.pairFor('');
    if (!pair) return undefined;
    let ready = made.get(pair.cert);
    if (!ready) {
      const { cert, key } = pair;
      const x509 = new X509Certificate(cert);
      const context = createSecureContext({ cert, key });
      ready = { context, covers: (host) => x509.checkHost(host) !== undefined };
      made.set(cert, ready);
    }
    return ready;
  };

  const server = createServer({
    ...options,
    ...rules,
    ALPNProtocols: [H2, 'http/1.1'],
    handshakeTimeout: HANDSHAKE_TIME,
    SNICallback: (name, done) => {
      try {
        done(null, readyFor(name)?.context);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  // Who asks for no name gets the server's own context, without SNICallback.
  const putOwn = () => {
    const own = certificates.pairFor('');
    if (own) server.setSecureContext({ ...rules, cert: own.cert, key: own.key });
  };
  putOwn();
  certificates.onChange(() => {
    made.clear();
    putOwn();
  });
  const renew = setInterval(() => server.setTicketKeys(randomBytes(48)), TICKET_KEY_TIME).unref();
  server.on('close', () => clearInterval(renew));
  server.removeAllListeners('tlsClientError'); // it would be answered in HTTP, which nobody speaks yet
  server.on('tlsClientError', (_error, socket) => socket.destroy());

  return {
    server,
    isMisdirected: (socket, host) => {
      const { servername } = socket as TLSSocket;
      if (!servername || servername.toLowerCase() === host) return false;
      return readyFor(servername)?.covers(host) !== true;
    },
  };
}
