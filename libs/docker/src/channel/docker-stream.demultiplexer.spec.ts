import { DockerStreamDemultiplexer } from './docker-stream.demultiplexer.js';

function block(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

function demultiplex(bytes: Buffer, pieceBytes: number): { stdout: string; stderr: string } {
  const got = { stdout: '', stderr: '' };
  const demultiplexer = new DockerStreamDemultiplexer(
    (part) => (got.stdout += Buffer.from(part).toString()),
    (part) => (got.stderr += Buffer.from(part).toString()),
  );
  for (let at = 0; at < bytes.length; at += pieceBytes)
    demultiplexer.push(bytes.subarray(at, at + pieceBytes));
  return got;
}

describe('the demultiplexer of Docker streams', () => {
  const bytes = Buffer.concat([block(1, 'hello '), block(2, 'oops'), block(1, ''), block(1, 'world')]);

  it.each([1, 3, 8, 9, 1_000])('takes the streams apart in pieces of %i bytes', (pieceBytes) => {
    expect(demultiplex(bytes, pieceBytes)).toEqual({ stdout: 'hello world', stderr: 'oops' });
  });

  it('hands on what has come of a block, whatever length was announced', () => {
    const huge = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x41]);
    expect(demultiplex(huge, 5)).toEqual({ stdout: 'A', stderr: '' });
  });

  it.each([0, 3, 255])('refuses stream %i', (stream) => {
    expect(() => demultiplex(block(stream, 'x'), 100)).toThrow(
      expect.objectContaining({ code: 'runner_unreachable' }),
    );
  });
});
