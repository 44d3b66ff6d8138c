// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { configure, fireEvent, waitFor } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import { CommitBrowser } from '../commits/browse';
import { toDrivePath } from '../drive/paths';
import plugin from '../plugins/commits';
import { aCommit, idOf } from './commits.fixtures';
import { EVIL } from './history.fixtures';
import { COMMIT_A, RUN_A, makeClient } from './run.fixtures';
import { anArea } from './utils';

// other tests may run beside these
configure({ asyncUtilTimeout: 4000 });

const WORKSPACE = { path: 'team/iris', name: 'iris', prefix: '' };
const DETAIL = {
  ...aCommit(),
  id: COMMIT_A,
  created: '2026-02-03T04:05:06Z',
  message: `${EVIL}\nmore`
};

function aBrowser() {
  const model = {
    path: '',
    pathChanged: new Signal<object, unknown>({}),
    cd: jest.fn(async (path: string) => {
      model.path = `dotscience:${path.slice(1)}`;
      model.pathChanged.emit(null);
    })
  };
  const items: { path: string }[] = [];
  const widget = Object.assign(new Widget(), {
    model,
    selectedItems: () => items
  });
  return { items, model, widget };
}

function start(answers: Record<string, unknown> = {}) {
  const { client, asked } = makeClient({
    'v1/workspace': { workspace: WORKSPACE },
    'v1/commits': { items: [DETAIL], total: 1, offset: 0 },
    [`v1/commits/${COMMIT_A}`]: DETAIL,
    [`v1/commits/${COMMIT_A}/restore`]: { path: 'x', files: 2 },
    [`v1/runs/${RUN_A}`]: { id: RUN_A, commit: COMMIT_A },
    ...answers
  });
  const commands = new CommandRegistry();
  const compared = jest.fn();
  commands.addCommand(CommandIDs.openDifference, {
    describedBy: { args: {} },
    execute: compared
  });
  const added: Widget[] = [];
  const app = {
    commands,
    shell: {
      currentWidget: null,
      add: anArea(added),
      activateById: jest.fn()
    }
  };
  const workspaces = {
    client,
    path: 'team/iris',
    workspace: WORKSPACE,
    runsChanged: new Signal<object, unknown>({})
  };
  const browser = aBrowser();
  const browsers = {
    tracker: { find: () => ({ id: 'filebrowser' }) },
    createFileBrowser: jest.fn(() => browser.widget)
  };
  void plugin.activate(
    app as any,
    workspaces as any,
    null,
    null,
    browsers as any,
    null,
    null
  );
  return {
    added,
    app,
    asked,
    browser,
    browsers,
    commands,
    compared,
    workspaces
  };
}

afterEach(() => Notification.dismiss());

describe('the commands of commits', () => {
  it('are described', async () => {
    const { commands } = start();
    const own = commands
      .listCommands()
      .filter(id => id !== CommandIDs.openDifference);
    expect(own).toHaveLength(5);
    for (const id of own) {
      expect(commands.label(id)).not.toBe('');
      expect(commands.label(id, { isMenu: true })).not.toBe('');
      expect(commands.caption(id)).not.toBe('');
      const { args } = await commands.describedBy(id);
      expect(args?.properties).toBeDefined();
    }
    expect(commands.label(CommandIDs.browseCommit, { run: RUN_A })).toBe(
      'All Files as of This Run'
    );
  });

  it('open one tab a workspace, which reads itself anew', async () => {
    const { added, asked, commands, workspaces } = start();
    await commands.execute(CommandIDs.openCommits);
    await commands.execute(CommandIDs.openCommits, { commit: COMMIT_A });
    expect(added).toHaveLength(1);
    const reads = () =>
      asked.filter(({ path }) => path === 'v1/commits').length;
    await waitFor(() => expect(reads()).toBe(1));
    workspaces.runsChanged.emit(null);
    await waitFor(() => expect(reads()).toBe(2));
    added[0].dispose();
  });

  it('show the files of a commit or of a run in a browser of their own', async () => {
    const { added, app, browser, browsers, commands } = start();
    await commands.execute(CommandIDs.browseCommit, { commit: COMMIT_A });
    await commands.execute(CommandIDs.browseCommit, { run: RUN_A });
    expect(browsers.createFileBrowser).toHaveBeenCalledTimes(1);
    expect(app.shell.add).toHaveBeenCalledWith(
      expect.any(CommitBrowser),
      'left',
      expect.anything()
    );
    expect(browser.model.cd).toHaveBeenCalledTimes(2);
    expect(browser.model.cd).toHaveBeenLastCalledWith(
      expect.stringMatching(
        new RegExp(`^/team~-iris/2026-02-0\\d \\d\\d\\.\\d\\d ${COMMIT_A}$`)
      )
    );
    expect(added[0].title.caption).toMatch(/Feb \d, 2026/);
    // text of others stays text
    expect(added[0].node.querySelector('img')).toBeNull();
    expect(added[0].node.textContent).toContain(EVIL);
    const buttons = added[0].node.querySelectorAll('button');
    buttons[buttons.length - 1].click();
    expect(added[0].isDisposed).toBe(true);
    expect(app.shell.activateById).toHaveBeenLastCalledWith('filebrowser');
  });

  it('restore what is chosen, and nothing of another commit', async () => {
    const { asked, browser, commands } = start();
    expect(commands.isVisible(CommandIDs.restoreChosen)).toBe(false);
    await commands.execute(CommandIDs.browseCommit, { commit: COMMIT_A });
    expect(commands.isVisible(CommandIDs.restoreChosen)).toBe(true);
    const at = (commit: string, path: string) => ({
      path: toDrivePath({ workspace: 'team/iris', commit, path })
    });
    browser.items.push(
      at(COMMIT_A, 'sub'),
      at(COMMIT_A, 'a.txt'),
      at(idOf(1), 'b.txt')
    );
    const done = commands.execute(CommandIDs.restoreChosen);
    await waitFor(() =>
      expect(document.querySelector('.jp-Dialog')?.textContent).toContain(
        'New folder for sub and one more as of'
      )
    );
    const input = document.querySelector<HTMLInputElement>('.jp-Dialog input')!;
    expect(input.value).toMatch(/^team\/iris-restored-2026-02-03-aaaaaaaa$/);
    fireEvent.click(document.querySelector('.jp-Dialog .jp-mod-accept')!);
    await done;
    const request = asked[asked.length - 1];
    expect(request.path).toBe(`v1/commits/${COMMIT_A}/restore`);
    expect(JSON.parse(String(request.init.body))).toEqual({
      to: 'team/iris-restored-2026-02-03-aaaaaaaa',
      paths: ['sub', 'a.txt']
    });
  });

  it('restore any commit, also one without a run', async () => {
    const { asked, commands } = start();
    await commands.execute(CommandIDs.restoreCommit, {
      commit: COMMIT_A,
      to: 'elsewhere'
    });
    const request = asked[asked.length - 1];
    expect(JSON.parse(String(request.init.body))).toEqual({
      to: 'elsewhere',
      paths: []
    });
    expect(Notification.manager.notifications[0].message).toBe(
      'Commit aaaaaaaa was restored to elsewhere.'
    );
  });

  it('compare a commit with the one before it', async () => {
    const { commands, compared } = start();
    await commands.execute(CommandIDs.compareWithPrevious, {
      commit: COMMIT_A
    });
    expect(compared.mock.calls[0][0]).toEqual({
      old: idOf(1),
      new: COMMIT_A,
      workspace: 'team/iris'
    });
  });

  it('say that nothing is before the first one', async () => {
    const { commands, compared } = start({
      [`v1/commits/${COMMIT_A}`]: { ...DETAIL, parents: [] }
    });
    await commands.execute(CommandIDs.compareWithPrevious, {
      commit: COMMIT_A
    });
    expect(compared).not.toHaveBeenCalled();
    expect(Notification.manager.notifications[0].message).toContain(
      'the first commit'
    );
  });
});

describe('CommitBrowser', () => {
  it('follows the user to other commits', async () => {
    const { model, widget } = aBrowser();
    const browser = new CommitBrowser({
      client: { commitDetail: async () => DETAIL as any },
      factory: { createFileBrowser: () => widget } as any,
      onRestore: jest.fn(),
      trans: nullTranslator.load('dotscience_jupyter')
    });
    await browser.showCommit('', { ...DETAIL, id: idOf(7), message: '' });
    expect([browser.workspace, browser.commit]).toEqual(['', idOf(7)]);
    expect(browser.node.getAttribute('aria-label')).toContain('00000000');
    const restore = browser.node.querySelector('button')!;
    expect(restore.hidden).toBe(false);

    await model.cd('/~');
    expect(browser.commit).toBe('');
    expect(restore.hidden).toBe(true);
    expect(browser.node.textContent).toContain('open one to see its files');

    await model.cd(`/~/2026-02-03 04.05 ${COMMIT_A}/sub`);
    expect(browser.commit).toBe(COMMIT_A);
    await waitFor(() =>
      expect(browser.node.getAttribute('aria-label')).toContain('aaaaaaaa')
    );
    expect(restore.hidden).toBe(false);
    browser.dispose();
  });
});
