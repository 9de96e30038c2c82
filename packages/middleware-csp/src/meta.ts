/** Edits policies in a page's head (HTML's `<meta http-equiv>`) while the page streams by. */
import { pipeline, Readable, Transform } from 'node:stream';
import { type Body, EMPTY } from '@headgate/core';
import { type Attribute, attribute, type Doubt, type OpenTag, scanner } from '@headgate/html';

/** How a page's policies are edited. */
export interface MetaEdits {
  /** Gives the policy as it is to be; the same text leaves the page's bytes as they are. */
  readonly edit: (policy: string) => string;
  /** Told why the page is left as it is from here on. */
  readonly onDoubt: (doubt: Doubt) => void;
}

/** A place in the page and what is to stand there. */
interface Patch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const TAGS = new Set(['meta']);

/**
 * A page whose policies are edited. Holds back at most 64 KiB, nothing once the head has ended: what
 * a browser finds after it is no policy. `body` is read through what comes back, and goes with it.
 */
export function withEditedMetas(body: Body, { edit, onDoubt }: MetaEdits): Readable {
  const patches: Patch[] = [];
  let held = EMPTY;
  /** Offset in the page of the first byte held. */
  let offset = 0;

  const page = scanner(
    {
      onOpenTag: (tag) => {
        const content = policyIn(tag);
        if (content === undefined) return;
        const before = attribute(tag, 'content') ?? '';
        const after = edit(before);
        if (after !== before) patches.push(patch(content, after));
      },
      onHeadEnd: () => page.stop(),
      onDoubt,
    },
    { tags: TAGS },
  );

  /** Text for a value, as the quote that it stands in demands. */
  function patch({ start, end }: Attribute, text: string): Patch {
    const quote = String.fromCharCode(held[start - 1 - offset] ?? 0);
    const unsafe = quote === '"' ? /[&"]/g : quote === "'" ? /[&']/g : /[^\w.:/-]/g;
    return { start, end, text: text.replace(unsafe, (char) => `&#${char.charCodeAt(0)};`) };
  }

  /** Lets the bytes before `end` go. */
  function release(to: Transform, end: number) {
    for (const { start, end: patched, text } of patches.splice(0)) {
      if (start > offset) to.push(held.subarray(0, start - offset));
      to.push(text);
      held = held.subarray(patched - offset);
      offset = patched;
    }
    if (end > offset) to.push(held.subarray(0, end - offset));
    held = held.subarray(end - offset);
    offset = end;
  }

  const edited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      held = held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
      page.write(chunk);
      release(this, page.pending);
      done();
    },
    flush(done) {
      release(this, offset + held.length);
      done();
    },
  });
  const source = body instanceof Readable ? body : Readable.from([body], { objectMode: false });
  pipeline(source, edited, () => {}); // an error ends what comes back: its reader sees it
  return edited;
}

/** The content of a tag that gives the page a policy. */
function policyIn(tag: OpenTag): Attribute | undefined {
  const isPolicy = attribute(tag, 'http-equiv')?.toLowerCase() === 'content-security-policy';
  return isPolicy ? tag.attributes.find(({ name }) => name === 'content') : undefined;
}
