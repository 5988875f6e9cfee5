/** Entry of `npm run show`: runs the compiled demonstration, or says how to get it. */
import { existsSync } from 'node:fs';

const main = new URL('../../dist/scripts/show/main.js', import.meta.url);

if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('The demonstrations are not built yet. Run `npm run build` (or `npm start`) first.\n');
  process.exitCode = 1;
}
