import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  DomainError,
  parseSandboxId,
  parseUploadId,
  type FileAction,
  type FileHead,
  type FileRequest,
  type HostServices,
  type SandboxId,
  type UploadPiece,
} from '#domain';
import type { RouteMatch, StreamRequest } from './stream-routes.js';

export const FILE_HEAD_HEADER = 'berth-file-head';

const PATH = /^\/v1\/sandboxes\/([^/]+)\/(files|uploads)(?:\/([^/]+))?$/;
const REQUEST = 'request';
const NO_BODY_BYTES = 0;
const ACTIONS: readonly FileAction[] = ['read', 'write', 'remove', 'list', 'pack', 'extract'];

type FileAnswer = (services: HostServices, request: StreamRequest) => Promise<object | undefined>;

/** A request in a query: it says what to do, and the body is the content. */
export const fileQuery = (request: FileRequest): string => `?${REQUEST}=${encoded(request)}`;

export const headText = (head: FileHead): string => encoded(head);

export function headFrom(text: unknown): FileHead {
  return typeof text === 'string' ? (decoded(text) as FileHead) : {};
}

/** What answers a request for files whose answer is JSON. */
export function matchFileRoute(method: string, path: string): RouteMatch | undefined {
  const [, id = '', kind = '', name = ''] = PATH.exec(path) ?? [];
  const sandbox = parseSandboxId(id);
  if (!sandbox) return undefined;
  const answer = kind === 'files' ? askRoute(method, sandbox) : uploadRoute(method, sandbox, name);
  return answer && { bodyBytesMax: method === 'PUT' ? null : NO_BODY_BYTES, answer };
}

function askRoute(method: string, sandbox: SandboxId): FileAnswer | undefined {
  switch (method) {
    case 'POST':
      return ({ files }, { url }) => files.ask(sandbox, requestOf(url));
    case 'PUT':
      return ({ files }, { url, content }) => files.write(sandbox, requestOf(url), content);
    default:
      return undefined;
  }
}

function uploadRoute(method: string, sandbox: SandboxId, name: string): FileAnswer | undefined {
  const upload = parseUploadId(name);
  if (!upload) return undefined;
  switch (method) {
    case 'POST':
      return async ({ files }, { url }) => {
        await files.begin(sandbox, upload, requestOf(url));
        return undefined;
      };
    case 'PUT':
      return ({ files }, request) => files.append(sandbox, upload, pieceOf(request));
    case 'DELETE':
      return async ({ files }) => {
        await files.giveUp(sandbox, upload);
        return undefined;
      };
    default:
      return undefined;
  }
}

/** The sandbox whose content is asked for; undefined for every other request. */
export function contentPath(method: string | undefined, path: string): SandboxId | undefined {
  const [, id = '', kind] = PATH.exec(path) ?? [];
  return method === 'GET' && kind === 'files' ? parseSandboxId(id) : undefined;
}

/** Sends the head as a header and the content as the body, no faster than it is read. What breaks off is not the whole. */
export async function sendContent(
  response: ServerResponse,
  { files }: HostServices,
  sandbox: SandboxId,
  url: URL,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new DomainError('invalid_state', 'Nobody reads any more.')));
  const { head, content } = await files.read(sandbox, requestOf(url), gone.signal);
  response.writeHead(200, { 'content-type': 'application/octet-stream', [FILE_HEAD_HEADER]: headText(head) });
  response.flushHeaders();
  await pipeline(Readable.from(content, { objectMode: false }), response);
}

function requestOf(url: URL): FileRequest {
  const value = decoded(url.searchParams.get(REQUEST) ?? '');
  const { action, path } = value as { action?: unknown; path?: unknown };
  if (!ACTIONS.some((one) => one === action) || typeof path !== 'string') throw malformed();
  return value as FileRequest;
}

function pieceOf({ url, content }: StreamRequest): UploadPiece {
  const offset = Number(url.searchParams.get('offset') ?? Number.NaN);
  if (!Number.isSafeInteger(offset) || offset < 0) throw malformed();
  return { offset, content, eof: url.searchParams.has('eof') };
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function decoded(text: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw new DomainError('bad_request', 'The request is malformed.', { cause: error });
  }
  throw malformed();
}

const malformed = (): DomainError => new DomainError('bad_request', 'The request is malformed.');
