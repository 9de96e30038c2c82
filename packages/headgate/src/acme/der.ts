/** The little of DER (X.690) that a signing request and a challenge's certificate need. */

/** OBJECT IDENTIFIERs that are written here. */
export const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  extensionRequest: '1.2.840.113549.1.9.14',
  commonName: '2.5.4.3',
  subjectAltName: '2.5.29.17',
  acmeIdentifier: '1.3.6.1.5.5.7.1.31',
} as const;

/** A value with its tag and length in front. */
export function tagged(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | size.length), size, content]);
}

/** A SEQUENCE. */
export const sequence = (...items: readonly Buffer[]) => tagged(0x30, ...items);

/** A SET. */
export const set = (...items: readonly Buffer[]) => tagged(0x31, ...items);

/** An INTEGER that is not negative: its bytes, the highest first. */
export const integer = (bytes: Buffer) =>
  tagged(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]));

/** An OCTET STRING. */
export const octets = (content: Buffer) => tagged(0x04, content);

/** A BIT STRING of whole bytes. */
export const bits = (content: Buffer) => tagged(0x03, Buffer.of(0), content);

/** A UTF8String. */
export const text = (content: string) => tagged(0x0c, Buffer.from(content));

/** What is `[number] EXPLICIT`, or an IMPLICIT one that is made of parts. */
export const context = (number: number, ...contents: readonly Buffer[]) =>
  tagged(0xa0 | number, ...contents);

/** A time to the second: UTCTime before 2050, then GeneralizedTime (RFC 5280, section 4.1.2.5). */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\..*|\D/g, '');
  return digits < '2050'
    ? tagged(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : tagged(0x18, Buffer.from(`${digits}Z`));
}

/** An OBJECT IDENTIFIER: `1.2.840`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...more] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...more].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let rest = arc >>> 7; rest > 0; rest >>>= 7) groups.unshift((rest & 0x7f) | 0x80);
    return groups;
  });
  return tagged(0x06, Buffer.from(bytes));
}

/** An extension of a certificate (RFC 5280, section 4.1). */
export function extension(id: string, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [tagged(0x01, Buffer.of(0xff))] : [];
  return sequence(oid(id), ...critical, octets(value));
}

/** The subjectAltName that is one DNS name. */
export const subjectAltName = (name: string) =>
  extension(OID.subjectAltName, sequence(tagged(0x82, Buffer.from(name))));
