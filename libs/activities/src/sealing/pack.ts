import { manifestOf, type EndedExec, type ManifestPlace, type OutputSegment, type PackMember } from '#domain';
import type { GatheredOutput } from './gather.js';
import { sha256Of } from '../verified-object.js';

/** The last 16 bytes of a pack: these eight, and the length of the index before them as a big-endian integer. */
const FOOTER_MAGIC = 'BERTHPK1';

/**
 * Small outputs in one object: the output of each exec, the manifest of each exec, an index that says where the
 * manifests lie, and a footer that says where the index begins. So a pack can be read without the database.
 */
export class PackBuilder {
  private readonly outputs: Buffer[] = [];
  private readonly found: { readonly exec: EndedExec; readonly segment: OutputSegment | undefined }[] = [];
  private outputBytes = 0;

  constructor(private readonly key: string) {}

  /** Copies the output. Undefined for an exec that wrote nothing. */
  add(exec: EndedExec, output: GatheredOutput | undefined): void {
    if (!output) {
      this.found.push({ exec, segment: undefined });
      return;
    }
    const { span, blocks, sha256 } = output;
    const segment = { ...span, objectKey: this.key, objectOffset: this.outputBytes, sha256, blocks };
    this.found.push({ exec, segment });
    this.outputs.push(Buffer.from(output.bytes));
    this.outputBytes += output.bytes.byteLength;
  }

  get count(): number {
    return this.found.length;
  }

  build(): { readonly members: PackMember[]; readonly bytes: Buffer } {
    let at = this.outputBytes;
    const manifests: Buffer[] = [];
    const members = this.found.map(({ exec, segment }) => {
      const bytes = Buffer.from(JSON.stringify(manifestOf(exec, segment ? [segment] : [])));
      const manifest: ManifestPlace = {
        key: this.key,
        offset: at,
        bytes: bytes.byteLength,
        sha256: sha256Of(bytes),
      };
      at += bytes.byteLength;
      manifests.push(bytes);
      return { exec, segment, manifest };
    });
    const index = Buffer.from(JSON.stringify(members.map(indexEntryOf)));
    return { members, bytes: Buffer.concat([...this.outputs, ...manifests, index, footerOf(index)]) };
  }
}

function indexEntryOf({ exec, manifest }: PackMember) {
  const { offset, bytes, sha256 } = manifest;
  return { tenantId: exec.tenantId, execId: exec.id, offset, bytes, sha256 };
}

function footerOf(index: Buffer): Buffer {
  const footer = Buffer.alloc(FOOTER_MAGIC.length + 8);
  footer.write(FOOTER_MAGIC, 'latin1');
  footer.writeBigUInt64BE(BigInt(index.byteLength), FOOTER_MAGIC.length);
  return footer;
}
