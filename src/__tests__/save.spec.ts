// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { NotebookModel } from '@jupyterlab/notebook';
import { OutputModel } from '@jupyterlab/rendermime';
import { Signal } from '@lumino/signaling';

import { PublishDetector } from '../save/detector';
import { SaveQueue } from '../save/queue';
import { NotebookSaver } from '../save/saver';
import { RUN_MIME_TYPE } from '../tokens';
import { later, settle } from './utils';

const RUN = '[[DOTSCIENCE-RUN:1]]{}[[/DOTSCIENCE-RUN:1]]\n';

const stream = (text: string) =>
  ({ output_type: 'stream', name: 'stdout', text }) as const;
const display = () =>
  ({
    output_type: 'display_data',
    data: { [RUN_MIME_TYPE]: {}, 'text/plain': 'run' },
    metadata: {}
  }) as const;

describe('SaveQueue', () => {
  it('saves one at a time, and once more for all that came meanwhile', async () => {
    const gates = [later<void>(), later<void>()];
    const save = jest
      .fn<Promise<void>, []>()
      .mockReturnValueOnce(gates[0].promise)
      .mockReturnValueOnce(gates[1].promise);
    const queue = new SaveQueue(save);
    const done = queue.request();
    void queue.request();
    void queue.request();
    await settle();
    expect(save).toHaveBeenCalledTimes(1);
    gates[0].resolve();
    await settle();
    expect(save).toHaveBeenCalledTimes(2);
    gates[1].resolve();
    await done;
    expect(save).toHaveBeenCalledTimes(2);
  });

  it('goes on after a failure', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const save = jest
      .fn<Promise<void>, []>()
      .mockRejectedValueOnce(new Error('disk full'))
      .mockResolvedValue();
    const queue = new SaveQueue(save);
    await queue.request();
    await queue.request();
    expect(save).toHaveBeenCalledTimes(2);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });
});

describe('PublishDetector', () => {
  it('sees a run in a display, once', () => {
    const detector = new PublishDetector();
    const output = new OutputModel({ value: display() });
    expect(detector.hasNewRun(output)).toBe(true);
    expect(detector.hasNewRun(output)).toBe(false);
  });

  it('sees each run in a text that grows, even in pieces', () => {
    const detector = new PublishDetector();
    const output = new OutputModel({ value: stream('epoch 1\n') });
    const append = (text: string) => {
      const old = output.streamText!;
      old.insert(old.text.length, text);
      return detector.hasNewRun(output);
    };
    expect(detector.hasNewRun(output)).toBe(false);
    expect(append('[[DOTSCIENCE-RUN:1]]{}[[/DOTSC')).toBe(false);
    expect(append('IENCE-RUN:1]]')).toBe(true);
    expect(append('epoch 2')).toBe(false);
    expect(append(RUN)).toBe(true);
  });

  it('ignores other outputs', () => {
    const detector = new PublishDetector();
    const value = {
      output_type: 'display_data',
      data: { 'text/plain': RUN },
      metadata: {}
    } as const;
    expect(detector.hasNewRun(new OutputModel({ value }))).toBe(false);
  });
});

describe('NotebookSaver', () => {
  let model: NotebookModel;
  let context: any;
  let saver: NotebookSaver;
  let isEnabled: boolean;
  let saving: ReturnType<typeof later<void>> | null;

  const outputs = () => (model.cells.get(0) as any).outputs;
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const setStatus = (status: string) => {
    context.sessionContext.session.kernel.status = status;
    context.sessionContext.statusChanged.emit(status);
  };

  beforeEach(async () => {
    // Notebook models of JupyterLab make yjs grumble under Jest.
    jest.spyOn(console, 'warn').mockImplementation();
    jest.useFakeTimers();
    isEnabled = true;
    saving = null;
    model = new NotebookModel();
    model.fromJSON({
      cells: [
        {
          cell_type: 'code',
          execution_count: null,
          metadata: {},
          outputs: [],
          source: ''
        }
      ],
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5
    });
    const owner = {};
    context = {
      path: 'train.ipynb',
      isDisposed: false,
      ready: Promise.resolve(),
      model,
      contentsModel: { writable: true },
      disposed: new Signal<any, void>(owner),
      save: jest.fn(() => saving?.promise ?? Promise.resolve()),
      sessionContext: {
        session: { kernel: { status: 'busy' } },
        statusChanged: new Signal<any, string>(owner)
      }
    };
    saver = new NotebookSaver(context, () => isEnabled);
    await settle();
  });

  afterEach(() => {
    saver.dispose();
    model.dispose();
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('saves once for the text and the display of one publish', async () => {
    outputs().add(stream(RUN));
    outputs().add(display());
    expect(context.save).not.toHaveBeenCalled();
    await pass(300);
    expect(context.save).toHaveBeenCalledTimes(1);
  });

  it('saves as soon as the cell has ended', async () => {
    outputs().add(display());
    await pass(10);
    setStatus('idle');
    await pass(30);
    expect(context.save).toHaveBeenCalledTimes(1);
    await pass(1000);
    expect(context.save).toHaveBeenCalledTimes(1);
  });

  it('saves again when another run was published while it saved', async () => {
    saving = later<void>();
    outputs().add(display());
    await pass(300);
    outputs().add(display());
    await pass(300);
    outputs().add(display());
    await pass(300);
    expect(context.save).toHaveBeenCalledTimes(1);
    saving.resolve();
    saving = null;
    await pass(0);
    expect(context.save).toHaveBeenCalledTimes(2);
  });

  it('watches cells that are added later', async () => {
    model.sharedModel.insertCell(0, { cell_type: 'code', source: '' });
    outputs().add(display());
    await pass(300);
    expect(context.save).toHaveBeenCalledTimes(1);
  });

  it('leaves notebooks alone that publish nothing, or in which nothing runs', async () => {
    outputs().add(stream('hello'));
    setStatus('idle');
    outputs().add(display());
    await pass(1000);
    expect(context.save).not.toHaveBeenCalled();
  });

  it('does not save when that is switched off, or not allowed', async () => {
    isEnabled = false;
    outputs().add(display());
    await pass(300);
    isEnabled = true;
    context.contentsModel = { writable: false };
    outputs().add(display());
    await pass(300);
    expect(context.save).not.toHaveBeenCalled();
  });

  it('ends with the document', async () => {
    outputs().add(display());
    context.disposed.emit();
    await pass(1000);
    expect(saver.isDisposed).toBe(true);
    expect(context.save).not.toHaveBeenCalled();
  });
});
