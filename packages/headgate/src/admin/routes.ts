/** From a request to what answers it: exact paths, and the methods that each of them has. */
import type { Handler, ProxyRequest, ProxyResponse } from '@headgate/core';
import { refusal } from './answer.ts';

/** What a path has: something to read (GET, HEAD), or something to change (POST). */
export type Route = { readonly read: Handler } | { readonly change: Handler };

/** Routes by path, without a query. */
export type Routes = Readonly<Record<string, Route>>;

/**
 * Makes the handler of `routes`. `refused` says why somebody may not have an answer; it is asked
 * before anything else, so that strangers don't learn what there is.
 */
export function handlerOf(
  routes: Routes,
  refused: (request: ProxyRequest, isChange: boolean) => ProxyResponse | undefined = () =>
    undefined,
): Handler {
  const table = new Map(Object.entries(routes));
  return async (request) => {
    const { method, url } = request;
    const isRead = method === 'GET' || method === 'HEAD';
    const no = refused(request, !isRead);
    if (no) return no;
    const route = table.get(url.split('?', 1)[0] as string);
    if (!route) return refusal(404, `not found; known are ${[...table.keys()].join(', ')}`);
    if ('read' in route && isRead) return route.read(request);
    if ('change' in route && method === 'POST') return route.change(request);
    const allow = 'read' in route ? 'GET, HEAD' : 'POST';
    return refusal(405, `only ${allow} here`, { allow });
  };
}
