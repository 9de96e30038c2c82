/** The command that says who the fetchers are, to people and to the server in front. */
import { AGENTS, type Agent, PREVIEW_BOTS } from '@headgate/fedi-agents';
import { type Command, Option } from 'commander';
import { forCaddy } from './caddy.ts';
import { fetchersOf, toPattern } from './fetchers.ts';
import { forNginx } from './nginx.ts';
import { toPlaceBehind } from './places.ts';

/** Adds `agents` to the command line. */
export function addAgentsCommand(program: Command): void {
  program
    .command('agents')
    .description('list the fetchers of the fediverse, or send them here from nginx or Caddy')
    .addOption(new Option('--nginx', 'print what sends them here from an nginx').conflicts('caddy'))
    .option('--caddy', 'print what sends them here from a Caddy')
    .option('--to <host:port>', 'where Headgate is', '127.0.0.1:8080')
    .option('--application <host:port>', 'what answers them while Headgate is away')
    .option('--preview-bots', 'Discord, Slack and others too, as previewBots of fedicache does')
    .action(({ nginx, caddy, to, application, previewBots }) => {
      const agents = previewBots ? [...PREVIEW_BOTS, ...AGENTS] : AGENTS;
      const places = {
        headgate: toPlaceBehind('--to', to),
        ...(application && { application: toPlaceBehind('--application', application) }),
      };
      const write = nginx ? forNginx : caddy ? forCaddy : undefined;
      process.stdout.write(write ? write(fetchersOf(agents), places) : listed(agents));
    });
}

/** A line for each: its name, what it gets cut pages for, its User-Agent. */
function listed(agents: readonly Agent[]): string {
  const rows = agents.map(({ family, fetches = [], userAgent }) => {
    const cut = fetches.filter(({ mayTrim }) => mayTrim).map(({ purpose }) => purpose);
    return `${family.padEnd(14)} ${([...new Set(cut)].join(', ') || '-').padEnd(26)} ${toPattern(userAgent)}\n`;
  });
  return `${'SOFTWARE'.padEnd(14)} ${'GETS CUT PAGES FOR'.padEnd(26)} USER-AGENT\n${rows.join('')}`;
}
