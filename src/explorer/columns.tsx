// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect, InputGroup } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Column } from '../api/schema';
import { useSignal } from '../panel/hooks';
import { TextButton } from '../run/components';
import { hideColumn, moveColumn, pinColumn } from './arrange';
import { columnTitle, kindTitle } from './cells';
import type { ExplorerModel } from './model';
import type { Direction } from './state';

const KINDS: Column['kind'][] = ['field', 'metric', 'parameter', 'label'];

/** How many columns that are not shown are offered at a time. */
const OFFERED = 100;

/**
 * The list of columns: which are shown, in which order, which stay, which values are good.
 */
export function ColumnList(props: {
  model: ExplorerModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const [search, setSearch] = React.useState('');
  const [dragged, setDragged] = React.useState<string | null>(null);
  useSignal(model.changed);
  const { pinned, scrolling } = model;
  const shown = [...pinned, ...scrolling];
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (key: string): boolean => {
    const column = model.column(key);
    const text = `${key} ${columnTitle(column, key, trans)}`.toLowerCase();
    return words.every(word => text.includes(word));
  };
  const hidden = model.columns.filter(
    ({ key }) => !shown.includes(key) && matches(key)
  );

  const rows = (keys: readonly string[]): React.ReactNode =>
    keys.map((key, index) =>
      matches(key) ? (
        <ColumnRow
          key={key}
          {...{ model, trans, columnKey: key, index }}
          count={keys.length}
          isPinned={pinned.includes(key)}
          onPin={() => pinColumn(model, key)}
          onHide={() => hideColumn(model, key)}
          onMove={to => moveColumn(model, key, to)}
          onDrag={() => setDragged(key)}
          onDrop={() => {
            const isSameList =
              dragged !== null &&
              pinned.includes(dragged) === pinned.includes(key);
            if (isSameList) {
              moveColumn(model, dragged, index);
            }
            setDragged(null);
          }}
        />
      ) : null
    );

  return (
    <div
      className="jp-DotscienceColumns"
      role="region"
      aria-label={trans.__('Columns')}
    >
      <InputGroup
        type="search"
        placeholder={trans.__('Search columns')}
        aria-label={trans.__('Search columns')}
        value={search}
        onChange={event => setSearch(event.target.value)}
      />
      <h3>{trans.__('Pinned')}</h3>
      <ul aria-label={trans.__('Pinned columns')}>{rows(pinned)}</ul>
      <h3>{trans.__('Shown')}</h3>
      <ul aria-label={trans.__('Shown columns')}>{rows(scrolling)}</ul>
      <h3>{trans.__('Not shown')}</h3>
      {KINDS.map(kind => {
        const some = hidden.filter(each => each.kind === kind);
        return some.length === 0 ? null : (
          <React.Fragment key={kind}>
            <h4>{kindTitle(kind, trans)}</h4>
            <ul aria-label={kindTitle(kind, trans)}>
              {some.slice(0, OFFERED).map(({ key }) => (
                <li key={key} className="jp-DotscienceColumns-row">
                  <label>
                    <input
                      type="checkbox"
                      checked={false}
                      onChange={() =>
                        model.update({ columns: [...scrolling, key] })
                      }
                    />
                    <span>{columnTitle(model.column(key), key, trans)}</span>
                  </label>
                </li>
              ))}
            </ul>
            {some.length > OFFERED && (
              <p className="jp-DotscienceEmpty">
                {trans.__(
                  'And %1 more: search for them.',
                  some.length - OFFERED
                )}
              </p>
            )}
          </React.Fragment>
        );
      })}
      {model.state.columns !== null && (
        <TextButton
          title={trans.__('Show the columns that were shown at first')}
          onClick={() =>
            model.update({ columns: null, pinned: ['description'], widths: {} })
          }
        >
          {trans.__('Reset')}
        </TextButton>
      )}
    </div>
  );
}

function ColumnRow(props: {
  model: ExplorerModel;
  columnKey: string;
  index: number;
  count: number;
  isPinned: boolean;
  trans: TranslationBundle;
  onPin: () => void;
  onHide: () => void;
  onMove: (to: number) => void;
  onDrag: () => void;
  onDrop: () => void;
}): JSX.Element {
  const { model, columnKey: key, index, isPinned, trans } = props;
  const column = model.column(key);
  const title = columnTitle(column, key, trans);
  const sort = model.state.sort.find(each => each.key === key);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (!event.altKey) {
      return;
    }
    if (event.key === 'ArrowUp' && index > 0) {
      props.onMove(index - 1);
    } else if (event.key === 'ArrowDown' && index < props.count - 1) {
      props.onMove(index + 2);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <li
      className="jp-DotscienceColumns-row"
      draggable
      onDragStart={event => {
        event.dataTransfer.effectAllowed = 'move';
        event.dataTransfer.setData('text/plain', title);
        props.onDrag();
      }}
      onDragOver={event => event.preventDefault()}
      onDrop={event => {
        event.preventDefault();
        props.onDrop();
      }}
      onKeyDown={onKeyDown}
    >
      <label
        title={trans.__('%1; move it with Alt+arrows or by dragging', title)}
      >
        <input type="checkbox" checked onChange={props.onHide} />
        <span>{title}</span>
      </label>
      {column?.kind === 'metric' && column.type === 'number' && (
        <HTMLSelect
          className="jp-DotscienceColumns-direction"
          aria-label={trans.__('Best values of %1', title)}
          title={trans.__('Best values of %1', title)}
          value={model.direction(key)}
          onChange={event =>
            model.update({
              directions: {
                ...model.state.directions,
                [key]: event.target.value as Direction
              }
            })
          }
        >
          <option value="higher">{trans.__('high')}</option>
          <option value="lower">{trans.__('low')}</option>
          <option value="none">{trans.__('none')}</option>
        </HTMLSelect>
      )}
      <button
        type="button"
        className="jp-DotscienceColumns-button"
        aria-label={
          sort
            ? sort.descending
              ? trans.__('Sort by %1; sorted descending now', title)
              : trans.__('Sort by %1; sorted ascending now', title)
            : trans.__('Sort by %1', title)
        }
        title={trans.__('Sort; with Shift as a further key')}
        onClick={event => model.sortBy(key, event.shiftKey)}
      >
        <span aria-hidden="true">
          {sort ? (sort.descending ? '▼' : '▲') : '↕'}
        </span>
      </button>
      <button
        type="button"
        className="jp-DotscienceColumns-button"
        aria-pressed={isPinned}
        aria-label={trans.__('Pin %1', title)}
        title={isPinned ? trans.__('Unpin') : trans.__('Keep at the left')}
        onClick={props.onPin}
      >
        <span aria-hidden="true">{isPinned ? '◆' : '◇'}</span>
      </button>
    </li>
  );
}
