/** The files and folders that a configuration names: what is wrong with them is told with the rest. */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { type Fault, type Path, partAt } from './faults.ts';
import { read, readAdmin, readCertificates, readTrusted } from './read.ts';
import { adminSchema, schema } from './schema.ts';
import { site as siteSchema } from './site-schema.ts';
import { place } from './values.ts';

/** Adds the faults of all files that are named, wherever `written` is right. */
export function checkNamedFiles(written: unknown, folder: string, faults: Fault[]): void {
  const part = <T>(at: Path, shape: z.ZodType<T>): T | undefined =>
    shape.safeParse(partAt(written, at)).data;
  const places = (at: Path): Path[] => {
    const list = partAt(written, at);
    return Array.isArray(list) ? list.map((_, index) => [...at, index]) : [];
  };

  const { trusted, errorPage } = schema.shape;
  const entry = trusted.unwrap().element;
  readTrusted(
    places(['trusted']).map((at) => part(at, entry)),
    folder,
    faults,
  );
  const page = part(['errorPage'], errorPage);
  if (page !== undefined) read(page, folder, ['errorPage'], faults);
  const admin = part(['admin'], adminSchema);
  if (admin) readAdmin(admin, folder, faults);
  for (const site of places(['sites']))
    for (const asker of [site, ...places([...site, 'routes'])]) {
      const at = [...asker, 'upstream'];
      const upstream = part(at, siteSchema.shape.upstream);
      if (upstream) readCertificates(upstream, folder, at, faults);
      const served = part([...asker, 'files'], place);
      if (served !== undefined && !isFolder(resolve(folder, served)))
        faults.push({ path: [...asker, 'files'], message: `must be a folder, got "${served}"` });
    }

  const log = part(['log', 'file'], place);
  if (log !== undefined && !isFolder(dirname(resolve(folder, log))))
    faults.push({
      path: ['log', 'file'],
      message: `must be in a folder that is there, got "${log}"`,
    });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
