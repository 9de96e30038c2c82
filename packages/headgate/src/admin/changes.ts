/** What the admin server changes: purge, warm, reload. */
import { field, type Handler, type ProxyResponse, readBody } from '@headgate/core';
import { z } from 'zod';
import { hostName } from '../config/values.ts';
import { toName } from '../hosts.ts';
import type { Upkeep } from '../upkeep.ts';
import { answer, refusal } from './answer.ts';
import type { Routes } from './routes.ts';

/** What the changes change. */
export interface Changing extends Upkeep {
  /** Loads the configuration again; resolves to what is wrong with it, and then nothing changed. */
  reload(): Promise<readonly string[]>;
  /** Told of what was purged and warmed. */
  readonly onChange: (change: object, message: string) => void;
}

/** Bytes that a request's body may have. */
const MAX_BODY = 16 * 1024;

const url = z.string().regex(/^https?:\/\/[a-z0-9_.:[\]-]+\/[!$-[\]-~"]*$/i);

const host = z.string().refine((written) => hostName.safeParse(toName(written)).success);

const purged = z.union(
  [
    z.strictObject({ url }),
    z.strictObject({ prefix: url }),
    z.strictObject({ host }),
    z.strictObject({ all: z.literal(true) }),
  ],
  {
    error:
      'the body must be one of {"url": "https://HOST/PATH"}, {"prefix": "https://HOST/PATH"}, {"host": "HOST"} and {"all": true}; there are no patterns',
  },
);

const warmed = z.strictObject(
  { url },
  { error: 'the body must be {"url": "https://HOST/PATH"}, as it stands in a request' },
);

/** The routes that change something. */
export function changes({ purge, warm, reload, onChange }: Changing): Routes {
  return {
    '/purge': {
      change: taking(purged, async (what) => {
        const count = await purge(what);
        onChange({ ...what, count }, 'purged');
        return answer(200, { purged: count });
      }),
    },
    '/warm': {
      change: taking(warmed, async ({ url }) => {
        if ((await warm(url)) === 0)
          return refusal(422, 'this site has no middleware that keeps pages');
        onChange({ url }, 'warmed');
        return answer(200, { warmed: url });
      }),
    },
    '/reload': {
      change: async () => {
        const problems = await reload();
        return problems.length === 0 ? answer(200, { reloaded: true }) : answer(422, { problems });
      },
    },
  };
}

/** A handler of bodies in JSON, the one type for which a page of a browser must ask first (CORS). */
function taking<Shape>(
  shape: z.ZodType<Shape>,
  work: (what: Shape) => Promise<ProxyResponse>,
): Handler {
  return async ({ headers, body }) => {
    const [type] = (field(headers, 'content-type') ?? '').split(';');
    if (type?.trim().toLowerCase() !== 'application/json')
      return refusal(415, 'write Content-Type: application/json');
    const { data, error } = shape.safeParse(parsed(String(await readBody(body, MAX_BODY))));
    if (data === undefined) return refusal(400, error?.issues[0]?.message ?? 'the body is wrong');
    try {
      return await work(data);
    } catch (reason) {
      const { message } = reason as Error;
      return refusal(reason instanceof TypeError ? 400 : 502, message);
    }
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
