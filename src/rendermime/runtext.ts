// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * A text without the published run texts in it.
 */
export interface IHiddenText {
  /**
   * What is left to show.
   */
  text: string;

  /**
   * The run texts that were taken out, in order, exactly as they were.
   */
  hidden: string[];
}

/**
 * What every run text holds; a quick test before the real search.
 */
const HINT = 'DOTSCIENCE-RUN:';

const OPEN = /\[\[DOTSCIENCE-RUN:([^\]\n]+)\]\]/g;
const CLOSE = /\[\[\/DOTSCIENCE-RUN:([^\]\n]+)\]\]/;

/**
 * Take the published run texts out of a program's output.
 *
 * @param source - The text of one output.
 *
 * #### Notes
 * A run text is `[[DOTSCIENCE-RUN:id]]{...}[[/DOTSCIENCE-RUN:id]]` (see
 * docs/run-format.md). An output can also begin or end within one, because another output (standard error)
 * came in between or because it is still being written; such a part is hidden only where it looks
 * like one, so that a program which merely prints a marker is not robbed of its output.
 */
export function hideRunText(source: string): IHiddenText {
  if (!source.includes(HINT)) {
    return { text: source, hidden: [] };
  }
  const hidden: string[] = [];
  let text = '';
  let position = 0;

  const tail = findTail(source);
  if (tail > 0) {
    hidden.push(source.slice(0, tail));
    position = skipLineEnd(source, tail, '');
  }

  OPEN.lastIndex = position;
  for (let match = OPEN.exec(source); match; match = OPEN.exec(source)) {
    const body = match.index + match[0].length;
    const close = `[[/DOTSCIENCE-RUN:${match[1]}]]`;
    const closed = source.indexOf(close, body);
    if (closed < 0 && !looksLikeStart(source.slice(body, body + 200))) {
      continue;
    }
    const end = closed < 0 ? source.length : closed + close.length;
    text += source.slice(position, match.index);
    hidden.push(source.slice(match.index, end));
    position = skipLineEnd(source, end, text);
    OPEN.lastIndex = end;
  }
  text += source.slice(position);
  return { text, hidden };
}

/**
 * Find where the end of a run text ends that an earlier output began, or -1.
 */
function findTail(source: string): number {
  const match = CLOSE.exec(source);
  if (!match) {
    return -1;
  }
  const before = source.slice(0, match.index);
  if (before.includes(`[[DOTSCIENCE-RUN:${match[1]}]]`)) {
    return -1;
  }
  return before.trimEnd() === '' || before.trimEnd().endsWith('}')
    ? match.index + match[0].length
    : -1;
}

/**
 * Whether what follows an opening marker can be the start of a record.
 */
function looksLikeStart(text: string): boolean {
  const start = text.trimStart();
  return start === '' || start.startsWith('{');
}

/**
 * The line end after a run text belongs to it where it stood on lines of its own.
 */
function skipLineEnd(source: string, end: number, before: string): number {
  if (before !== '' && !before.endsWith('\n')) {
    return end;
  }
  if (source.startsWith('\r\n', end)) {
    return end + 2;
  }
  return source.startsWith('\n', end) ? end + 1 : end;
}
