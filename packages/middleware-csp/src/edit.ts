/** Changes which hosts a policy allows, and nothing else that it says. */
import {
  type Directive,
  find,
  isFetchDirective,
  isLock,
  isNone,
  isNothing,
  type Loading,
  type Policy,
  withDirective,
  withValue,
} from './policy.ts';
import { allows, namesHost, pathOf, type Self } from './sources.ts';

/** What to change. Sources are host-sources with a scheme. */
export interface Edits {
  /** What each directive is to allow. */
  readonly allow: ReadonlyMap<Loading, readonly string[]>;
  /** Origins that no directive is to name any more. */
  readonly remove: readonly string[];
  /** Origins that others take the place of, wherever they are named. */
  readonly replace: readonly (readonly [before: string, after: string])[];
}

/** A policy after its edit. */
export interface Edited {
  readonly policy: Policy;
  /** Names of the directives that changed or are new. */
  readonly changed: readonly string[];
  /** True when hosts were asked for where `'strict-dynamic'` makes browsers ignore them. */
  readonly isDynamic: boolean;
}

/** Where a browser looks when a directive is missing, in order (CSP3 section 6.8.3). */
const FALLBACKS: Readonly<Partial<Record<Loading, readonly string[]>>> = {
  'frame-src': ['child-src', 'default-src'],
  'script-src-elem': ['script-src', 'default-src'],
  'style-src-elem': ['style-src', 'default-src'],
  'worker-src': ['child-src', 'script-src', 'default-src'],
};
const FALLBACK = ['default-src'];

/** Where there is the second, the first says nothing about elements; else it stands in. */
const ELEMENTS: Readonly<Partial<Record<Loading, Loading>>> = {
  'script-src': 'script-src-elem',
  'style-src': 'style-src-elem',
};

/**
 * Applies `edits` to a policy. What a directive allows already isn't added, so that editing again
 * changes nothing. A policy that is a lock comes back as it is.
 */
export function edit(policy: Policy, edits: Edits, self: Self): Edited {
  if (isLock(policy)) return { policy, changed: [], isDynamic: false };
  let edited = moved(policy, edits);
  let isDynamic = false;
  for (const [asked, sources] of edits.allow) {
    const elements = ELEMENTS[asked];
    for (const name of elements ? [asked, elements] : [asked]) {
      const extended = extend(edited, name, sources, self);
      if (extended === 'dynamic') isDynamic = true;
      else edited = extended;
    }
  }
  const before = new Set(policy);
  const changed = edited.filter((directive) => !before.has(directive));
  return { policy: edited, changed: changed.map(({ name }) => name), isDynamic };
}

/** Replaces and removes hosts in all fetch directives that count. */
function moved(policy: Policy, { remove, replace }: Edits): Policy {
  if (remove.length === 0 && replace.length === 0) return policy;
  return policy.map((directive) => {
    if (!isFetchDirective(directive) || find(policy, directive.name) !== directive)
      return directive;
    const value = directive.value
      .map((source) => replaced(source, replace))
      .filter((source) => !remove.some((origin) => namesHost(source, origin)));
    if (value.join(' ') === directive.value.join(' ')) return directive;
    return withValue(directive, value.length > 0 ? [...new Set(value)] : ["'none'"]);
  });
}

function replaced(source: string, replace: Edits['replace']): string {
  const after = replace.find(([before]) => namesHost(source, before))?.[1];
  return after === undefined ? source : after + pathOf(source);
}

/** Lets a directive allow `sources` too. It must not allow less of anything than before. */
function extend(
  policy: Policy,
  name: Loading,
  sources: readonly string[],
  self: Self,
): Policy | 'dynamic' {
  const inForce = directiveInForce(policy, name);
  if (inForce === undefined) return policy; // nothing restricts it
  if (isDynamic(name, inForce)) return 'dynamic';
  const missing = sources.filter((source) => !allows(inForce.value, source, self));
  if (missing.length === 0) return policy;

  const value = [...inForce.value.filter((source) => !isNone(source)), ...missing];
  if (inForce.name === name)
    return policy.map((directive) =>
      directive === inForce ? withValue(directive, value) : directive,
    );
  const ready = name === 'child-src' ? keepingWorkers(policy) : policy;
  return ready === 'dynamic' ? ready : withDirective(ready, name, value);
}

/**
 * A new child-src comes before script-src where a browser looks for worker-src, so workers that
 * script-src allows get a worker-src first.
 */
function keepingWorkers(policy: Policy): Policy | 'dynamic' {
  const inForce = directiveInForce(policy, 'worker-src');
  if (inForce?.name !== 'script-src') return policy;
  if (isDynamic('worker-src', inForce)) return 'dynamic';
  const value = isNothing(inForce.value) ? ["'none'"] : inForce.value;
  return withDirective(policy, 'worker-src', value);
}

function directiveInForce(policy: Policy, name: Loading): Directive | undefined {
  for (const candidate of [name, ...(FALLBACKS[name] ?? FALLBACK)]) {
    const directive = find(policy, candidate);
    if (directive) return directive;
  }
  return undefined;
}

/**
 * True where browsers go by who loads, not by hosts: `'strict-dynamic'`, for scripts, and for workers
 * only where script-src stands in for worker-src (CSP3 section 6.7.1.1).
 */
function isDynamic(name: Loading, { name: inForce, value }: Directive): boolean {
  const isForScripts = name === 'script-src' || name === 'script-src-elem';
  if (!isForScripts && inForce !== 'script-src') return false;
  return value.some((source) => source.toLowerCase() === "'strict-dynamic'");
}
