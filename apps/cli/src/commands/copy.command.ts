import { createReadStream, createWriteStream, type Stats } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Command } from 'commander';
import { z } from 'zod';
import { ApiError, type ApiClient } from '../api/api-client.js';
import { packed, unpack } from '../input/local-tar.js';
import { upload } from '../input/upload.js';
import { CliError } from '../terminal/cli-error.js';
import { note } from '../terminal/terminal.js';
import type { Session } from './session.js';

const EXAMPLES = `
Examples:
  berth cp data.csv SANDBOX:input/data.csv
  berth cp SANDBOX:report.html .
  berth cp ./project SANDBOX:project      a folder, as a whole: it must not be there yet
  berth cp SANDBOX:project ./copy         the same: nothing is put into a folder that is there

SANDBOX is the id of a sandbox that runs. Paths in it are relative to its workspace.`;

interface Remote {
  readonly sandbox: string;
  readonly path: string;
}

export function addCopyCommand(program: Command, session: Session): void {
  program
    .command('cp')
    .description('Copies a file or a folder into a sandbox, or out of it.')
    .argument('<from>', 'a local path, or SANDBOX:PATH')
    .argument('<to>', 'the other of the two')
    .addHelpText('after', EXAMPLES)
    .action(async (from: string, to: string) => {
      const [source, target] = [remoteOf(from), remoteOf(to)];
      if (source && !target) await copyOut(session.api(), source, to);
      else if (target && !source) await copyIn(session.api(), from, target);
      else throw new CliError('Exactly one of the two paths is in a sandbox: SANDBOX:PATH.');
      note(session.terminal(), `copied ${from} to ${to}`);
    });
}

const REMOTE = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(.*)$/;

function remoteOf(text: string): Remote | undefined {
  const [, sandbox, path] = REMOTE.exec(text) ?? [];
  return sandbox === undefined || path === undefined ? undefined : { sandbox, path };
}

async function copyIn(api: ApiClient, from: string, { sandbox, path }: Remote): Promise<void> {
  const named = path === '' || path.endsWith('/') ? `${path}${basename(resolve(from))}` : path;
  const found = await localStat(from);
  if (!found) throw new CliError(`There is no ${from}.`);
  if (found.isDirectory()) {
    await upload(api, sandbox, { path: named, kind: 'archive' }, packed(from));
  } else {
    await upload(api, sandbox, { path: named, kind: 'file' }, createReadStream(from));
  }
}

async function copyOut(api: ApiClient, { sandbox, path }: Remote, to: string): Promise<void> {
  const files = `/v1/sandboxes/${sandbox}/files`;
  const query = `?path=${encodeURIComponent(path)}`;
  const isFolder = (await localStat(to))?.isDirectory() === true;
  const target = resolve(isFolder ? join(to, basename(path)) : to);
  const aside = join(dirname(target), `.${basename(target)}.berth-${process.pid}`);
  if (await isRemoteFolder(api, files, query)) {
    await unpackAs(target, aside, await download(api, `${files}/archive${query}`));
    return;
  }
  try {
    const content = Readable.fromWeb(await download(api, `${files}${query}`));
    await pipeline(content, createWriteStream(aside, { flags: 'wx' }));
    await rename(aside, target);
  } finally {
    await rm(aside, { force: true });
  }
}

/**
 * Into a folder of its own that is then put in its place: a stream from a sandbox must not meet links that an earlier one
 * has made, through which it would leave the folder.
 */
async function unpackAs(target: string, aside: string, content: ReadableStream<Uint8Array>): Promise<void> {
  if (await localStat(target))
    throw new CliError(`There is something at ${target} already: name another place.`);
  await mkdir(aside);
  try {
    await unpack(content, aside);
    await rename(aside, target);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

const download = async (api: ApiClient, path: string): Promise<ReadableStream<Uint8Array>> =>
  (await api.download(path, new AbortController().signal)) as ReadableStream<Uint8Array>;

/** A list of what is no folder is refused; anything else that is wrong comes again when it is read. */
async function isRemoteFolder(api: ApiClient, files: string, query: string): Promise<boolean> {
  try {
    await api.get(`${files}/list${query}&limit=1`, z.looseObject({ items: z.array(z.unknown()) }));
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.problem.code === 'invalid_state') return false;
    throw error;
  }
}

/** Undefined for nothing. */
async function localStat(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
