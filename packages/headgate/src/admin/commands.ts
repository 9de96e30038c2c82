/** The commands that ask a daemon that runs. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { loadAdmin } from '../config/load.ts';
import { ask } from './client.ts';

/** What all of these commands take. */
interface Common {
  readonly config?: string;
  readonly admin?: string;
}

/** Adds `purge`, `warm`, `reload` and `status` to the command line. */
export function addAdminCommands(program: Command): void {
  const command = (usage: string, description: string) =>
    program
      .command(usage)
      .description(description)
      .option('--config <file>', 'the configuration that says where the daemon is asked')
      .option('--admin <address>', 'where it is asked: unix:PATH or HOST:PORT');

  command('purge', 'forget kept pages')
    .argument('[url]', 'one page, like https://example.org/a?b')
    .option('--prefix <url>', 'all pages whose URL begins like this')
    .option('--host <name>', 'all pages of a host')
    .option('--all', 'all pages')
    .action(async (url: string | undefined, { prefix, host, all, ...common }) => {
      const given = Object.entries({ url, prefix, host, all }).filter(([, value]) => value);
      if (given.length !== 1)
        throw new TypeError('tell what to forget: one of URL, --prefix URL, --host NAME, --all');
      const { purged } = await asked(common, '/purge', Object.fromEntries(given));
      say(`${purged} forgotten`);
    });

  command('warm', 'fetch pages before anybody asks for them')
    .argument('<url...>', 'pages, like https://example.org/a')
    .action(async (urls: string[], common: Common) => {
      for (const url of urls) {
        await asked(common, '/warm', { url });
        say(`${url} is fetched`);
      }
    });

  command('reload', 'load the configuration again').action(async (common: Common) => {
    await asked(common, '/reload', {});
    say('reloaded');
  });

  command('status', 'tell how things are')
    .option('--json', 'as JSON')
    .action(async ({ json, ...common }) => {
      const status = await asked(common, '/status');
      say(json ? JSON.stringify(status) : stringify(status).trimEnd());
    });
}

/** What the daemon says; a TypeError with its reason when it refuses. */
async function asked(
  { config: file, admin }: Common,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const settings =
    admin === undefined ? [] : [{ label: '--admin', path: ['admin', 'listen'], value: admin }];
  const place = loadAdmin({ ...(file && { file }), environment: process.env, settings });
  const { status, body: answer } = await ask(place, path, body);
  const said = Object(answer) as Record<string, unknown>;
  if (status === 200) return said;
  const { error = `answered ${status}`, problems = [error] } = said;
  throw new TypeError((problems as unknown[]).join('\n'));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
