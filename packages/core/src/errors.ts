/** Why an exchange failed, as one closed list of codes. */

/**
 * Every way in which an exchange can fail, with the status that tells the client.
 * `CLIENT_GONE` is logged only: nobody is there to be told.
 */
export const STATUS_OF = {
  BAD_REQUEST: 400,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  BODY_TOO_LARGE: 413,
  EXPECTATION_FAILED: 417,
  MISDIRECTED_REQUEST: 421,
  HEADERS_TOO_LARGE: 431,
  CLIENT_GONE: 499,
  INTERNAL: 500,
  NOT_IMPLEMENTED: 501,
  /** The upstream answered, but not in HTTP, or not to the end. */
  UPSTREAM_BROKEN: 502,
  UPSTREAM_UNREACHABLE: 502,
  OVERLOADED: 503,
  UPSTREAM_TIMEOUT: 504,
  VERSION_NOT_SUPPORTED: 505,
  LOOP_DETECTED: 508,
} as const;

/** A code of `STATUS_OF`. */
export type ErrorCode = keyof typeof STATUS_OF;

/** A failed exchange. `code` is stable, `status` follows from it, `cause` is what happened below. */
export class HeadgateError extends Error {
  override readonly name = 'HeadgateError';
  readonly code: ErrorCode;
  readonly status: number;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = STATUS_OF[code];
  }
}

/** The error as a `HeadgateError`: itself if it is one, else `INTERNAL` with it as the cause. */
export function toHeadgateError(error: unknown): HeadgateError {
  if (error instanceof HeadgateError) return error;
  return new HeadgateError('INTERNAL', 'a middleware failed', error);
}
