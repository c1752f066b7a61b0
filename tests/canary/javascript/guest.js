// The canary in JavaScript, on the interfaces as they are.

import * as config from 'charmhost:config/config@0.2.0';
import * as context from 'charmhost:context/context@0.2.0';
import * as framework from 'charmhost:framework/framework@0.2.0';
import * as hookTools from 'charmhost:hook-tools/hook-tools@0.2.0';
import * as log from 'charmhost:log/log@0.2.0';
import * as pebble from 'charmhost:pebble/pebble@0.2.0';
import * as ports from 'charmhost:ports/ports@0.2.0';
import * as relations from 'charmhost:relations/relations@0.2.0';
import * as store from 'charmhost:store/store@0.2.0';
import * as storedState from 'charmhost:stored-state/stored-state@0.2.0';
import * as unit from 'charmhost:unit/unit@0.2.0';

const LIBRARY = 'Canary/Lib[a]';
const READY = { source: LIBRARY, name: 'ready' };

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
  onConfigChanged() {
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

  onReady(delivery) {
    const data = JSON.parse(delivery.event.val.snapshot);
    info(`ready ${data.n} of ${delivery.observer.event.source}`);
  }

  onUpdateStatus(delivery) {
    const { deferred } = delivery;
    info(`update-status ${deferred == null ? 'new' : `${deferred.count} ${deferred.reason}`}`);
    for (const relation of relations.list('db')) {
      info(`relation ${relation.id} ${relation.app} ${relation.units.join(' ')}`);
      if (relation.app != null) {
        const owner = { tag: 'app', val: relation.app };
        for (const item of relations.read('db', relation.id, owner)) {
          info(`data ${item.key}=${item.value}`);
        }
      }
      relations.write('db', relation.id, 'unit', [{ key: 'seen', value: 'yes' }]);
    }
    info(`error ${errorOf(relations.list, 'nowhere')}`);
    info(`error ${errorOf(hookTools.run, 'no-such-tool', [], null)}`);
    info(`error ${errorOf(pebble.getSystemInfo, 'app')}`);
    const misspelt = { event: { source: 'Canary', name: 'strat' }, path: 'Canary', method: 'x' };
    info(`error ${errorOf(framework.observe, misspelt)}`);
    store.saveSnapshot('Canary/raw', new Uint8Array([0, 1, 255]));
    info(`raw [${[...store.loadSnapshot('Canary/raw')].join(', ')}]`);
    const output = hookTools.run('is-leader', ['--format=json'], null);
    info(`tool ${output.exitCode} ${text(output.stdout).trim()} ${unit.isLeader()}`);
  }

  onCollectUnitStatus() {
    framework.collectStatus({ name: 'active', message: 'sings' });
  }
}

const OBSERVED = [
  ['Canary', 'config_changed', 'onConfigChanged'],
  ['Canary', 'update_status', 'onUpdateStatus'],
  [LIBRARY, 'ready', 'onReady'],
  ['Canary', 'collect_unit_status', 'onCollectUnitStatus'],
];

function deliver(canary, delivery) {
  const reason = canary[delivery.observer.method](delivery);
  const outcome = reason == null ? { tag: 'handled' } : { tag: 'deferred', val: reason };
  framework.done(delivery.id, outcome);
}

export const entry = {
  run() {
    const canary = new Canary();
    const about = context.get();
    info(`${about.unitName} ${about.hookName} ${about.machineId ?? 'no machine'}`);
    framework.define(READY);
    for (const [source, name, method] of OBSERVED) {
      framework.observe({ event: { source, name }, path: 'Canary', method });
    }
    for (;;) {
      const delivery = framework.next();
      if (delivery == null) return { tag: 'completed' };
      deliver(canary, delivery);
    }
  },
};
