#!/usr/bin/env node
/** Runs the compiled CLI of this checkout. It holds no logic, so that it also starts where nothing has been built. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../../../dist/apps/cli/src/main.js', import.meta.url);

if (existsSync(main)) {
  await import(main.href);
} else {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  process.stderr.write(`berth: not built yet. Run \`npm run build\` (or \`npm start\`) in ${root} first.\n`);
  process.exitCode = 1;
}
