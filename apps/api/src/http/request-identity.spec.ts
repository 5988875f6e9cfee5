import { tenantId } from '#domain';
import type { Call } from './call.js';
import { canonicalJson, idFor, requestHashOf } from './request-identity.js';

function callWith(change: Partial<Call>): Call {
  return {
    principal: { tenantId: tenantId('default'), role: 'admin' },
    requestId: 'r',
    method: 'POST',
    route: '/v1/sandboxes',
    idempotencyKey: 'k',
    ifVersion: undefined,
    preferWaitSeconds: 0,
    signal: new AbortController().signal,
    ...change,
  };
}

describe('the identity of a request', () => {
  it('stays what it was: a request repeated after an update of Berth finds what the first one created', () => {
    expect(idFor(callWith({}), 'exec')).toBe('d05aa7f4-94a2-5553-a058-77c6028d83a5');
  });

  it('is the same for the same tenant, route, kind and key, and for nothing else', () => {
    const id = idFor(callWith({}), 'exec');
    expect(idFor(callWith({ requestId: 'other' }), 'exec')).toBe(id);
    const others = [
      idFor(callWith({ idempotencyKey: 'k2' }), 'exec'),
      idFor(callWith({ route: '/v1/other' }), 'exec'),
      idFor(callWith({ principal: { tenantId: tenantId('other'), role: 'admin' } }), 'exec'),
      idFor(callWith({}), 'operation'),
    ];
    expect(new Set([id, ...others]).size).toBe(5);
  });

  it('is fresh without a key', () => {
    const call = callWith({ idempotencyKey: undefined });
    expect(idFor(call, 'exec')).not.toBe(idFor(call, 'exec'));
  });

  it('does not depend on the order of members or on absent ones', () => {
    expect(canonicalJson({ b: [1, { y: 1, x: null }], a: undefined })).toBe('{"b":[1,{"x":null,"y":1}]}');
    expect(requestHashOf({ a: 1, b: 2 })).toBe(requestHashOf({ b: 2, a: 1, c: undefined }));
    expect(requestHashOf({ a: [1, 2] })).not.toBe(requestHashOf({ a: [2, 1] }));
  });
});
