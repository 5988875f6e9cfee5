/**
 * Lint rules of the project's own, loaded by .oxlintrc.json: the wall between packages, the purity of the domain, and
 * the one place where the environment is read. Each message says what to do instead. They look at one file at a
 * time and must never need another file to decide; what does is in architecture.spec.ts.
 */
import path from 'node:path';
import { refusalOf } from './may-import.mjs';

const CONFIGURATION_FILE = /(^|\/)config\.ts$/;

function fromRoot(context, file) {
  return path.relative(context.cwd, file).split(path.sep).join('/');
}

function isTypeOnly(node) {
  if (node.importKind === 'type' || node.exportKind === 'type') return true;
  const specifiers = node.specifiers ?? [];
  return specifiers.length > 0 && specifiers.every((one) => (one.importKind ?? one.exportKind) === 'type');
}

const mayImport = {
  create(context) {
    const file = fromRoot(context, context.filename);
    const check = (source, typeOnly) => {
      if (source?.type !== 'Literal' || typeof source.value !== 'string') return;
      const specifier = source.value.startsWith('.')
        ? fromRoot(context, path.resolve(path.dirname(context.filename), source.value))
        : source.value;
      const refusal = refusalOf(file, specifier, typeOnly);
      if (refusal !== undefined) context.report({ node: source, message: refusal });
    };
    return {
      ImportDeclaration: (node) => check(node.source, isTypeOnly(node)),
      ExportNamedDeclaration: (node) => check(node.source, isTypeOnly(node)),
      ExportAllDeclaration: (node) => check(node.source, isTypeOnly(node)),
      ImportExpression: (node) => check(node.source, false),
      TSImportType: (node) => check(node.source ?? node.argument, true),
    };
  },
};

const IMPURE_MEMBERS = new Set(['Date.now', 'Math.random', 'performance.now', 'crypto.randomUUID']);

const pureDomain = {
  create(context) {
    const report = (node, what) =>
      context.report({
        node,
        message: `The domain is pure: ${what} must come in as an argument from an Activity, a Workflow or an app.`,
      });
    return {
      MemberExpression(node) {
        if (node.computed || node.object.type !== 'Identifier') return;
        const name = `${node.object.name}.${node.property.name}`;
        if (IMPURE_MEMBERS.has(name)) report(node, name);
      },
      NewExpression(node) {
        if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && node.arguments.length === 0) {
          report(node, 'the current time');
        }
      },
      CallExpression(node) {
        if (node.callee.type === 'Identifier' && node.callee.name === 'Date')
          report(node, 'the current time');
      },
    };
  },
};

const environmentInConfig = {
  create(context) {
    if (CONFIGURATION_FILE.test(fromRoot(context, context.filename))) return {};
    return {
      MemberExpression(node) {
        const name = node.computed ? node.property.value : node.property.name;
        if (node.object.type !== 'Identifier' || node.object.name !== 'process' || name !== 'env') return;
        context.report({
          node,
          message:
            'Only config.ts of an app reads the environment: add the variable to its schema there and pass the value down.',
        });
      },
    };
  },
};

export default {
  meta: { name: 'berth' },
  rules: {
    'may-import': mayImport,
    'pure-domain': pureDomain,
    'environment-in-config': environmentInConfig,
  },
};
