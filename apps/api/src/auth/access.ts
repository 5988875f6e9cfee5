import { SetMetadata } from '@nestjs/common';
import type { TenantId } from '#domain';

/** Who may call a route. There is no default: a route that does not say it stops the start. */
export type Access = 'anonymous' | 'admin';

export const ACCESS = 'berth:access';
export const Access = (access: Access) => SetMetadata(ACCESS, access);

/** On whose behalf a request acts. */
export interface Principal {
  readonly tenantId: TenantId;
  readonly role: 'admin';
}
