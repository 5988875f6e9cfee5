import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { describePortHolder, isFree, isHeldByAnother, parseListenInodes, PortChooser } from './ports.js';

const HOST = '127.0.0.1';
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 22222 1 0 20 4 30 10 -1
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33333 1 0 100 0 0 10 0
`;

describe('the choice of a port', () => {
  let busy: Server;
  let busyPort: number;
  let said: string[];

  beforeEach(async () => {
    busy = createServer().listen(0, HOST);
    await once(busy, 'listening');
    busyPort = (busy.address() as AddressInfo).port;
    said = [];
  });

  afterEach(() => busy.close());

  it('finds who listens in the table of the kernel, and not who is only connected', () => {
    expect(parseListenInodes(TABLE, 3000)).toEqual(['12345']);
    expect(parseListenInodes(TABLE, 8080)).toEqual(['33333']);
    expect(parseListenInodes(TABLE, 22)).toEqual([]);
  });

  it('names the holder of a busy port and takes the next free one', async () => {
    const chooser = new PortChooser((text) => said.push(text));
    const port = await chooser.choose({ name: 'the API', host: HOST, preferred: busyPort, strict: false });
    expect(port).toBeGreaterThan(busyPort);
    expect(said[0]).toContain(`Port ${busyPort} (the API) is held by process ${process.pid} (`);
    expect(said.at(-1)).toBe(`the API takes port ${port} instead.`);
  });

  it('fails instead where ports are strict', async () => {
    const chooser = new PortChooser((text) => said.push(text));
    const choice = chooser.choose({ name: 'the API', host: HOST, preferred: busyPort, strict: true });
    await expect(choice).rejects.toThrow(`held by process ${process.pid}`);
  });

  it('never gives one port to two components that choose at the same time', async () => {
    const chooser = new PortChooser((text) => said.push(text));
    const request = { name: 'x', host: HOST, preferred: busyPort + 1, strict: false };
    const ports = await Promise.all([1, 2, 3].map(async () => chooser.choose(request)));
    expect(new Set(ports).size).toBe(3);
  });

  it('holds a port until the component that it was chosen for starts', async () => {
    const chooser = new PortChooser((text) => said.push(text));
    const port = await chooser.choose({ name: 'x', host: HOST, preferred: busyPort + 1, strict: false });
    expect(await isFree(HOST, port)).toBe(false);
    expect(isHeldByAnother(port, process.pid)).toBe(false);
    await chooser.release(port);
    expect(await isFree(HOST, port)).toBe(true);
  });

  it('knows an intruder on a port from the process that it belongs to, and from nobody', async () => {
    expect(isHeldByAnother(busyPort, 1)).toBe(true);
    expect(isHeldByAnother(busyPort, process.pid)).toBe(false);
  });

  it('leaves alone what an adopted process holds', async () => {
    const chooser = new PortChooser((text) => said.push(text));
    chooser.reserve(busyPort + 1);
    const port = await chooser.choose({ name: 'x', host: HOST, preferred: busyPort + 1, strict: false });
    expect(port).toBeGreaterThan(busyPort + 1);
  });

  it('sees whether a port is free', async () => {
    expect(await isFree(HOST, busyPort)).toBe(false);
    expect(describePortHolder(busyPort)).toContain(String(process.pid));
  });
});
