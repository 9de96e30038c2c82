/** Answers from a folder what is there as a file, and asks for the rest. */
import { statSync } from 'node:fs';
import { access, constants, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import fastifySend from '@fastify/send';
import {
  discard,
  EMPTY,
  field,
  type Middleware,
  type ProxyRequest,
  type ProxyResponse,
  toHeaders,
  withFields,
} from '@headgate/core';
import { codingFor } from '@headgate/middleware-compress';

/** What a folder has for a target. */
interface Found {
  /** Without symbolic links, below `root`. */
  readonly path: string;
  readonly root: string;
  readonly isFolder: boolean;
}

/** Codings that a file may lie in beside the file itself: `app.js.br`, `app.js.gz`. */
const SIBLINGS = { br: '.br', gzip: '.gz' } as const;
type Coding = keyof typeof SIBLINGS;
const CODINGS = ['br', 'gzip'] as const;

const INDEX = 'index.html';

/**
 * Makes a layer that answers GET and HEAD from `folder`: ranges, conditions and siblings in a coding
 * that the client accepts. `/a/` is `/a/index.html`, and `/a` redirects there. It has no listings,
 * no file or folder whose name begins with a dot (but `/.well-known/`), and nothing outside of
 * `folder`, whatever links there are and however a target is written: all that is for `next`. Throws
 * a `TypeError` if there is no such folder.
 */
export function files(folder: string): Middleware {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new TypeError(`files must be a folder, got "${folder}"`);

  return async (request, next) => {
    const { method, url } = request;
    const [target = '', ...query] = url.split(/(?=\?)/);
    const names = method === 'GET' || method === 'HEAD' ? namesIn(target) : undefined;
    const found = names && (await find(folder, names));
    if (!found) return next(request);
    if (!found.isFolder) return (await answer(request, folder, names, found)) ?? next(request);
    const index = target.endsWith('/') ? undefined : await find(folder, [...names, INDEX]);
    if (!index || index.isFolder) return next(request);
    return redirect(`${target}/${query.join('')}`);
  };
}

/**
 * The names that a target is made of, decoded; nothing for a target that could mean something else
 * to somebody else, or that nobody shall have. An `INDEX` stands for nothing after the last slash.
 */
function namesIn(target: string): string[] | undefined {
  try {
    const names = target.slice(1).split('/').map(decodeURIComponent);
    if (names.at(-1) === '') names[names.length - 1] = INDEX;
    const isClear = names.every((name) => name !== '' && !/[/\\\0]/.test(name));
    return isClear && !isHidden(names) ? names : undefined;
  } catch {
    return undefined;
  }
}

/** True for `.` and `..` too. */
function isHidden([first, ...rest]: readonly string[]): boolean {
  const names = first === '.well-known' ? rest : [first, ...rest]; // RFC 8615
  return names.some((name) => name?.startsWith('.'));
}

/** Looks where the names really lead, and that this is inside `folder`, readable and not hidden. */
async function find(folder: string, names: readonly string[]): Promise<Found | undefined> {
  try {
    // Each time: a new release may be a link that was turned.
    const root = await realpath(folder);
    const path = await realpath(join(root, ...names));
    const really = relative(root, path).split(sep);
    if (isHidden(really)) return undefined; // or outside: `..`
    const stats = await stat(path);
    if (!stats.isFile() && !stats.isDirectory()) return undefined; // a pipe would never end
    await access(path, constants.R_OK);
    return { path, root, isFolder: stats.isDirectory() };
  } catch {
    return undefined;
  }
}

/** The file, or its sibling in the coding that the client prefers; nothing if it has gone meanwhile. */
async function answer(
  request: ProxyRequest,
  folder: string,
  names: readonly string[],
  file: Found,
): Promise<ProxyResponse | undefined> {
  const siblings = await siblingsOf(folder, names);
  const coding = codingFor(request.headers, [...siblings.keys()]);
  const sibling = coding && siblings.get(coding);
  const response = await sent(request, sibling ?? file);
  if (!response) return undefined;
  const hasBody = response.status === 200 || response.status === 206;
  const headers = withFields(response.headers, {
    ...(siblings.size > 0 && { vary: 'Accept-Encoding' }),
    ...(hasBody && { 'content-type': typeOf(file.path), 'content-encoding': coding }),
  });
  return { ...response, headers };
}

async function siblingsOf(
  folder: string,
  names: readonly string[],
): Promise<ReadonlyMap<Coding, Found>> {
  const last = names.at(-1) ?? '';
  const found = CODINGS.map(async (coding) => {
    const sibling = await find(folder, [...names.slice(0, -1), last + SIBLINGS[coding]]);
    return [coding, sibling] as const;
  });
  const siblings = new Map<Coding, Found>();
  for (const [coding, sibling] of await Promise.all(found))
    if (sibling && !sibling.isFolder) siblings.set(coding, sibling);
  return siblings;
}

/** What @fastify/send says: the file, a part of it, or that a condition holds (304) or doesn't (412). */
async function sent(
  { method, headers: fields }: ProxyRequest,
  { path, root }: Found,
): Promise<ProxyResponse | undefined> {
  const headers: Record<string, string | undefined> = {};
  for (const name in fields) headers[name] = field(fields, name);
  const asked = { method, headers } as unknown as Readable; // its types want more than it reads
  const target = relative(root, path).split(sep).map(encodeURIComponent).join('/');
  const { type, statusCode, stream, ...result } = await fastifySend.send(asked, target, {
    root,
    index: false,
    dotfiles: 'allow', // there is one that may be had, and `find` knows it
    contentType: false,
    cacheControl: false,
  });
  const given = toHeaders(
    Object.entries(result.headers).flatMap(([name, value]) => [name, `${value}`]),
  );
  // An error may come before anybody reads: whoever does then sees that it is errored.
  stream.on('error', () => {});
  if (type === 'file' && statusCode !== 304 && method === 'GET')
    return { status: statusCode, headers: given, body: stream };
  discard(stream);
  if (type === 'file') return { status: statusCode, headers: given, body: EMPTY };
  if (statusCode !== 412 && statusCode !== 416) return undefined;
  const range = field(given, 'content-range');
  return { status: statusCode, headers: withFields({}, { 'content-range': range }), body: EMPTY };
}

function typeOf(path: string): string {
  const type = fastifySend.mime.getType(path) ?? 'application/octet-stream';
  return fastifySend.isUtf8MimeType(type) ? `${type}; charset=utf-8` : type;
}

function redirect(location: string): ProxyResponse {
  return { status: 301, headers: withFields({}, { location }), body: EMPTY };
}
