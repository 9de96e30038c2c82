/** Values of labels: from small sets, whatever clients and upstreams come up with. */

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The method, `other` for one that is rare. */
export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : 'other';
}

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'];

/** The class of a status, e.g. `2xx`; `other` for a number that is no status. */
export function statusLabel(status: number): string {
  return CLASSES[Math.floor(status / 100) - 1] ?? 'other';
}
