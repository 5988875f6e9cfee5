import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';
import type { TestNamespace } from '../stack/temporal-namespace.js';

type History = temporal.api.history.v1.IHistory;

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));
/** Stack traces name the folder of the checkout, which is nobody's business. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface SavedHistory {
  readonly name: string;
  readonly workflowId: string;
  readonly history: History;
}

/**
 * Keeps the history of a run under a name if there is none yet. Saved histories are of code that has been released:
 * one is replaced only by deleting its file, together with the reason why no run of that shape can still be open.
 */
export async function keepHistory(
  namespace: TestNamespace,
  name: string,
  workflowId: string,
  /** By default the latest one. */
  runId?: string,
): Promise<void> {
  const path = `${FOLDER}${name}.json`;
  if (existsSync(path)) return;
  const history = await namespace.client.workflow.getHandle(workflowId, runId).fetchHistory();
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path, `${historyToJSON(history).replaceAll(ROOT, '')}\n`);
}

export function savedHistories(): SavedHistory[] {
  return readdirSync(FOLDER).map((file) => ({
    name: file.replace(/\.json$/, ''),
    workflowId: file,
    history: historyFromJSON(JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8'))),
  }));
}
