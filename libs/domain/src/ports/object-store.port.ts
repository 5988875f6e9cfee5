/**
 * Bytes that outlive sandboxes. Every call is safe to repeat: an object is written as a whole or not at all, and the same
 * key written again is replaced. Throws `dependency_unavailable` (s3) when the storage does not answer in time.
 */
export interface ObjectStore {
  /** Creates the bucket unless it is there. */
  ensureBucket(): Promise<void>;
  /** Writes a small object, reads it back and deletes it: proves that the storage can be used, not only reached. */
  probe(): Promise<void>;
  put(key: string, body: ObjectBody): Promise<void>;
  /** Throws `not_found` and `range_not_satisfiable`. */
  get(key: string, options?: GetObjectOptions): Promise<StoredObject>;
  /** Deleting what is not there is success. */
  delete(key: string): Promise<void>;
  /** In the order of keys, at most OBJECT_PAGE_SIZE_MAX. */
  list(prefix: string, options?: { after?: string; limit?: number }): Promise<ObjectPage>;
}

export const OBJECT_PAGE_SIZE_MAX = 1_000;

export interface ObjectBody {
  /** A stream is sent once: if that fails, the caller sends it again from its source. */
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
  readonly contentLength: number;
  /** SHA-256 in lower-case hexadecimal; the storage refuses bytes that do not have it. */
  readonly sha256: string;
  readonly contentType?: string;
}

export interface GetObjectOptions {
  /** First byte; by default 0. */
  readonly from?: number;
  /** The byte after the last one; by default the end of the object. */
  readonly to?: number;
  /** Aborting ends the stream with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface StoredObject {
  /** Of the whole object, whatever the range. */
  readonly sizeBytes: number;
  /** Of what `bytes` will give. */
  readonly contentLength: number;
  /** Holds a connection until it has been read to its end or left. To be iterated once. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface ObjectPage {
  readonly objects: readonly { readonly key: string; readonly sizeBytes: number }[];
  /** The `after` of the next page; undefined on the last one. */
  readonly next: string | undefined;
}
