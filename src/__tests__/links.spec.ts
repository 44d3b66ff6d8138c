// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Clipboard, Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import { explorerLink } from '../explorer/link';
import { FRESH, parseState, type IExplorerState } from '../explorer/state';
import {
  addressOf,
  callOf,
  readLink,
  withoutLink,
  type ILink
} from '../links/link';
import { setLink } from '../links/tabs';
import plugin from '../plugins/links';
import { FakeClient, aWorkspace } from './utils';

const RUN = '0a1b2c3d-0000-4000-8000-000000000001';
const OTHER = '0a1b2c3d-0000-4000-8000-000000000002';
const COMMIT = 'c'.repeat(64);
const workspace = 'a b/c&d';

function read(address: string): ILink {
  const link = readLink(new URL(address).search);
  if (!link) {
    throw new Error(`Nothing is in ${address}`);
  }
  return link;
}

describe('links', () => {
  it.each<[ILink, string, object]>([
    [
      { view: 'run', parts: { run: RUN, workspace } },
      CommandIDs.openRun,
      { run: RUN, workspace }
    ],
    [
      {
        view: 'provenance',
        parts: {
          start: 'file:a b.csv',
          direction: 'up',
          depth: '3',
          as: 'list',
          workspace
        }
      },
      CommandIDs.openProvenance,
      {
        start: 'file:a b.csv',
        direction: 'up',
        depth: 3,
        view: 'list',
        workspace
      }
    ],
    [
      { view: 'history', parts: { path: 'x/ä?.ipynb' } },
      CommandIDs.openHistory,
      { file: 'x/ä?.ipynb' }
    ],
    [
      { view: 'compare', parts: { a: RUN, b: OTHER, workspace } },
      CommandIDs.compareRuns,
      { a: RUN, b: OTHER, workspace }
    ],
    [
      { view: 'lineages', parts: { a: `run:${RUN}`, b: 'file:x', workspace } },
      CommandIDs.compareLineages,
      { a: `run:${RUN}`, b: 'file:x', workspace }
    ],
    [
      {
        view: 'difference',
        parts: { old: 'HEAD~2', new: 'now', file: 'z.py', workspace }
      },
      CommandIDs.openDifference,
      { old: 'HEAD~2', new: 'now', file: 'z.py', workspace }
    ],
    [
      { view: 'merge', parts: { workspace } },
      CommandIDs.openMerge,
      { workspace, ask: false }
    ],
    [
      { view: 'file', parts: { commit: COMMIT, file: 'x/y.py', workspace } },
      CommandIDs.openFileAtCommit,
      { commit: COMMIT, path: 'x/y.py', workspace }
    ],
    [
      { view: 'commit', parts: { commit: COMMIT, workspace: '' } },
      CommandIDs.browseCommit,
      { commit: COMMIT, workspace: '' }
    ],
    [
      { view: 'commits', parts: { commit: COMMIT, workspace } },
      CommandIDs.openCommits,
      { commit: COMMIT, workspace }
    ]
  ])('lead to what they were copied from: %j', (link, command, args) => {
    const address = addressOf(link);
    expect(read(address)).toEqual(link);
    expect(callOf(read(address))).toEqual({ command, args });
    expect(withoutLink(address)).not.toContain('dotscience');
  });

  it('of older versions are understood', () => {
    expect(
      callOf(read('http://x/lab?dotscience-view=explorer&dotscience-where=a'))
    ).toEqual({ command: CommandIDs.openExplorer, args: { where: 'a' } });
    expect(
      callOf(read('http://x/lab?dotscience-view=difference')).args
    ).toEqual({ old: 'HEAD', new: 'now' });
  });

  it('are nothing where something is missing, or is not what it must be', () => {
    for (const query of [
      '?reset',
      '?dotscience-run=../../x',
      '?dotscience-view=other',
      '?dotscience-view=__proto__',
      '?dotscience-view=history',
      `?dotscience-view=compare&dotscience-a=${RUN}`,
      `?dotscience-view=compare&dotscience-a=${RUN}&dotscience-b=../x`,
      '?dotscience-view=file&dotscience-commit=HEAD/../..&dotscience-file=x',
      `?dotscience-view=run&dotscience-run=${'a'.repeat(101)}`
    ]) {
      expect([query, readLink(query)]).toEqual([query, null]);
    }
    expect(
      readLink('?dotscience-view=provenance&dotscience-direction=sideways')
    ).toEqual({ view: 'provenance', parts: {} });
  });

  it('take nothing else out of the address', () => {
    expect(
      withoutLink('http://x/lab?reset=&dotscience-run=a&dotscience-b=#here')
    ).toBe('http://x/lab?reset=#here');
  });
});

describe('a link to the explorer', () => {
  const state: IExplorerState = {
    ...FRESH,
    where: 'metrics."a b" > 1 and x = \'&\'',
    search: 'svm',
    sort: [{ key: 'metrics.a', descending: true }],
    columns: ['started', 'metrics.a'],
    pinned: ['description', 'author'],
    widths: { started: 200 },
    directions: { 'metrics.a': 'lower' },
    charts: [{ type: 'importance', id: '1', metric: 'metrics.a' }],
    chartsOpen: true,
    columnsOpen: true,
    share: 0.4,
    selected: [RUN, OTHER]
  };

  it('holds everything that comes back after a reload', () => {
    const { link, left } = explorerLink('w', state);
    expect(left).toEqual([]);
    const { args } = callOf(read(addressOf(link)));
    const { state: kept, ...rest } = args;
    expect(rest).toEqual({ workspace: 'w', where: state.where });
    expect({ ...parseState(kept), where: args.where }).toEqual(state);
  });

  it('does not become too long, and says what it leaves out', () => {
    const selected = Array.from({ length: 1000 }, () => RUN);
    const { link, left } = explorerLink('w', { ...state, selected });
    expect(left).toEqual(['selected']);
    expect(addressOf(link).length).toBeLessThan(7000);
    expect(parseState(callOf(link).args.state)).toMatchObject({
      columns: state.columns,
      selected: []
    });
    const columns = Array.from({ length: 900 }, (_, n) => `metrics.m${n}`);
    const wide = explorerLink('w', { ...state, columns });
    expect(wide.left).toEqual(['selected', 'widths', 'charts', 'columns']);
    expect(addressOf(wide.link).length).toBeLessThan(7000);
  });

  it('bears a state that is none', () => {
    const address = 'http://x/lab?dotscience-view=explorer&dotscience-state=';
    for (const text of ['{', '[1]', '7', '"x"', 'null']) {
      expect(callOf(read(address + encodeURIComponent(text))).args).toEqual({});
    }
  });
});

describe('the links plugin', () => {
  function activate(known = true) {
    const commands = new CommandRegistry();
    const called: [string, object][] = [];
    for (const command of [
      CommandIDs.openRun,
      CommandIDs.openDifference,
      CommandIDs.openHistory
    ]) {
      commands.addCommand(command, {
        describedBy: { args: null },
        execute: args => {
          called.push([command, args]);
        }
      });
    }
    const shell = { currentWidget: null as Widget | null };
    const tracker = {
      client: new FakeClient().client,
      workspace: known ? aWorkspace() : null,
      workspaceChanged: new Signal<object, unknown>({}),
      path: 'project'
    };
    const app = { commands, restored: Promise.resolve(), shell };
    const documents = {
      contextForWidget: (widget: Widget) =>
        widget.id.includes(':') ? { path: widget.id } : undefined
    };
    void plugin.activate(
      app as any,
      tracker as any,
      null,
      documents as any,
      null
    );
    return { called, commands, shell, tracker };
  }

  async function rest(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, 50));
  }

  let copied: jest.SpyInstance;
  beforeEach(() => {
    copied = jest
      .spyOn(Clipboard, 'copyToSystem')
      .mockImplementation(() => undefined);
  });
  afterEach(() => {
    copied.mockRestore();
    Notification.dismiss();
    window.history.replaceState(null, '', '/');
  });
  const copiedLink = () => read(copied.mock.calls.pop()[0]);

  it('opens the run of a link and takes it out of the address', async () => {
    window.history.replaceState(
      null,
      '',
      `/lab/tree/a.ipynb?dotscience-run=${RUN}&dotscience-workspace=w%20x&reset=1#end`
    );
    const { called } = activate();
    await rest();
    expect(called).toEqual([
      [CommandIDs.openRun, { run: RUN, workspace: 'w x' }]
    ]);
    expect(window.location.pathname).toBe('/lab/tree/a.ipynb');
    expect(window.location.search).toBe('?reset=1');
    expect(window.location.hash).toBe('#end');
  });

  it('waits for the workspace where a link names none', async () => {
    window.history.replaceState(
      null,
      '',
      '/lab?dotscience-view=difference&dotscience-old=aaa&dotscience-new=bbb&dotscience-file=z.py'
    );
    const { called, tracker } = activate(false);
    await rest();
    expect(called).toEqual([]);
    expect(window.location.search).toBe('');
    tracker.workspace = aWorkspace();
    tracker.workspaceChanged.emit(tracker.workspace);
    await rest();
    expect(called).toEqual([
      [CommandIDs.openDifference, { old: 'aaa', new: 'bbb', file: 'z.py' }]
    ]);
  });

  it('leaves other addresses alone, and does not follow what is no id', async () => {
    window.history.replaceState(null, '', '/lab?token=x');
    const { called } = activate();
    await rest();
    expect(window.location.search).toBe('?token=x');
    window.history.replaceState(null, '', '/lab?dotscience-run=../../api');
    activate();
    await rest();
    expect(called).toEqual([]);
    expect(window.location.search).toBe('');
  });

  it('copies links that can be followed', async () => {
    const { commands, shell } = activate();
    await commands.execute(CommandIDs.copyRunLink, { run: RUN });
    expect(copiedLink()).toEqual({
      view: 'run',
      parts: { run: RUN, workspace: 'project' }
    });
    await commands.execute(CommandIDs.copyLink, {
      view: 'commit',
      commit: COMMIT,
      workspace: 'project'
    });
    expect(copiedLink()).toEqual({
      view: 'commit',
      parts: { commit: COMMIT, workspace: 'project' }
    });

    expect(commands.isEnabled(CommandIDs.copyLink)).toBe(false);
    const tab = new Widget();
    setLink(tab, () => ({ view: 'history', parts: { path: 'a.py' } }));
    shell.currentWidget = tab;
    await commands.execute(CommandIDs.copyLink);
    expect(copiedLink()).toEqual({ view: 'history', parts: { path: 'a.py' } });

    const frozen = new Widget();
    frozen.id = `dotscience:team~-iris/${COMMIT}/x/y.py`;
    shell.currentWidget = frozen;
    await commands.execute(CommandIDs.copyLink);
    expect(copiedLink()).toEqual({
      view: 'file',
      parts: { workspace: 'team/iris', commit: COMMIT, file: 'x/y.py' }
    });
  });
});
