import { limits, type InputPiece } from '#domain';

const EXEC_ID_BYTES = 36;
const FLAG_EOF = 1;
const FLAG_TAKE = 2;
const TWO_TO_32 = 4_294_967_296;

/** The payload of STDIN. What is too long for it is a mistake of ours, not of a client. */
export function encodeStdin(execId: string, piece: InputPiece): Uint8Array {
  const writer = Buffer.from(piece.writer ?? '', 'latin1');
  if (execId.length !== EXEC_ID_BYTES) throw new TypeError('An exec id has 36 characters.');
  if (writer.byteLength > limits.STDIN_WRITER_LENGTH_MAX)
    throw new TypeError("The writer's name is too long.");
  if (piece.bytes.byteLength > limits.STDIN_PIECE_BYTES_MAX) throw new TypeError('The piece is too long.');
  const header = Buffer.alloc(EXEC_ID_BYTES + 1 + 8 + 1);
  header.write(execId, 'latin1');
  header.writeUInt8((piece.eof ? FLAG_EOF : 0) | (piece.take ? FLAG_TAKE : 0), EXEC_ID_BYTES);
  header.writeUInt32BE(Math.floor(piece.offset / TWO_TO_32), EXEC_ID_BYTES + 1);
  header.writeUInt32BE(piece.offset % TWO_TO_32, EXEC_ID_BYTES + 5);
  header.writeUInt8(writer.byteLength, EXEC_ID_BYTES + 9);
  return Buffer.concat([header, writer, piece.bytes]);
}
