// Entry of `npm run chaos`: compiles the harness, which shares no code with the product, and hands over to it.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  assertNodeVersion,
  buildStage,
  installDependencies,
  SetupProblem,
} from '../../scripts/entry/installation.mjs';

const INTERRUPTED = 130;
const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
const STAGE = {
  name: 'chaos',
  sources: ['package-lock.json', 'tsconfig.json', 'test/chaos'],
  command: [process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'test/chaos/tsconfig.build.json'],
};

try {
  assertNodeVersion();
  await installDependencies(ROOT, { verbose: false });
  await buildStage(ROOT, STAGE, { verbose: false });
  const { main } = await import(pathToFileURL(resolve(ROOT, 'dist/test/chaos/main.js')).href);
  process.exitCode = await main(process.argv.slice(2), ROOT);
  // Commands that are still followed would keep an interrupted run alive.
  if (process.exitCode === INTERRUPTED) process.exit();
} catch (error) {
  if (!(error instanceof SetupProblem)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
