// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { MainAreaWidget } from '@jupyterlab/apputils';
import { Context, TextModelFactory } from '@jupyterlab/docregistry';
import { ContentsManager } from '@jupyterlab/services';
import { ServiceManagerMock } from '@jupyterlab/services/lib/testutils';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { configure, fireEvent, waitFor } from '@testing-library/dom';

import { FrozenDrive } from '../drive/drive';
import { FrozenExtension } from '../drive/frozen';
import { toDrivePath } from '../drive/paths';
import { COMMIT_A, RUN_A, makeClient } from './run.fixtures';

// other tests may run beside these
configure({ asyncUtilTimeout: 4000 });

const trans = nullTranslator.load('dotscience_jupyter');

class Model {
  readOnly = false;
  stateChanged = new Signal<this, any>(this);
  get dirty(): boolean {
    return this._dirty;
  }
  set dirty(value: boolean) {
    this._dirty = value;
    this.stateChanged.emit({});
  }
  private _dirty = false;
}

function make(path: string) {
  const cells = [
    { syncEditable: true, readOnly: false },
    { syncEditable: true, readOnly: false }
  ];
  const content = new Widget();
  Object.defineProperty(content, 'widgets', { value: cells });
  const widget = new MainAreaWidget({ content });
  widget.title.label = 'train.ipynb';
  const context = {
    path,
    model: new Model(),
    ready: Promise.resolve(),
    sessionContext: { kernelPreference: { name: 'python3', shouldStart: true } }
  };
  const openRun = jest.fn();
  const browse = jest.fn();
  const restore = jest.fn();
  const scratchCopy = jest.fn();
  const { asked, client } = makeClient({
    [`v1/commits/${COMMIT_A}`]: {
      id: COMMIT_A,
      runs: [RUN_A],
      created: '2026-03-04T05:06:07Z',
      message: 'train\nmore',
      author: 'Ada'
    }
  });
  const extension = new FrozenExtension({
    client,
    openRun,
    browse,
    restore,
    scratchCopy,
    trans
  });
  const disposable = extension.createNew(widget, context as any);
  return {
    widget,
    context,
    cells,
    asked,
    openRun,
    browse,
    restore,
    scratchCopy,
    disposable
  };
}

const FROZEN = toDrivePath({
  workspace: 'iris',
  commit: COMMIT_A,
  path: 'train.ipynb'
});

describe('FrozenExtension', () => {
  it('leaves other documents alone', async () => {
    const { widget, context, cells, disposable } = make('iris/train.ipynb');
    await context.ready;
    expect(disposable).toBeUndefined();
    expect(context.sessionContext.kernelPreference.shouldStart).toBe(true);
    expect(context.model.readOnly).toBe(false);
    expect(cells[0].readOnly).toBe(false);
    expect(widget.contentHeader.widgets).toHaveLength(0);
  });

  it('starts no kernel, locks the cells and never is dirty', async () => {
    const { context, cells } = make(FROZEN);
    expect(context.sessionContext.kernelPreference).toEqual({
      name: 'python3',
      shouldStart: false,
      canStart: false,
      autoStartDefault: false
    });
    await context.ready;
    expect(context.model.readOnly).toBe(true);
    expect(cells).toEqual([
      { syncEditable: false, readOnly: true },
      { syncEditable: false, readOnly: true }
    ]);
    context.model.dirty = true;
    expect(context.model.dirty).toBe(false);
  });

  it('marks the tab, also when its caption is written anew, and keeps its label', () => {
    const { widget } = make(FROZEN);
    expect(widget.title.dataset['dotscience-as-of']).toBe('as of aaaaaaaa');
    widget.title.caption = 'Name: train.ipynb\n';
    expect(widget.title.caption).toBe('Name: train.ipynb\nas of aaaaaaaa');
    expect(widget.title.label).toBe('train.ipynb');
  });

  it('marks the tab with its moment once that is known', async () => {
    const { asked, widget } = make(FROZEN);
    widget.title.caption = 'Name: train.ipynb';
    await waitFor(() =>
      expect(widget.title.dataset['dotscience-as-of']).toMatch(
        /^as of 2026-03-04 \d\d:\d\d$/
      )
    );
    expect(widget.title.caption).toMatch(
      /^Name: train\.ipynb\nas of 2026-03-04 \d\d:\d\d$/
    );
    // the line over the document asks no second time
    Widget.attach(widget, document.body);
    await waitFor(() => expect(widget.node.textContent).toContain('train'));
    expect(asked).toHaveLength(1);
    widget.dispose();
  });

  it('says over the document what it is, with the way to the run', async () => {
    const { widget, browse, openRun, restore, scratchCopy } = make(FROZEN);
    Widget.attach(widget, document.body);
    await waitFor(() =>
      expect(widget.node.textContent).toMatch(
        /Read-only, as of run 11111111 \(.*2026.*\): train/
      )
    );
    const [open, copy, all, toFolder] = Array.from(
      widget.contentHeader.node.querySelectorAll('button')
    );
    fireEvent.click(open);
    expect(openRun).toHaveBeenCalledWith(RUN_A, 'iris');
    fireEvent.click(copy);
    expect(scratchCopy).toHaveBeenCalledWith(COMMIT_A, 'train.ipynb', 'iris');
    fireEvent.click(all);
    expect(browse).toHaveBeenCalledWith(COMMIT_A, 'iris');
    fireEvent.click(toFolder);
    expect(restore).toHaveBeenCalledWith(COMMIT_A, 'iris');
    widget.dispose();
  });
});

describe('a document of the drive', () => {
  it('is read as JupyterLab reads any other, starts no kernel and cannot be saved', async () => {
    const { client } = makeClient({
      [`v1/commits/${COMMIT_A}/files`]: {
        path: '',
        items: [
          {
            path: 'train.py',
            name: 'train.py',
            kind: 'file',
            size: 9,
            mode: 0o644,
            modified: '2026-03-04T05:06:07Z',
            digest: 'd'.repeat(64),
            target: ''
          }
        ]
      },
      [`v1/commits/${COMMIT_A}/files/train.py`]: () =>
        new Response('print(1)\n', {
          headers: { 'Content-Type': 'text/x-python' }
        })
    });
    const contents = new ContentsManager();
    contents.addDrive(new FrozenDrive({ client, trans }));
    const manager = new ServiceManagerMock();
    Object.defineProperty(manager, 'contents', { value: contents });
    const context = new Context({
      manager,
      factory: new TextModelFactory(),
      path: toDrivePath({
        workspace: '',
        commit: COMMIT_A,
        path: 'train.py'
      }),
      kernelPreference: { name: 'default', shouldStart: true }
    });
    const extension = new FrozenExtension({
      client,
      openRun: jest.fn(),
      browse: jest.fn(),
      restore: jest.fn(),
      scratchCopy: jest.fn(),
      trans
    });
    const disposable = extension.createNew(new Widget(), context as any);
    await context.initialize(false);
    await context.ready;
    expect(context.model.toString()).toBe('print(1)\n');
    expect(context.canSave).toBe(false);
    expect(context.contentsModel?.writable).toBe(false);
    expect(context.model.readOnly).toBe(true);
    await context.sessionContext.initialize();
    expect(context.sessionContext.session).toBeNull();

    context.model.fromString('changed');
    expect(context.model.dirty).toBe(false);
    const saved = context.save();
    await expect(saved).rejects.toThrow('Files of a commit are read-only');
    await waitFor(() =>
      expect(document.querySelector('.jp-Dialog')?.textContent).toContain(
        'Files of a commit are read-only'
      )
    );
    fireEvent.click(document.querySelector('.jp-Dialog-footer button')!);
    await waitFor(() =>
      expect(document.querySelector('.jp-Dialog')).toBeNull()
    );
    await expect(context.rename('other.py')).rejects.toThrow('read-only');
    disposable?.dispose();
    context.dispose();
  });
});
