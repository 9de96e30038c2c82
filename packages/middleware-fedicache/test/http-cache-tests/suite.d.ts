/** What is used of the npm package http-cache-tests, which has no types. */

declare module 'http-cache-tests/types' {
  /** True, or who found a fault (`Assertion`, `Setup`, `TypeError`), and which. */
  export type SuiteResult = true | readonly [by: string, message: string];

  export interface Suite {
    readonly tests: readonly { readonly id: string }[];
  }

  /** What the suite reads of a response. */
  export interface SuiteResponse {
    readonly status: number;
    readonly headers: Headers;
    text(): Promise<string>;
  }

  export type SuiteFetch = (url: string, init?: RequestInit) => Promise<SuiteResponse>;
}

declare module 'http-cache-tests/client/runner.mjs' {
  import type { Suite, SuiteFetch } from 'http-cache-tests/types';
  /** Runs the tests of these suites, `atOnce` at a time. */
  export function runTests(
    suites: readonly Suite[],
    fetch: SuiteFetch,
    isBrowser: boolean,
    base: string,
    atOnce: number,
  ): Promise<void>;
}

declare module 'http-cache-tests/client/test.mjs' {
  import type { SuiteResult } from 'http-cache-tests/types';
  /** By the test's id. A test that is in it already can't run. */
  export const testResults: Record<string, SuiteResult>;
}

declare module 'http-cache-tests/lib/display.mjs' {
  import type { Suite, SuiteResult } from 'http-cache-tests/types';
  /** Judges a test; the third text is the verdict's sign. */
  export function determineTestResult(
    suites: readonly Suite[],
    id: string,
    results: Readonly<Record<string, SuiteResult>>,
    honorDependencies?: boolean,
  ): readonly [string, string, string];
}

declare module 'http-cache-tests/tests/index.mjs' {
  import type { Suite } from 'http-cache-tests/types';

  const suites: readonly Suite[];
  export default suites;
}

declare module 'http-cache-tests/tests/surrogate-control.mjs' {
  import type { Suite } from 'http-cache-tests/types';

  const suite: Suite;
  export default suite;
}

declare module 'http-cache-tests/server/*' {
  import type { IncomingMessage, ServerResponse } from 'node:http';
  /** Answers a request for what is below the handler's own path. */
  export default function handle(
    path: readonly string[],
    request: IncomingMessage,
    response: ServerResponse,
  ): void;
}
