/** What csp tells on the diagnostics channel `headgate:csp`. It logs nothing. */
import { channel } from 'node:diagnostics_channel';
import type { ProxyRequest } from '@headgate/core';
import type { Doubt } from '@headgate/html';
import type { PolicyDoubt } from './policy.ts';

/** Where a policy stands. */
export type Place = 'header' | 'report-only' | 'meta';

/**
 * Why something was left as it is:
 *
 * - `characters`, `too-long`: the policy has characters that browsers disagree about, or it has or
 *   would have more than 16 KiB.
 * - `strict-dynamic`: browsers ignore hosts there. The policy's other directives are edited.
 * - `list`: a comma in a `<meta>`, which some browsers take for the end of a policy.
 * - `charset`, `encoded`, `partial`: a page that can't be read for its `<meta>`.
 * - The scanner's own reasons, see `@headgate/html`.
 */
export type CspDoubt =
  | PolicyDoubt
  | 'strict-dynamic'
  | 'list'
  | 'charset'
  | 'encoded'
  | 'partial'
  | Doubt;

/** The message on the channel. All values but the request are of small sets: fit for labels. */
export type CspEvent =
  | {
      /** A response left with other policies than it came with. */
      readonly kind: 'edit';
      readonly request: ProxyRequest;
      readonly place: Place;
      /** Names of the fetch directives that changed, each once. Empty when only reports were asked for. */
      readonly directives: readonly string[];
    }
  | {
      /** A policy was left as it is, or a part of it. */
      readonly kind: 'doubt';
      readonly request: ProxyRequest;
      readonly place: Place;
      readonly reason: CspDoubt;
    }
  | {
      /** A browser reported that a policy blocked something. */
      readonly kind: 'violation';
      readonly request: ProxyRequest;
      /** The directive, `other` for one that nobody knows. */
      readonly directive: string;
      /** Host that was blocked if the options or a media redirect name it, else `other`. */
      readonly host: string;
      /** `report` when the policy only reports. */
      readonly disposition: 'enforce' | 'report';
    };

const told = channel('headgate:csp');

/** Publishes what happened, if anybody listens. */
export function tell(event: CspEvent): void {
  if (told.hasSubscribers) told.publish(event);
}
