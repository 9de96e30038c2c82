/** HTTP/2 by hand: frames as a client may send them that keeps to no rule. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { Test } from 'tap';

/** Types of frames (RFC 9113 section 6). */
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

/** A frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A frame as bytes. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A field section without compression: every field a literal, not indexed (RFC 7541 section 6.2.2). */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, 'latin1');
    return Buffer.concat([integer(bytes.length), bytes]);
  };
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

/** An integer with a prefix of seven bits (RFC 7541 section 5.1). */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A connection that has said hello. `settings` are pairs of number and value. */
export async function rawHttp2(
  t: Test,
  port: number,
  settings: readonly (readonly [number, number])[] = [],
) {
  const socket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const frames: Frame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let isOver = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    isOver = true;
  });
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      frames.push({
        type: rest.readUInt8(3),
        flags: rest.readUInt8(4),
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: rest.subarray(9, end),
      });
      rest = rest.subarray(end);
    }
  });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  const said = settings.map(([name, value]) => {
    const bytes = Buffer.alloc(6);
    bytes.writeUInt16BE(name, 0);
    bytes.writeUInt32BE(value, 2);
    return bytes;
  });
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(SETTINGS, 0, 0, Buffer.concat(said)));
  return {
    frames,
    isOver: () => isOver,
    send: (...pieces: readonly Buffer[]) => socket.write(Buffer.concat(pieces)),
    destroy: () => socket.destroy(),
    /** What became of a stream: `200` and so on (`other` for a rare status), `reset`, or nothing yet. */
    outcome: (stream: number) => {
      const own = frames.filter((each) => each.stream === stream);
      const reset = own.find(({ type }) => type === RST_STREAM);
      const head = own.find(({ type }) => type === HEADERS);
      if (head) return STATUS[head.payload.at(0) ?? 0] ?? 'other';
      if (reset) return 'reset';
      return frames.some(({ type }) => type === GOAWAY) ? 'goodbye' : undefined;
    },
  };
}

/** Statuses that have one byte (RFC 7541 appendix A). */
const STATUS: Readonly<Record<number, string>> = {
  136: '200',
  137: '204',
  140: '400',
  141: '404',
  142: '500',
};
