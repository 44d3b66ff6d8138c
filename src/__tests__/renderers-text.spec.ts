// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { MimeModel, standardRendererFactories } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Sanitizer } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { hideRunText } from '../rendermime/runtext';
import { STDOUT_MIME_TYPE, createStdoutFactory } from '../rendermime/stdout';

const trans = nullTranslator.load('dotscience_jupyter');

const block = (id: string, body = '{\n    "version": "1"\n}'): string =>
  `[[DOTSCIENCE-RUN:${id}]]${body}[[/DOTSCIENCE-RUN:${id}]]`;

describe('hideRunText', () => {
  it.each([
    '',
    'plain\ntext\n',
    '[[DOTSCIENCE]]',
    'a marker is written [[DOTSCIENCE-RUN:id]] like this\n',
    'and closed [[/DOTSCIENCE-RUN:id]] like that\n'
  ])('leaves %p as it is', source => {
    expect(hideRunText(source)).toEqual({ text: source, hidden: [] });
  });

  it('takes out a block with the line end that belongs to it', () => {
    expect(hideRunText(`before\n${block('a')}\nafter\n`)).toEqual({
      text: 'before\nafter\n',
      hidden: [block('a')]
    });
  });

  it('keeps the line end where the block is part of a line', () => {
    expect(hideRunText(`before ${block('a')}\nafter`).text).toBe(
      'before \nafter'
    );
  });

  it('takes out several blocks', () => {
    const source = `${block('a')}\n1\n${block('b')}\n2\n${block('a')}\n`;
    expect(hideRunText(source)).toEqual({
      text: '1\n2\n',
      hidden: [block('a'), block('b'), block('a')]
    });
  });

  it('takes markers in a block for a part of it', () => {
    const nested = block('a', `{"description": "${block('b')}"}`);
    expect(hideRunText(`${nested}\nx`)).toEqual({
      text: 'x',
      hidden: [nested]
    });
  });

  it('hides a block that is still being written, piece by piece', () => {
    const whole = `x\n${block('a')}\ny\n`;
    const start = whole.indexOf(']]') + 2;
    for (let length = start; length <= whole.length - 'y\n'.length; length++) {
      const { text } = hideRunText(whole.slice(0, length));
      expect(text.replace(/\n$/, '')).toBe('x');
    }
  });

  it('hides the two halves of a block that another output parts', () => {
    const whole = block('a');
    const half = whole.indexOf('"version"');
    expect(hideRunText(`1\n${whole.slice(0, half)}`)).toEqual({
      text: '1\n',
      hidden: [whole.slice(0, half)]
    });
    expect(hideRunText(`${whole.slice(half)}\n2\n`)).toEqual({
      text: '2\n',
      hidden: [whole.slice(half)]
    });
  });

  it('hides the end of one block and the whole of the next', () => {
    const whole = block('a');
    const end = whole.slice(30);
    expect(hideRunText(`${end}\n1\n${block('b')}\n2`)).toEqual({
      text: '1\n2',
      hidden: [end, block('b')]
    });
  });

  it('does not lose text that is not of a block', () => {
    const parts = ['a\n', block('1'), '\n', 'b [[x]] ', block('2'), ' c\n'];
    const { text, hidden } = hideRunText(parts.join(''));
    expect(text).toBe('a\nb [[x]]  c\n');
    expect(hidden).toEqual([parts[1], parts[4]]);
  });
});

describe('createStdoutFactory', () => {
  const stock = standardRendererFactories.find(factory =>
    factory.mimeTypes.includes(STDOUT_MIME_TYPE)
  )!;
  const options: IRenderMime.IRendererOptions = {
    mimeType: STDOUT_MIME_TYPE,
    resolver: null,
    sanitizer: new Sanitizer(),
    linkHandler: null,
    latexTypesetter: null
  };
  const model = (text: string): MimeModel =>
    new MimeModel({ data: { [STDOUT_MIME_TYPE]: text }, trusted: false });
  const create = (): IRenderMime.IRenderer =>
    createStdoutFactory(stock, trans).createRenderer(options);

  it('renders what has no run text exactly like the stock renderer', async () => {
    const text = 'a \u001b[31mred\u001b[0m word, https://example.org/x <b>\n';
    const ours = create();
    const theirs = stock.createRenderer(options);
    await ours.renderModel(model(text));
    await theirs.renderModel(model(text));
    expect(ours.node.outerHTML).toBe(theirs.node.outerHTML);
    expect(ours.node.querySelector('a')?.href).toBe('https://example.org/x');
    theirs.dispose();
  });

  it('renders the rest like the stock renderer and folds the run text away', async () => {
    const ours = create();
    const theirs = stock.createRenderer(options);
    const source = model(`\u001b[31m1\u001b[0m\n${block('a')}\n2\n`);
    const before = JSON.stringify(source.data);
    await ours.renderModel(source);
    await theirs.renderModel(model('\u001b[31m1\u001b[0m\n2\n'));
    const fold = ours.node.querySelector('details')!;
    expect(fold.open).toBe(false);
    expect(fold.querySelector('summary')?.textContent).toBe('run text hidden');
    expect(fold.querySelector('pre')?.textContent).toBe(block('a'));
    fold.remove();
    expect(ours.node.outerHTML).toBe(theirs.node.outerHTML);
    expect(JSON.stringify(source.data)).toBe(before);
    theirs.dispose();
  });

  it('keeps text of a run text', async () => {
    const ours = create();
    const evil = block('a', '{"description": "<img src=x onerror=alert(1)>"}');
    await ours.renderModel(model(evil));
    expect(ours.node.querySelector('img')).toBeNull();
    expect(ours.node.querySelector('details pre')?.textContent).toBe(evil);
  });

  it('follows output that streams in, and stays open once opened', async () => {
    const ours = create();
    await ours.renderModel(model('1\n'));
    expect(ours.node.querySelector('details')).toBeNull();
    await ours.renderModel(model(`1\n${block('a').slice(0, 40)}`));
    const first = ours.node.querySelector('details')!;
    first.open = true;
    first.dispatchEvent(new Event('toggle'));
    await Promise.all([
      ours.renderModel(model(`1\n${block('a')}\n`)),
      ours.renderModel(model(`1\n${block('a')}\n2\n`))
    ]);
    expect(ours.node.querySelectorAll('details')).toHaveLength(1);
    expect(ours.node.querySelector('details')?.open).toBe(true);
    expect(ours.node.querySelector('details pre')?.textContent).toBe(
      block('a')
    );
    expect(ours.node.querySelector(':scope > pre')?.textContent).toBe('1\n2\n');
    await ours.renderModel(model('new\n'));
    expect(ours.node.querySelector('details')).toBeNull();
  });

  it('counts several run texts', async () => {
    const ours = create();
    await ours.renderModel(model(`${block('a')}\n${block('b')}\n`));
    expect(ours.node.querySelector('summary')?.textContent).toBe(
      '2 run texts hidden'
    );
  });
});
