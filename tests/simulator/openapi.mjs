// Discord's own OpenAPI description of its HTTP API, made usable: what an answer and a request must look like.
import fs from 'node:fs';
import path from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';

const file = path.join(process.env.TRELLIS_FIXTURES, 'discord-openapi/openapi.json');

/** A fresh copy. Objects without `additionalProperties: false` fit several branches, so one of them is enough. */
export function readDescription() {
  const relax = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (node.oneOf && Array.isArray(node.oneOf)) {
      node.anyOf = node.oneOf;
      delete node.oneOf;
    }
    for (const child of Object.values(node)) relax(child);
  };
  const description = JSON.parse(fs.readFileSync(file));
  relax(description);
  return description;
}

export const makeAjv = () => new Ajv2020({ strict: false, validateFormats: false, allErrors: false });

/** Every operation, those with fewer parameters in their path first. */
export function operationsOf(description) {
  const operations = [];
  for (const [route, methods] of Object.entries(description.paths)) {
    const pattern = new RegExp(`^${route.replace(/\{[^}]+\}/g, '([^/]+)')}$`);
    for (const [method, operation] of Object.entries(methods)) {
      if (!operation.responses) continue;
      const parameters = [...(methods.parameters ?? []), ...(operation.parameters ?? [])];
      operations.push({ route, method, operation, parameters, pattern, literal: (route.match(/\{/g) ?? []).length });
    }
  }
  return operations.sort((a, b) => a.literal - b.literal);
}

/** A part of a JSON pointer within the description. */
export const escapePointer = (text) => encodeURIComponent(text.replace(/~/g, '~0').replace(/\//g, '~1'));
