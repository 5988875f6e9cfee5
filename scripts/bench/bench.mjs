/** Entry of `npm run bench`: runs the compiled benchmark, or says how to get it. */
import { existsSync } from 'node:fs';

const main = new URL('../../dist/scripts/bench/main.js', import.meta.url);

if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('The benchmark is not built yet. Run `npm run build` (or `npm start`) first.\n');
  process.exitCode = 1;
}
