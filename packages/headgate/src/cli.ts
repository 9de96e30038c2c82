#!/usr/bin/env node
/** The command line. */
import { writeFileSync } from 'node:fs';
import { Argument, Command, CommanderError } from 'commander';
import { stringify } from 'yaml';
import { addAdminCommands } from './admin/commands.ts';
import { addAgentsCommand } from './agents/command.ts';
import type { Path } from './config/faults.ts';
import { toJsonSchema } from './config/json-schema.ts';
import { DEFAULT_FILE, load } from './config/load.ts';
import type { PresetName } from './config/site-schema.ts';
import { suggest } from './config/suggest.ts';
import { boundYoungSpace } from './memory.ts';
import { PRESETS } from './presets/presets.ts';
import { run } from './run.ts';
import { VERSION } from './version.ts';

const program = new Command('headgate')
  .description('The front proxy for the fediverse.')
  .version(VERSION)
  .showHelpAfterError('(headgate --help tells more)');

program
  .command('run', { isDefault: true })
  .description('stand in front of a site')
  .argument('[url]', 'the same as --upstream URL')
  .option('--config <file>', `the configuration (default: ./${DEFAULT_FILE}, if there is one)`)
  .option('--upstream <url>', 'the application behind Headgate, e.g. http://127.0.0.1:3000')
  .option('--listen <host:port>', 'where to listen: 127.0.0.1:8080, [::1]:80, :80')
  .option(
    '--trusted <list>',
    'proxies in front whose X-Forwarded-For is believed: addresses, CIDRs, loopback, private',
    (list) => list.split(','),
  )
  .addHelpText(
    'after',
    '\nWhat is set here counts more than HEADGATE_* variables, and those more than the file.',
  )
  .action(async (url: string | undefined, { config, upstream = url, listen, trusted }) => {
    boundYoungSpace();
    const commands = program.commands.map((command) => command.name());
    const meant = url && !/[:/]/.test(url) && suggest(url, commands);
    if (meant) throw new TypeError(`there is no command "${url}"; did you mean ${meant}?`);
    const told: [label: string, path: Path, value: unknown][] = [
      ['--upstream', ['sites', 0, 'upstream'], upstream],
      ['--listen', ['listen'], listen],
      ['--trusted', ['trusted'], trusted],
    ];
    const settings = told
      .filter(([, , value]) => value !== undefined)
      .map(([label, path, value]) => ({ label, path, value }));
    await run({ ...(config && { file: config }), environment: process.env, settings });
  });

program
  .command('check')
  .description('say everything that is wrong with the configuration')
  .argument('[file]', `default: ./${DEFAULT_FILE}`)
  .option('--expand', 'print what it stands for, presets written out')
  .action(async (file: string | undefined, { expand }) => {
    const loaded = await load({ ...(file && { file }), environment: process.env, settings: [] });
    if (!loaded.config) {
      process.stderr.write(`${loaded.problems.join('\n')}\n`);
      process.exit(1);
    }
    for (const warning of loaded.warnings ?? []) process.stderr.write(`warning: ${warning}\n`);
    const sites = loaded.config.sites.map(({ name }) => name).join(', ');
    process.stdout.write(
      expand
        ? stringify(loaded.expanded)
        : `${loaded.file ?? 'The environment'} is right: ${sites}\n`,
    );
  });

program
  .command('schema')
  .description('print the JSON Schema of the configuration, for editors')
  .action(() => {
    process.stdout.write(`${JSON.stringify(toJsonSchema(), undefined, 2)}\n`);
  });

program
  .command('init')
  .description(`write a commented ${DEFAULT_FILE}`)
  .addArgument(new Argument('[preset]', 'the application behind').choices(Object.keys(PRESETS)))
  .argument('[file]', 'where to', DEFAULT_FILE)
  .action((preset: PresetName | undefined, file: string) => {
    if (!preset)
      throw new TypeError(
        `tell which application is behind: headgate init ${Object.keys(PRESETS).join('|')}`,
      );
    try {
      writeFileSync(file, PRESETS[preset].example, { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new TypeError(`${file} is there already; name another file or move it away`);
    }
    process.stdout.write(`${file} is written. Next: headgate check, then headgate run\n`);
  });

addAdminCommands(program);
addAgentsCommand(program);

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
    return `${error.message}: something listens there already; choose another place with --listen, or for admin or metrics in the configuration`;
  if (error.code === 'EACCES' && /:\d+$/.test(error.message))
    return `${error.message}: ports below 1024 need a privilege; --listen :8080 needs none`;
  if (error instanceof TypeError || error.syscall !== undefined) return error.message;
  return error.stack ?? String(error);
}
