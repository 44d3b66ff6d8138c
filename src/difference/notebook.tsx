// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type {
  CellPair,
  FileComparison,
  NotebookComparison
} from '../api/schema';
import { errorOf } from '../reason';
import { Failure, LinkButton, Waiting } from '../run/components';
import { NOTHING } from '../run/format';
import type { Highlight } from './highlight';
import { Lazy } from './lazy';
import type { DifferenceModel } from './model';
import type { IOutputParts } from './output';
import type { IOutputNames } from './outputs';
import { OutputPairs, outputsHeight } from './outputs';
import type { IRowsView } from './rows';
import { ROW_HEIGHT, TextRows } from './rows';

/** About how high a cell is beside its rows, in px. */
const CELL_HEIGHT = 56;

/**
 * How two notebooks differ, cell by cell.
 */
export function NotebookView(props: {
  content: FileComparison;
  notebook: NotebookComparison;
  model: DifferenceModel;
  view: IRowsView;
  parts: IOutputParts;
}): JSX.Element {
  const { content, notebook, model, view, parts } = props;
  const { highlighter, trans } = parts;
  const { language } = notebook;
  const code = React.useMemo(
    () => highlighter?.ofLanguage(language),
    [highlighter, language]
  );
  const markdown = React.useMemo(
    () => highlighter?.ofLanguage('markdown'),
    [highlighter]
  );
  return (
    <>
      {notebook.metadata && (
        <div className="jp-DotscienceCell">
          <h3>{trans.__('Metadata of the notebook')}</h3>
          <TextRows
            text={notebook.metadata}
            label={trans.__('Metadata of the notebook')}
            scope="notebook-metadata"
            view={view}
            trans={trans}
          />
        </div>
      )}
      {notebook.cells.map(pair => {
        const place = placeOf(pair);
        return pair.change === 'folded' ? (
          <FoldedCells
            key={place}
            pair={pair}
            content={content}
            model={model}
            place={`cells ${place}`}
            trans={trans}
          />
        ) : (
          <Lazy key={place} estimate={heightOf(pair)} hasChange>
            {() => (
              <Cell
                pair={pair}
                place={place}
                counts={model.options.counts}
                view={view}
                highlight={
                  pair.type === 'markdown'
                    ? markdown
                    : pair.type === 'code'
                      ? code
                      : undefined
                }
                parts={parts}
              />
            )}
          </Lazy>
        );
      })}
    </>
  );
}

/**
 * Tells a pair of cells from the others of the notebook, also when more of it is known.
 */
function placeOf(pair: CellPair): string {
  return `${pair.change === 'folded' ? 'fold' : ''}${pair.old_index ?? ''}:${pair.new_index ?? ''}`;
}

function heightOf(pair: CellPair): number {
  const rows = pair.source?.rows.length ?? 1;
  const outputs = outputsHeight(pair.outputs);
  return CELL_HEIGHT + rows * ROW_HEIGHT + outputs;
}

/**
 * A number of cells that did not change.
 */
function FoldedCells(props: {
  pair: CellPair;
  content: FileComparison;
  model: DifferenceModel;
  place: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { pair, content, model, place, trans } = props;
  const isOpen = model.opened.has(place);
  const first = pair.new_index ?? 0;
  const [sources, setSources] = React.useState<string[] | null>(null);
  const [error, setError] = React.useState<Error | null>(null);
  const read = React.useCallback(() => {
    let current = true;
    setError(null);
    model.sources().then(
      cells => {
        if (current) {
          setSources(cells);
        }
      },
      (reason: unknown) => {
        if (current) {
          setError(errorOf(reason));
        }
      }
    );
    return () => {
      current = false;
    };
    // another content may be of another moment; what is shown stays until it is read
  }, [model, content]);
  React.useEffect(() => (isOpen ? read() : undefined), [isOpen, read]);
  if (!isOpen) {
    return (
      <div className="jp-DotscienceCell-folded">
        <LinkButton onClick={() => model.openCells(place)}>
          {trans._n(
            'Show %1 unchanged cell',
            'Show %1 unchanged cells',
            pair.count
          )}
        </LinkButton>
      </div>
    );
  }
  if (error) {
    return (
      <Failure
        message={trans.__(
          'The unchanged cells could not be read: %1',
          error.message
        )}
        trans={trans}
        onRetry={read}
      />
    );
  }
  if (sources === null) {
    return <Waiting>{trans.__('Reading the unchanged cells…')}</Waiting>;
  }
  return (
    <>
      {sources.slice(first, first + pair.count).map((source, index) => (
        <div
          key={index}
          className="jp-DotscienceCell jp-mod-same"
          role="group"
          aria-label={trans.__('Cell %1, unchanged', first + index + 1)}
        >
          <pre>{source}</pre>
        </div>
      ))}
    </>
  );
}

/**
 * A cell before and after.
 */
function Cell(props: {
  pair: CellPair;
  place: string;
  counts: boolean;
  view: IRowsView;
  highlight?: Highlight;
  parts: IOutputParts;
}): JSX.Element {
  const { pair, place, counts, view, highlight, parts } = props;
  const { trans } = parts;
  const { old_count: oldCount, new_count: newCount } = pair;
  const title = cellTitle(pair, trans);
  return (
    <div
      className={`jp-DotscienceCell jp-mod-${pair.change}`}
      role="group"
      aria-label={title}
      data-change=""
      tabIndex={-1}
    >
      <div className="jp-DotscienceCell-title">
        <span aria-hidden="true">{signOf(pair.change)}</span> {title}
        {counts && oldCount !== newCount && (
          <span className="jp-DotscienceCell-counts">
            {trans.__(
              'Execution count: %1 → %2',
              oldCount ?? NOTHING,
              newCount ?? NOTHING
            )}
          </span>
        )}
      </div>
      {pair.source && (
        <TextRows
          text={pair.source}
          label={trans.__('Source')}
          scope={`source ${place}`}
          view={view}
          highlight={highlight}
          trans={trans}
        />
      )}
      {pair.metadata && (
        <details className="jp-DotscienceDetails">
          <summary>{trans.__('Metadata differs')}</summary>
          <TextRows
            text={pair.metadata}
            label={trans.__('Metadata')}
            scope={`metadata ${place}`}
            view={view}
            trans={trans}
          />
        </details>
      )}
      <OutputPairs
        pairs={pair.outputs}
        names={namesOf(trans)}
        place={place}
        view={view}
        parts={parts}
      />
    </div>
  );
}

function namesOf(trans: TranslationBundle): IOutputNames {
  return {
    old: trans.__('- Before'),
    noOld: trans.__('Before: no output'),
    oldLabel: trans.__('Output before'),
    newer: trans.__('+ After'),
    noNewer: trans.__('After: no output'),
    newerLabel: trans.__('Output after'),
    same: trans.__('An output that did not change')
  };
}

function signOf(change: CellPair['change']): string {
  return change === 'added' ? '+' : change === 'removed' ? '-' : '~';
}

function cellTitle(pair: CellPair, trans: TranslationBundle): string {
  const old = (pair.old_index ?? 0) + 1;
  const newer = (pair.new_index ?? 0) + 1;
  switch (pair.change) {
    case 'added':
      return trans.__('Cell %1 added', newer);
    case 'removed':
      return trans.__('Cell %1 removed', old);
    case 'moved':
      return trans.__('Cell %1, moved from %2', newer, old);
    default:
      return old === newer
        ? trans.__('Cell %1 modified', newer)
        : trans.__('Cell %1 modified (it was cell %2)', newer, old);
  }
}
