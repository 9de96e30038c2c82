/** What is used of the npm package http-cache-tests, which has no types. */

declare module 'http-cache-tests/types' {
  /** True, or who found a fault (`Assertion`, `Setup`, `TypeError`), and which. */
  export type SuiteResult = true | readonly [by: string, message: string];

  export interface SuiteTest {
    readonly id: string;
    readonly browser_only?: boolean;
  }

  export interface Suite {
    readonly tests: readonly SuiteTest[];
  }

  /** What the suite reads of a response. */
  export interface SuiteResponse {
    readonly status: number;
    readonly headers: Headers;
    text(): Promise<string>;
  }

  export type SuiteFetch = (url: string, init?: RequestInit) => Promise<SuiteResponse>;
}

declare module 'http-cache-tests/client/config.mjs' {
  import type { SuiteFetch } from 'http-cache-tests/types';
  export function setFetch(fetch: SuiteFetch): void;
  export function setBaseUrl(url: string): void;
}

declare module 'http-cache-tests/client/test.mjs' {
  import type { SuiteResult, SuiteTest } from 'http-cache-tests/types';
  /** By the test's id. A test that is in it already can't run. */
  export const testResults: Record<string, SuiteResult>;
  /** Runs a test. Never rejects. */
  export function makeCacheTest(test: SuiteTest): Promise<void>;
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
