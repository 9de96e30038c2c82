#!/usr/bin/env node
/** The command line. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { run } from './run.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const program = new Command('headgate')
  .description('The front proxy for the fediverse.')
  .version(version)
  .showHelpAfterError('(headgate --help tells more)');

program
  .command('run', { isDefault: true })
  .description('stand in front of a site')
  .argument('[url]', 'the same as --upstream URL')
  .option('--upstream <url>', 'the application behind Headgate, e.g. http://127.0.0.1:3000')
  .option(
    '--listen <host:port>',
    'where to listen: 127.0.0.1:8080, [::1]:80, :80',
    '127.0.0.1:8080',
  )
  .option(
    '--trusted <list>',
    'proxies in front whose X-Forwarded-For is believed: addresses, CIDRs, loopback, private',
    (list) => list.split(','),
  )
  .action(
    async (url: string | undefined, { upstream = url, listen, trusted }, command: Command) => {
      if (upstream === undefined)
        command.error('error: tell what stands behind Headgate: headgate http://127.0.0.1:3000');
      await run({ upstream, listen, ...(trusted && { trusted }) });
    },
  );

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  process.stderr.write(`headgate: ${explain(error as NodeJS.ErrnoException)}\n`);
  process.exit(1);
}

/** What a person can do about an error. */
function explain(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE')
    return `${error.message}: something listens there already; choose another place with --listen`;
  if (error.code === 'EACCES')
    return `${error.message}: ports below 1024 need a privilege; --listen :8080 needs none`;
  if (error instanceof TypeError) return error.message;
  return error.stack ?? String(error);
}
