// Writes the types of the guest's side of the world to a directory: what `jco
// guest-types` does, without the 300 MB that jco installs.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { $init, generateTypes } from '@bytecodealliance/jco-transpile/component';

const [wit, directory] = process.argv.slice(2);
await $init;
const options = { wit: { tag: 'path', val: resolve(wit) }, world: 'charm', guest: true };
for (const [name, text] of generateTypes('charm', options)) {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
