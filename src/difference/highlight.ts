// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  IEditorLanguage,
  IEditorLanguageRegistry
} from '@jupyterlab/codemirror';
import * as React from 'react';

import type { TextRow } from '../api/schema';

/** The longest text that gets colours at a time. */
const MOST = 50_000;

/** A part of a text that has a colour. */
export interface IToken {
  /** Where it starts, in UTF-16 units. */
  readonly start: number;

  /** Where it ends. */
  readonly end: number;

  /** The classes of its colour. */
  readonly className: string;
}

/** Finds the parts of a text that have a colour. */
export type Highlight = (text: string) => Promise<IToken[]>;

/** The colours of a row's two sides. */
export interface IRowTokens {
  /** Of what was before. */
  old?: readonly IToken[];

  /** Of what is now. */
  new?: readonly IToken[];
}

/**
 * Colours texts as JupyterLab's editors do.
 */
export class Highlighter {
  /**
   * Create a highlighter.
   *
   * @param _languages - The languages that JupyterLab knows
   */
  constructor(private readonly _languages: IEditorLanguageRegistry) {}

  /** How a file of that name is coloured; undefined where its language is not known. */
  ofFile(path: string): Highlight | undefined {
    return this._of(this._languages.findByFileName(path.split('/').pop()!));
  }

  /** How a language is coloured; undefined where it is not known. */
  ofLanguage(name: string): Highlight | undefined {
    return this._of(name ? this._languages.findByName(name) : null);
  }

  private _of(language: IEditorLanguage | null): Highlight | undefined {
    if (!language) {
      return undefined;
    }
    return async text => {
      addStyles();
      const node = document.createElement('pre');
      await this._languages.highlight(text, language, node);
      return tokensOf(node);
    };
  }
}

/** The coloured parts of what the registry has drawn. */
function tokensOf(node: HTMLElement): IToken[] {
  const tokens: IToken[] = [];
  let at = 0;
  for (const child of Array.from(node.childNodes)) {
    const end = at + (child.textContent?.length ?? 0);
    if (child instanceof HTMLElement) {
      tokens.push({ start: at, end, className: child.className });
    }
    at = end;
  }
  return tokens;
}

let hasStyles = false;

/** Editors bring their colours along; here there may be none yet. */
function addStyles(): void {
  if (hasStyles) {
    return;
  }
  hasStyles = true;
  // only loaded when there is something to colour
  void import('@jupyterlab/codemirror').then(({ jupyterHighlightStyle }) => {
    const rules = jupyterHighlightStyle.module?.getRules();
    if (rules) {
      const style = document.createElement('style');
      style.textContent = rules;
      document.head.appendChild(style);
    }
  });
}

/**
 * The colours of some rows; none until they are known.
 */
export function useTokens(
  rows: readonly TextRow[],
  highlight: Highlight | undefined
): ReadonlyMap<TextRow, IRowTokens> {
  const [tokens, setTokens] =
    React.useState<ReadonlyMap<TextRow, IRowTokens>>(NONE);
  React.useEffect(() => {
    let current = true;
    setTokens(NONE);
    if (highlight) {
      void rowTokens(rows, highlight).then(found => {
        if (current) {
          setTokens(found);
        }
      });
    }
    return () => {
      current = false;
    };
  }, [rows, highlight]);
  return tokens;
}

const NONE: ReadonlyMap<TextRow, IRowTokens> = new Map();

/**
 * Colour rows, each side as one text, so that what spans lines is understood.
 */
export async function rowTokens(
  rows: readonly TextRow[],
  highlight: Highlight
): Promise<ReadonlyMap<TextRow, IRowTokens>> {
  const result = new Map<TextRow, IRowTokens>();
  for (const side of ['old', 'new'] as const) {
    const lines: string[] = [];
    const owners: TextRow[] = [];
    for (const row of rows) {
      const line =
        row.change === 'same' ? (row[side] ?? row.old ?? row.new) : row[side];
      if (line !== null && row.change !== 'folded') {
        lines.push(line);
        owners.push(row);
      }
    }
    const text = lines.join('\n');
    if (text.length === 0 || text.length > MOST) {
      continue;
    }
    const tokens = await highlight(text);
    let at = 0;
    let next = 0;
    lines.forEach((line, index) => {
      const end = at + line.length;
      const found: IToken[] = [];
      while (next < tokens.length && tokens[next].start < end) {
        const { start, end: stop, className } = tokens[next];
        if (stop > at && end > at) {
          found.push({
            start: Math.max(start, at) - at,
            end: Math.min(stop, end) - at,
            className
          });
        }
        if (stop > end) {
          break;
        }
        next += 1;
      }
      const row = owners[index];
      result.set(row, { ...result.get(row), [side]: found });
      at = end + 1;
    });
  }
  return result;
}
