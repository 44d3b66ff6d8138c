// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import { configure, fireEvent, waitFor } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import { CommitsModel } from '../commits/model';
import { CommitsWidget } from '../commits/widget';
import { TOTAL, aHistoryOf, idOf } from './commits.fixtures';
import { EVIL } from './history.fixtures';

// other tests may run beside these
configure({ asyncUtilTimeout: 4000 });

const trans = nullTranslator.load('dotscience_jupyter');
const ALL = [
  CommandIDs.browseCommit,
  CommandIDs.compareWithPrevious,
  CommandIDs.openDifference,
  CommandIDs.openMerge,
  CommandIDs.restoreCommit,
  CommandIDs.copyLink
];

async function show(state: { total: number; message?: string }) {
  const { asked, client } = aHistoryOf(state);
  const model = new CommitsModel(client, 'team/iris');
  const commands = new CommandRegistry();
  const executed: [string, any][] = [];
  for (const id of [...ALL, CommandIDs.openRun]) {
    commands.addCommand(id, {
      label: `Label of ${id}`,
      describedBy: { args: {} },
      execute: args => {
        executed.push([id, args]);
      }
    });
  }
  const widget = new CommitsWidget({ commands, model, name: 'iris', trans });
  Widget.attach(widget, document.body);
  await model.load();
  const rows = () =>
    Array.from(widget.node.querySelectorAll<HTMLElement>('[role="option"]'));
  const list = () =>
    widget.node.querySelector<HTMLElement>('[role="listbox"]')!;
  const detail = () =>
    widget.node.querySelector<HTMLElement>('.jp-DotscienceCommits-detail')!;
  if (state.total > 0) {
    await waitFor(() => expect(rows().length).toBeGreaterThan(0));
  }
  return { asked, commands, detail, executed, list, model, rows, widget };
}

describe('the commits', () => {
  it('are drawn as far as they are visible, and reached at once', async () => {
    const { asked, detail, list, model, rows, widget } = await show({
      total: TOTAL
    });
    expect(widget.node.textContent).toContain('100000 commits');
    expect(rows().length).toBeLessThan(60);
    expect(rows()[0].getAttribute('aria-setsize')).toBe(String(TOTAL));
    expect(rows()[0].textContent).toMatch(
      /number 100000.*Ada.*3 files changed/
    );

    fireEvent.keyDown(list(), { key: 'End' });
    await waitFor(() => expect(model.selected?.id).toBe(idOf(1)));
    expect(model.selectedIndex).toBe(TOTAL - 1);
    await waitFor(() =>
      expect(detail().querySelector('h2')?.textContent).toBe('number 1')
    );
    expect(detail().textContent).toContain('first commit');
    // the first page, and what the end needs: nothing between
    expect(asked.length).toBeLessThanOrEqual(3);
    widget.dispose();
  });

  it('are chosen by the keyboard and opened', async () => {
    const { detail, executed, list, model, widget } = await show({ total: 5 });
    expect(model.selectedIndex).toBe(0);
    fireEvent.keyDown(list(), { key: 'ArrowDown' });
    await waitFor(() =>
      expect(detail().querySelector('h2')?.textContent).toBe('number 4')
    );
    const active = list().getAttribute('aria-activedescendant')!;
    expect(document.getElementById(active)?.getAttribute('aria-selected')).toBe(
      'true'
    );
    fireEvent.keyDown(list(), { key: 'Enter' });
    expect(executed).toEqual([
      [CommandIDs.browseCommit, { commit: idOf(4), workspace: 'team/iris' }]
    ]);
    widget.dispose();
  });

  it('have their actions beside them and in a menu', async () => {
    const { commands, detail, executed, rows, widget } = await show({
      total: 2
    });
    const labels = () =>
      Array.from(detail().querySelectorAll('.jp-DotscienceButton')).map(
        button => button.textContent
      );
    expect(labels()).toEqual(ALL.map(id => `Label of ${id}`));
    for (const button of detail().querySelectorAll('.jp-DotscienceButton')) {
      fireEvent.click(button);
    }
    expect(executed.map(([id]) => id)).toEqual(ALL);
    expect(
      executed.map(([, args]) => args.commit ?? args.old ?? args.theirs)
    ).toEqual(ALL.map(() => idOf(2)));
    fireEvent.contextMenu(rows()[1]);
    const menu = document.querySelector('.lm-Menu');
    // nothing was before the first commit
    expect(menu?.textContent).not.toContain(CommandIDs.compareWithPrevious);
    expect(menu?.textContent).toContain(
      commands.label(CommandIDs.restoreCommit)
    );
    fireEvent.keyDown(document, { key: 'Escape', keyCode: 27 });
    widget.dispose();
  });

  it('are searched', async () => {
    const { asked, rows, widget } = await show({ total: 5 });
    const input = widget.node.querySelector('input')!;
    fireEvent.change(input, { target: { value: ' word ' } });
    await waitFor(() => expect(rows()).toHaveLength(1));
    expect(asked[asked.length - 1]).toEqual({ offset: 0, search: 'word' });
    expect(widget.node.querySelector('[role="status"]')?.textContent).toBe(
      '1 commit'
    );
    widget.dispose();
  });

  it('stay text', async () => {
    const { detail, rows, widget } = await show({
      total: 2,
      message: `${EVIL}\n${EVIL}`
    });
    expect(rows()[0].textContent).toContain(EVIL);
    expect(detail().textContent).toContain(EVIL);
    expect(widget.node.querySelector('img')).toBeNull();
    widget.dispose();
  });

  it('say that there are none', async () => {
    const { widget } = await show({ total: 0 });
    await waitFor(() =>
      expect(widget.node.textContent).toContain('There is no commit yet')
    );
    widget.dispose();
  });
});

describe('CommitsModel', () => {
  it('keeps the chosen commit when new ones come in above it', async () => {
    const state = { total: 500 };
    const { asked, client } = aHistoryOf(state);
    const model = new CommitsModel(client, '');
    await model.load();
    expect(model.takeShift()).toBe(0);
    model.select(7);
    state.total = 503;
    await model.load();
    expect(model.selected?.id).toBe(idOf(493));
    expect(model.selectedIndex).toBe(10);
    expect(model.takeShift()).toBe(3);
    expect(model.takeShift()).toBe(0);
    // what is near is asked for once, however often it is wanted
    const before = asked.length;
    model.ensure(95, 105);
    model.ensure(95, 105);
    await waitFor(() => expect(model.get(104)).toBeDefined());
    expect(asked.slice(before)).toEqual([{ offset: 100, search: '' }]);
    model.dispose();
  });

  it('knows few pages of a long history', async () => {
    const { client } = aHistoryOf({ total: TOTAL });
    const model = new CommitsModel(client, '');
    await model.load();
    for (let page = 1; page < 40; page++) {
      model.ensure(page * 100, page * 100 + 1);
      await waitFor(() => expect(model.get(page * 100)).toBeDefined());
    }
    expect(model.get(0)).toBeUndefined();
    expect(model.get(3900)).toBeDefined();
    model.dispose();
  });

  it('chooses a commit that is far away', async () => {
    const { client } = aHistoryOf({ total: TOTAL });
    const model = new CommitsModel(client, '');
    await model.load();
    await model.choose(idOf(5));
    expect(model.selected?.message).toBe('number 5');
    expect(model.selectedIndex).toBe(-1);
    await model.choose(idOf(TOTAL - 3));
    expect(model.selectedIndex).toBe(3);
    model.dispose();
  });

  it('says what is wrong, and tries again', async () => {
    const { client } = aHistoryOf({ total: 3 });
    let fails = true;
    const model = new CommitsModel(
      {
        ...client,
        commits: async (path, query) => {
          if (fails) {
            throw new Error('no');
          }
          return client.commits(path, query as any);
        }
      },
      ''
    );
    await model.load();
    expect(model.error?.message).toBe('no');
    fails = false;
    await model.load();
    expect(model.error).toBeNull();
    expect(model.total).toBe(3);
    model.dispose();
  });
});
