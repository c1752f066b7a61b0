// The canary in TypeScript, on the types as they are generated.

import * as actions from 'charmhost:actions/actions@0.2.0';
import * as config from 'charmhost:config/config@0.2.0';
import * as context from 'charmhost:context/context@0.2.0';
import * as framework from 'charmhost:framework/framework@0.2.0';
import * as hookTools from 'charmhost:hook-tools/hook-tools@0.2.0';
import * as log from 'charmhost:log/log@0.2.0';
import * as pebble from 'charmhost:pebble/pebble@0.2.0';
import * as ports from 'charmhost:ports/ports@0.2.0';
import * as readiness from 'charmhost:readiness/readiness@0.2.0';
import * as relations from 'charmhost:relations/relations@0.2.0';
import * as secrets from 'charmhost:secrets/secrets@0.2.0';
import * as store from 'charmhost:store/store@0.2.0';
import * as storedState from 'charmhost:stored-state/stored-state@0.2.0';
import * as unit from 'charmhost:unit/unit@0.2.0';
import type { Outcome } from 'charmhost:entry/entry@0.2.0';
import type { Delivery, Settlement } from 'charmhost:framework/framework@0.2.0';
import type { PebbleError } from 'charmhost:pebble-errors/pebble-errors@0.2.0';
import type { Event } from 'charmhost:events/events@0.2.0';

const LIBRARY = 'Canary/Lib[a]';
const READY = { source: LIBRARY, name: 'ready' };
/** Bytes that are written or read at once. */
const CHUNK = 64 * 1024;
/** Length of the pattern that is sent to `cat`. */
const PERIOD = 251;
const LAYER = 'services: {idle: {override: replace, command: sleep 600}}';

const info = (message: string) => log.write('info', message);

/** The error of a call, which the types do not have. */
function payload(error: unknown): { tag: string; val: unknown } {
  if (error == null || !Object.hasOwn(error, 'payload')) throw error;
  return (error as { payload: { tag: string; val: unknown } }).payload;
}

/** An event's data, if the event is of this case. */
function data<T extends Event['tag']>(delivery: Delivery, tag: T) {
  const event: { tag: string; val?: unknown } = delivery.event;
  if (event.tag !== tag) throw new Error(event.tag);
  return event.val as Extract<Event, { tag: T; val: unknown }>['val'];
}

/** The case of the error that a call ends with. */
function errorOf<A extends unknown[]>(call: (...args: A) => unknown, ...args: A): string {
  try {
    call(...args);
  } catch (error) {
    return payload(error).tag.replaceAll('-', '');
  }
  return 'none';
}

/** The bytes as text, of which there is only ASCII here. */
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

class Canary {
  on_config_changed() {
    const greeting = config.get('greeting');
    const count = config.get('count');
    const ratio = config.get('ratio');
    if (greeting?.tag !== 'string' || count?.tag !== 'integer' || ratio?.tag !== 'float') {
      throw new Error('types of options');
    }
    info(`config ${greeting.val} ${count.val} ${ratio.val}`);
    info(`missing ${errorOf(config.get, 'missing')}`);
    const calls = JSON.parse(storedState.load('Canary', 'calls') ?? '0') + 1;
    storedState.save('Canary', 'calls', JSON.stringify(calls));
    info(`calls ${calls}`);
    for (const following of framework.emit(READY, JSON.stringify({ n: Number(count.val) }))) {
      deliver(this, following);
    }
    ports.set([{ tag: 'tcp', val: { first: 8080, last: 8080 } }]);
    for (const port of ports.opened()) {
      if (port.tag !== 'tcp') throw new Error(port.tag);
      info(`port ${port.val.first}-${port.val.last}`);
    }
    return calls === 1 ? 'once more' : null;
  }

  on_ready(delivery: Delivery) {
    const { n } = JSON.parse(data(delivery, 'custom').snapshot);
    info(`ready ${n} of ${delivery.observer.event.source}`);
  }

  on_db_relation_changed(delivery: Delivery) {
    const event = data(delivery, 'relation-changed');
    info(`changed ${event.endpoint} ${event.relationId} ${event.app} ${event.unit ?? 'none'}`);
    for (const relation of relations.list(event.endpoint)) {
      info(`relation ${relation.id} ${relation.app} ${relation.units.join(' ')}`);
      const owner: relations.DatabagOwner = { tag: 'app', val: relation.app! };
      for (const { key, value } of relations.read(event.endpoint, relation.id, owner)) {
        info(`data ${key}=${value}`);
        if (key === 'secret') readSecret(value);
      }
      const ours = addSecret();
      secrets.grant({ tag: 'id', val: ours }, relation.id, undefined);
      relations.write(event.endpoint, relation.id, 'app', [{ key: 'token', value: ours }]);
      relations.write(event.endpoint, relation.id, 'unit', [{ key: 'seen', value: 'yes' }]);
    }
  }

  on_secret_changed(delivery: Delivery) {
    const event = data(delivery, 'secret-changed');
    const secret: secrets.SecretReference = { tag: 'label', val: 'theirs' };
    for (const mode of ['current', 'refresh'] as const) {
      for (const [key, value] of secrets.getContent(secret, mode)) {
        info(`${event.id} ${key} of ${value.length}`);
      }
    }
    const ours = secrets.getInfo({ tag: 'label', val: 'ours' });
    info(`ours ${ours.revision} ${ours.rotation === 'monthly'} ${ours.expires}`);
    info(`error ${errorOf(secrets.getInfo, { tag: 'label', val: 'nobodys' })}`);
  }

  on_app_pebble_ready(delivery: Delivery) {
    const event = data(delivery, 'pebble-ready');
    files(event.container);
    services(event.container);
    commands(event.container);
    info(`error ${errorOf(pebble.getSystemInfo, 'nowhere')}`);
  }

  on_copy_action(delivery: Delivery) {
    const event = data(delivery, 'action');
    const { mib } = JSON.parse(actions.params());
    actions.log(`${event.name} ${mib}`);
    const process = exec('app', ['cat'], []);
    const [bytes, intact] = copy(process, mib * 2 ** 20);
    const code = process.wait();
    actions.setResults(JSON.stringify({ bytes, 'exit-code': code, intact }));
  }

  on_update_status(delivery: Delivery) {
    const { deferred } = delivery;
    info(`update-status ${deferred == null ? 'new' : `${deferred.count} ${deferred.reason}`}`);
    info(`error ${errorOf(relations.list, 'nowhere')}`);
    info(`error ${errorOf(hookTools.run, 'no-such-tool', [], undefined)}`);
    const misspelt = { event: { source: 'Canary', name: 'strat' }, path: 'Canary', method: 'x' };
    info(`error ${errorOf(framework.observe, misspelt)}`);
    store.saveSnapshot('Canary/raw', new Uint8Array([0, 1, 255]));
    info(`raw [${[...store.loadSnapshot('Canary/raw')!].join(', ')}]`);
    const output = hookTools.run('is-leader', ['--format=json'], undefined);
    info(`tool ${output.exitCode} ${text(output.stdout).trim()} ${unit.isLeader()}`);
  }

  on_collect_unit_status() {
    framework.collectStatus({ name: 'active', message: 'sings' });
  }
}

function readSecret(id: string) {
  const labelled: secrets.SecretReference = { tag: 'labelled', val: { id, label: 'theirs' } };
  for (const [key, value] of secrets.getContent(labelled, 'current')) {
    info(`secret ${key} of ${value.length}`);
  }
}

function addSecret(): string {
  const metadata: secrets.SecretMetadata = { label: 'ours', expire: 4102444800, rotate: 'monthly' };
  return secrets.add('app', [['first', 'one'], ['second', 'three']], metadata);
}

function files(container: string) {
  const path = '/srv/canary/data';
  const data = pattern(3000);
  const writer = pebble.push(container, path, { permissions: 0o640, makeParents: true });
  let written = 0;
  while (written < data.length) written += writer.write(data.subarray(written));
  writer.close();
  const about = pebble.stat(container, path);
  info(`stat ${about.size} ${about.permissions} ${about.name}`);
  const pulled: number[] = [];
  using reader = pebble.pull(container, path);
  for (let chunk: Uint8Array; (chunk = reader.read(1000)).length > 0; ) pulled.push(...chunk);
  info(`pulled ${pulled.length} ${pulled.every((byte, index) => byte === data[index])}`);
  for (const file of pebble.pullMany(container, [path, '/nowhere'])) {
    if (file.content.tag === 'ok') info(`file ${file.path} ${file.content.val.length}`);
    else info(`file ${file.path} missing ${file.content.val.kind === 'not-found'}`);
  }
  info(`error ${errorOf(pebble.pull, container, '/nowhere')}`);
}

function services(container: string) {
  pebble.addLayer(container, 'canary', LAYER, true);
  const id = pebble.startServices(container, ['idle'], 20);
  for (const service of pebble.services(container, [])) {
    info(`service ${service.name} ${service.current.tag === 'active'}`);
  }
  const change = pebble.change(container, id);
  const ended = change.readyTime! >= change.spawnTime;
  info(`change ${change.kind} ${change.status} ${change.tasks.length} ${ended}`);
  pebble.stopServices(container, ['idle'], undefined);
}

/** A command without options. */
function exec(container: string, command: string[], environment: [string, string][]) {
  return pebble.exec(container, command, { environment, timeout: 50, combineStderr: false });
}

function commands(container: string) {
  const script = 'echo $WORD; echo hiss >&2; exit 3';
  const output = exec(container, ['sh', '-c', script], [['WORD', 'tweet']]).waitOutput(1000);
  const printed = `${text(output.stdout).trim()} ${text(output.stderr).trim()}`;
  info(`exec ${output.exitCode} ${printed} ${output.stdoutTruncated}`);
  try {
    exec(container, ['no-such-program'], []);
  } catch (error) {
    const { tag, val } = payload(error) as PebbleError;
    if (tag === 'api') info(`api ${val.status}`);
  }
}

/** Bytes that repeat after `PERIOD`. */
const pattern = (length: number) => Uint8Array.from({ length }, (_, index) => index % PERIOD);

/**
 * Feeds a command while it prints. Returns how much it printed, and whether that
 * is what it was fed.
 */
function copy(process: pebble.Process, total: number): [number, boolean] {
  const data = pattern(CHUNK + PERIOD);
  using stdout = process.subscribe('stdout');
  using stdin = process.subscribe('stdin');
  let sent = 0;
  let read = 0;
  let intact = true;
  for (;;) {
    const ready = readiness.poll(sent < total ? [stdout, stdin] : [stdout], 30);
    if (ready.length === 0) throw new Error(`nothing is ready after ${sent} and ${read}`);
    if (ready.includes(1)) {
      const start = sent % PERIOD;
      sent += process.writeStdin(data.subarray(start, start + Math.min(CHUNK, total - sent)));
      if (sent === total) process.closeStdin();
    }
    if (ready.includes(0)) {
      const chunk = process.readStdout(CHUNK);
      if (chunk.length === 0) return [read, intact];
      intact &&= chunk[0] === read % PERIOD;
      read += chunk.length;
      intact &&= chunk[chunk.length - 1] === (read - 1) % PERIOD;
    }
  }
}

const OBSERVED: [string, string][] = [
  ['Canary', 'config_changed'],
  ['Canary', 'db_relation_changed'],
  ['Canary', 'secret_changed'],
  ['Canary', 'app_pebble_ready'],
  ['Canary', 'copy_action'],
  ['Canary', 'update_status'],
  [LIBRARY, 'ready'],
  ['Canary', 'collect_unit_status'],
];

function deliver(canary: Canary, delivery: Delivery) {
  const method = delivery.observer.method as keyof Canary;
  const reason = canary[method](delivery);
  const settlement: Settlement = reason == null ? { tag: 'handled' } : { tag: 'deferred', val: reason };
  framework.done(delivery.id, settlement);
}

function dispatch() {
  const canary = new Canary();
  const about = context.get();
  info(`${about.unitName} ${about.hookName ?? 'no hook'}`);
  framework.define(READY);
  for (const [source, name] of OBSERVED) {
    framework.observe({ event: { source, name }, path: 'Canary', method: `on_${name}` });
  }
  for (let delivery: Delivery | undefined; (delivery = framework.next()) != null; ) deliver(canary, delivery);
}

export const entry = {
  run(): Outcome {
    try {
      dispatch();
    } catch (error) {
      const message = JSON.stringify(payload(error));
      return { tag: 'failed', val: { kind: 'canary', message } };
    }
    return { tag: 'completed' };
  },
};
