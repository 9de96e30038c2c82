/** Response fields that are set where the application sent none. */
import { type Handler, type ProxyRequest, withFields } from '@headgate/core';

/** What a site sets. */
export interface ResponseFields {
  /** `null` sets nothing. */
  readonly headers: Readonly<Record<string, string | null>>;
  /** Strict-Transport-Security, for https alone (RFC 6797 section 7.2). */
  readonly hsts: boolean | string;
}

const TWO_YEARS = 'max-age=63072000';

/** Sets the fields on what `handler` answers with 2xx or 3xx, where they are missing. */
export function withResponseFields({ headers, hsts }: ResponseFields, handler: Handler): Handler {
  const plain = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [[name.toLowerCase(), value] as const],
  );
  const policy = hsts === true ? TWO_YEARS : hsts;
  const secure = policy ? [...plain, ['strict-transport-security', policy] as const] : plain;
  if (secure.length === 0) return handler;

  return async (request: ProxyRequest) => {
    const response = await handler(request);
    if (response.status >= 400) return response;
    const wanted = request.scheme === 'https' ? secure : plain;
    const missing = wanted.filter(([name]) => !Object.hasOwn(response.headers, name));
    if (missing.length === 0) return response;
    return { ...response, headers: withFields(response.headers, Object.fromEntries(missing)) };
  };
}
