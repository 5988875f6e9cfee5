import { limits } from '#domain';
import { z } from 'zod';
import { SandboxParams } from '../execs/exec.input.js';
import { flagText, idText, integerText, pageQuery } from '../http/inputs.js';

/** What is wrong with a path is said by the domain, under a code of its own. */
const pathText = z.string().meta({
  description: 'In the workspace: relative to it, or absolute below it.',
  examples: ['src/main.ts'],
});

export const FileQuery = z.strictObject({ path: pathText });
export const RemoveQuery = z.strictObject({
  path: pathText,
  recursive: flagText.optional().meta({ description: 'A folder with everything in it.' }),
});
export const FolderQuery = z.strictObject({
  path: pathText.optional().meta({ description: 'By default the workspace itself.' }),
});
export const ListQuery = z.strictObject({
  path: FolderQuery.shape.path,
  limit: integerText(1, limits.FILE_LIST_MAX).optional(),
  cursor: pageQuery.cursor,
});

const TAG_LENGTH_MAX = 100;
const tag = z.string().min(1).max(TAG_LENGTH_MAX);

export const UploadBody = z
  .strictObject({
    path: pathText,
    kind: z
      .enum(['file', 'archive'])
      .optional()
      .meta({ description: '`archive` makes a new folder at `path` of a tar stream, all of it or nothing.' }),
    ifMatch: tag
      .optional()
      .meta({ description: 'Replace only this: an ETag, or `*` for whatever is there.' }),
    ifNone: z.boolean().optional().meta({ description: 'Only where there is nothing yet.' }),
  })
  .meta({ id: 'FileUploadRequest' });

export const UploadParams = SandboxParams.extend({ uploadId: idText });
export const UploadQuery = z.strictObject({
  offset: integerText(0, limits.FILE_BYTES_MAX).meta({
    description: 'That of the first byte within the whole.',
  }),
  eof: flagText.optional().meta({ description: 'The content ends after these bytes.' }),
});
