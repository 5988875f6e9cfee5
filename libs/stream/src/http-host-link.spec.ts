import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execId, hostId, type HostStore } from '#domain';
import { HttpHostLink } from './http-host-link.js';

const ID = execId('0190b0a0-0000-7000-8000-000000000001');
const HOST = hostId('local');
/** More than there are connections for them. */
const PIECES = 300;
const CONNECTIONS = 256;
const PIECE = { offset: 0, bytes: Buffer.from('x'), eof: false, writer: null, take: false };
const log = { debug() {}, info() {}, warn() {}, error() {} };

describe('a host whose commands do not read their input', () => {
  let host: Server;
  let link: HttpHostLink;
  let waiting = 0;

  beforeEach(async () => {
    waiting = 0;
    host = createServer((request, response) => {
      request.resume();
      if (request.url?.includes('/stdin')) {
        waiting += 1;
        host.emit('input');
      } else response.end(JSON.stringify({ processGroup: 7 }));
    }).listen(0, '127.0.0.1');
    await once(host, 'listening');
    const streamAddress = `127.0.0.1:${(host.address() as AddressInfo).port}`;
    const hosts = { list: async () => [{ id: HOST, streamAddress }] } as unknown as HostStore;
    link = new HttpHostLink(hosts, 'a secret of a test, long enough', { passed: () => undefined }, log);
  });
  afterEach(() => {
    link.close();
    host.closeAllConnections();
    host.close();
  });

  it('is sent signals all the same', async () => {
    const inputs = Array.from({ length: PIECES }, () => link.writeStdin(HOST, ID, PIECE));
    const ends = Promise.allSettled(inputs);
    while (waiting < CONNECTIONS) await once(host, 'input');
    expect(await link.signal(HOST, ID, 'SIGTERM')).toBe(7);
    host.closeAllConnections();
    link.close();
    host.close();
    await ends;
  });
});
