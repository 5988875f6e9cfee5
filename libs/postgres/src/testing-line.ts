import { createServer, connect, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connectionOptions } from './database.js';

const POSTGRES_PORT = 5_432;
/** The last message of every answer: ReadyForQuery, five bytes long. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);

/**
 * A line to a database that a test can cut at a chosen moment: after the server has done what it was asked for, and before
 * the client hears of it.
 */
export class TestingLine {
  private readonly server: Server;
  private readonly ends = new Set<Socket>();
  private answersUntilCut = Infinity;

  private constructor(private readonly databaseUrl: string) {
    this.server = createServer((client) => this.join(client));
  }

  static async to(databaseUrl: string): Promise<TestingLine> {
    const line = new TestingLine(databaseUrl);
    await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  /** The same database, by way of this line. */
  get url(): string {
    const { user = '', database = '' } = connectionOptions(this.databaseUrl);
    return `postgres://${user}@127.0.0.1:${(this.server.address() as AddressInfo).port}/${database}`;
  }

  /** The n-th answer from here on, counted from 1, is lost, and its connection with it. */
  loseAnswer(n: number): void {
    this.answersUntilCut = n;
  }

  /** False where there were fewer answers than were to be counted. */
  hasLost(): boolean {
    return this.answersUntilCut <= 0;
  }

  async close(): Promise<void> {
    for (const end of this.ends) end.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private join(client: Socket): void {
    const { host = '', port } = connectionOptions(this.databaseUrl);
    const isFolder = host.startsWith('/');
    const upstream = isFolder
      ? connect(`${host}/.s.PGSQL.${port ?? POSTGRES_PORT}`)
      : connect(port ?? POSTGRES_PORT, host);
    let isGreeted = false;
    for (const end of [client, upstream]) {
      this.ends.add(end);
      // One end takes the other with it.
      end.on('error', () => end.destroy());
      end.once('close', () => {
        this.ends.delete(end);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      const isAnswer = bytes.lastIndexOf(READY) === bytes.byteLength - READY.byteLength - 1;
      if (isAnswer && isGreeted) this.answersUntilCut -= 1;
      isGreeted ||= isAnswer;
      if (isAnswer && this.answersUntilCut === 0) client.destroy();
      else client.write(bytes);
    });
  }
}
