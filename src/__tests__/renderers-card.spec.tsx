// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import {
  MimeModel,
  RenderMimeRegistry,
  standardRendererFactories
} from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { fireEvent, waitFor } from '@testing-library/dom';

import { createCardFactory } from '../rendermime/card';
import { readRecord } from '../rendermime/record';
import { RUN_MIME_TYPE } from '../tokens';
import { RUN_A } from './run.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');

const record = {
  format: 1,
  id: RUN_A,
  reduced: true,
  run: {
    version: '1',
    description: 'train',
    start: '20260304T050607.000000',
    end: '20260304T050722.500000',
    input: ['b.csv', 'a.csv'],
    output: ['model.joblib'],
    parameters: { lr: '0.010000000000000001', name: '007' },
    summary: { accuracy: '0.93333333333', loss: '0.1' },
    labels: {}
  },
  types: {
    parameters: { lr: 'float', name: 'str' },
    summary: { accuracy: 'float' }
  },
  series: { loss: { count: 100, last: 0.1 } }
};

describe('readRecord', () => {
  it('reads a reduced record', () => {
    expect(readRecord(record)).toEqual({
      id: RUN_A,
      description: 'train',
      error: null,
      traceback: null,
      seconds: 75.5,
      metrics: [
        { name: 'accuracy', text: '0.933333', count: null },
        { name: 'loss', text: '0.1', count: 100 }
      ],
      parameters: [
        { name: 'lr', text: '0.01' },
        { name: 'name', text: '007' }
      ],
      labels: [],
      inputs: ['a.csv', 'b.csv'],
      outputs: ['model.joblib']
    });
  });

  it.each([null, 1, 'x', [], {}, { id: 'x' }, { id: 1, run: {} }])(
    'takes %p for no record',
    data => {
      expect(readRecord(data)).toBeNull();
    }
  );

  it('takes nothing else for granted', () => {
    expect(
      readRecord({
        id: 'x',
        run: {
          input: 'a',
          output: [1, null],
          parameters: [1],
          summary: { a: { b: 1 }, c: null },
          start: 'yesterday',
          end: 5,
          description: 7
        },
        series: 3,
        types: 'none'
      })
    ).toMatchObject({
      description: '',
      seconds: null,
      inputs: [],
      outputs: [],
      metrics: [
        { name: 'a', text: '{"b":1}' },
        { name: 'c', text: 'null' }
      ]
    });
  });
});

describe('the card', () => {
  const openRun = jest.fn();
  const registry = new RenderMimeRegistry({
    initialFactories: standardRendererFactories
  });
  registry.addFactory(createCardFactory(openRun, trans));

  async function draw(data: ReadonlyPartialJSONValue): Promise<Widget> {
    const widget = registry.createRenderer(RUN_MIME_TYPE);
    Widget.attach(widget, document.body);
    await widget.renderModel(
      new MimeModel({ data: { [RUN_MIME_TYPE]: data }, trusted: false })
    );
    await waitFor(() => expect(widget.node.textContent).not.toBe(''));
    return widget;
  }

  it('wins over HTML, trusted or not', () => {
    const bundle = {
      [RUN_MIME_TYPE]: {},
      'text/html': '<b>x</b>',
      'text/plain': 'x'
    };
    expect(registry.preferredMimeType(bundle, 'ensure')).toBe(RUN_MIME_TYPE);
    expect(registry.preferredMimeType(bundle, 'any')).toBe(RUN_MIME_TYPE);
  });

  it('shows the run and opens it', async () => {
    const widget = await draw(record);
    expect(widget.node.textContent).toContain('train');
    expect(widget.node.textContent).toContain('0.1 (100 points)');
    expect(widget.node.textContent).toContain('1 min 16 s');
    fireEvent.click(widget.node.querySelector('button')!);
    expect(openRun).toHaveBeenCalledWith(RUN_A, null);
    widget.dispose();
  });

  it('keeps text text', async () => {
    const evil = '<img src=x onerror=alert(1)><script>1</script>';
    const widget = await draw({
      id: evil,
      run: {
        description: evil,
        error: evil,
        input: [evil],
        parameters: { [evil]: evil }
      },
      traceback: `${evil}!`
    });
    expect(widget.node.querySelector('img, script')).toBeNull();
    expect(widget.node.textContent!.split(evil).length).toBeGreaterThan(5);
    widget.dispose();
  });

  it('says when there is nothing to show', async () => {
    const widget = await draw({ format: 1 });
    expect(widget.node.textContent).toContain('cannot be read');
    widget.dispose();
  });

  it('shows no more than fits', async () => {
    const paths = Array.from({ length: 40 }, (_, index) => `f${index}`);
    const widget = await draw({ id: 'x', run: { input: paths } });
    expect(widget.node.querySelectorAll('tr')).toHaveLength(13);
    expect(widget.node.textContent).toContain('and 28 more');
    widget.dispose();
  });
});
