import {
  DomainError,
  GIT_LOOK_ACTIONS,
  limits,
  parseExecId,
  parseSandboxId,
  SENDABLE_SIGNALS,
  type ExecId,
  type GitLook,
  type HostServices,
  type InputPiece,
  type TerminalSize,
} from '#domain';
import { matchFileRoute } from './file-routes.js';

const HINTS_MAX = 1_000;
const JSON_BYTES_MAX = 64 * 1_024;

/** A request whose token has been checked. Its body has been read, or comes as content. */
export interface StreamRequest {
  readonly url: URL;
  readonly body: Buffer;
  readonly content: AsyncIterable<Uint8Array>;
}

type Route = (services: HostServices, request: StreamRequest, exec: ExecId) => Promise<object | undefined>;

/** What a path needs: how much it may send, and what answers it. */
export interface RouteMatch {
  /** Null for content of any length, which is read as it is taken. */
  readonly bodyBytesMax: number | null;
  answer(services: HostServices, request: StreamRequest): Promise<object | undefined>;
}

const EXEC_ROUTES: Readonly<
  Record<string, { readonly method: string; readonly bodyBytesMax: number; readonly route: Route }>
> = {
  stdin: { method: 'PUT', bodyBytesMax: limits.STDIN_REQUEST_BYTES_MAX, route: stdin },
  signal: { method: 'POST', bodyBytesMax: JSON_BYTES_MAX, route: signal },
  resize: { method: 'POST', bodyBytesMax: JSON_BYTES_MAX, route: resize },
};

const GIT_PATH = /^\/v1\/sandboxes\/([^/]+)\/git$/;

export function matchRoute(method: string, path: string): RouteMatch | undefined {
  if (method === 'POST' && path === '/v1/hints') return { bodyBytesMax: JSON_BYTES_MAX, answer: hints };
  const files = matchFileRoute(method, path);
  if (files) return files;
  const sandbox = parseSandboxId(GIT_PATH.exec(path)?.[1] ?? '');
  if (method === 'POST' && sandbox) {
    return {
      bodyBytesMax: limits.REQUEST_BODY_BYTES_MAX,
      answer: (services, { body }) => services.git(sandbox, lookOf(body)),
    };
  }
  const [, id = '', action = ''] = /^\/v1\/execs\/([^/]+)\/([a-z]+)$/.exec(path) ?? [];
  const exec = parseExecId(id);
  const found = EXEC_ROUTES[action];
  if (!exec || found?.method !== method) return undefined;
  return {
    bodyBytesMax: found.bodyBytesMax,
    answer: (services, request) => found.route(services, request, exec),
  };
}

async function hints(services: HostServices, { body }: StreamRequest): Promise<undefined> {
  const { execIds } = jsonOf(body);
  if (!Array.isArray(execIds) || execIds.length > HINTS_MAX) throw malformed();
  const ids = execIds.map((id) => (typeof id === 'string' ? parseExecId(id) : undefined));
  if (ids.some((id) => id === undefined)) throw malformed();
  // The answer does not wait: a hint has no result.
  void services.hurry(ids as ExecId[]);
  await Promise.resolve();
}

async function stdin(services: HostServices, request: StreamRequest, exec: ExecId): Promise<object> {
  return await services.writeStdin(exec, pieceOf(request));
}

async function signal(services: HostServices, { body }: StreamRequest, exec: ExecId): Promise<object> {
  const name = jsonOf(body)['signal'];
  const known = SENDABLE_SIGNALS.find((one) => one === name);
  if (!known) throw malformed();
  return { processGroup: await services.signal(exec, known) };
}

async function resize(services: HostServices, { body }: StreamRequest, exec: ExecId): Promise<object> {
  const { columns, rows, writer } = jsonOf(body);
  const size: TerminalSize = { columns: sizeOf(columns), rows: sizeOf(rows) };
  return { state: await services.resize(exec, { size, writer: writerOf(writer) }) };
}

function lookOf(body: Buffer): GitLook {
  const { action, path, ...rest } = jsonOf(body);
  const known = GIT_LOOK_ACTIONS.find((one) => one === action);
  if (known === undefined || typeof path !== 'string') throw malformed();
  return { ...rest, action: known, path };
}

function pieceOf({ url, body }: StreamRequest): InputPiece {
  const offset = Number(url.searchParams.get('offset') ?? Number.NaN);
  const writer = writerOf(url.searchParams.get('writer'));
  const take = url.searchParams.has('take');
  if (!Number.isSafeInteger(offset) || offset < 0 || (take && writer === null)) throw malformed();
  return { offset, bytes: body, eof: url.searchParams.has('eof'), writer, take };
}

function writerOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const known = typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
  if (!known || value.length > limits.STDIN_WRITER_LENGTH_MAX) throw malformed();
  return value;
}

function sizeOf(value: unknown): number {
  const valid =
    typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= limits.TERMINAL_SIZE_MAX;
  if (!valid) throw malformed();
  return value;
}

function jsonOf(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw new DomainError('bad_request', 'The body is not JSON.', { cause: error });
  }
  throw malformed();
}

const malformed = (): DomainError => new DomainError('bad_request', 'The request is malformed.');
