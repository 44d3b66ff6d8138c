// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Clipboard } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands';
import plugin from '../plugins/explorer';
import { FakeClient, aWorkspace } from './utils';

const RUN = '0a1b2c3d-0000-4000-8000-000000000001';

function activate(): { commands: CommandRegistry; opened: jest.Mock } {
  const commands = new CommandRegistry();
  const opened = jest.fn();
  commands.addCommand(CommandIDs.openRun, {
    describedBy: { args: null },
    execute: opened
  });
  const app = {
    commands,
    restored: Promise.resolve(),
    shell: { add: jest.fn(), activateById: jest.fn() }
  };
  const tracker = {
    client: new FakeClient().client,
    workspace: aWorkspace(),
    path: 'project'
  };
  void plugin.activate(
    app as any,
    tracker as any,
    null,
    null,
    null,
    null,
    null
  );
  return { commands, opened };
}

async function rest(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 50));
}

describe('the explorer plugin', () => {
  afterEach(() => window.history.replaceState(null, '', '/'));

  it('opens the run of a link and takes it out of the address', async () => {
    window.history.replaceState(
      null,
      '',
      `/lab/tree/a.ipynb?dotscience-run=${RUN}&dotscience-workspace=w%20x&reset=1#end`
    );
    const { opened } = activate();
    await rest();
    expect(opened).toHaveBeenCalledWith({ run: RUN, workspace: 'w x' });
    expect(window.location.pathname).toBe('/lab/tree/a.ipynb');
    expect(window.location.search).toBe('?reset=1');
    expect(window.location.hash).toBe('#end');
  });

  it('leaves other addresses alone', async () => {
    window.history.replaceState(null, '', '/lab?token=x');
    const { opened } = activate();
    await rest();
    expect(opened).not.toHaveBeenCalled();
    expect(window.location.search).toBe('?token=x');
  });

  it('does not follow what is no id', async () => {
    window.history.replaceState(null, '', '/lab?dotscience-run=../../api');
    const { opened } = activate();
    await rest();
    expect(opened).not.toHaveBeenCalled();
    expect(window.location.search).toBe('');
  });

  it('copies a link that can be followed', async () => {
    const copy = jest
      .spyOn(Clipboard, 'copyToSystem')
      .mockImplementation(() => undefined);
    const { commands } = activate();
    await commands.execute(CommandIDs.copyRunLink, { run: RUN });
    const url = new URL(copy.mock.calls[0][0] as string);
    expect(url.searchParams.get('dotscience-run')).toBe(RUN);
    expect(url.searchParams.get('dotscience-workspace')).toBe('project');
    expect(url.pathname).toMatch(/\/lab/);
  });
});
