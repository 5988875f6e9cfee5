import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SayProgress } from './reporter.js';
import { SetupProblem } from './setup-problem.js';
import { requireTool, runTool } from './tool.js';

const UPDATE_TIMEOUT_MS = 3 * 60 * 1000;
const INSTALL_TIMEOUT_MS = 10 * 60 * 1000;

interface InstallPlace {
  readonly state: { readonly logs: string };
  readonly signal: AbortSignal;
  readonly options: { readonly verbose: boolean };
}

/** Installs packages of Debian or Ubuntu. Elsewhere, or without root, it says what somebody has to install. */
export async function installPackages(
  place: InstallPlace,
  purpose: string,
  packages: readonly string[],
  say: SayProgress,
): Promise<void> {
  const command = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new SetupProblem(
      `${packages.join(' and ')} must be installed.`,
      `it gives Berth ${purpose}.`,
      existsSync('/usr/bin/apt-get')
        ? `sudo ${command}`
        : `install the packages that your system has for it (on Debian: ${command})`,
    );
  }
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    signal: place.signal,
    logPath: join(place.state.logs, 'apt.log'),
    verbose: place.options.verbose,
  };
  say('refreshing the package lists');
  // An unreachable list of somebody else's repository must not matter: the installation itself says what is missing.
  await runTool('apt-get', ['update', '-q'], { ...options, timeoutMs: UPDATE_TIMEOUT_MS });
  say(`installing ${packages.join(', ')}`);
  await requireTool('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], {
    ...options,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}
