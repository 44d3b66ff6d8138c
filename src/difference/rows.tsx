// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { TextComparison, TextRow } from '../api/schema';
import { CONTEXT, foldPlace, foldRows } from './fold';
import type { Highlight, IRowTokens, IToken } from './highlight';
import { useTokens } from './highlight';
import { Lazy } from './lazy';

/** How many rows are drawn together. */
const CHUNK = 150;

/** How many lines that do not differ are shown whole. */
const SHORT = 40;

/** About how high a row is, in px. */
export const ROW_HEIGHT = 18;

/**
 * How rows of text are shown, and what is unfolded in them.
 */
export interface IRowsView {
  /** Whether old and new stand side by side. */
  readonly sideBySide: boolean;

  /** Whether long lines are broken. */
  readonly wrap: boolean;

  /** What is unfolded. */
  readonly opened: ReadonlySet<string>;

  /** Whether more unchanged lines can be had than the rows hold. */
  readonly hasMore: boolean;

  /** Show what is folded away at a place. */
  readonly unfold: (place: string) => void;
}

/**
 * What the signs mean, for who cannot see them.
 */
export interface ISignNames {
  /** Of `+`. */
  readonly added: string;

  /** Of `-`. */
  readonly removed: string;

  /** Of `~`. */
  readonly modified: string;
}

interface IShownRow {
  row: TextRow;

  /** Whether it is the first of rows that differ. */
  starts: boolean;
}

/**
 * How two texts differ, line by line.
 *
 * @param props.scope - Tells the places of this text from those of others
 * @param props.highlight - Colours its language, where it has one
 */
export function TextRows(props: {
  text: TextComparison;
  label: string;
  scope: string;
  view: IRowsView;
  names?: ISignNames;
  highlight?: Highlight;
  trans: TranslationBundle;
}): JSX.Element {
  const { text, label, scope, view, highlight, trans } = props;
  const names = React.useMemo(
    () =>
      props.names ?? {
        added: trans.__('added'),
        removed: trans.__('removed'),
        modified: trans.__('modified')
      },
    [props.names, trans]
  );
  const { opened, sideBySide } = view;
  const chunks = React.useMemo(() => {
    const mine = new Set<string>();
    for (const place of opened) {
      if (place.startsWith(`${scope} `)) {
        mine.add(place.slice(scope.length + 1));
      }
    }
    // where nothing differs, a short text tells what something else belongs to
    const isShort =
      text.rows.length <= SHORT &&
      text.rows.every(({ change }) => change === 'same');
    const folded = isShort ? text.rows : foldRows(text.rows, mine, CONTEXT);
    return chunksOf(sideBySide ? folded : unifiedRows(folded));
  }, [text, scope, opened, sideBySide]);
  const widths = React.useMemo(() => longest(text.rows), [text]);
  const unfold = React.useCallback(
    (place: string) => view.unfold(`${scope} ${place}`),
    [scope, view.unfold]
  );

  return (
    <div
      className={`jp-DotscienceRows${view.wrap ? ' jp-mod-wrap' : ''}`}
      // lines that are not broken scroll
      tabIndex={view.wrap ? undefined : 0}
      role="group"
      aria-label={label}
    >
      {chunks.map((rows, index) => (
        <Lazy
          key={index}
          estimate={rows.length * ROW_HEIGHT}
          hasChange={rows.some(({ starts }) => starts)}
        >
          {() => (
            <Chunk
              rows={rows}
              label={label}
              widths={widths}
              wrap={view.wrap}
              sideBySide={sideBySide}
              hasMore={view.hasMore}
              unfold={unfold}
              names={names}
              highlight={highlight}
              trans={trans}
            />
          )}
        </Lazy>
      ))}
      {text.truncated && (
        <p className="jp-DotscienceDifference-note">
          {trans.__(
            'The text is very long; the rest of its differences is not shown.'
          )}
        </p>
      )}
    </div>
  );
}

interface IChunkProps {
  rows: IShownRow[];
  label: string;
  widths: { old: number; new: number };
  wrap: boolean;
  sideBySide: boolean;
  hasMore: boolean;
  unfold: (place: string) => void;
  names: ISignNames;
  highlight?: Highlight;
  trans: TranslationBundle;
}

const Chunk = React.memo((props: IChunkProps): JSX.Element => {
  const { rows, label, widths, wrap, sideBySide, names, highlight } = props;
  const plain = React.useMemo(() => rows.map(({ row }) => row), [rows]);
  const colors = useTokens(plain, highlight);
  // lines that are not broken: as wide as the longest, in all chunks the same
  const width = (units: number) =>
    wrap ? undefined : { width: `calc(${units}ch + 16px)` };
  const both = Math.max(widths.old, widths.new);
  return (
    <table className="jp-DotscienceRows-table">
      <caption className="jp-Dotscience-visuallyHidden">{label}</caption>
      <colgroup>
        <col className="jp-DotscienceRows-numbers" />
        {!sideBySide && <col className="jp-DotscienceRows-numbers" />}
        <col className="jp-DotscienceRows-signs" />
        <col style={width(sideBySide ? widths.old : both)} />
        {sideBySide && (
          <>
            <col className="jp-DotscienceRows-numbers" />
            <col className="jp-DotscienceRows-signs" />
            <col style={width(widths.new)} />
          </>
        )}
      </colgroup>
      <tbody>
        {rows.map(({ row, starts }, index) =>
          row.change === 'folded' ? (
            <FoldRow key={index} row={row} {...props} />
          ) : sideBySide ? (
            <PairRow
              key={index}
              {...{ row, starts, names, tokens: colors.get(row) }}
            />
          ) : (
            <UnifiedRow
              key={index}
              {...{ row, starts, names, tokens: colors.get(row) }}
            />
          )
        )}
      </tbody>
    </table>
  );
});
Chunk.displayName = 'Chunk';

function FoldRow(props: IChunkProps & { row: TextRow }): JSX.Element {
  const { row, sideBySide, hasMore, unfold, trans } = props;
  const place = foldPlace(row);
  return (
    <tr className="jp-DotscienceRows-fold">
      <td colSpan={sideBySide ? 6 : 4}>
        {hasMore ? (
          <button
            type="button"
            className="jp-DotscienceLink"
            onClick={() => unfold(place)}
          >
            {trans._n(
              'Show %1 unchanged line',
              'Show %1 unchanged lines',
              row.count
            )}
          </button>
        ) : (
          trans._n('%1 unchanged line', '%1 unchanged lines', row.count)
        )}
      </td>
    </tr>
  );
}

interface IRowProps {
  row: TextRow;
  starts: boolean;
  names: ISignNames;
  tokens?: IRowTokens;
}

function PairRow({ row, starts, names, tokens }: IRowProps): JSX.Element {
  const { change } = row;
  const old = change === 'added' ? 'none' : change;
  const newer = change === 'removed' ? 'none' : change;
  return (
    <tr
      data-change={starts ? '' : undefined}
      tabIndex={starts ? -1 : undefined}
    >
      <td className="jp-DotscienceRows-number">{row.old_line}</td>
      <SignCell change={old} names={names} />
      <CodeCell
        change={old === 'modified' ? 'removed' : old}
        text={change === 'same' ? (row.old ?? row.new) : row.old}
        spans={row.old_spans}
        tokens={tokens?.old}
      />
      <td className="jp-DotscienceRows-number">{row.new_line}</td>
      <SignCell change={newer} names={names} />
      <CodeCell
        change={newer === 'modified' ? 'added' : newer}
        text={change === 'same' ? (row.new ?? row.old) : row.new}
        spans={row.new_spans}
        tokens={tokens?.new}
      />
    </tr>
  );
}

function UnifiedRow({ row, starts, names, tokens }: IRowProps): JSX.Element {
  const isNew = row.change !== 'removed';
  return (
    <tr
      data-change={starts ? '' : undefined}
      tabIndex={starts ? -1 : undefined}
    >
      <td className="jp-DotscienceRows-number">{row.old_line}</td>
      <td className="jp-DotscienceRows-number">{row.new_line}</td>
      <SignCell change={row.change} names={names} />
      <CodeCell
        change={row.change}
        text={isNew ? (row.new ?? row.old) : row.old}
        spans={isNew ? row.new_spans : row.old_spans}
        tokens={isNew ? tokens?.new : tokens?.old}
      />
    </tr>
  );
}

/**
 * The sign of a change, and for who cannot see it its name.
 */
function SignCell(props: { change: string; names: ISignNames }): JSX.Element {
  const { change, names } = props;
  const [sign, name] =
    change === 'added'
      ? ['+', names.added]
      : change === 'removed'
        ? ['-', names.removed]
        : change === 'modified'
          ? ['~', names.modified]
          : ['', ''];
  return (
    <td className={`jp-DotscienceRows-sign jp-mod-${change}`}>
      {sign && (
        <>
          <span aria-hidden="true">{sign}</span>
          <span className="jp-Dotscience-visuallyHidden">{name}</span>
        </>
      )}
    </td>
  );
}

function CodeCell(props: {
  change: string;
  text: string | null;
  spans: number[][];
  tokens?: readonly IToken[];
}): JSX.Element {
  const { change, text, spans, tokens } = props;
  return (
    <td className={`jp-DotscienceRows-code jp-mod-${change}`}>
      {text === null ? null : marked(text, spans, tokens)}
    </td>
  );
}

/**
 * A line with its parts that differ marked, and its words in their colours.
 *
 * @param spans - Start and end of each part that differs, in UTF-16 units
 */
export function marked(
  text: string,
  spans: number[][],
  tokens: readonly IToken[] = []
): React.ReactNode {
  if (spans.length === 0) {
    return colored(text, 0, text.length, tokens);
  }
  const parts: React.ReactNode[] = [];
  let at = 0;
  for (const [start, end] of spans) {
    if (start >= at && end > start) {
      parts.push(
        <React.Fragment key={`before ${start}`}>
          {colored(text, at, start, tokens)}
        </React.Fragment>,
        <mark key={start}>{colored(text, start, end, tokens)}</mark>
      );
      at = end;
    }
  }
  parts.push(
    <React.Fragment key="rest">
      {colored(text, at, text.length, tokens)}
    </React.Fragment>
  );
  return parts;
}

/** A part of a line, its words in their colours. */
function colored(
  text: string,
  from: number,
  to: number,
  tokens: readonly IToken[]
): React.ReactNode {
  const parts: React.ReactNode[] = [];
  let at = from;
  for (const { start, end, className } of tokens) {
    const first = Math.max(start, at);
    const last = Math.min(end, to);
    if (last > first) {
      parts.push(text.slice(at, first));
      parts.push(
        <span key={first} className={className}>
          {text.slice(first, last)}
        </span>
      );
      at = last;
    }
  }
  if (at === from) {
    return text.slice(from, to);
  }
  parts.push(text.slice(at, to));
  return parts;
}

/**
 * The same rows with what was removed above what was added.
 */
export function unifiedRows(rows: readonly TextRow[]): TextRow[] {
  const result: TextRow[] = [];
  let added: TextRow[] = [];
  for (const row of rows) {
    const isOld = row.change === 'removed' || row.change === 'modified';
    const isNew = row.change === 'added' || row.change === 'modified';
    if (!isOld && !isNew) {
      result.push(...added, row);
      added = [];
    }
    if (isOld) {
      result.push({ ...row, ...NO_NEW, change: 'removed' });
    }
    if (isNew) {
      added.push({ ...row, ...NO_OLD, change: 'added' });
    }
  }
  result.push(...added);
  return result;
}

const NO_NEW = { new: null, new_line: null, new_spans: [] };
const NO_OLD = { old: null, old_line: null, old_spans: [] };

function chunksOf(rows: readonly TextRow[]): IShownRow[][] {
  const chunks: IShownRow[][] = [];
  let quiet = true;
  rows.forEach((row, index) => {
    const isQuiet = row.change === 'same' || row.change === 'folded';
    if (index % CHUNK === 0) {
      chunks.push([]);
    }
    chunks[chunks.length - 1].push({ row, starts: quiet && !isQuiet });
    quiet = isQuiet;
  });
  return chunks;
}

function longest(rows: readonly TextRow[]): { old: number; new: number } {
  let old = 0;
  let newer = 0;
  for (const row of rows) {
    old = Math.max(old, row.old?.length ?? 0);
    newer = Math.max(newer, row.new?.length ?? 0);
  }
  return { old, new: newer };
}
