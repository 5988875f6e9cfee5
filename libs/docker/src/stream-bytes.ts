/** Reads a stream to its end. Throws RangeError beyond `bytesMax`: what an engine sends is bounded before it is kept. */
export async function readBytes(stream: AsyncIterable<string | Buffer>, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let total = 0;
  for await (const part of stream) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    total += bytes.length;
    if (total > bytesMax) throw new RangeError(`More than ${bytesMax} bytes.`);
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
