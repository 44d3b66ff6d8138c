// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunSummary } from '../api/schema';
import type { IColumn } from './model';
import { RunRow } from './row';
import { indexAt, menuPlace, useRows } from './rows';
import type { IRunsChange, RunsModel } from './runs';
import { rowAfterKey } from './window';

/**
 * What the list works with.
 */
export interface IRunListProps {
  /** The runs. */
  runs: RunsModel;

  /** Ids of the runs chosen for a comparison. */
  selected: readonly string[];

  /** Ids of the runs that have just arrived. */
  fresh: ReadonlySet<string>;

  /** The values to show for each run. */
  columns: readonly IColumn[];

  /** Whether each run shows metrics of its own beside them. */
  showsOwnMetrics: boolean;

  /** The present moment, ms since the epoch. */
  now: number;

  /** The language of the interface. */
  language: string;

  /** The translation bundle. */
  trans: TranslationBundle;

  /** Open a run. */
  onOpen: (run: RunSummary) => void;

  /** Choose a run for a comparison, or no longer. */
  onToggle: (run: RunSummary) => void;

  /** Choose exactly these runs for a comparison. */
  onSelect: (ids: readonly string[]) => void;

  /** Show what can be done with a run, at a place on the page. */
  onMenu: (run: RunSummary, x: number, y: number) => void;
}

/**
 * The runs, of which only those that are visible are in the page.
 *
 * #### Notes
 * It is a list box with one tab stop: the arrows move, Enter opens, Space chooses for a
 * comparison. All rows have the same height, so any place of a long list is reached at once.
 */
export function RunList(props: IRunListProps): React.ReactElement {
  const { runs, trans } = props;
  const base = React.useId();
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const [active, setActive] = React.useState(-1);
  const moved = React.useRef({ reset: false, shift: 0 });

  const total = runs.total;
  const list = useRows(total, 3);
  const { first, end } = list;

  // What moved while the page was not drawn yet is applied together with the new rows.
  React.useEffect(() => {
    const owner = {};
    const onChanged = (_: RunsModel, change: IRunsChange) => {
      if (change.reset) {
        moved.current = { reset: true, shift: 0 };
      } else {
        moved.current.shift += change.shift;
      }
      draw();
    };
    runs.changed.connect(onChanged, owner);
    return () => {
      runs.changed.disconnect(onChanged, owner);
    };
  }, [runs]);

  React.useLayoutEffect(() => {
    const { reset, shift } = moved.current;
    moved.current = { reset: false, shift: 0 };
    if (reset) {
      list.scrollTo(0);
      setActive(-1);
    } else if (shift !== 0) {
      if (list.scrollTop > 0) {
        list.scrollTo(list.scrollTop + shift * list.row);
      }
      setActive(index => (index < 0 ? index : index + shift));
    }
  });

  React.useEffect(() => {
    runs.ensure(first, end);
  }, [runs, first, end, total, runs.isReady]);

  const show = (index: number) => {
    setActive(index);
    list.show(index);
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const run = runs.get(active);
    const page = Math.floor(list.height / list.row);
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    const to = modified ? null : rowAfterKey(event.key, active, page, total);
    if (to !== null) {
      // The first arrow goes to what the eye is at, not to the start of the list.
      const visible = Math.ceil(list.scrollTop / list.row);
      show(active < 0 && event.key.startsWith('Arrow') ? visible : to);
    } else if (event.key === 'Enter' && run) {
      props.onOpen(run);
    } else if (event.key === ' ' && run) {
      props.onToggle(run);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const onClick = (event: React.MouseEvent) => {
    const index = indexAt(event.target);
    const run = runs.get(index);
    if (!run) {
      return;
    }
    const before = runs.get(active);
    setActive(index);
    if (event.shiftKey && before) {
      props.onSelect([before.id, run.id]);
    } else if (event.ctrlKey || event.metaKey || event.shiftKey) {
      props.onToggle(run);
    } else {
      props.onOpen(run);
    }
  };

  const onContextMenu = (event: React.MouseEvent) => {
    const pointed = indexAt(event.target);
    const index = pointed >= 0 ? pointed : active;
    const run = runs.get(index);
    if (!run) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    setActive(index);
    props.onMenu(run, ...menuPlace(event, `${base}-${index}`));
  };

  const rows: React.ReactElement[] = [];
  for (let index = first; index < end; index++) {
    const run = runs.get(index);
    rows.push(
      <RunRow
        key={run?.id ?? `row-${index}`}
        id={`${base}-${index}`}
        run={run}
        index={index}
        total={total}
        height={list.row}
        isActive={index === active}
        isSelected={run !== undefined && props.selected.includes(run.id)}
        isFresh={run !== undefined && props.fresh.has(run.id)}
        columns={props.columns}
        showsOwnMetrics={props.showsOwnMetrics}
        now={props.now}
        language={props.language}
        trans={trans}
      />
    );
  }

  return (
    <div
      ref={list.ref}
      className="jp-DotscienceList jp-DotscienceRuns"
      role="listbox"
      tabIndex={0}
      aria-label={trans.__('Runs')}
      aria-multiselectable={true}
      aria-busy={runs.isStale}
      aria-activedescendant={
        active >= first && active < end ? `${base}-${active}` : undefined
      }
      onScroll={list.onScroll}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onContextMenu={onContextMenu}
    >
      <div
        className="jp-DotscienceList-content"
        role="presentation"
        style={{ height: total * list.row }}
      >
        {rows}
      </div>
    </div>
  );
}
