/**
 * Things that are shown once on what is real instead of being tested each time: against a running installation, by its public API.
 * Each throws where anything is not as it should be.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BerthClient } from '../bench/berth-client.js';
import { readRunningInstance } from '../bench/running-instance.js';
import { showForge } from './forge.show.js';
import { showOwnRepository } from './own-repository.show.js';
import type { Stage } from './stage.js';
import { showWebUi } from './web-ui.show.js';

const USAGE = `Shows something on what is real, in a running installation.

Usage: npm run show -- own-repository | forge | web-ui [options]

  own-repository   this repository is cloned into a sandbox from a git server, its unit tests run there, a change is
                   committed and pushed, and the server has it
  forge            a pull request is opened at a Gitea that is built from its Go module, which takes some minutes once
  web-ui           parked runs are retried and given up by the form of Temporal's Web UI, in a browser (Debian's chromium,
                   or CHROMIUM_PATH)

  --state-dir DIR  the state folder of the installation (default .berth, or BERTH_STATE_DIR)
  --help           this text

For the first two the installation must reach a server on this machine and trust its certificate: see docs/GIT.md.
`;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SHOWS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'own-repository': showOwnRepository,
  forge: showForge,
  'web-ui': showWebUi,
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'state-dir': { type: 'string', default: process.env['BERTH_STATE_DIR'] ?? '.berth' },
      help: { type: 'boolean', default: false },
    },
  });
  const [name = '', ...surplus] = positionals;
  const show = Object.hasOwn(SHOWS, name) ? SHOWS[name] : undefined;
  if (values.help || show === undefined || surplus.length > 0) {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    return values.help ? 0 : 2;
  }
  const instance = readRunningInstance(values['state-dir']);
  const client = await BerthClient.open(instance);
  const begunAt = performance.now();
  const say = (what: string): void => {
    const seconds = (performance.now() - begunAt) / 1_000;
    process.stdout.write(`${seconds.toFixed(1).padStart(7)} s  ${what}\n`);
  };
  try {
    await show({ root: ROOT, instance, client, say });
    return 0;
  } finally {
    client.close();
  }
}

process.exitCode = await main();
