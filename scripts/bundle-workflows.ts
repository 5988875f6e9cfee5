import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

/** Bundles the compiled Workflows for the worker; a Workflow that imports what it must not fails here, not at run time. */
const distribution = new URL('../', import.meta.url);
const entry = fileURLToPath(new URL('libs/workflows/src/index.js', distribution));
const target = fileURLToPath(new URL('workflow-bundle.js', distribution));

const { code } = await bundleWorkflowCode({ workflowsPath: entry });
await mkdir(dirname(target), { recursive: true });
await writeFile(`${target}.new`, code);
await rename(`${target}.new`, target);
