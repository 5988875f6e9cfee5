/** Is told how much has passed through buffers that nobody needs any more, so that their memory is there again in time. */
export interface PassedBuffers {
  passed(bytes: number): void;
}
