// The canary in JavaScript, on the interfaces as they are.

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

const LIBRARY = 'Canary/Lib[a]';
const READY = { source: LIBRARY, name: 'ready' };
/** Bytes that are written or read at once. */
const CHUNK = 64 * 1024;
/** Length of the pattern that is sent to `cat`. */
const PERIOD = 251;
const LAYER = 'services: {idle: {override: replace, command: sleep 600}}';

const info = (message) => log.write('info', message);

/** The case of the error that a call ends with. */
function errorOf(call, ...args) {
  try {
    call(...args);
  } catch (error) {
    return error.payload.tag.replaceAll('-', '');
  }
  return 'none';
}

/** The bytes as text, of which there is only ASCII here. */
const text = (bytes) => String.fromCharCode(...bytes);

class Canary {
  on_config_changed() {
    const greeting = config.get('greeting');
    const count = config.get('count');
    const ratio = config.get('ratio');
    const tags = [greeting, count, ratio].map((value) => value.tag).join(' ');
    if (tags !== 'string integer float') throw new Error(tags);
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

  on_ready(delivery) {
    const data = JSON.parse(delivery.event.val.snapshot);
    info(`ready ${data.n} of ${delivery.observer.event.source}`);
  }

  on_db_relation_changed({ event: { val: event } }) {
    info(`changed ${event.endpoint} ${event.relationId} ${event.app} ${event.unit ?? 'none'}`);
    for (const relation of relations.list(event.endpoint)) {
      info(`relation ${relation.id} ${relation.app} ${relation.units.join(' ')}`);
      const owner = { tag: 'app', val: relation.app };
      for (const { key, value } of relations.read(event.endpoint, relation.id, owner)) {
        info(`data ${key}=${value}`);
        if (key === 'secret') readSecret(value);
      }
      const ours = addSecret();
      secrets.grant({ tag: 'id', val: ours }, relation.id, null);
      relations.write(event.endpoint, relation.id, 'app', [{ key: 'token', value: ours }]);
      relations.write(event.endpoint, relation.id, 'unit', [{ key: 'seen', value: 'yes' }]);
    }
  }

  on_secret_changed({ event: { val: event } }) {
    const secret = { tag: 'label', val: 'theirs' };
    for (const mode of ['current', 'refresh']) {
      for (const [key, value] of secrets.getContent(secret, mode)) {
        info(`${event.id} ${key} of ${value.length}`);
      }
    }
    const ours = secrets.getInfo({ tag: 'label', val: 'ours' });
    info(`ours ${ours.revision} ${ours.rotation === 'monthly'} ${ours.expires}`);
    info(`error ${errorOf(secrets.getInfo, { tag: 'label', val: 'nobodys' })}`);
  }

  on_app_pebble_ready({ event: { val: event } }) {
    files(event.container);
    services(event.container);
    commands(event.container);
    info(`error ${errorOf(pebble.getSystemInfo, 'nowhere')}`);
  }

  on_copy_action({ event: { val: event } }) {
    const { mib } = JSON.parse(actions.params());
    actions.log(`${event.name} ${mib}`);
    const process = exec('app', ['cat'], []);
    const [bytes, intact] = copy(process, mib * 2 ** 20);
    const code = process.wait();
    actions.setResults(JSON.stringify({ bytes, 'exit-code': code, intact }));
  }

  on_update_status(delivery) {
    const { deferred } = delivery;
    info(`update-status ${deferred == null ? 'new' : `${deferred.count} ${deferred.reason}`}`);
    info(`error ${errorOf(relations.list, 'nowhere')}`);
    info(`error ${errorOf(hookTools.run, 'no-such-tool', [], null)}`);
    const misspelt = { event: { source: 'Canary', name: 'strat' }, path: 'Canary', method: 'x' };
    info(`error ${errorOf(framework.observe, misspelt)}`);
    store.saveSnapshot('Canary/raw', new Uint8Array([0, 1, 255]));
    info(`raw [${[...store.loadSnapshot('Canary/raw')].join(', ')}]`);
    const output = hookTools.run('is-leader', ['--format=json'], null);
    info(`tool ${output.exitCode} ${text(output.stdout).trim()} ${unit.isLeader()}`);
  }

  on_collect_unit_status() {
    framework.collectStatus({ name: 'active', message: 'sings' });
  }
}

function readSecret(id) {
  const labelled = { tag: 'labelled', val: { id, label: 'theirs' } };
  for (const [key, value] of secrets.getContent(labelled, 'current')) {
    info(`secret ${key} of ${value.length}`);
  }
}

function addSecret() {
  const metadata = { label: 'ours', description: null, expire: 4102444800, rotate: 'monthly' };
  return secrets.add('app', [['first', 'one'], ['second', 'three']], metadata);
}

function files(container) {
  const path = '/srv/canary/data';
  const data = pattern(3000);
  const writer = pebble.push(container, path, { permissions: 0o640, makeParents: true });
  let written = 0;
  while (written < data.length) written += writer.write(data.subarray(written));
  writer.close();
  const about = pebble.stat(container, path);
  info(`stat ${about.size} ${about.permissions} ${about.name}`);
  const pulled = [];
  const reader = pebble.pull(container, path);
  for (let chunk; (chunk = reader.read(1000)).length > 0; ) pulled.push(...chunk);
  info(`pulled ${pulled.length} ${pulled.every((byte, index) => byte === data[index])}`);
  for (const file of pebble.pullMany(container, [path, '/nowhere'])) {
    if (file.content.tag === 'ok') info(`file ${file.path} ${file.content.val.length}`);
    else info(`file ${file.path} missing ${file.content.val.kind === 'not-found'}`);
  }
  info(`error ${errorOf(pebble.pull, container, '/nowhere')}`);
}

function services(container) {
  pebble.addLayer(container, 'canary', LAYER, true);
  const id = pebble.startServices(container, ['idle'], 20);
  for (const service of pebble.services(container, [])) {
    info(`service ${service.name} ${service.current.tag === 'active'}`);
  }
  const change = pebble.change(container, id);
  const ended = change.readyTime >= change.spawnTime;
  info(`change ${change.kind} ${change.status} ${change.tasks.length} ${ended}`);
  pebble.stopServices(container, ['idle'], null);
}

/** A command without options. */
function exec(container, command, environment) {
  return pebble.exec(container, command, { environment, timeout: 50, combineStderr: false });
}

function commands(container) {
  const script = 'echo $WORD; echo hiss >&2; exit 3';
  const output = exec(container, ['sh', '-c', script], [['WORD', 'tweet']]).waitOutput(1000);
  const printed = `${text(output.stdout).trim()} ${text(output.stderr).trim()}`;
  info(`exec ${output.exitCode} ${printed} ${output.stdoutTruncated}`);
  try {
    exec(container, ['no-such-program'], []);
  } catch (error) {
    info(`api ${error.payload.val.status}`);
  }
}

/** Bytes that repeat after `PERIOD`. */
const pattern = (length) => Uint8Array.from({ length }, (_, index) => index % PERIOD);

/**
 * Feeds a command while it prints. Returns how much it printed, and whether that
 * is what it was fed.
 */
function copy(process, total) {
  const data = pattern(CHUNK + PERIOD);
  const stdout = process.subscribe('stdout');
  const stdin = process.subscribe('stdin');
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

const OBSERVED = [
  ['Canary', 'config_changed'],
  ['Canary', 'db_relation_changed'],
  ['Canary', 'secret_changed'],
  ['Canary', 'app_pebble_ready'],
  ['Canary', 'copy_action'],
  ['Canary', 'update_status'],
  [LIBRARY, 'ready'],
  ['Canary', 'collect_unit_status'],
];

function deliver(canary, delivery) {
  const reason = canary[delivery.observer.method](delivery);
  const settlement = reason == null ? { tag: 'handled' } : { tag: 'deferred', val: reason };
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
  for (let delivery; (delivery = framework.next()) != null; ) deliver(canary, delivery);
}

export const entry = {
  run() {
    try {
      dispatch();
    } catch (error) {
      if (error.payload == null) throw error;
      return { tag: 'failed', val: { kind: 'canary', message: JSON.stringify(error.payload) } };
    }
    return { tag: 'completed' };
  },
};
