// The first lines of every command: what can be said without an installation, then the set-up of the checkout itself, then
// the compiled launcher.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { assertNodeVersion, buildStage, installDependencies, SetupProblem } from './installation.mjs';
import { USAGE } from './usage.mjs';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
const SHARED_SOURCES = ['package.json', 'package-lock.json', 'tsconfig.json'];

// The launcher is a stage of its own so that stop and doctor answer while the product does not compile.
const LAUNCHER_STAGE = {
  name: 'launcher',
  sources: [...SHARED_SOURCES, 'scripts/launcher'],
  command: [
    process.execPath,
    'node_modules/typescript/bin/tsc',
    '-p',
    'scripts/launcher/tsconfig.build.json',
  ],
};
const PRODUCT_STAGE = {
  name: 'product',
  sources: [...SHARED_SOURCES, 'tsconfig.build.json', 'apps', 'libs', 'scripts'],
  command: ['npm', 'run', '--silent', 'build'],
};

/** Runs `main` of dist/scripts/launcher/{command}.js. It gets a way to build the product, for when it knows that it needs it. */
export async function handOver(command) {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(`${USAGE[command]}\n`);
    return;
  }
  const options = { verbose: argv.includes('--verbose') };
  try {
    assertNodeVersion();
    await installDependencies(ROOT, options);
    await buildStage(ROOT, LAUNCHER_STAGE, options);
    const launcher = pathToFileURL(resolve(ROOT, `dist/scripts/launcher/${command}.js`)).href;
    const { main } = await import(launcher);
    process.exitCode = await main(argv, ROOT, () => buildStage(ROOT, PRODUCT_STAGE, options));
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
