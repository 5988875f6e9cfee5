import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { BASE_IMAGE } from '../launcher/base-image.js';
import { expect, type Stage } from './stage.js';

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
/** As root it has no sandbox of its own; and it is to ask nobody but the page. */
const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const VIEWPORT = { width: 1400, height: 1200 };
const WAIT_SECONDS = 60;

interface OperationBody {
  readonly id: string;
  readonly sandboxId: string;
  readonly state: string;
  readonly park: { readonly step: string; readonly parkNo: number } | null;
}

/** Parked runs are retried with a correction, and given up, by the form of Temporal's Web UI in a browser. */
export async function showWebUi(stage: Stage): Promise<void> {
  const { say } = stage;
  const folder = mkdtempSync(join(tmpdir(), 'berth-web-ui-'));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    await decide(stage, browser, folder, 'retry', { input: { image: BASE_IMAGE } }, 'succeeded');
    await decide(stage, browser, folder, 'abort', {}, 'canceled');
    say(`screenshots are in ${folder}`);
  } finally {
    await browser.close();
  }
}

async function decide(
  stage: Stage,
  browser: Browser,
  folder: string,
  signal: 'retry' | 'abort',
  more: object,
  end: string,
): Promise<void> {
  const { id, sandboxId, park } = await parkedStart(stage);
  if (park === null) throw new Error(`The start ${id} is not parked.`);
  const { step, parkNo } = park;
  const page = await browser.newPage({ viewport: VIEWPORT });
  const run = new URL(
    `/namespaces/default/workflows/${encodeURIComponent(`operation:${id}`)}`,
    stage.instance.temporalUiUrl,
  );
  await page.goto(run.href);
  const picture = (name: string): Promise<unknown> =>
    page.screenshot({ path: join(folder, `${signal}-${name}.png`) });
  await page.getByRole('tab', { name: 'User Metadata' }).click();
  await page.frameLocator('#user-metadata-current-details').getByText('docker image ls').first().waitFor();
  await picture('parked');
  stage.say(`${signal}: the page of the run says what to check`);
  await fillIn(page, signal, { step, parkNo, ...more });
  await picture('form');
  await formOf(page).getByRole('button', { name: 'Submit' }).click();
  expect(`state of the operation after ${signal}`, await untilEnded(stage, id), end);
  await page.close();
  await stage.client.change('DELETE', sandboxId);
  stage.say(`${signal}: the run ended as ${end}`);
}

/** A person's way through the page: the menu, the form, one of the signals that it offers, and its input. */
async function fillIn(page: Page, signal: string, input: object): Promise<void> {
  await page.getByRole('button', { name: 'More Actions' }).last().click();
  await page.getByRole('menuitem', { name: 'Send a Signal' }).last().click();
  const form = formOf(page);
  await form.getByTestId('signal-select-button').click();
  await form.getByRole('option', { name: signal, exact: true }).click();
  // As the editor lays it out when it is left, which would move the button away from under the pointer.
  await form.locator('[contenteditable=true]').fill(JSON.stringify(input, null, 2));
}

const formOf = (page: Page): Locator =>
  page.getByRole('dialog').filter({ hasText: 'Send a Signal', visible: true });

/** A start whose image is nowhere. */
async function parkedStart(stage: Stage): Promise<OperationBody> {
  const body = { owner: `web-ui-${randomUUID().slice(0, 8)}`, image: `berth/no-such-${randomUUID()}:1` };
  const path = `/v1/sandboxes?wait=${WAIT_SECONDS}`;
  return (await ask<{ operation: OperationBody }>(stage, 'POST', path, body)).operation;
}

/** A parked run ends a wait, so the one that has been decided is asked for until it is no longer parked. */
async function untilEnded(stage: Stage, id: string): Promise<string> {
  const giveUpAt = Date.now() + WAIT_SECONDS * 1_000;
  for (;;) {
    const { state } = await ask<OperationBody>(stage, 'GET', `/v1/operations/${id}?wait=1`);
    if (state === 'succeeded' || state === 'failed' || state === 'canceled') return state;
    if (Date.now() > giveUpAt) return state;
  }
}

async function ask<T>({ instance }: Stage, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(new URL(path, instance.apiUrl), {
    method,
    headers: { 'X-Admin-Secret': instance.adminSecret, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok)
    throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
