const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
const MODE_AT = 100;
const OWNER_AT = 108;
const GROUP_AT = 116;
const SIZE_AT = 124;
const TIME_AT = 136;
const CHECKSUM_AT = 148;
const TYPE_AT = 156;
const MAGIC_AT = 257;

export interface TarFile {
  readonly name: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** A tar archive (ustar) of regular files that belong to root. */
export function tarOf(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap((file) => [headerOf(file), file.content, paddingAfter(file.content.length)]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

/** The content of the first regular file in an archive; undefined where there is none or where it is cut off. */
export function firstFileOf(archive: Buffer): Buffer | undefined {
  if (archive.length < BLOCK_BYTES) return undefined;
  const type = archive[TYPE_AT];
  const size = Number.parseInt(archive.toString('latin1', SIZE_AT, SIZE_AT + 11), 8);
  const isRegular = type === 0 || type === '0'.charCodeAt(0);
  if (!isRegular || !Number.isSafeInteger(size) || archive.length < BLOCK_BYTES + size) return undefined;
  return archive.subarray(BLOCK_BYTES, BLOCK_BYTES + size);
}

function headerOf({ name, mode, content }: TarFile): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw new RangeError(`Too long for a tar header: ${name}`);
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0, 'utf8');
  header.write(octal(mode, 7), MODE_AT, 'latin1');
  header.write(octal(0, 7), OWNER_AT, 'latin1');
  header.write(octal(0, 7), GROUP_AT, 'latin1');
  header.write(octal(content.length, 11), SIZE_AT, 'latin1');
  header.write(octal(0, 11), TIME_AT, 'latin1');
  header.write('        ', CHECKSUM_AT, 'latin1');
  header.write('0', TYPE_AT, 'latin1');
  header.write('ustar\0' + '00', MAGIC_AT, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, CHECKSUM_AT, 'latin1');
  return header;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function paddingAfter(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);
}
