// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { EditorLanguageRegistry } from '@jupyterlab/codemirror';
import * as React from 'react';
import { renderToStaticMarkup } from 'react-dom/server';

import type { IToken } from '../difference/highlight';
import { Highlighter, rowTokens } from '../difference/highlight';
import { marked } from '../difference/rows';
import { aRow, sameRows } from './difference.fixtures';

/** Colours each run of letters. */
const words = async (text: string): Promise<IToken[]> =>
  [...text.matchAll(/[a-z]+/g)].map(({ index, 0: word }) => ({
    start: index,
    end: index + word.length,
    className: word
  }));

describe('rowTokens', () => {
  it('gives each side of a row its own colours', async () => {
    const modified = aRow({ change: 'modified', old: 'ab 1', new: 'c de' });
    const added = aRow({ change: 'added', new: '  f' });
    const folded = aRow({ change: 'folded', count: 3 });
    const rows = [...sameRows(1, 1), modified, folded, added];
    const tokens = await rowTokens(rows, words);
    expect(tokens.get(rows[0])?.old).toEqual([
      { start: 0, end: 4, className: 'line' }
    ]);
    expect(tokens.get(modified)).toEqual({
      old: [{ start: 0, end: 2, className: 'ab' }],
      new: [
        { start: 0, end: 1, className: 'c' },
        { start: 2, end: 4, className: 'de' }
      ]
    });
    expect(tokens.get(folded)).toBeUndefined();
    expect(tokens.get(added)).toEqual({
      new: [{ start: 2, end: 3, className: 'f' }]
    });
  });

  it('goes on where a colour spans lines', async () => {
    const rows = [
      aRow({ change: 'added', new: 'x = """a' }),
      aRow({ change: 'added', new: '' }),
      aRow({ change: 'added', new: 'b""" + y' })
    ];
    const string = async (): Promise<IToken[]> => [
      { start: 4, end: 14, className: 'string' }
    ];
    const tokens = await rowTokens(rows, string);
    expect(rows.map(row => tokens.get(row)?.new)).toEqual([
      [{ start: 4, end: 8, className: 'string' }],
      [],
      [{ start: 0, end: 4, className: 'string' }]
    ]);
  });

  it('leaves what is very long as it is', async () => {
    const rows = [aRow({ change: 'added', new: 'x '.repeat(30_000) })];
    expect((await rowTokens(rows, words)).size).toBe(0);
  });
});

describe('marked', () => {
  const html = (spans: number[][], tokens: IToken[]): string =>
    renderToStaticMarkup(<>{marked('let <a> = b', spans, tokens)}</>);

  it('marks and colours at the same time, and text stays text', () => {
    const tokens = [
      { start: 0, end: 3, className: 'k' },
      { start: 4, end: 7, className: 't' }
    ];
    expect(html([], [])).toBe('let &lt;a&gt; = b');
    expect(html([], tokens)).toBe(
      '<span class="k">let</span> <span class="t">&lt;a&gt;</span> = b'
    );
    expect(html([[2, 5]], tokens)).toBe(
      '<span class="k">le</span><mark><span class="k">t</span> <span class="t">&lt;</span></mark><span class="t">a&gt;</span> = b'
    );
    expect(html([[8, 11]], tokens)).toContain('<mark>= b</mark>');
  });
});

describe('Highlighter', () => {
  const registry = new EditorLanguageRegistry();
  for (const language of EditorLanguageRegistry.getDefaultLanguages()) {
    registry.addLanguage(language);
  }
  const highlighter = new Highlighter(registry);

  it('knows languages by name and by file', async () => {
    const python = highlighter.ofLanguage('python');
    const tokens = await python!('def f():\n    return "x"\n');
    const text = 'def f():\n    return "x"\n';
    expect(tokens.map(({ start, end }) => text.slice(start, end))).toEqual(
      expect.arrayContaining(['def', 'return', '"x"'])
    );
    expect(tokens.every(({ className }) => className !== '')).toBe(true);
    expect(highlighter.ofFile('deep/train.py')).toBeDefined();
    expect(highlighter.ofFile('notes.unknown')).toBeUndefined();
    expect(highlighter.ofLanguage('')).toBeUndefined();
    expect(highlighter.ofLanguage('no such language')).toBeUndefined();
  });
});
