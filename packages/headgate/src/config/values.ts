/** The small things that a configuration is made of, as people write them. */
import { domainToASCII } from 'node:url';
import { type Quantity, SIZE, TIME } from '@headgate/core';
import { originationBy } from '@headgate/core/server';
import { toOrigin } from '@headgate/core/upstream';
import { z } from 'zod';
import { toAddress, toDoor, toPlace } from '../address.ts';

/** A time: `60s`, or a number of milliseconds. Becomes milliseconds. */
export const duration = quantity(TIME);

/** A size: `99MiB`, or a number of bytes. Becomes bytes. */
export const size = quantity(SIZE);

/** A place to listen at. Becomes an `Address`. */
export const address = text(toAddress);

/** A place for people to come in. Becomes a `Door`. */
export const door = text(toDoor);

/** A place for the admin server. Becomes a `Place`. */
export const adminPlace = text(toPlace);

/** The URL of an application. */
export const origin = text((url) => {
  toOrigin(url);
  return url;
});

/** A folder, the URL of an application, or `upstream`. */
export const challenge = z
  .string()
  .min(1)
  .superRefine((written, context) => {
    if (!/^[a-z]+:\/\//.test(written)) return;
    const { error } = origin.safeParse(written);
    for (const { message } of error?.issues ?? []) context.addIssue({ code: 'custom', message });
  });

/** A proxy in front: an address, a CIDR, or the name of several. */
export const proxy = text((entry) => {
  originationBy([entry]);
  return entry;
});

/** A name under which a site is reached: `example.org`, `*.example.org`, or `*` for every name. */
export const hostPattern = z.string().superRefine((written, context) => {
  const isPattern = /^(?:\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/i;
  if (isPattern.test(written)) return;
  const ascii = domainToASCII(written);
  const hint = ascii !== written && isPattern.test(ascii) ? `write ${ascii}` : undefined;
  context.addIssue({
    code: 'custom',
    message:
      hint ??
      `must be a name like example.org, *.example.org or *, without scheme and port, got "${written}"`,
  });
});

/** One name, or one address. */
export const hostName = hostPattern.refine((written) => !written.includes('*'), {
  error: 'must be one name, without *',
});

/** The beginning of a target, byte for byte. */
export const path = z.string().regex(/^\/[!"$->@-[\]-~]*$/, {
  error: 'must be a path as it stands in a request, like /media: a slash first, no ?, # or space',
});

/** A file or folder, relative to the folder of the configuration. */
export const place = z.string().min(1);

/** An absolute URL, or a path of the same site. */
export const location = z
  .string()
  .refine((written) => /^(?:https?:\/\/[a-z0-9[]|\/(?!\/))[!$-;=?-[\]-~]*$/i.test(written), {
    error: 'must be a URL like https://example.org/ or a path like /new',
  });

/** Response fields; `null` takes away what a preset or the site sets. */
export const fields = z.record(
  z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'is not the name of a header field' })
    .refine((name) => !/^(?:connection|content-length|transfer-encoding)$/i.test(name), {
      error: 'is for the connection, which Headgate frames itself',
    }),
  z
    .string()
    .regex(/^[\t -~\u0080-\u00ff]*$/, { error: 'must be one line of Latin letters and signs' })
    .nullable(),
);

/** What `parse` makes of a text; its TypeError is the fault. */
function text<T>(parse: (written: string) => T) {
  return z.string().transform((written, context): T => {
    try {
      return parse(written);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      context.addIssue({ code: 'custom', message: error.message.replace(/^[a-z]+ must/, 'must') });
      return z.NEVER;
    }
  });
}

function quantity({ pattern, error, parse }: Quantity) {
  return z
    .union([z.int({ error }).min(0, { error }), z.string().regex(pattern, { error })], { error })
    .transform(parse);
}
