/** Makes for the tests of `collapse`. */
import type { Keep } from '@headgate/core';
import { LONG, soon } from './promises.ts';

/** The key that is made. */
export const KEY = 'preview GET https://site.example/@alice/1';

/** A make that keeps `text` and answers it, once it is let. */
export function held(text: string) {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const value = Buffer.from(text);
  const make = async (keep: Keep) => {
    begun.resolve();
    await gate.promise;
    await keep(value, LONG);
    return value;
  };
  return {
    make,
    finish: gate.resolve,
    /** True once it has begun, false when it does not. */
    begun: () => soon(begun.promise),
  };
}

/** A make that must not run, since its asker joins another. */
export const nobody = async (): Promise<Buffer> => {
  throw new Error('this make must not run');
};
